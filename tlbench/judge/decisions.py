"""The way to a verdict: its test, its level and its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


if TYPE_CHECKING:
    from tlbench.scores.statistics import Interval

Outcome = Literal["supported", "refuted", "inconclusive"]


@dataclass(frozen=True)
class Decision:
    """How a verdict was come to, among other claims and other looks at growing numbers of seeds.

    Attributes:
        p: Of the outcome's test, or of the nearer one where it is inconclusive, after Holm's correction; None where
            there is none.
        level: What it must not exceed at this look.
        claims: Number of claims judged together.
        looks: Number of seeds at each look, as planned.
        interval: Of the mean difference, each end at the level that Holm's procedure left to its test: wholly above the
            threshold exactly where the claim is supported, not above it exactly where it is refuted. None where a run
            diverged.
        test_level: What the nearer test's own p-value was held against; `level` of a single claim.
        against: Whether the nearer test is the one that refutes.
    """

    p: float | None
    level: float
    claims: int
    looks: tuple[int, ...]
    interval: Interval | None = None
    test_level: float | None = None
    against: bool = False
