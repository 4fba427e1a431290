"""The store: results on disk."""

from __future__ import annotations

import json
import os
import shutil

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import faults
import numpy as np
import pytest

from tlbench.errors import StoreError
from tlbench.store.store import Store


@pytest.fixture
def store(tmp_path, environment):
    return Store(tmp_path / "store", environment)


@pytest.fixture
def trial(make_trial):
    return make_trial()


WEIGHTS = {"dense/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "dense/bias": np.zeros(3, np.float32)}


def test_a_result_comes_back_as_it_was_saved(store, trial, make_result):
    """Predictions, history and weights are bit-identical."""
    saved = make_result(8)

    store.save(trial, saved, WEIGHTS)
    loaded = store.load(trial)

    assert trial in store
    assert saved.probabilities.tobytes() == loaded.probabilities.tobytes()
    assert saved.validation_probabilities.tobytes() == loaded.validation_probabilities.tobytes()
    assert saved.training_loss == loaded.training_loss
    assert saved.label_names == loaded.label_names
    assert saved.environment == loaded.environment
    assert saved.accuracy == loaded.accuracy
    weights = store.load_weights(trial)
    assert {path: value.tobytes() for path, value in WEIGHTS.items()} == {
        path: value.tobytes() for path, value in weights.items()
    }


def test_scores_stand_in_the_result_for_its_reader(store, trial, make_result):
    """Every listed metric that applies, and F1 by label, can be read without tlbench."""
    saved = make_result(8)
    store.save(trial, saved, WEIGHTS)

    (file,) = store.folder.glob("results/*/*/result.json")
    content = json.loads(file.read_text())

    assert 0.8 == content["scores"]["accuracy"]
    assert {"cat", "dog"} == content["scores"].pop("f1").keys()
    assert saved.scores == content["scores"]
    assert trial.digest == content["digest"]


def test_a_diverged_result_keeps_its_status_and_has_no_scores(store, trial, make_result):
    """NaN is never written as a number."""
    saved = replace(make_result(diverged=True), training_loss=(0.5, float("nan")))

    store.save(trial, saved, WEIGHTS)

    loaded = store.load(trial)
    assert loaded.diverged
    assert np.isnan(loaded.training_loss[1])
    (file,) = store.folder.glob("results/*/*/result.json")
    assert json.loads(file.read_text())["scores"] is None


def test_a_result_that_an_earlier_tlbench_stored_has_all_scores(tmp_path, environment):
    """They are computed from its predictions, also those that its own file lacks."""
    stored = Path(__file__).with_name("result_of_schema_1")
    written = json.loads((stored / "result.json").read_text())
    place = tmp_path / "results" / environment.key / written["digest"][:32]
    place.parent.mkdir(parents=True)
    shutil.copytree(stored, place)

    result = Store(tmp_path, environment).load(SimpleNamespace(digest=written["digest"]))

    assert ("run 1", written["scores"].pop("f1")) == (result.run, result.f1)
    assert written["scores"] == {key: result.scores[key] for key in written["scores"]}
    assert {"brier_score", "balanced_accuracy"} <= result.scores.keys() - written["scores"].keys()


def test_another_environment_does_not_read_the_result(store, trial, make_result, environment):
    """One framework version never reads what another trained."""
    store.save(trial, make_result(), WEIGHTS)

    for change in ({"keras_version": "3.0.0"}, {"backend": "jax"}, {"backend_version": "2.16.1"}, {"device": "gpu"}):
        assert trial not in Store(store.folder, replace(environment, **change))


def test_python_does_not_keep_results_apart(store, trial, make_result, environment):
    """Another Python is the same environment."""
    store.save(trial, make_result(), WEIGHTS)

    assert trial in Store(store.folder, replace(environment, python_version="3.12.0"))


def test_a_result_says_which_run_trained_it(store, trial, make_result, environment):
    """Whichever run reads it."""
    Store(store.folder, environment, "first").save(trial, make_result(), WEIGHTS)

    assert "first" == Store(store.folder, environment, "second").load(trial).run


def test_a_fresh_run_takes_no_result_of_another(store, trial, make_result, environment):
    """The stored result stays until there is another, which replaces it."""
    Store(store.folder, environment, "first").save(trial, make_result(8), WEIGHTS)
    fresh = Store(store.folder, environment, "second", fresh=True)

    assert trial not in fresh
    assert 0.8 == fresh.load(trial).accuracy

    fresh.save(trial, make_result(9), WEIGHTS)

    assert trial in fresh
    assert trial in Store(store.folder, environment, "second", fresh=True), "another process of the run"
    assert trial not in Store(store.folder, environment, "third", fresh=True)
    assert 0.9 == store.load(trial).accuracy
    assert not list(store.folder.glob("results/*/.unfinished-*"))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"run": 3}'])
