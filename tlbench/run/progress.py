"""Progress of a run: the state of training while it lasts, a line for each trial that has ended, and the time left."""

from __future__ import annotations

import contextlib
import threading
import time

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tlbench.declare.evaluations import evaluations_of, trials_of


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from tlbench.declare.evaluations import Evaluation, Work
    from tlbench.declare.trials import Trial
    from tlbench.judge.decisions import Outcome
    from tlbench.run.status import StatusFile
    from tlbench.store.results import EvaluationResult, Result

# From here on minutes are exact enough.
SHOWN_IN_SECONDS = 90

# Seconds between two states of a training that nothing is heard of.
REFRESH_SECONDS = 1.0


@dataclass(frozen=True)
class RunningTrial:
    """A trial that is being trained.

    Attributes:
        label: Label of the trial.
        epoch: Number of epochs that are done.
        epochs: Number of epochs of the recipe.
        accuracy: Training accuracy of the last epoch; None before there is one.
        seconds: Time since the trial was started.
    """

    label: str
    epoch: int
    epochs: int
    accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class State:
    """The state of training.

    Attributes:
        finished: Number of trials that have ended.
        total: Number of trials that are to be trained.
        seconds: Time since training began.
        seconds_left: Estimated time left; None before the first trial has ended.
        running: Trials that are being trained.
        claims_ready: Number of claims whose trials are all stored.
        claims: Number of claims.
        so_far: Number of claims by outcome, of those whose trials are all stored.
    """

    finished: int
    total: int
    seconds: float
    seconds_left: float | None
    running: tuple[RunningTrial, ...]
    claims_ready: int
    claims: int
    so_far: Mapping[Outcome, int] = field(default_factory=dict)


class Display(Protocol):
    """Shows the progress of a run. All calls come one after the other, though from two threads."""

    def line(self, text: str) -> None:
        """Show a line that stays: a trial or an evaluation has ended."""

    def state(self, state: State) -> None:
        """Show the state of training, in place of the state before; called about once a second."""

    def rest(self) -> None:
        """Remove the state: nothing is being trained."""


class Silent:
    """A display that shows nothing."""

    def line(self, text: str) -> None:
        """Show nothing, as the others."""

    def state(self, state: State) -> None:
        """Part of the protocol."""

    def rest(self) -> None:
        """Part of the protocol."""


class StatusDisplay:
    """A display that also writes lines of progress to the status file.

    Args:
        display: Shows the progress.
        status: File of the state of the run.
    """

    def __init__(self, display: Display, status: StatusFile) -> None:
        self._status = status
        self.state, self.rest, self._line = display.state, display.rest, display.line

    def line(self, text: str) -> None:
        """Show and write a line."""
        self._status.progress(text)
        self._line(text)


