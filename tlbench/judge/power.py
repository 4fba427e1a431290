"""The differences that a number of seeds decides, from the noise between the seeds of a run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlbench.errors import ConfigurationError
from tlbench.judge.judging import LEVEL
from tlbench.scores.statistics import moderate, size_to_decide, smallest_effect


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench.scores.listed import Unit
    from tlbench.store.baselines import SavedClaim

# A test that decides four times of five is what studies are commonly planned for (Cohen 1992, Psychological Bulletin
# 112:155).
POWER = 0.8


@dataclass(frozen=True)
class Noise:
    """The noise of a claim's difference, from one run.

    Attributes:
        name: Name of the claim.
        unit: Unit of the difference.
        seeds: Number of seeds that the run has of the claim.
        deviation: Standard deviation of the difference between seeds, in the difference's own unit; moderated by the
            noise of the other claims (`tlbench.scores.statistics.moderate`), which makes a better guess to plan with,
            though no verdict may rest on it.
        level: Level of the claim's test, among all claims of the run.
    """

    name: str
    unit: Unit
    seeds: int
    deviation: float
    level: float

    def smallest_difference(self, seeds: int, power: float = POWER) -> float:
        """The smallest distance from its threshold that so many seeds decide with some power.

        Args:
            seeds: Two or more.
            power: Chance that the test decides.

        Returns:
            In the difference's own unit.
        """
        return self.deviation * smallest_effect(seeds, self.level, power, seeds - 1.0)

    def seeds_for(self, difference: float, power: float = POWER) -> int | None:
        """Number of seeds that decide a distance from the claim's threshold; None for more than 1,000.

        Args:
            difference: In the difference's own unit, positive.
            power: Chance that the test decides.
        """
        if self.deviation == 0:
            return 2
        return size_to_decide(difference / self.deviation, self.level, power, lambda seeds: seeds - 1.0)


def noises(claims: Sequence[SavedClaim]) -> list[Noise]:
    """The noise of each of a run's claims that has two seeds or more.

    Each claim is planned at the level of Holm's first step, the hardest: a share of the whole level for each claim.

    Args:
        claims: Saved claims of one run.

    Raises:
        ConfigurationError: None of them has two seeds.
    """
    known = [claim for claim in claims if len(claim.differences) > 1]
    if not known:
        msg = (
            "The noise between seeds takes a claim with two seeds or more; run the study with --tlbench-seeds 2 or "
            f"more. Received: {len(claims)} claims"
        )
        raise ConfigurationError(msg)
    deviations = _deviations(known)
    return [
        Noise(claim.name, claim.unit, len(claim.differences), deviation=deviations[number], level=LEVEL / len(claims))
        for number, claim in enumerate(known)
    ]


def _deviations(claims: Sequence[SavedClaim]) -> dict[int, float]:
    """By number of the claim; claims of a unit know their noise together, on the scale of a single score."""
    of_unit: defaultdict[str, list[int]] = defaultdict(list)
    for number, claim in enumerate(claims):
        of_unit[claim.unit].append(number)
    found: dict[int, float] = {}
    for numbers in of_unit.values():
        samples = [list(claims[number].differences.values()) for number in numbers]
        scales = np.array([claims[number].scale or 1.0 for number in numbers])
        variances = np.array([np.var(sample, ddof=1) for sample in samples]) / scales
        moderated, _ = moderate(variances, [len(sample) - 1.0 for sample in samples])
        found |= dict(zip(numbers, np.sqrt(moderated * scales).tolist(), strict=True))
    return found
