"""Extra predictions: made where a trial asks for them, and of no effect on training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stub import Log, StubTrainer

from tlbench.errors import DamagedError
from tlbench.machine.environment import current
from tlbench.plan.schedule import ordered
from tlbench.scores.extras import ALL_EXTRAS, BATCH_STATISTICS, NO_EXTRAS, VALIDATION
from tlbench.store import checked, files
from tlbench.store.store import Store
from tlbench.train import transfer
from tlbench.train.executors.inline import Inline
from tlbench.train.prefixes import PrefixCache
from tlbench.train.runner import LocalTraining, Runner
from tlbench.train.training import Trainer
from tlbench.train.worker import Setup, Worker


@pytest.mark.parametrize("frozen", [frozenset(), frozenset({"entry", "middle"})], ids=["whole", "with a prefix"])
def test_extra_predictions_move_nothing_else(frozen, make_trial, dataset):
    """Weights and probabilities are the same bits with and without them."""
    trial = make_trial(frozen=frozen)
    trainer = Trainer(current(), PrefixCache())

    bare, bare_weights = trainer.train(trial.with_extras(NO_EXTRAS), dataset, None)
    full, full_weights = trainer.train(trial, dataset, None)

    assert [] == transfer.differences(bare_weights, full_weights, frozenset(full_weights))
    np.testing.assert_array_equal(bare.probabilities, full.probabilities)
    assert (NO_EXTRAS, ALL_EXTRAS) == (bare.extras, full.extras)


def test_each_extra_prediction_is_made_by_itself(make_trial, dataset):
    """Without one its scores are absent, and the history of validation is empty."""
    trainer = Trainer(current())

    validated, _ = trainer.train(make_trial().with_extras(frozenset({VALIDATION})), dataset, None)
    restated, _ = trainer.train(make_trial().with_extras(frozenset({BATCH_STATISTICS})), dataset, None)

    assert 2 == len(validated.validation_accuracy)
    assert "batch_statistics_accuracy" not in validated.scores
    assert () == restated.validation_accuracy
    assert "batch_statistics_accuracy" in restated.scores


@pytest.fixture
def make_runner(tmp_path, dataset):
    """A function that makes a runner over the same store, as another process would, and its log."""

    def make():
        log, here = Log(), current()
        store = Store(tmp_path / "store", here)
        setup = Setup(here, {dataset.digest: dataset}, None, lambda: StubTrainer(here))
        return Runner(store, Inline(LocalTraining(store, Worker(setup, log)), lambda trial: trial.network)), log

    return make


def test_a_stored_result_without_an_extra_prediction_does_not_serve_a_trial_with_it(make_runner, make_trial):
    """The trial is trained once more; the fuller result then serves both."""
    trial = make_trial()
    bare, log = make_runner()
    bare.result(trial.with_extras(NO_EXTRAS))
    full, again = make_runner()
    last, nothing = make_runner()

    assert ALL_EXTRAS == full.result(trial).extras
    assert ALL_EXTRAS == last.result(trial.with_extras(NO_EXTRAS)).extras
    assert [1, 1, 0] == [len(each.started) for each in (log, again, nothing)]


def test_a_source_needs_no_extra_predictions(make_runner, make_trial):
    """Only its weights are used."""
    trial = make_trial(initialisation=make_trial(seed=7))
    runner, _ = make_runner()
    runner.train_all([trial])

    assert NO_EXTRAS == runner.result(trial.source).extras
    assert ALL_EXTRAS == runner.result(trial).extras


def test_a_plan_unites_the_extra_predictions_of_equal_trials(make_trial):
    """In either order, as a source or by itself, the trial is planned once."""
    source = make_trial(seed=7).with_extras(frozenset({VALIDATION}))
    dependent = make_trial(initialisation=source)
    other = source.with_extras(frozenset({BATCH_STATISTICS}))

    for works in ([dependent, source, other], [other, source, dependent]):
        planned = {trial.digest: trial.extras for trial in ordered(works)}
        assert {source.digest: ALL_EXTRAS, dependent.digest: ALL_EXTRAS} == planned


def test_results_of_before_there_were_fewer_extra_predictions_have_them_all(make_trial, dataset, tmp_path):
    """Their `result.json` does not say so; a result that says so and lacks one is damaged."""
    trial = make_trial()
    result, weights = StubTrainer(current()).train(trial, dataset, None, lambda *_: None)
    for name, stored in (("full", result), ("bare", replace(result, validation_probabilities=None))):
        place = tmp_path / name
        place.mkdir()
        files.write(place, trial, stored, weights)
        content = checked.read_json(place / files.RESULT)
        assert sorted(stored.extras) == content.pop("extras")
        (place / files.RESULT).write_text(checked.json_text(content))

    assert ALL_EXTRAS == files.check(tmp_path / "full", trial.digest, read_weights=True)
    with pytest.raises(DamagedError, match="validation_probabilities"):
        files.check(tmp_path / "bare", trial.digest, read_weights=True)