class Progress:
    """Follows the trials and evaluations of a run, and tells a display.

    Args:
        label: Gives the label of a trial or an evaluation.
        works: Trials that are to be trained, and evaluations that are to be computed.
        display: Shows the progress.
        graph: Gives the key under which a trial shares a compiled network.
        at_once: Number of processes that train or evaluate at once.
        claims: Digests of the trials to train of each claim.
        judge: Function from the numbers of claims that have all their trials to the number of each outcome.
    """

    def __init__(
        self,
        label: Callable[[Work], str],
        works: Sequence[Work],
        display: Display,
        graph: Callable[[Trial], Hashable],
        at_once: int = 1,
        claims: Sequence[frozenset[str]] = (),
        judge: Callable[[Sequence[int]], Mapping[Outcome, int]] = lambda _ready: {},
    ) -> None:
        self._label = label
        self._waiting = {trial.digest: trial for trial in trials_of(works)}
        self._total = len(self._waiting)
        self._evaluations = len(evaluations_of(works))
        # Seconds of the evaluations that have ended.
        self._evaluated: list[float] = []
        self._display = display
        self._graph = graph
        self._at_once = at_once
        self._claims = claims
        self._judge = judge
        self._judged: tuple[list[int], Mapping[Outcome, int]] = [], {}
        self._numbers: dict[str, int] = {}
        self._running: dict[str, tuple[Trial, float]] = {}
        self._epochs: dict[str, tuple[int, float]] = {}
        self._finished = 0
        self._seconds: defaultdict[tuple[Hashable, ...], list[float]] = defaultdict(list)
        self._began = time.perf_counter()
        self._lock = threading.Lock()
        self._depth = 0

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Show the state of training once a second meanwhile, whether or not anything is heard of the trials."""
        self._depth += 1
        if self._depth > 1:
            try:
                yield
            finally:
                self._depth -= 1
            return
        over = threading.Event()

        def refresh() -> None:
            while not over.wait(REFRESH_SECONDS):
                self._judge_ready()
                with self._lock:
                    if not over.is_set():
                        self._display.state(self.current)

        thread = threading.Thread(target=refresh, name="tlbench-progress", daemon=True)
        with self._lock:
            self._display.state(self.current)
        thread.start()
        try:
            yield
        finally:
            self._depth -= 1
            over.set()
            thread.join()
            self._display.rest()

    @property
    def current(self) -> State:
        """The state of training now."""
        now = time.perf_counter()
        return State(
            finished=self._finished,
            total=max(self._total, len(self._numbers)),
            seconds=now - self._began,
            seconds_left=self._seconds_left(),
            running=tuple(
                RunningTrial(
                    label=self._label(trial),
                    epoch=self._epochs.get(digest, (0, 0.0))[0],
                    epochs=trial.recipe.epochs,
                    accuracy=self._epochs[digest][1] if digest in self._epochs else None,
                    seconds=now - started,
                )
                for digest, (trial, started) in self._running.items()
            ),
            claims_ready=len(self._ready),
            claims=len(self._claims),
            so_far=self._judged[1],
        )

    @property
    def _ready(self) -> list[int]:
        return [number for number, trials in enumerate(self._claims) if not trials & self._waiting.keys()]

    def _judge_ready(self) -> None:
        """Judge claims that have become ready, in the thread that refreshes: no trial waits for it."""
        with self._lock:
            ready = self._ready
        if ready != self._judged[0]:
            self._judged = ready, self._judge(ready)

    def trial_started(self, trial: Trial) -> None:
        """A trial begins."""
        with self._lock:
            self._numbers.setdefault(trial.digest, len(self._numbers) + 1)
            self._running[trial.digest] = trial, time.perf_counter()
            self._display.state(self.current)

    def epoch_ended(self, trial: Trial, epoch: int, accuracy: float) -> None:
        """So many epochs are done; the accuracy is that of training."""
        with self._lock:
            self._epochs[trial.digest] = epoch, accuracy
            self._display.state(self.current)

    def trial_ended(self, trial: Trial, result: Result) -> None:
        """A trial is in the store."""
        with self._lock:
            self._seconds[self._cost(trial)].append(result.seconds)
            self._waiting.pop(trial.digest, None)
            self._running.pop(trial.digest, None)
            self._epochs.pop(trial.digest, None)
            self._finished += 1
            number = self._numbers.setdefault(trial.digest, len(self._numbers) + 1)
            outcome = "diverged" if result.diverged else f"accuracy {result.accuracy:.1%}"
            total = max(self._total, len(self._numbers))
            self._tell(f"trial {number}/{total}", trial, outcome, result.seconds)

    def evaluation_ended(self, evaluation: Evaluation, result: EvaluationResult) -> None:
        """An evaluation is in the store."""
        with self._lock:
            accuracy = result.scores.get("accuracy")
            outcome = "read" if accuracy is None else f"accuracy {accuracy:.1%}"
            outcome = "diverged" if result.diverged else outcome
            self._evaluated.append(result.seconds)
            number = len(self._evaluated)
            total = max(self._evaluations, number)
            self._tell(f"evaluation {number}/{total}", evaluation, outcome, result.seconds)

    def _tell(self, numbered: str, work: Work, outcome: str, seconds: float) -> None:
        """Show the line of a trial or an evaluation that has ended."""
        left = self._seconds_left()
        end = "" if left is None else f", {time_left(left)}"
        self._display.line(f"{numbered} [{self._label(work)}]: {outcome}, {seconds:.1f} s{end}")

    def _cost(self, trial: Trial) -> tuple[Hashable, ...]:
        # Trials that take about as long: of one network, with as many steps.
        return self._graph(trial), trial.data, trial.task, trial.recipe.batch_size, trial.recipe.epochs

    def _seconds_left(self) -> float | None:
        # A trial of no epochs tells nothing of those that train.
        known = [value for cost, values in self._seconds.items() if cost[-1] for value in values]
        to_compute = max(self._evaluations - len(self._evaluated), 0)
        unknown = not known if self._waiting else to_compute and not self._evaluated
        if unknown:
            return None
        left = 0.0
        for trial in self._waiting.values():
            seconds = self._seconds.get(self._cost(trial)) or known
            left += sum(seconds) / len(seconds)
        left -= sum(time.perf_counter() - started for _, started in self._running.values())
        if self._evaluated:
            left += to_compute * sum(self._evaluated) / len(self._evaluated)
        return max(left / self._at_once, 0.0)


def time_left(seconds: float) -> str:
    """An estimated time in words, such as `3 min left`."""
    return f"{seconds:.0f} s left" if seconds < SHOWN_IN_SECONDS else f"{seconds / 60:.0f} min left"


class Stopwatch:
    """Takes the time from the first trial's start to the last one's end, and passes on what it is told.

    Args:
        listener: Is told all that this one is.
        status: Is told the number of trials that have ended.

    Attributes:
        trained: Trials that have ended, in that order.
    """

    def __init__(self, listener: Progress, status: StatusFile) -> None:
        self._listener = listener
        self._status = status
        self._started: float | None = None
        self._ended = 0.0
        self.trained: list[Trial] = []

    def watched(self) -> contextlib.AbstractContextManager[None]:
        """Show the state of training meanwhile, see `Progress.watched`."""
        return self._listener.watched()

    @property
    def seconds(self) -> float:
        """From the first start to the last end; 0 where no trial has ended."""
        return self._ended - self._started if self.trained and self._started is not None else 0.0

    @property
    def outcome(self) -> tuple[float, Sequence[Trial]] | None:
        """The seconds and the trials; None where no trial has ended."""
        return (self.seconds, self.trained) if self.trained else None

    def trial_started(self, trial: Trial) -> None:
        """A trial begins."""
        if self._started is None:
            self._started = time.perf_counter()
        self._listener.trial_started(trial)

    def epoch_ended(self, trial: Trial, epoch: int, accuracy: float) -> None:
        """So many epochs are done."""
        self._listener.epoch_ended(trial, epoch, accuracy)

    def trial_ended(self, trial: Trial, result: Result) -> None:
        """A trial is in the store."""
        self._ended = time.perf_counter()
        self.trained.append(trial)
        self._status.trained(len(self.trained))
        self._listener.trial_ended(trial, result)

    def evaluation_ended(self, evaluation: Evaluation, result: EvaluationResult) -> None:
        """An evaluation is in the store."""
        self._listener.evaluation_ended(evaluation, result)
