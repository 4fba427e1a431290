"""Trains in this process, one trial after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import filelock

from tlbench.errors import UnwritableError
from tlbench.plan.schedule import Schedule


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from tlbench.declare.evaluations import Work
    from tlbench.train.runner import LocalTraining


class Inline:
    """Trains in this process; other processes may train the same trials into the same store meanwhile.

    Args:
        local: Trains single trials, and computes single evaluations.
        kind: Gives the key under which trials, or evaluations, share a compiled network.
    """

    def __init__(self, local: LocalTraining, kind: Callable[[Work], Hashable]) -> None:
        self._local = local
        self._kind = kind

    @property
    def peak_memory_bytes(self) -> int | None:
        """Peak memory of this process; None where the process has trained nothing."""
        return self._local.peak_memory_bytes

    def run(self, works: Sequence[Work]) -> dict[str, Exception]:
        """Train some trials and compute some evaluations; those that another process is at come last."""
        schedule = Schedule(works, self._kind)
        planned = []
        while (work := schedule.take(0)) is not None:
            schedule.finished(work)
            planned.append(work)

        failures: dict[str, Exception] = {}
        waiting = planned
        while waiting:
            busy = [work for work in waiting if not self._done(work, failures, wait=False)]
            if len(busy) == len(waiting):
                self._done(busy.pop(0), failures, wait=True)
            waiting = busy
        return failures

    def close(self) -> None:
        """Do nothing: there are no other processes."""

    def _done(self, work: Work, failures: dict[str, Exception], *, wait: bool) -> bool:
        # False where another process is at it, or at its source.
        if refusal := next((error for error in failures.values() if isinstance(error, UnwritableError)), None):
            failures[work.digest] = refusal  # Computed, it would be lost.
            return True
        if work.source is not None and work.source.digest in failures:
            failures[work.digest] = failures[work.source.digest]
            return True
        try:
            if work.source is not None and work.source not in self._local.store and not wait:
                return False
            with self._local.store.lock(work, wait=wait):
                self._local.compute(work)
        except filelock.Timeout:
            return False
        except Exception as error:  # noqa: BLE001 - raised where this result is asked for.
            failures[work.digest] = error
        return True
