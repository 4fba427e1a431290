"""Runs as data frames: exact values of small runs, and what cannot be read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import reports

from tlbench.declare.trials import Arm
from tlbench.errors import DamagedError, StoreError
from tlbench.report.frames import CLAIMS, DIFFERENCES, EPOCHS, PREDICTIONS, TRIALS, read
from tlbench.report.gathering import arm_records
from tlbench.store import folders
from tlbench.store.store import Store


@pytest.fixture
def write(tmp_path):
    """A function that writes a report's results.json into the folder of a report."""

    def write(report):
        path = tmp_path / "report" / "results.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(report.text(), encoding="utf-8")
        return path

    return write


@pytest.fixture
def stored(tmp_path, make_trial, make_result, environment):
    """A store of two trials, of which the second diverged, with the report of its last run."""
    store = Store(tmp_path / "store", environment)
    trial = make_trial()
    arm = Arm("A", trial.data, trial.task, trial.network, trial.initialisation, trial.frozen, trial.recipe)
    trials = [arm.trial(seed) for seed in (0, 1)]
    for each, result in zip(trials, (make_result(9), make_result(diverged=True)), strict=True):
        store.save(each, result, {"w": np.zeros(2, np.float32)})
    records, environments = arm_records(trials, store.load, {trials[0].arm_digest: ["A"]})
    folders.keep_report(store.folder, reports.report(arms=records, environments=environments).text())
    return store.folder


def test_trials_have_a_row_each(write):
    """With the arm's facts beside the scores; one that diverged has no score."""
    trials = read(write(reports.report(arms=(reports.arm("A", (0.8, None)), reports.arm("B", (0.6,)))))).trials

    assert ["A", "A", "B"] == list(trials.arm)
    assert ["finished", "diverged", "finished"] == list(trials.status)
    np.testing.assert_array_equal(trials.accuracy, [0.8, np.nan, 0.6])
    np.testing.assert_array_equal(trials.loss, [0.5, np.nan, 0.5])
    assert [1.5] * 3 == list(trials.seconds)
    assert {"tensorflow 2.21.0, keras 3.15.1, cpu (x86_64)"} == set(trials.environment)
    assert {"Recipe()"} == set(trials.recipe)
    assert trials[["source", "frozen"]].isna().all(axis=None)


def test_epochs_have_a_row_each(write):
    """Counted from 1; a loss that is not finite is NaN."""
    epochs = read(write(reports.report(arms=(reports.arm("A", (0.8, None)),)))).epochs

    assert [(0, 1), (0, 2), (1, 1), (1, 2)] == list(zip(epochs.seed, epochs.epoch, strict=True))
    np.testing.assert_array_equal(epochs.training_loss, [1.0, 0.5, 1.0, np.nan])
    np.testing.assert_array_equal(epochs.training_accuracy, [0.6, 0.85] * 2)
    np.testing.assert_array_equal(epochs.validation_accuracy, [0.5, 0.8, 0.5, np.nan])


def test_histories_of_different_lengths_are_filled_up(write):
    """Training ends within an epoch where the loss is no number."""
    report = reports.report(arms=(reports.arm("A", (0.8,), training_loss=(1.0,)),))

    np.testing.assert_array_equal([1.0, np.nan], read(write(report)).epochs.training_loss)


def test_claims_have_a_row_each(write):
    """Seeds that may decide are missing where a claim is decided, numbers where a run diverged."""
    claims = read(write(reports.mixed())).claims

    assert ["test_refuted", "test_open", "test_diverged"] == list(claims.name)
    assert ["refuted", "inconclusive", "inconclusive"] == list(claims.outcome)
    assert [-0.205, 0.0] == pytest.approx(list(claims.effect[:2]))
    assert np.isnan(claims.effect[2])
    assert [True, False, True] == list(claims.seeds_needed.isna())
    assert 7 == claims.seeds_needed[1]


