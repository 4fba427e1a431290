"""Runs a plan: stored results are read, missing trials are trained, and missing evaluations computed."""

from __future__ import annotations

import contextlib

from functools import partial
from typing import TYPE_CHECKING, Protocol, overload

from tlbench.declare.evaluations import Evaluation
from tlbench.declare.trials import Random, Trial
from tlbench.errors import DamagedError, StoreError, UnwritableError
from tlbench.plan.schedule import ordered
from tlbench.store.folders import DAMAGED


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tlbench.declare.evaluations import Work
    from tlbench.store.results import EvaluationResult, Result, Weights
    from tlbench.store.store import Store
    from tlbench.train.worker import Worker


# How often a plan is taken up again where a source turns out to be damaged while it is used.
ATTEMPTS = 3


class LocalTraining:
    """Trains single trials and computes evaluations in this process, into a store that this process can write.

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

    def compute(self, work: Work) -> None:
        """Train a trial, or compute an evaluation, if the store lacks it still; the store has its source."""
        if work in self.store:  # Another process may have computed it meanwhile.
            return
        if isinstance(work, Evaluation):
            evaluated = self._worker.evaluate(work, self.store.packed_weights(work.trial))
            self.store.save(work, evaluated)
            self._worker.listener.evaluation_ended(work, evaluated)
        else:
            result, weights = self._worker.train(work, partial(self._source_weights, work))
            self.store.save(work, result, weights)
            self._worker.listener.trial_ended(work, result)

    def _source_weights(self, trial: Trial) -> Weights | None:
        source = trial.initialisation
        if isinstance(source, Random):
            return None
        key = source if isinstance(source, Trial) else (source, trial.network)
        if self._source is None or self._source[0] != key:
            weights = self.store.load_weights(source) if isinstance(source, Trial) else self._worker.from_file(trial)
            self._source = (key, weights) if weights is not None else None
        return self._source[1] if self._source else None


class Executor(Protocol):
    """Decides in which processes and in which order trials are trained and evaluations computed."""

    def run(self, works: Sequence[Work]) -> Mapping[str, Exception]:
        """Train some trials, and compute some evaluations, that the store lacks.

        Args:
            works: Trials and evaluations, each after its source.

        Returns:
            The error of each trial and evaluation that has no result because of one, by digest.
        """

    @property
    def peak_memory_bytes(self) -> int | None:
        """Peak memory of a process that has trained; None where nothing had to be trained."""

    def close(self) -> None:
        """End the executor's own processes."""


class Runner:
    """Brings about the results that are asked for; those that are damaged it sets aside and has trained again.

    Args:
        store: Where results are kept.
        executor: Trains what it lacks.
        warn: Is told, in a sentence, which results were damaged.
        watched: Makes a context around all training, for whoever shows its progress.
    """

    def __init__(
        self,
        store: Store,
        executor: Executor,
        warn: Callable[[str], None] = lambda _sentence: None,
        watched: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._store = store
        self._executor = executor
        self._warn = warn
        self._watched = watched
        self._failures: dict[str, Exception] = {}
        self._unwritable: UnwritableError | None = None

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most that a process has held that trained something; None where nothing had to be trained."""
        return self._executor.peak_memory_bytes

    def close(self) -> None:
        """End the processes that it trains in."""
        self._executor.close()

    @overload
    def result(self, work: Trial) -> Result: ...
    @overload
    def result(self, work: Evaluation) -> EvaluationResult: ...
    def result(self, work: Work) -> Result | EvaluationResult:
        """The result of a trial or an evaluation, computed after its source if the store lacks it or has it damaged."""
        self.train_all([work])
        with contextlib.suppress(DamagedError):  # It was whole a moment ago.
            return self._store.load(work)
        self.train_all([work])
        return self._store.load(work)

    def prepare(self, works: Iterable[Work]) -> None:
        """Train the trials, and compute the evaluations, that the store lacks of some and their sources.

        An error is kept for whoever asks for the result. Once the store could not be written, nothing more is trained.
        """
        wanted = ordered(works)
        for attempts_left in reversed(range(ATTEMPTS)):
            missing = [work for work in self._store.missing(wanted) if work.digest not in self._failures]
            missing = self._with_room(missing)
            if not missing:
                return
            with self._watched():
                failures = self._executor.run(missing)
            # A source that was damaged after it had been looked at is worth another attempt.
            again = {digest for digest, error in failures.items() if attempts_left and isinstance(error, DamagedError)}
            self._fail({digest: error for digest, error in failures.items() if digest not in again})
            if not again:
                return
            self._store.look_again()

    def train_all(self, works: Iterable[Work]) -> None:
        """Make sure that the store has some trials and evaluations, and their sources.

        Raises:
            Exception: The error of one of them.
        """
        works = tuple(works)
        self.prepare(works)
        for work in ordered(works):
            if failure := self._failures.get(work.digest):
                raise failure

    def _fail(self, failures: Mapping[str, Exception]) -> None:
        for digest, error in failures.items():
            if isinstance(error, UnwritableError):
                # Several processes may have met it, each with another file.
                error = self._unwritable = self._unwritable or error  # noqa: PLW2901
            self._failures[digest] = error

    def _with_room(self, missing: Iterable[Work]) -> list[Work]:
        """Those of some missing trials and evaluations whose result can be stored, damaged results set aside."""
        ready: list[Work] = []
        reasons: dict[str, str] = {}
        for work in missing:
            if self._unwritable is not None:
                self._fail({work.digest: self._unwritable})
                continue
            try:
                reason = self._store.set_aside(work)
            except StoreError as error:
                self._fail({work.digest: error})
                continue
            ready.append(work)
            if reason:
                reasons[work.digest[:12]] = reason
        if reasons:
            counted = "1 stored result was" if len(reasons) == 1 else f"{len(reasons)} stored results were"
            self._warn(
                f"{counted} damaged, and computed again; the damaged files are in the store's folder {DAMAGED}: "
                f"{'; '.join(f'{digest} ({reason})' for digest, reason in reasons.items())}."
            )
        return ready
