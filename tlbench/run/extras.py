"""The extra predictions of a run's trials: those that its declarations read, see `tlbench.scores.extras`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench.declare.evaluations import Evaluation
from tlbench.scores.extras import ALL_EXTRAS, NO_EXTRAS


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench.declare.evaluations import Work
    from tlbench.run.gathered import Declaration


class Extras:
    """The extra predictions of each planned arm."""

    def __init__(self) -> None:
        self._by_arm: dict[str, frozenset[str]] = {}
        self._all = False

    def keep_all(self) -> None:
        """Have every trial make all extra predictions, since it is not known who reads them."""
        self._all = True

    def add(self, declared: Declaration, seeds: Sequence[int]) -> None:
        """Add the extra predictions that a declaration reads.

        Args:
            declared: A claim, a table or a figure. A figure without `extras` may read all.
            seeds: Seeds of the trials.
        """
        for arm, extras in extras_of(declared, seeds).items():
            self._by_arm[arm] = self._by_arm.get(arm, NO_EXTRAS) | extras

    def on(self, work: Work) -> Work:
        """A trial with the extra predictions of its arm, or with its own where the arm is not planned.

        Args:
            work: A trial, or an evaluation, which has no extra predictions.
        """
        if isinstance(work, Evaluation):
            return work
        return work.with_extras(ALL_EXTRAS if self._all else self._by_arm.get(work.arm_digest, work.extras))


def extras_of(declared: Declaration, seeds: Sequence[int]) -> dict[str, frozenset[str]]:
    """Extra predictions that a declaration reads, by `Trial.arm_digest`.

    Args:
        declared: A claim, a table or a figure. A figure without `extras` may read all.
        seeds: Seeds of the trials.
    """
    own = getattr(declared, "extras", ALL_EXTRAS)
    found = {trial.arm_digest: own for trial in declared.trials(seeds)}
    for quantity in getattr(declared, "quantities", ()):
        for each in quantity.scores:
            arm = each.arm.trial(seeds[0]).arm_digest
            found[arm] = found.get(arm, own) | each.metric.extras
    return found
