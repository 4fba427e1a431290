"""Trains in this process, one trial after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import filelock


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tlbench.plan import Schedule
    from tlbench.runner import Runner
    from tlbench.trials import Trial


class Inline:
    """Trains in this process; other processes may train the same trials into the same store meanwhile.

    Args:
        make_schedule: Decides on the order.
    """

    # What this process holds, its runner knows.
    peak_memory_bytes = None

    def __init__(self, make_schedule: Callable[[Sequence[Trial]], Schedule]) -> None:
        self._make_schedule = make_schedule

    def run(self, trials: Sequence[Trial], runner: Runner) -> dict[str, Exception]:
        """Train some trials; one that another process trains comes last."""
        schedule = self._make_schedule(trials)
        planned = []
        while (trial := schedule.take(0)) is not None:
            schedule.finished(trial)
            planned.append(trial)

        failures: dict[str, Exception] = {}
        waiting = planned
        while waiting:
            busy = [trial for trial in waiting if not _done(trial, runner, failures, wait=False)]
            if len(busy) == len(waiting):
                _done(busy.pop(0), runner, failures, wait=True)
            waiting = busy
        return failures

    def close(self) -> None:
        """It has no processes of its own."""


def _done(trial: Trial, runner: Runner, failures: dict[str, Exception], *, wait: bool) -> bool:
    # False where another process is at it, or at its source.
    if trial.source is not None and trial.source.digest in failures:
        failures[trial.digest] = failures[trial.source.digest]
        return True
    if trial.source is not None and trial.source not in runner.store and not wait:
        return False
    try:
        with runner.store.lock(trial).acquire(blocking=wait):
            runner.train(trial)
    except filelock.Timeout:
        return False
    except Exception as error:  # noqa: BLE001 - raised where this trial is asked for.
        failures[trial.digest] = error
    return True
