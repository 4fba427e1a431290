"""Training on another machine: bytes in, bytes out, no file system that is shared."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tlbench.declare.evaluations import Evaluation, Mirrored
from tlbench.declare.trials import Recipe
from tlbench.errors import DamagedError, WeightsError
from tlbench.machine.environment import current
from tlbench.plan.schedule import Schedule
from tlbench.store import files
from tlbench.store.store import Store
from tlbench.train import transfer
from tlbench.train.executors.inline import Inline
from tlbench.train.runner import LocalTraining, Runner
from tlbench.train.worker import Messages, Setup, Worker, tell


if TYPE_CHECKING:
    from pathlib import Path


# A machine of its own: standard input and output are all that it has of the run.
MACHINE = """
import os, pickle, sys
from tlbench.train.worker import Messages, Worker

out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)

def send(message):
    pickle.dump(message, out)
    out.flush()

worker = Worker(pickle.load(sys.stdin.buffer), Messages(send))
while (order := pickle.load(sys.stdin.buffer)) is not None:
    send(("done", worker.answer(*order)))
"""


def make_trainer(environment):
    from tlbench.train.training import Trainer

    return Trainer(environment)


class Log:
    """Remembers what it is told."""

    def __init__(self):
        self.events = []

    def trial_started(self, trial):
        """By its seed."""
        self.events.append(("started", trial.seed))

    def epoch_ended(self, trial, epoch, _accuracy):
        """With the number of epochs."""
        self.events.append((f"epoch {epoch}", trial.seed))

    def trial_ended(self, trial, _result):
        """Once its result is in the store."""
        self.events.append(("ended", trial.seed))

    def evaluation_ended(self, evaluation, _result):
        """Once its result is in the store."""
        self.events.append((evaluation.images.name, evaluation.trial.seed))


@dataclass
class Elsewhere:
    """An executor on one other machine: a file, and a line where executors are chosen."""

    store: Store
    setup: Setup
    listener: Log
    folder: Path
    peak_memory_bytes: int | None = None

    def run(self, works):
        """Send each trial or evaluation with its source's weights, and publish the answers."""
        failures = {}
        schedule = Schedule(works, lambda work: work.data.digest)
        command = [sys.executable, "-c", MACHINE]
        # The same code, as is installed there: this module and the tests' network among it.
        code = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(
            command, cwd=self.folder, env=code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as machine:

            def send(value):
                pickle.dump(value, machine.stdin)
                machine.stdin.flush()

            send(self.setup)
            while (work := schedule.take(0)) is not None:
                source = None if work.source is None else self.store.packed_weights(work.source)
                send((work, source))
                while tell(self.listener, work, *(message := pickle.load(machine.stdout))):
                    pass
                answer = message[1]
                if answer.failure is not None:
                    failures |= {each.digest: answer.failure for each in (work, *schedule.failed(work))}
                    continue
                self.peak_memory_bytes = answer.peak_memory_bytes
                ended = "evaluated" if isinstance(work, Evaluation) else "ended"
                tell(self.listener, work, ended, self.store.save_packed(work, answer.packed))
                schedule.finished(work)
            send(None)
        return failures

    def close(self):
        """The machine has ended with its last plan."""


@pytest.fixture(scope="module")
def trials(make_trial):
    """A source, and a trial that starts from it."""
    recipe = Recipe(learning_rate=1e-2, batch_size=8, epochs=1)
    source = make_trial(recipe=recipe)
    return source, make_trial(seed=2, recipe=recipe, initialisation=source, frozen=frozenset({"entry"}))


@pytest.fixture(scope="module")
def setup(dataset):
    return Setup(current(), {dataset.digest: dataset}, None, partial(make_trainer, current()))


@pytest.fixture(scope="module")
def here(trials, setup, tmp_path_factory):
    """A store whose trials were trained in this process."""
    store = Store(tmp_path_factory.mktemp("here"), setup.environment)
    Runner(store, Inline(LocalTraining(store, Worker(setup, Log())), lambda trial: trial.network)).train_all(trials)
    return store


def test_a_machine_without_the_store_ends_in_the_same_results(trials, setup, here, tmp_path):
    """Weights of the source travel there, results and weights back; progress is told on the way."""
    (tmp_path / "machine").mkdir()
    store, log = Store(tmp_path / "store", setup.environment), Log()
    executor = Elsewhere(store, setup, log, tmp_path / "machine")

    mirrored = Evaluation(trials[1], Mirrored())
    Runner(store, executor).train_all([*trials, mirrored])

    assert [] == list((tmp_path / "machine").iterdir())
    told = [("started", 0), ("epoch 1", 0), ("ended", 0), ("started", 2), ("epoch 1", 2), ("ended", 2)]
    assert [*told, ("mirrored test images", 2)] == log.events
    assert mirrored in store
    assert executor.peak_memory_bytes > 0
    for trial in trials:
        assert np.allclose(here.load(trial).probabilities, store.load(trial).probabilities, atol=1e-5)
        assert here.load_weights(trial).keys() == store.load_weights(trial).keys()


def test_what_goes_wrong_elsewhere_is_told_here(trials, setup, tmp_path):
    """With the trace of that process; what starts from the trial fails with it."""
    (tmp_path / "machine").mkdir()
    store = Store(tmp_path / "store", setup.environment)
    nothing = Setup(setup.environment, {}, None, setup.make_trainer)
    executor = Elsewhere(store, nothing, Log(), tmp_path / "machine")

    failures = executor.run(trials)

    assert {trial.digest for trial in trials} == failures.keys()
    failure = failures[trials[0].digest]
    assert "No dataset has the digest" in str(failure)
    assert "In the process that trained it" in failure.__notes__[0]


def test_a_packed_result_is_what_was_packed(trials, here):
    """Every score, prediction and weight."""
    result, weights = here.load(trials[1]), here.load_weights(trials[1])

    received, arrived = files.unpack(files.pack(trials[1], result, weights), trials[1])

    assert result.scores == received.scores
    assert result.probabilities.tobytes() == received.probabilities.tobytes()
    assert [] == transfer.differences(weights, arrived, frozenset(weights))
    packed = files.unpack_weights(here.packed_weights(trials[1]))
    assert [] == transfer.differences(weights, packed, frozenset(weights))


@pytest.mark.parametrize("kept", [0, 1, -30], ids=["nothing", "a byte", "truncated"])
def test_a_damaged_packed_result_is_not_published(trials, here, tmp_path, kept):
    """Nor does anything of it stay in the store."""
    packed = files.pack(trials[0], here.load(trials[0]), here.load_weights(trials[0]))
    store = Store(tmp_path, here.load(trials[0]).environment)

    with pytest.raises(DamagedError):
        store.save_packed(trials[0], packed[:kept])
    assert trials[0] not in store
    assert [] == list(tmp_path.glob("results/*/*"))


def test_a_packed_result_of_another_trial_is_refused(trials, here, tmp_path):
    """It names the other."""
    packed = files.pack(trials[1], here.load(trials[1]), here.load_weights(trials[1]))

    with pytest.raises(DamagedError, match="of another trial"):
        Store(tmp_path, here.load(trials[0]).environment).save_packed(trials[0], packed)


def test_a_source_that_was_not_sent_is_an_error(trials, setup):
    """Random weights in its place would be found by nobody."""
    answer = Worker(setup, Messages(lambda _message: None)).answer(trials[1], None)

    assert isinstance(answer.failure, WeightsError)
    assert None is answer.packed
