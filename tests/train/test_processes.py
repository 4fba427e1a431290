"""Training in several processes."""

from __future__ import annotations

import os
import signal
import sys
import types

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest

from pebble import Pebble

from tlbench.declare.trials import Recipe
from tlbench.errors import ConfigurationError, TrainingError, UnwritableError
from tlbench.machine.environment import current
from tlbench.store.store import Store
from tlbench.train.executors.inline import Inline
from tlbench.train.executors.processes import Processes
from tlbench.train.runner import LocalTraining, Runner
from tlbench.train.worker import Setup, Worker


QUICK = Recipe(batch_size=8, epochs=1)


def make_trainer(environment):
    from tlbench.train.training import Trainer

    return Trainer(environment)


def kind(trial):
    return trial.frozen


class Log:
    """Remembers what happened, and may act on it."""

    def __init__(self):
        self.events, self.on_start = [], lambda _trial: None

    def trial_started(self, trial):
        """Part of the listener's protocol, as the others."""
        self.events.append(("started", trial.seed))
        self.on_start(trial)

    def epoch_ended(self, trial, epoch, accuracy):
        """Told from the other process."""
        assert 0 <= accuracy <= 1
        self.events.append((f"epoch {epoch}", trial.seed))

    def trial_ended(self, trial, result):
        """With what it left."""
        self.events.append(("ended", trial.seed))
        assert 18 == len(result.labels)


@pytest.fixture(scope="module")
def run(tmp_path_factory, dataset):
    """What all tests here share, since a process takes seconds to start: a runner, its executor, log and warnings."""
    log, warnings, here = Log(), [], current()
    store = Store(tmp_path_factory.mktemp("store"), here)
    datasets = {dataset.digest: dataset}

    setup = Setup(here, datasets, None, partial(make_trainer, here))
    executor = Processes(
        2, 1, store, setup, kind, log, Inline(LocalTraining(store, Worker(setup, log)), kind), warnings.append
    )
    runner = Runner(store, executor)
    yield types.SimpleNamespace(runner=runner, executor=executor, log=log, warnings=warnings, store=store)
    runner.close()


def test_a_plan_is_trained_with_sources_first(run, make_trial, dataset):
    """In two processes; what happens there is told here, and what they train is what this process would train."""
    source = make_trial(recipe=QUICK)
    dependent = make_trial(seed=2, recipe=QUICK, initialisation=source, frozen=frozenset({"entry"}))
    others = [make_trial(seed=seed, recipe=QUICK) for seed in (3, 4)]

    run.runner.train_all([dependent, *others])

    assert all(trial in run.store for trial in (dependent.source, dependent, *others))
    assert [] == run.warnings
    events = run.log.events
    assert events.index(("ended", 0)) < events.index(("started", 2))
    assert {("started", 3), ("epoch 1", 3), ("ended", 3)} <= set(events)
    here, _ = make_trainer(current()).train(others[0], dataset, None)
    assert np.allclose(here.probabilities, run.store.load(others[0]).probabilities, atol=1e-4)
    assert run.runner.peak_memory_bytes > 1e8


def test_what_goes_wrong_there_is_raised_here(run, make_trial):
    """With the trace of the other process as a note; the other trials are trained."""
    good = make_trial(seed=5, recipe=QUICK)
    bad = make_trial(seed=6, recipe=QUICK, data=replace(good.data, digest="0" * 64))

    run.runner.prepare([bad, good])

    assert good in run.store
    with pytest.raises(ConfigurationError, match="Received: 0000") as caught:
        run.runner.train_all([bad])
    assert "In the process that trained it" in caught.value.__notes__[0]


