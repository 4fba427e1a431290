"""Running a plan: what is stored is read, the rest is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlbench.declare.trials import Recipe
from tlbench.errors import ConfigurationError
from tlbench.machine.environment import current
from tlbench.store.store import Store
from tlbench.train.executors.inline import Inline
from tlbench.train.runner import LocalTraining, Runner
from tlbench.train.worker import Setup, Worker


class Log:
    """Remembers which trials were trained."""

    def __init__(self):
        self.started, self.ended = [], []

    def trial_started(self, trial):
        """Part of the listener's protocol, as the others."""
        self.started.append(trial)

    def epoch_ended(self, _trial, _epoch, _accuracy):
        """Of no interest here."""

    def trial_ended(self, trial, _result):
        """Its result is in the store."""
        self.ended.append(trial)


def make_trainer(environment):
    from tlbench.train.training import Trainer

    return Trainer(environment)


@pytest.fixture
def make_runner(tmp_path, dataset):
    """A function that makes a runner over the same store, as another process would, and its log."""

    def make():
        log, here = Log(), current()
        store = Store(tmp_path / "store", here)
        setup = Setup(here, {dataset.digest: dataset}, None, lambda: make_trainer(here))
        return Runner(store, Inline(LocalTraining(store, Worker(setup, log)), lambda trial: trial.network)), log

    return make


@pytest.fixture
def trial(make_trial):
    return make_trial(frozen=frozenset({"entry", "middle"}), recipe=Recipe(batch_size=8, epochs=1))


def test_a_trial_is_trained_once(make_runner, trial):
    """Another run over the same store trains nothing and reads the same predictions."""
    runner, log = make_runner()
    first = runner.result(trial)
    assert [trial] == log.started == log.ended

    again, later = make_runner()
    second = again.result(trial)

    assert [] == later.started
    assert first.probabilities.tobytes() == second.probabilities.tobytes()


def test_a_source_is_trained_first(make_runner, make_trial, trial):
    """What starts from it has its weights."""
    source = make_trial(seed=5, recipe=Recipe(batch_size=8, epochs=1))
    runner, log = make_runner()

    runner.result(make_trial(initialisation=source, frozen=trial.frozen, recipe=trial.recipe))

    assert [source, log.started[1]] == log.started


def test_an_interrupted_trial_is_trained_again_and_others_are_not(make_runner, make_trial, trial, monkeypatch):
    """What was finished stays; the result of the rest is as if nothing had happened."""
    other = make_trial(seed=1, frozen=trial.frozen, recipe=trial.recipe)
    runner, _ = make_runner()
    runner.result(trial)

    def interrupted(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            runner.result(other)
    resumed, log = make_runner()
    result = resumed.result(other)
    resumed.result(trial)

    assert [other] == log.started
    assert result.probabilities.tobytes() == runner.result(other).probabilities.tobytes()


def test_a_trial_on_unknown_data_is_an_error(make_runner, make_trial, trial):
    """The digest says what is missing."""
    runner, _ = make_runner()

    with pytest.raises(ConfigurationError, match="Received: 0000"):
        runner.result(make_trial(data=replace(trial.data, digest="0" * 64)))


def test_what_goes_wrong_with_a_trial_is_raised_where_it_is_asked_for(make_runner, make_trial, trial):
    """A plan goes on without it, and without what starts from it."""
    lost = make_trial(data=replace(trial.data, digest="0" * 64))
    dependent = make_trial(initialisation=lost, frozen=trial.frozen, recipe=trial.recipe)
    runner, log = make_runner()

    runner.prepare([dependent, trial])

    assert [trial] == log.ended
    runner.train_all([trial])
    for failed in (lost, dependent):
        with pytest.raises(ConfigurationError, match="Received: 0000"):
            runner.train_all([failed])
    assert [trial] == log.started


def test_what_a_process_holds_is_known_once_it_has_trained(make_runner, trial):
    """A run that finds everything in the store says nothing."""
    runner, _ = make_runner()
    before = runner.peak_memory_bytes

    runner.result(trial)

    assert before is None
    assert runner.peak_memory_bytes > 1e7
