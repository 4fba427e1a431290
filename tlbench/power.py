"""Which differences so many seeds decide, from the noise between seeds that a run has found."""

from __future__ import annotations

import math

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError
from tlbench.judging import LEVEL, Sample, estimates
from tlbench.statistics import LEAST_VARIANCES, MOST_DEGREES, MOST_PRIOR, size_to_decide, smallest_effect


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench.baselines import SavedClaim
    from tlbench.claims import Unit

# A test that decides four times of five is what studies are commonly planned for (Cohen 1992, Psychological Bulletin
# 112:155).
POWER = 0.8


@dataclass(frozen=True)
class Noise:
    """What a run says of the noise of a claim's difference.

    Attributes:
        name: Of the claim.
        unit: Of the difference.
        seeds: Number of seeds that the run has of the claim.
        deviation: Standard deviation of the difference between seeds, in the difference's own unit; moderated by the
            noise of the other claims, as for a verdict.
        shared: Whether there are enough claims of the unit to know their noise together.
        level: Of the claim's test, among all claims of the run.
    """

    name: str
    unit: Unit
    seeds: int
    deviation: float
    shared: bool
    level: float

    def smallest_difference(self, seeds: int, power: float = POWER) -> float:
        """The smallest distance from its threshold that so many seeds decide with some power.

        Args:
            seeds: Two or more.
            power: Chance that the test decides.

        Returns:
            In the difference's own unit.
        """
        return self.deviation * smallest_effect(seeds, self.level, power, self._degrees(seeds))

    def seeds_for(self, difference: float, power: float = POWER) -> int | None:
        """How many seeds decide a distance from its threshold; None for more than 1,000.

        Args:
            difference: In the difference's own unit, positive.
            power: Chance that the test decides.
        """
        if self.deviation == 0:
            return 2
        return size_to_decide(difference / self.deviation, self.level, power, self._degrees)

    def _degrees(self, seeds: int) -> float:
        # Of the standard deviation that a verdict on so many seeds rests on; see moderate_with_care.
        own = seeds - 1.0
        return own * (1 + MOST_PRIOR) if self.shared and own <= MOST_DEGREES else own


def noises(claims: Sequence[SavedClaim]) -> list[Noise]:
    """The noise of each of a run's claims that has two seeds or more.

    Each claim is planned at the level of Holm's first step, the hardest: a share of the whole level for each claim.

    Args:
        claims: Of one run.

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
    samples = [Sample(tuple(claim.differences.values()), claim.unit, claim.scale) for claim in known]
    of_unit = Counter(claim.unit for claim in known)
    return [
        Noise(
            claim.name,
            claim.unit,
            len(claim.differences),
            deviation=estimate.standard_error * math.sqrt(len(claim.differences)),
            shared=of_unit[claim.unit] >= LEAST_VARIANCES,
            level=LEVEL / len(claims),
        )
        for claim, estimate in zip(known, estimates(samples), strict=True)
    ]
