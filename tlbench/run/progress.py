"""How far a run has come and how long it may still take."""

from __future__ import annotations

import time

from collections import defaultdict
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from tlbench.declare.trials import Trial
    from tlbench.store.results import Result
    from tlbench.train.worker import Listener

# From here on minutes are exact enough.
SHOWN_IN_SECONDS = 90


class Progress:
    """Tells, while trials are trained, which of how many and for how long.

    Args:
        labels: What to call each trial that is to be trained, by digest.
        trials: The same trials.
        tell: Shows a line; the second argument says whether the next one may replace it.
        graph: Gives the key under which a trial shares a compiled network.
        at_once: Number of trials that are trained at once.
    """

    def __init__(
        self,
        labels: Mapping[str, Sequence[str]],
        trials: tuple[Trial, ...],
        tell: Callable[[str, bool], None],
        graph: Callable[[Trial], Hashable],
        at_once: int = 1,
    ) -> None:
        self._labels = labels
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
        """So many epochs are done; the accuracy is that on the validation images."""
        # The name comes last: a narrow terminal cuts it, and nothing else.
        number, name = self._numbered(trial)
        self._tell(f"{number}, epoch {epoch}/{trial.recipe.epochs}, {accuracy:.1%}{self._left()} {name}", True)

    def trial_ended(self, trial: Trial, result: Result) -> None:
        """A trial is in the store."""
        self._seconds[self._cost(trial)].append(result.seconds)
        line = self._line(trial)
        self._waiting.pop(trial.digest, None)
        self._running.pop(trial.digest, None)
        outcome = "diverged" if result.diverged else f"accuracy {result.accuracy:.1%}"
        self._tell(f"{line}: {outcome}, {result.seconds:.1f} s{self._left()}", False)

    def _line(self, trial: Trial) -> str:
        return " ".join(self._numbered(trial))

    def _numbered(self, trial: Trial) -> tuple[str, str]:
        label = self._labels.get(trial.digest, ["outside the plan"])[0]
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

    Attributes:
        trained: Trials that have ended, in that order.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._started: float | None = None
        self._ended = 0.0
        self.trained: list[Trial] = []

    @property
    def seconds(self) -> float:
        """From the first start to the last end; 0 where no trial has ended."""
        return self._ended - self._started if self.trained and self._started is not None else 0.0

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
        self._listener.trial_ended(trial, result)
