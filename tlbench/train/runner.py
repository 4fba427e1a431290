"""Runs a plan: what the store has is read, the rest is trained."""

from __future__ import annotations

import contextlib

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from tlbench.declare.trials import ImageNet, Random
from tlbench.errors import ConfigurationError, DamagedError, StoreError, UnwritableError
from tlbench.machine import backends
from tlbench.plan.schedule import ordered
from tlbench.store.folders import DAMAGED


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.trials import Trial
    from tlbench.machine.environment import Environment
    from tlbench.store.results import Result, Weights
    from tlbench.store.store import Store


# How often a plan is taken up again where a source turns out to be damaged while it is used.
ATTEMPTS = 3


class Listener(Protocol):
    """Is told what is being trained."""

    def trial_started(self, trial: Trial) -> None:
        """A trial begins."""

    def epoch_ended(self, trial: Trial, epoch: int, accuracy: float) -> None:
        """So many epochs are done; the accuracy is that on the validation images, NaN where the run has diverged."""

    def trial_ended(self, trial: Trial, result: Result) -> None:
        """A trial is in the store."""


class Trainer(Protocol):
    """Trains one trial; see `tlbench.train.training.Trainer`."""

    def train(
        self, trial: Trial, dataset: Dataset, source: Weights | None, on_epoch: Callable[[int, float], None]
    ) -> tuple[Result, Weights]:
        """The result and the last weights of a trial."""


@dataclass(frozen=True)
class Setup:
    """What a process needs to train trials; all of it can be pickled if what it is made of can.

    Attributes:
        store: Where results are kept.
        environment: What it trains on.
        datasets: By digest, those that trials may name.
        weights: File of the network's published weights; None for Keras' cache.
        make_trainer: Makes what trains a trial, the first time that one has to be.
    """

    store: Store
    environment: Environment
    datasets: Mapping[str, Dataset]
    weights: Path | None
    make_trainer: Callable[[], Trainer]


class LocalTraining:
    """Trains single trials in this process, into the store.

    Args:
        setup: What that needs.
        listener: Is told what happens.
    """

    def __init__(self, setup: Setup, listener: Listener) -> None:
        self.store = setup.store
        self._setup = setup
        self._listener = listener
        self._trainer: Trainer | None = None
        # The one source whose weights were last used: the arms of a study share few.
        self._source: tuple[object, Weights] | None = None

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most that this process has held; None where it has trained nothing."""
        return backends.peak_memory(self._setup.environment.device) if self._trainer is not None else None

    def train(self, trial: Trial) -> None:
        """Train a trial, if the store lacks it still; the store has its source."""
        if trial in self.store:  # Another process may have trained it meanwhile.
            return
        dataset = self._setup.datasets.get(trial.data.digest)
        if dataset is None:
            msg = f"No dataset has the digest that a trial on {trial.data.name!r} names. Received: {trial.data.digest}"
            raise ConfigurationError(msg)

        self._listener.trial_started(trial)
        if self._trainer is None:
            self._trainer = self._setup.make_trainer()
        result, weights = self._trainer.train(
            trial, dataset, self._source_weights(trial), partial(self._listener.epoch_ended, trial)
        )
        self.store.save(trial, result, weights)
        self._listener.trial_ended(trial, result)

    def _source_weights(self, trial: Trial) -> Weights | None:
        source = trial.initialisation
        if isinstance(source, Random):
            return None
        key = (source, trial.network) if isinstance(source, ImageNet) else source
        if self._source is None or self._source[0] != key:
            if isinstance(source, ImageNet):
                from tlbench.train.training import published_weights

                weights = published_weights(trial.network, self._setup.weights)
            else:
                weights = self.store.load_weights(source)
            self._source = (key, weights)
        return self._source[1]


class Executor(Protocol):
    """Decides in which processes and in which order trials are trained."""

    def run(self, trials: Sequence[Trial]) -> Mapping[str, Exception]:
        """Train some trials that the store lacks, each after its source.

        Args:
            trials: Sources before what starts from them.

        Returns:
            What went wrong, by the digest of the trials that could not be trained for it.
        """

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most that a process has held that has trained; None where nothing had to be trained."""

    def close(self) -> None:
        """End its own processes."""


class Runner:
    """Brings about the results that are asked for; those that are damaged it sets aside and has trained again.

    Args:
        store: Where results are kept.
        executor: Trains what it lacks.
        warn: Is told, in a sentence, which results were damaged.
    """

    def __init__(self, store: Store, executor: Executor, warn: Callable[[str], None] = lambda _sentence: None) -> None:
        self._store = store
        self._executor = executor
        self._warn = warn
        self._failures: dict[str, Exception] = {}
        self._unwritable: UnwritableError | None = None

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most that a process has held that trained something; None where nothing had to be trained."""
        return self._executor.peak_memory_bytes

    def close(self) -> None:
        """End the processes that it trains in."""
        self._executor.close()

    def result(self, trial: Trial) -> Result:
        """The result of a trial, which is trained, after its source, if the store lacks it or has it damaged."""
        self.train_all([trial])
        with contextlib.suppress(DamagedError):  # It was whole a moment ago.
            return self._store.load(trial)
        self.train_all([trial])
        return self._store.load(trial)

    def prepare(self, trials: Iterable[Trial]) -> None:
        """Train what the store lacks of some trials and their sources.

        What goes wrong with a trial is kept for whoever asks for that trial. Once the store could not be written, the
        rest is not trained.
        """
        wanted = ordered(trials)
        for attempts_left in reversed(range(ATTEMPTS)):
            missing = [trial for trial in self._store.missing(wanted) if trial.digest not in self._failures]
            missing = self._with_room(missing)
            if not missing:
                return
            failures = self._executor.run(missing)
            # A source that was damaged after it had been looked at is worth another attempt.
            again = {digest for digest, error in failures.items() if attempts_left and isinstance(error, DamagedError)}
            self._fail({digest: error for digest, error in failures.items() if digest not in again})
            if not again:
                return
            self._store.look_again()

    def train_all(self, trials: Iterable[Trial]) -> None:
        """Make sure that the store has some trials and their sources.

        Raises:
            Exception: What went wrong with one of them.
        """
        trials = tuple(trials)
        self.prepare(trials)
        for trial in ordered(trials):
            if failure := self._failures.get(trial.digest):
                raise failure

    def _fail(self, failures: Mapping[str, Exception]) -> None:
        for digest, error in failures.items():
            if isinstance(error, UnwritableError):
                # Several processes may have met it, each with another file.
                error = self._unwritable = self._unwritable or error  # noqa: PLW2901
            self._failures[digest] = error

    def _with_room(self, missing: Iterable[Trial]) -> list[Trial]:
        """Those of some missing trials whose result can be stored, damaged ones having been set aside."""
        ready: list[Trial] = []
        reasons: dict[str, str] = {}
        for trial in missing:
            if self._unwritable is not None:
                self._fail({trial.digest: self._unwritable})
                continue
            try:
                reason = self._store.set_aside(trial)
            except StoreError as error:
                self._fail({trial.digest: error})
                continue
            ready.append(trial)
            if reason:
                reasons[trial.digest[:12]] = reason
        if reasons:
            counted = "1 stored result was" if len(reasons) == 1 else f"{len(reasons)} stored results were"
            self._warn(
                f"{counted} damaged, and trained again; what was there is kept in the store's folder {DAMAGED}: "
                f"{'; '.join(f'{digest} ({reason})' for digest, reason in reasons.items())}."
            )
        return ready