def test_differences_have_a_row_for_each_claim_and_seed(write):
    """Both sides, and NaN where a run diverged."""
    differences = read(write(reports.mixed())).differences
    diverged = differences[differences.claim == "test_diverged"]

    assert 6 == len(differences)
    assert [0, 1] == list(diverged.seed)
    np.testing.assert_array_equal(diverged.left, [np.nan, 0.5])
    np.testing.assert_array_equal(diverged.right, [0.6, 0.61])
    np.testing.assert_array_equal(diverged.difference, [np.nan, 0.5 - 0.61])


def test_predictions_have_a_row_for_each_image(stored):
    """Nine of ten are right, with the probability 0.9; the trial that diverged predicts nothing."""
    predictions = read(stored).predictions
    first, second = predictions[predictions.seed == 0], predictions[predictions.seed == 1]

    assert list(range(10)) == list(first.image)
    assert ["cat", "dog"] * 5 == list(first.label)
    assert [True] * 9 + [False] == list(first.label == first.predicted)
    assert [0.9] * 9 + [0.1] == pytest.approx(list(first.probability))
    assert [0.9] * 10 == pytest.approx(list(first.confidence))
    assert 10 == len(second)
    assert second[["predicted", "probability", "confidence"]].isna().all(axis=None)


def test_scores_follow_from_predictions(stored):
    """The accuracy and the loss of a trial are means over its test images."""
    run = read(stored)
    first = run.predictions[run.predictions.seed == 0]

    assert run.trials.accuracy[0] == (first.label == first.predicted).mean()
    assert run.trials.loss[0] == pytest.approx(-np.log(first.probability).mean())


@pytest.mark.parametrize(
    ("name", "types"),
    {"trials": TRIALS, "epochs": EPOCHS, "claims": CLAIMS, "differences": DIFFERENCES}.items(),
)
@pytest.mark.parametrize("report", [reports.report, reports.mixed, reports.empty], ids=["whole", "mixed", "empty"])
def test_types_do_not_depend_on_what_is_missing(name, types, report, write):
    """Columns have the same types, in the same order, in frames of no rows too."""
    frame = getattr(read(write(report())), name)

    assert types == {column: str(kind) for column, kind in frame.dtypes.items()}


def test_types_of_predictions_are_those_of_the_page(stored):
    """Of a store without trials as well."""
    folders.keep_report(Store(stored, reports.ENVIRONMENT).folder, reports.empty().text())
    empty = read(stored).predictions

    assert PREDICTIONS == {column: str(kind) for column, kind in empty.dtypes.items()}
    assert empty.empty


def test_a_file_a_folder_of_a_report_and_a_store_are_read_alike(write, stored):
    """A store stands for its last run, of which an older tlbench left a report alone."""
    path = write(reports.report())
    (stored / "results.json").unlink()
    (stored / "report").mkdir()
    (stored / "report" / "results.json").write_bytes(path.read_bytes())

    for other in (str(path), path.parent, stored):
        pd.testing.assert_frame_equal(read(path).trials, read(other).trials)


def test_a_report_has_no_predictions(write):
    """The message says what to read instead, and what was read."""
    path = write(reports.report())

    with pytest.raises(StoreError, match=r"read the store of the run, such as \.tlbench\. Received: .*results\.json"):
        _ = read(path).predictions


def test_a_damaged_result_is_an_error(stored):
    """Its predictions are not what was stored."""
    for path in stored.rglob("predictions.npz"):
        path.write_bytes(b"")

    with pytest.raises(DamagedError, match=r"predictions\.npz .*doctor --repair"):
        _ = read(stored).predictions


def test_what_is_no_run_is_an_error(tmp_path):
    """A file or folder that is not there, and one without results."""
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(StoreError, match=r"name a results\.json or the store of a run"):
            read(path)


def test_a_store_of_a_newer_tlbench_is_an_error(stored):
    """As for a run that would use it."""
    (stored / "store.json").write_text('{"schema_version": 99}')

    with pytest.raises(StoreError, match=r"written by a newer tlbench.* Received: 99"):
        read(stored)