def test_a_process_that_dies_loses_its_trial_only(run, make_trial):
    """The rest is trained by others."""
    killed = make_trial(seed=7, recipe=QUICK.at(epochs=200))
    others = [make_trial(seed=seed, recipe=QUICK) for seed in (8, 9)]

    def kill(trial):
        if trial == killed:
            (worker,) = (worker for worker in run.executor._workers.values() if worker.work == killed)
            os.kill(worker.process.pid, signal.SIGKILL)

    run.log.on_start = kill
    run.runner.prepare([killed, *others])
    run.log.on_start = lambda _trial: None

    assert all(trial in run.store for trial in others)
    with pytest.raises(TrainingError, match=r"exit status -9.*--tlbench-workers 1"):
        run.runner.train_all([killed])


def test_nothing_more_is_trained_for_a_store_that_cannot_be_written(run, make_trial):
    """Every trial that is left fails for the same reason, once one process has met it."""
    trials = [make_trial(seed=seed, recipe=QUICK) for seed in range(20, 26)]
    locks, away = run.store.folder / "locks", run.store.folder / "away"
    runner, begun = Runner(run.store, run.executor), len(run.log.events)

    def refuse(_trial):
        if not away.exists():
            locks.rename(away)
            locks.write_text("")

    run.log.on_start = refuse
    runner.prepare(trials)
    run.log.on_start = lambda _trial: None
    locks.unlink()
    away.rename(locks)

    failed = [trial for trial in trials if trial not in run.store]
    assert 3 <= len(failed) < 6
    assert len([event for event, _ in run.log.events[begun:] if event == "started"]) == 6 - len(failed)
    for trial in failed:
        with pytest.raises(UnwritableError, match="cannot be written"):
            runner.train_all([trial])


def test_what_another_process_cannot_import_is_trained_in_this_one(run, make_trial, monkeypatch):
    """A network's class may be in a module that only this process has; that is said, once."""
    module = types.ModuleType("only_here")

    @dataclass(frozen=True)
    class Hidden(Pebble):
        pass

    Hidden.__module__, Hidden.__qualname__, module.Hidden = "only_here", "Hidden", Hidden
    monkeypatch.setitem(sys.modules, "only_here", module)
    monkeypatch.setattr("tlbench.declare.revisions.of_class", lambda _network: {"network": 1})
    trial = make_trial(seed=10, recipe=QUICK, network=Hidden())

    run.runner.train_all([trial])

    assert trial in run.store
    assert 1 == len(run.warnings)
    assert "only_here" in run.warnings[0]


def test_another_tlbench_where_the_user_stands_trains_nothing(run, make_trial, dataset, tmp_path, monkeypatch):
    """Its folder is before what is installed by then, as pytest puts it there; the code is that of this process."""
    (tmp_path / "tlbench").mkdir()
    (tmp_path / "tlbench" / "__init__.py").write_text("raise ImportError('another tlbench')")
    monkeypatch.syspath_prepend(tmp_path)
    path, warnings, here = list(sys.path), [], current()
    store = Store(tmp_path / "store", here)
    setup = Setup(here, {dataset.digest: dataset}, None, partial(make_trainer, here))
    executor = Processes(
        1, 1, store, setup, kind, run.log, Inline(LocalTraining(store, Worker(setup, run.log)), kind), warnings.append
    )
    runner = Runner(store, executor)
    trial = make_trial(seed=11, recipe=QUICK)

    runner.train_all([trial])
    runner.close()

    assert trial in store
    assert [] == warnings
    assert path == sys.path


def test_what_cannot_be_pickled_is_trained_in_this_process(run, make_trial, dataset, tmp_path):
    """Without starting another."""
    warnings, here = [], current()
    store = Store(tmp_path, here)

    setup = Setup(here, {dataset.digest: dataset}, None, lambda: make_trainer(here))
    executor = Processes(
        2, 1, store, setup, kind, run.log, Inline(LocalTraining(store, Worker(setup, run.log)), kind), warnings.append
    )
    runner = Runner(store, executor)
    trial = make_trial(recipe=QUICK)

    runner.train_all([trial])

    assert trial in store
    assert "since the study cannot be given to others" in warnings[0]