def test_what_does_not_say_its_run_is_not_fresh(store, trial, make_result, environment, content):
    """As results of older versions of tlbench, and damaged ones."""
    store.save(trial, make_result(), WEIGHTS)
    (file,) = store.folder.glob("results/*/*/result.json")
    file.write_text(content)

    assert trial not in Store(store.folder, environment, "a run", fresh=True)


def test_an_unfinished_write_is_no_result(store, trial, make_result, monkeypatch):
    """What is interrupted while it is written leaves nothing that is read."""

    def interrupted(*_arguments, **_named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.save(trial, make_result(), WEIGHTS)
    assert trial not in store

    store.save(trial, make_result(), WEIGHTS)
    assert trial in store


def test_two_writers_of_the_same_trial_both_succeed(store, trial, make_result):
    """Whoever comes second finds an equal result."""
    result = make_result()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: _saved_under_lock(store, trial, result), range(8)))

    assert result.accuracy == store.load(trial).accuracy


def _saved_under_lock(store, trial, result):
    with store.lock(trial):
        if trial not in store:
            store.save(trial, result, WEIGHTS)


def test_a_result_is_replaced_by_another_of_its_trial(store, trial, make_result):
    """As when a trial is trained again on purpose; nothing of the first is left."""
    store.save(trial, make_result(8), WEIGHTS)
    store.save(trial, make_result(9), WEIGHTS)

    assert 0.9 == store.load(trial).accuracy
    assert not (store.folder / "damaged").exists()
    assert [trial.digest[:32]] == [path.name for path in store.folder.glob("results/*/*")]


def test_what_a_killed_process_left_of_a_trial_goes_when_it_is_stored(store, trial, make_result):
    """What it left of another stays: that trial may be at work."""
    left, other = (
        store._place(trial).with_name(f".unfinished-{digest}-abc") for digest in (trial.digest[:32], "0" * 32)
    )
    for folder in (left, other):
        (folder / "trial").mkdir(parents=True)

    store.save(trial, make_result(), WEIGHTS)

    assert not left.exists()
    assert other.exists()


def test_files_are_synced_before_they_are_published(store, trial, make_result, monkeypatch):
    """And the folder after it: a loss of power leaves a result whole, or none."""
    store.prepare()
    events, fsync, rename = [], os.fsync, os.rename

    def synced(descriptor):
        events.append(("sync", faults.path_of(descriptor).name))
        fsync(descriptor)

    def renamed(old, new, **named):
        events.append(("rename", Path(new).name))
        rename(old, new, **named)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    store.save(trial, make_result(), WEIGHTS)

    published = events.index(("rename", trial.digest[:32]))
    assert [("sync", name) for name in ("predictions.npz", "weights.npz", "result.json", "trial")] == events[:published]
    assert [("sync", store._place(trial).parent.name)] == events[published + 1 :]


def test_a_damaged_result_is_named_and_kept(store, trial, make_result):
    """The error says which it is, what is wrong with it, and the command for it."""
    store.save(trial, make_result(), WEIGHTS)
    (file,) = store.folder.glob("results/*/*/predictions.npz")
    file.write_bytes(file.read_bytes()[:100])

    with pytest.raises(StoreError, match=rf"{file.parent}.*predictions.npz has 100 bytes.*tlbench doctor"):
        store.load(trial)
    assert file.exists()


