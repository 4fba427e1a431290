"""Trials in, an ordered and deduplicated plan out."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from tlbench.declare.trials import Trial


def ordered(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Each trial once, after its source.

    Args:
        trials: What is wanted; sources need not be among them.

    Returns:
        The trials and their sources, in the order in which they can be trained.
    """
    planned: dict[str, Trial] = {}

    def add(trial: Trial) -> None:
        if trial.digest in planned:
            return
        if trial.source is not None:
            add(trial.source)
        planned[trial.digest] = trial

    for trial in trials:
        add(trial)
    return tuple(planned.values())


class Schedule:
    """Hands out trials to those that train them, such that few networks are compiled and sources come first.

    What trains is known by a number. It stays with the kinds of trials that it has compiled a network for as long as
    there are any; then it takes up a kind that nobody has; then it helps with the kind of which the most are left.

    Args:
        trials: Each once. Of sources that are not among them it is assumed that they are trained.
        kind: What trials that share a compiled network have in common.
        compiled: Kinds that workers have compiled networks for already, by number; kept up to date.
    """

    def __init__(
        self,
        trials: Iterable[Trial],
        kind: Callable[[Trial], Hashable],
        compiled: dict[int, set[Hashable]] | None = None,
    ) -> None:
        self._waiting = {trial.digest: trial for trial in trials}
        self._unfinished = set(self._waiting)
        self._kind = kind
        self._compiled = {} if compiled is None else compiled
        self._latest: dict[int, Hashable] = {}

    def __len__(self) -> int:
        """Number of trials that wait."""
        return len(self._waiting)

    def take(self, worker: int) -> Trial | None:
        """The next trial for a worker; None where waiting is better, or all that there is."""
        ready: defaultdict[Hashable, list[Trial]] = defaultdict(list)
        for trial in self._waiting.values():
            if trial.source is None or trial.source.digest not in self._unfinished:
                ready[self._kind(trial)].append(trial)
        others = set().union(*(kinds for number, kinds in self._compiled.items() if number != worker))
        own = [kind for kind in ready if kind in self._compiled.get(worker, ())]
        new = [kind for kind in ready if kind not in others]
        # For the last trial of a kind, compiling takes longer than waiting.
        shared = [kind for kind, trials in ready.items() if len(trials) > 1]
        kinds = own or new or shared
        if not kinds:
            return None

        awaited = Counter(trial.source.digest for trial in self._waiting.values() if trial.source is not None)

        def urgency(kind: Hashable) -> tuple[int, bool, int]:
            return (
                sum(awaited[trial.digest] for trial in ready[kind]),
                kind == self._latest.get(worker),
                len(ready[kind]),
            )

        kind = max(kinds, key=urgency)
        trial = max(ready[kind], key=lambda trial: awaited[trial.digest])
        del self._waiting[trial.digest]
        self._compiled.setdefault(worker, set()).add(kind)
        self._latest[worker] = kind
        return trial

    def finished(self, trial: Trial) -> None:
        """Let trials that start from this trial be handed out."""
        self._unfinished.discard(trial.digest)

    def failed(self, trial: Trial) -> tuple[Trial, ...]:
        """Drop what starts from this trial, directly or not; returns it."""
        dropped: list[Trial] = []
        failed = {trial.digest}
        for other in tuple(self._waiting.values()):  # Sources come before what starts from them.
            if other.source is not None and other.source.digest in failed:
                failed.add(other.digest)
                dropped.append(self._waiting.pop(other.digest))
        self._unfinished -= failed
        return tuple(dropped)

    def abandon(self) -> tuple[Trial, ...]:
        """Drop all that waits; returns it."""
        dropped = tuple(self._waiting.values())
        self._waiting.clear()
        self._unfinished -= {trial.digest for trial in dropped}
        return dropped

    def lost(self, worker: int) -> None:
        """A worker is gone, and its compiled networks with it."""
        self._compiled.pop(worker, None)
        self._latest.pop(worker, None)
