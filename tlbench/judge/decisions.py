"""Test, level and interval that lead to a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


if TYPE_CHECKING:
    from tlbench.scores.statistics import Interval

Outcome = Literal["supported", "refuted", "inconclusive"]


@dataclass(frozen=True)
class Decision:
    """The statistics behind a verdict, among other claims and other looks at growing numbers of seeds.

    Attributes:
        p: P-value of the outcome's test, or of the nearer test of an inconclusive claim, after Holm's correction; None
            where there is no test.
        level: Level that `p` must not exceed at this look.
        claims: Number of claims judged together.
        looks: Number of seeds at each look, as planned.
        interval: Interval of the mean difference, each end at the level that Holm's procedure left to its test: wholly
            above the threshold exactly where the claim is supported, not above it exactly where it is refuted. None
            where a seed has no difference.
        test_level: Level that the nearer test's own p-value was compared with; equal to `level` for a single claim.
        against: Whether the nearer test is the one that refutes.
    """

    p: float | None
    level: float
    claims: int
    looks: tuple[int, ...]
    interval: Interval | None = None
    test_level: float | None = None
    against: bool = False
