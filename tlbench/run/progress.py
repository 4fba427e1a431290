"""Progress of a run, and the time left."""

from __future__ import annotations

import time

from collections import defaultdict
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from tlbench.declare.evaluations import Evaluation, Work
    from tlbench.declare.trials import Trial
    from tlbench.run.status import StatusFile
    from tlbench.store.results import EvaluationResult, Result
    from tlbench.train.worker import Listener

# From here on minutes are exact enough.
SHOWN_IN_SECONDS = 90


class Progress:
    """Shows the number, the label and the accuracy of trials and evaluations as they end, and the time left.

    Args:
        label: Gives the label of a trial or an evaluation.
        trials: Trials that are to be trained.
        tell: Shows a line; the second argument says whether the next one may replace it.
        graph: Gives the key under which a trial shares a compiled network.
        at_once: Number of trials that are trained at once.
    """

    def __init__(
        self,
        label: Callable[[Work], str],
        trials: tuple[Trial, ...],
        tell: Callable[[str, bool], None],
        graph: Callable[[Trial], Hashable],
        at_once: int = 1,
    ) -> None:
        self._label = label
        self._waiting = {trial.digest: trial for trial in trials}
        self._total = len(trials)
        self._tell = tell
        self._graph = graph
        self._at_once = at_once
        self._begun = 0
        self._running: dict[str, tuple[int, float]] = {}
        self._seconds: defaultdict[object, list[float]] = defaultdict(list)

    def trial_started(self, trial: Trial) -> None:
        """A trial begins."""
        self._begun += 1
        self._running[trial.digest] = self._begun, time.perf_counter()
        self._tell(self._line(trial), True)

    def epoch_ended(self, trial: Trial, epoch: int, accuracy: float) -> None:
        """So many epochs are done; the accuracy is that of training."""
        # The name comes last: a narrow terminal cuts it, and nothing else.
        number, name = self._numbered(trial)
        self._tell(f"{number}, epoch {epoch}/{trial.recipe.epochs}, training {accuracy:.1%}{self._left()} {name}", True)

    def trial_ended(self, trial: Trial, result: Result) -> None:
        """A trial is in the store."""
        self._seconds[self._cost(trial)].append(result.seconds)
        line = self._line(trial)
        self._waiting.pop(trial.digest, None)
        self._running.pop(trial.digest, None)
        outcome = "diverged" if result.diverged else f"accuracy {result.accuracy:.1%}"
        self._tell(f"{line}: {outcome}, {result.seconds:.1f} s{self._left()}", False)

    def evaluation_ended(self, evaluation: Evaluation, result: EvaluationResult) -> None:
        """An evaluation is in the store."""
        outcome = "diverged" if result.diverged else f"accuracy {result.scores['accuracy']:.1%}"
        self._tell(f"evaluation [{self._label(evaluation)}]: {outcome}, {result.seconds:.1f} s", False)

    def _line(self, trial: Trial) -> str:
        return " ".join(self._numbered(trial))

    def _numbered(self, trial: Trial) -> tuple[str, str]:
        label = self._label(trial)
        number, _ = self._running.get(trial.digest, (self._begun, 0.0))
        return f"trial {number}/{max(self._total, self._begun)}", f"[{label}]"

    def _cost(self, trial: Trial) -> Hashable:
        # Trials that take about as long: of one network, with as many steps.
        return self._graph(trial), trial.data, trial.task, trial.recipe.batch_size, trial.recipe.epochs

    def _left(self) -> str:
        known = [value for values in self._seconds.values() for value in values]
        if not known:
            return ""
        mean = sum(known) / len(known)
        left = 0.0
        for trial in self._waiting.values():
            seconds = self._seconds.get(self._cost(trial))
            left += sum(seconds) / len(seconds) if seconds else mean
        left -= sum(time.perf_counter() - started for _, started in self._running.values())
        left /= self._at_once
        return f", {max(left, 0):.0f} s left" if left < SHOWN_IN_SECONDS else f", {left / 60:.0f} min left"


class Stopwatch:
    """Takes the time from the first trial's start to the last one's end, and passes on what it is told.

    Args:
        listener: Is told all that this one is.
        status: Is told the number of trials that have ended.

    Attributes:
        trained: Trials that have ended, in that order.
    """

    def __init__(self, listener: Listener, status: StatusFile) -> None:
        self._listener = listener
        self._status = status
        self._started: float | None = None
        self._ended = 0.0
        self.trained: list[Trial] = []

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
