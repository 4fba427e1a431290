"""Trials and evaluations in, an ordered and deduplicated plan out."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, TypeVar


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from tlbench.declare.evaluations import Evaluation, Work
    from tlbench.declare.trials import Trial

# Trials alone have trials alone for sources.
_W = TypeVar("_W", "Trial", "Trial | Evaluation")


def ordered(works: Iterable[_W]) -> tuple[_W, ...]:
    """Each trial and evaluation once, after its source.

    Args:
        works: Trials and evaluations; sources need not be among them.

    Returns:
        The trials and evaluations and their sources, in the order in which they can be computed; a trial that is given
        several times has all of its extra predictions.
    """
    planned: dict[str, _W] = {}

    def add(work: Any) -> None:
        if work.digest in planned:
            before: Any = planned[work.digest]
            if before.extras != work.extras:
                planned[work.digest] = before.with_extras(before.extras | work.extras)
            return
        if work.source is not None:
            add(work.source)
        planned[work.digest] = work

    for work in works:
        add(work)
    return tuple(planned.values())


class Schedule:
    """Hands out trials and evaluations to workers, such that few networks are compiled and sources come first.

    A worker is known by a number. It stays with the kinds that it has compiled a network for as long as there are any;
    then it takes up a kind that nobody has; then it helps with the kind of which the most are left.

    Args:
        works: Trials and evaluations, each once. Sources that are not among them are taken for trained.
        kind: Gives the key under which trials, or evaluations, share a compiled network.
        compiled: Kinds that workers have compiled networks for already, by number; kept up to date.
    """

    def __init__(
        self,
        works: Iterable[Work],
        kind: Callable[[Work], Hashable],
        compiled: dict[int, set[Hashable]] | None = None,
    ) -> None:
        self._waiting = {work.digest: work for work in works}
        self._unfinished = set(self._waiting)
        self._kind = kind
        self._compiled = {} if compiled is None else compiled
        self._latest: dict[int, Hashable] = {}
        self._latest_source: dict[int, str | None] = {}

    def __len__(self) -> int:
        """Number of trials and evaluations that wait."""
        return len(self._waiting)

    def take(self, worker: int) -> Work | None:
        """The next trial or evaluation for a worker; None where waiting is better, or nothing waits."""
        ready: defaultdict[Hashable, list[Work]] = defaultdict(list)
        for work in self._waiting.values():
            if work.source is None or work.source.digest not in self._unfinished:
                ready[self._kind(work)].append(work)
        others = set().union(*(kinds for number, kinds in self._compiled.items() if number != worker))
        own = [kind for kind in ready if kind in self._compiled.get(worker, ())]
        new = [kind for kind in ready if kind not in others]
        # For the last of a kind, compiling takes longer than waiting.
        shared = [kind for kind, works in ready.items() if len(works) > 1]
        kinds = own or new or shared
        if not kinds:
            return None

        awaited = Counter(work.source.digest for work in self._waiting.values() if work.source is not None)

        def urgency(kind: Hashable) -> tuple[int, bool, int]:
            return (
                sum(awaited[work.digest] for work in ready[kind]),
                kind == self._latest.get(worker),
                len(ready[kind]),
            )

        kind = max(kinds, key=urgency)
        # Whoever has just used the weights of a source has them at hand.
        source = self._latest_source.get(worker)
        taken = max(ready[kind], key=lambda work: (awaited[work.digest], _source(work) == source))
        self._latest_source[worker] = _source(taken)
        del self._waiting[taken.digest]
        self._compiled.setdefault(worker, set()).add(kind)
        self._latest[worker] = kind
        return taken

    def finished(self, work: Work) -> None:
        """Let the trials and evaluations be handed out that start from this one."""
        self._unfinished.discard(work.digest)

    def failed(self, work: Work) -> tuple[Work, ...]:
        """Drop the trials and evaluations that start from this one, directly or not; returns them."""
        dropped: list[Work] = []
        failed = {work.digest}
        for other in tuple(self._waiting.values()):  # Sources come before what starts from them.
            if other.source is not None and other.source.digest in failed:
                failed.add(other.digest)
                dropped.append(self._waiting.pop(other.digest))
        self._unfinished -= failed
        return tuple(dropped)

    def abandon(self) -> tuple[Work, ...]:
        """Drop all trials and evaluations that wait; returns them."""
        dropped = tuple(self._waiting.values())
        self._waiting.clear()
        self._unfinished -= {work.digest for work in dropped}
        return dropped

    def lost(self, worker: int) -> None:
        """A worker is gone, and its compiled networks with it."""
        self._compiled.pop(worker, None)
        self._latest.pop(worker, None)
        self._latest_source.pop(worker, None)


def _source(work: Work) -> str | None:
    return work.source.digest if work.source is not None else None
