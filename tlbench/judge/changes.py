"""The changes between two runs, as values, and the tests that find them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from tlbench.scores.listed import Unit
from tlbench.scores.statistics import holm, moderate, shift


if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ChangeStatus = Literal[
    "same", "regressed", "improved", "changed verdict", "missing", "new", "not judged", "not measured"
]


@dataclass(frozen=True)
class Change:
    """The change of a mean between two runs.

    Attributes:
        old: Mean in the older run; None where there is none.
        new: Mean in the newer run; None where there is none.
        effect: New mean less old mean.
        interval: 90 % interval of the effect.
        margin: Size of the noise: the standard deviation between seeds in the older run, or the metric's least margin.
        p: Chance of such a move beyond the margin without any, in the nearer direction, after Holm's correction; None
            for metrics that are shown only.
    """

    old: float | None = None
    new: float | None = None
    effect: float | None = None
    interval: tuple[float, float] | None = None
    margin: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class ArmChange:
    """The changes of an arm, or of the mean of all arms.

    Attributes:
        label: Label of the arm.
        status: Regressed where any metric that alarms has, else improved where any has; not measured where every result
            is the same measurement on both sides.
        changes: Change of each metric that both runs have, by `tlbench.scores.listed.Metric.key`.
        note: Remark, such as a recipe that differs; empty where there is none.
        measured: Number of the newer run's trials that the newer run has trained.
        trials: Number of the newer run's trials.
    """

    label: str
    status: ChangeStatus
    changes: dict[str, Change]
    note: str = ""
    measured: int = 0
    trials: int = 0


@dataclass(frozen=True)
class ClaimChange:
    """The change of a claim's verdict and difference.

    Attributes:
        name: Name of the claim.
        status: Changed verdict where its outcome is the opposite, or is another one and its difference has moved; not
            measured where it rests on the same measurements in both runs.
        old: Outcome in the older run; None where it has none.
        new: Outcome in the newer run.
        change: Change of the difference.
        note: Reason why another outcome is no changed verdict; empty where there is none.
        unit: Unit of the difference.
    """

    name: str
    status: ChangeStatus
    old: str | None
    new: str | None
    change: Change
    note: str = ""
    unit: Unit = "percent"


@dataclass(frozen=True)
class Ratio:
    """The change of a time, a rate or an amount of memory.

    Attributes:
        name: Name of the quantity.
        old: Value in the older run, in `unit`.
        new: Value in the newer run; None where that run measured nothing.
        unit: Unit of both values.
        ratio: Ratio of new to old, the geometric mean over arms; None where the newer run measured nothing.
        interval: 90 % interval of the ratio over arms; None for a single number.
    """

    name: str
    old: float
    new: float | None
    unit: str
    ratio: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class MovedMean:
    """A test of one mean.

    Attributes:
        change: The change, before any correction.
        worse: One-sided p-value that the mean is worse by more than its margin.
        better: One-sided p-value that the mean is better by more than its margin.
    """

    change: Change
    worse: float
    better: float


def moved_means(
    olds: Sequence[NDArray[np.float64]],
    news: Sequence[NDArray[np.float64]],
    least_margin: float,
    *,
    paired: bool,
    sign: int = 1,
) -> list[MovedMean]:
    """Test many means at once.

    Args:
        olds: Values of the older run, a sample of two or more for each mean.
        news: Values of the newer run, in the same order.
        least_margin: Smallest margin, whatever the noise.
        paired: Whether the values of a mean belong together pair by pair.
        sign: 1 where more is better, -1 where less is.
    """
    variances, _ = moderate([values.var(ddof=1) for values in olds], [values.size - 1.0 for values in olds])
    margins = np.maximum(np.sqrt(variances), least_margin)
    moved = shift(olds, news, paired=paired)
    below, above = moved.p_below(-margins), moved.p_above(margins)
    worse, better = (below, above) if sign > 0 else (above, below)
    return [
        MovedMean(
            Change(
                float(before.mean()),
                float(after.mean()),
                float(moved.effect[index]),
                (float(low), float(high)),
                float(margins[index]),
            ),
            float(worse[index]),
            float(better[index]),
        )
        for index, (before, after, low, high) in enumerate(zip(olds, news, *moved.interval(), strict=True))
    ]


def corrected(tests: Sequence[MovedMean], level: float) -> list[tuple[Change, ChangeStatus]]:
    """Apply Holm's correction over all tests, each direction by itself.

    Args:
        tests: All tests of the family.
        level: Level of each direction.

    Returns:
        Each change with its corrected p-value, and its status: same, regressed or improved.
    """
    worse, better = holm([test.worse for test in tests]), holm([test.better for test in tests])
    judged: list[tuple[Change, ChangeStatus]] = []
    for test, p_worse, p_better in zip(tests, worse, better, strict=True):
        status: ChangeStatus = "regressed" if p_worse <= level else "improved" if p_better <= level else "same"
        judged.append((replace(test.change, p=float(min(p_worse, p_better))), status))
    return judged
