"""Runs a plan: what the store has is read, the rest is trained."""

from __future__ import annotations

import contextlib

from functools import partial
from typing import TYPE_CHECKING, Protocol

from tlbench.declare.trials import ImageNet, Random
from tlbench.errors import DamagedError, StoreError, UnwritableError
from tlbench.plan.schedule import ordered
from tlbench.store.folders import DAMAGED


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tlbench.declare.trials import Trial
    from tlbench.store.results import Result, Weights
    from tlbench.store.store import Store
    from tlbench.train.worker import Worker


# How often a plan is taken up again where a source turns out to be damaged while it is used.
ATTEMPTS = 3


class LocalTraining:
    """Trains single trials in this process, into a store that this process can write.

    Args:
        store: Store of results, from which sources are read.
        worker: Trains.
    """

    def __init__(self, store: Store, worker: Worker) -> None:
        self.store = store
        self._worker = worker
        # The one source whose weights were last used: the arms of a study share few.
        self._source: tuple[object, Weights] | None = None

    @property
    def peak_memory_bytes(self) -> int | None:
        """Peak memory of this process; None where nothing was trained."""
        return self._worker.peak_memory_bytes

    def train(self, trial: Trial) -> None:
        """Train a trial, if the store lacks it still; the store has its source."""
        if trial in self.store:  # Another process may have trained it meanwhile.
            return
        result, weights = self._worker.train(trial, partial(self._source_weights, trial))
        self.store.save(trial, result, weights)
        self._worker.listener.trial_ended(trial, result)

    def _source_weights(self, trial: Trial) -> Weights | None:
        source = trial.initialisation
        if isinstance(source, Random):
            return None
        key = (source, trial.network) if isinstance(source, ImageNet) else source
        if self._source is None or self._source[0] != key:
            weights = self._worker.published(trial) if trial.source is None else self.store.load_weights(trial.source)
            self._source = (key, weights) if weights is not None else None
        return self._source[1] if self._source else None


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