def test_a_store_of_a_newer_schema_is_refused_and_left_alone(store, trial, make_result, environment):
    """An older tlbench does not guess."""
    store.save(trial, make_result(), WEIGHTS)
    marker = store.folder / "store.json"
    marker.write_text('{"schema_version": 99}')
    before = {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}

    with pytest.raises(StoreError, match=r"newer tlbench.*Received: 99"):
        Store(store.folder, environment)
    assert before == {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema_version": "one"}'])
def test_a_marker_that_is_none_is_refused(store, environment, content):
    """A folder that says nothing of its schema is not written to."""
    store.prepare()
    (store.folder / "store.json").write_text(content)

    with pytest.raises(StoreError, match="--tlbench-store"):
        Store(store.folder, environment)


def test_a_file_is_no_store(tmp_path, environment):
    """The path has to be a folder."""
    (tmp_path / "store").write_text("mine")

    with pytest.raises(StoreError, match="must be a folder"):
        Store(tmp_path / "store", environment)
    assert "mine" == (tmp_path / "store").read_text()


def test_a_store_that_cannot_be_made_is_an_error_with_its_remedy(tmp_path, environment):
    """The message names the folder and the option."""
    (tmp_path / "file").write_text("mine")

    with pytest.raises(StoreError, match=r"cannot be written; choose another folder with --tlbench-store"):
        Store(tmp_path / "file" / "store", environment).prepare()


def test_version_control_and_backups_leave_the_store_out(store):
    """The folder says of itself that it is a cache."""
    store.prepare()

    assert (store.folder / ".gitignore").read_text().endswith("*\n")
    assert (store.folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_timings_are_read_the_newest_first_and_without_the_predictions(store, make_trial, make_result):
    """Of any trial that was stored; only so many of them."""
    results = [replace(make_result(), seconds=float(seconds)) for seconds in (1, 2, 3)]
    for result in results:
        store.save(make_trial(seed=int(result.seconds)), result, WEIGHTS)
    for path in store.folder.glob("results/*/*/*.npz"):
        path.unlink()
    for path in store.folder.glob("results/*/*/result.json"):
        seconds = json.loads(path.read_text())["seconds"]
        os.utime(path, (100 - seconds, 100 - seconds))

    assert [1.0, 2.0, 3.0] == [timing.seconds for timing in store.timings()]
    assert [1.0, 2.0] == [timing.seconds for timing in store.timings(newest=2)]
    (timing, *_) = store.timings()
    assert (8, 5, (0.25, 0.25)) == (timing.batch_size, timing.epoch_steps, timing.epoch_seconds)


def test_an_empty_store_has_no_timings(store):
    """Nor does it get a folder."""
    assert not list(store.timings())
    assert not store.folder.exists()


@pytest.mark.parametrize(
    ("part", "damaged"),
    [
        ("whole", ""),
        ("whole", "[" * 100_000),
        ("whole", "[]"),
        ("whole", "null"),
        ("whole", '{"schema_version": 1}'),
        ("{", "\udcff"),
        ("}", ""),
        ('"schema_version": 1', '"schema_version": 2'),
        ('"schema_version": 1', '"schema_version": "1"'),
        ('"keras_version": "', '"keras_version": "other'),
        ('"environment"', '"surroundings"'),
        ('"device": "cpu"', '"device": 3'),
        ('"epoch_images"', '"images"'),
        ('"seconds": 1.0', '"seconds": NaN'),
        ('"optimizer"', '"solver"'),
    ],
    ids=lambda value: value[:30].encode("ascii", "replace").decode(),
)
def test_what_is_no_timing_is_left_out(store, make_trial, make_result, part, damaged):
    """Damaged files, and those of another schema, environment or tlbench; the others are read."""
    store.save(make_trial(), make_result(), WEIGHTS)
    (path,) = store.folder.glob("results/*/*/result.json")
    text = path.read_text()
    assert part in text or part == "whole"
    path.write_text(damaged if part == "whole" else text.replace(part, damaged), errors="surrogateescape")
    store.save(make_trial(seed=1), make_result(), WEIGHTS)
    (path.parent.with_name("folder") / "result.json").mkdir(parents=True)
    path.parent.with_name("note.txt").write_text("mine")

    assert 1 == len(list(store.timings()))
