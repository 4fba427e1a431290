"""Trains in this process, one trial after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import filelock

from tlbench.errors import UnwritableError
from tlbench.plan.schedule import Schedule


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from tlbench.declare.trials import Trial
    from tlbench.train.runner import LocalTraining


class Inline:
    """Trains in this process; other processes may train the same trials into the same store meanwhile.

    Args:
        local: Trains one.
        kind: What trials that share a compiled network have in common.
    """

    def __init__(self, local: LocalTraining, kind: Callable[[Trial], Hashable]) -> None:
        self._local = local
        self._kind = kind

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most that this process has held; None where it has trained nothing."""
        return self._local.peak_memory_bytes

    def run(self, trials: Sequence[Trial]) -> dict[str, Exception]:
        """Train some trials; one that another process trains comes last."""
        schedule = Schedule(trials, self._kind)
        planned = []
        while (trial := schedule.take(0)) is not None:
            schedule.finished(trial)
            planned.append(trial)

        failures: dict[str, Exception] = {}
        waiting = planned
        while waiting:
            busy = [trial for trial in waiting if not self._done(trial, failures, wait=False)]
            if len(busy) == len(waiting):
                self._done(busy.pop(0), failures, wait=True)
            waiting = busy
        return failures

    def close(self) -> None:
        """It has no processes of its own."""

    def _done(self, trial: Trial, failures: dict[str, Exception], *, wait: bool) -> bool:
        # False where another process is at it, or at its source.
        if refusal := next((error for error in failures.values() if isinstance(error, UnwritableError)), None):
            failures[trial.digest] = refusal  # Trained, it would be lost.
            return True
        if trial.source is not None and trial.source.digest in failures:
            failures[trial.digest] = failures[trial.source.digest]
            return True
        try:
            if trial.source is not None and trial.source not in self._local.store and not wait:
                return False
            with self._local.store.lock(trial, wait=wait):
                self._local.train(trial)
        except filelock.Timeout:
            return False
        except Exception as error:  # noqa: BLE001 - raised where this trial is asked for.
            failures[trial.digest] = error
        return True
