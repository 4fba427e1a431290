"""Changes that nothing explains: a machine that repeats itself gives other scores under the same recorded state.

A CPU repeats itself to the last digit. There is no noise between two of its nights under the same packages, flags,
machine, settings and commit, so a difference between them is no matter of statistics: something has changed that
nothing records. That can be a file that the code reads, a service, a library that was exchanged in place, or hardware
that computes wrongly.

A machine has to show that it repeats itself. A GPU never does, and no change of its scores is told here. An arm counts
from the accepted run on. Each pair of its successive nights with the same recorded state is equal, or is not. Where the
first unequal pair follows after `REPEATS` or more equal ones, it is a change that nothing explains. An arm of which an
earlier pair is unequal does not repeat itself, and says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tlbench.judge.arm_changes import finished
from tlbench.judge.versions import differing_versions


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tlbench.store.baselines import SavedArm, SavedRun

# Equal pairs by which an arm shows that it repeats itself. An arm of which each pair is unequal with a chance of one
# half gets this far once in 32 times.
REPEATS = 5


@dataclass(frozen=True)
class Unexplained:
    """A night whose scores have changed while nothing recorded has.

    Attributes:
        night: Position of the night in the series.
        name: Name of its run.
        created: Time of its saving, in ISO 8601, UTC.
        labels: Arms whose scores have changed, by label.
        equal: Number of equal pairs of nights before it, of the arm with the fewest.
    """

    night: int
    name: str
    created: str
    labels: tuple[str, ...]
    equal: int

    def __str__(self) -> str:
        """The change in a phrase, for instance `frozen all, frozen entry in nightly of 2026-03-01`."""
        return f"{', '.join(self.labels)} in {self.name} of {self.created[:10]}"


def first_unequal(pairs: Iterable[bool | None]) -> tuple[int, int] | None:
    """The pair of nights that differs although the pairs before it show that the machine repeats itself.

    Args:
        pairs: For each night after the first, whether it equals the night before; None where the pair says nothing,
            since something recorded differs.

    Returns:
        Position of the pair and the number of equal pairs before it; None where there is no such pair.
    """
    equal = 0
    for position, same in enumerate(pairs):
        if same is False:
            return (position, equal) if equal >= REPEATS else None
        equal += same is True
    return None


def unexplained(
    runs: Sequence[SavedRun], fresh: Sequence[Mapping[str, SavedArm]], names: Sequence[str] = ()
) -> Unexplained | None:
    """The first night whose scores have changed while nothing recorded has.

    Args:
        runs: Saved runs, in order, from the accepted one on.
        fresh: Arms that each run has measured anew, by identifier.
        names: Names of the runs for the reader; their own unless given.

    Returns:
        The night, by position among the runs; None where there is none.
    """
    found: dict[int, list[tuple[str, int]]] = {}
    same_state: dict[tuple[int, int], bool] = {}
    for arm in dict.fromkeys(arm for of_night in fresh for arm in of_night):
        nights = [night for night, of_night in enumerate(fresh) if arm in of_night]
        pairs: list[bool | None] = []
        for before, after in pairwise(nights):
            if (before, after) not in same_state:
                same_state[before, after] = _same_state(runs[before], runs[after])
            same = same_state[before, after]
            pairs.append(_equal(fresh[before][arm], fresh[after][arm]) if same else None)
        if unequal := first_unequal(pairs):
            night = nights[unequal[0] + 1]
            found.setdefault(night, []).append((fresh[night][arm].labels[0], unequal[1]))
    if not found:
        return None
    night = min(found)
    name = (names or [run.name for run in runs])[night]
    labels = tuple(label for label, _ in found[night])
    return Unexplained(night, name, runs[night].created, labels, min(equal for _, equal in found[night]))


def _same_state(before: SavedRun, after: SavedRun) -> bool:
    """Tell whether all that is recorded of two runs is equal; files that differ from the commit are not recorded."""
    commits = (before.commit, after.commit)
    if any(commit is None or commit.changed for commit in commits):
        return False
    settings = [{name: value for name, value in run.header.items() if name != "store"} for run in (before, after)]
    return (
        before.tlbench_version == after.tlbench_version
        and settings[0] == settings[1]
        and not any(differing_versions(before, after))
    )


def _equal(before: SavedArm, after: SavedArm) -> bool | None:
    """Compare the scores of the seeds that two nights share, to the last digit; None without such seeds."""
    first, second = finished(before), finished(after)
    seeds = [
        seed for seed in first.keys() & second.keys() if before.digests.get(seed) == after.digests.get(seed) is not None
    ]
    if not seeds:
        return None
    shared = [(first[seed].scores, second[seed].scores) for seed in seeds]
    return all(old[name] == new[name] for old, new in shared for name in old.keys() & new.keys())
