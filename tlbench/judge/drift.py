"""The alarm for slow drift: every night against an accepted reference, at an error rate over a year of nights.

A night gives each watched quantity a mean over seeds. The seeds are the same every night, so the part of their noise
that a split or an initialisation makes is the same too, and the difference of two nights' means is free of it. What is
left is the noise between nights: none on a CPU that repeats itself, up to the noise between seeds on a GPU.

For windows of the last 4, 8, 16 and 32 nights, the mean over the window is held against the mean over the reference:
the window-limited likelihood ratio of Lai 1995 (Journal of the Royal Statistical Society B 57:613, section 2), with the
reference estimated from its own nights, whose error stays the same all year and is part of the standard error. There is
no shorter window: the level lies five standard errors away, where one outlier among a night's few trials is far more
likely than a normal distribution says. A sudden loss is for a comparison of two runs to find.

A CPU that repeats itself draws its noise anew only when a version changes. Equal nights in between are one draw, so
that a month of them says as much as one night, and a year holds as few tests as draws. The chance of an alarm that
equal nights leave unspent goes to the next night that differs: Bonferroni's inequality with weights. The nights that
differ are told by versions, not by the size of a score, so that the weights depend on no test's result. A change of
scores in between, with no version to explain it, is no matter of chance at all: see `tlbench.judge.repeats`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tlbench.judge.wording import shown_p, shown_with_unit
from tlbench.scores.listed import METRICS
from tlbench.scores.statistics import moderate


if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tlbench.scores.listed import Unit

# Numbers of nights whose mean is held against the reference. The mean of four nights is near enough to normal for the
# level; with windows of one and two nights, 3 of 45 quiet years of `pocket` had two false alarms (docs/sensitivity.md).
WINDOWS = (4, 8, 16, 32)

# Distinct nights from which there are a window and a reference.
_LEAST_NIGHTS = WINDOWS[0] + 1

# Reasons for which a quantity is not judged.
FEW_SEEDS = "fewer than two seeds in common with the accepted run"
FEW_NIGHTS = f"fewer than {_LEAST_NIGHTS} nights that differ"

# Nights of the reference, the accepted one among them. One night's own noise would stay in every later comparison.
REFERENCE_NIGHTS = 28

# Nights that the error rate is stated for.
NIGHTS = 365

# Chance of any alarm in a year of quiet nights, over all quantities and both directions.
LEVEL = 0.05

# Tests of a quantity in a year, in each direction: Bonferroni's inequality holds whatever they have to do with each
# other. It costs little here: at such small p-values, windows of successive nights are nearly independent tests.
LOOKS = NIGHTS * len(WINDOWS)

# Smallest noise of a night's mean, in noises between seeds. A CPU that repeats itself shows no noise at all, and a
# change of the last digit is no drift.
LEAST_NOISE = 0.1

# A difference of successive nights beyond so many of its standard deviations is a jump and no noise; normal noise
# exceeds them six times in 100,000.
_JUMP = 4

# Ratio of the standard deviation of normal values to their median absolute value.
_FROM_MEDIAN = 1.4826

# Half the width of a 90 % interval, in standard errors.
_HALF_WIDTH = 1.645

DriftStatus = Literal["worse", "better", "steady", "not judged"]


@dataclass(frozen=True, eq=False)
class Watched:
    """A quantity of every night.

    Attributes:
        label: Label of the arm, or name of the claim.
        metric: Key of the metric; empty for a claim.
        values: Values by night and seed, shape (nights, seeds), the accepted night first; measured nights only.
        least_noise: Smallest noise between seeds, in the quantity's own unit.
        sign: 1 where more is better, -1 where less is.
        unit: Unit of the values.
        accepted: Number of nights before the first that failed its comparison, which ends the reference; None where
            none failed.
    """

    label: str
    metric: str
    values: NDArray[np.float64]
    least_noise: float
    sign: int = 1
    unit: Unit = "percent"
    accepted: int | None = None


@dataclass(frozen=True)
class Drift:
    """The judgement on a quantity in its last night.

    Attributes:
        label: Label of the arm, or name of the claim.
        metric: Key of the metric; empty for a claim.
        unit: Unit of the quantity.
        status: Direction of a drift; steady where there is none.
        effect: Mean of the window less mean of the reference; None where the quantity cannot be judged.
        interval: 90 % interval of the effect by itself.
        seed_noise: Standard deviation between seeds in the reference.
        p: Chance of such a drift in a year of quiet nights, over all quantities.
        window: Number of nights of the window that says most.
        reference: Number of distinct nights of the reference.
        nights: Number of measured nights.
        distinct: Number of nights that differ from the night before.
        level: Mean of the reference.
        reason: Reason for which the quantity is not judged; empty otherwise.
    """

    label: str
    metric: str
    unit: Unit
    status: DriftStatus
    effect: float | None = None
    interval: tuple[float, float] | None = None
    seed_noise: float | None = None
    p: float | None = None
    window: int = 0
    reference: int = 0
    nights: int = 0
    distinct: int = 0
    level: float | None = None
    reason: str = ""

    def __str__(self) -> str:
        """The drift in a phrase, for instance `frozen entry (accuracy -1.2 points over 16 nights, p 0.003)`."""
        if self.effect is None or self.p is None:
            return f"{self.label} (not judged)"
        name = next((f"{metric.name} " for metric in METRICS if metric.key == self.metric), "")
        nights = f"{self.window} night{'s' if self.window > 1 else ''}"
        return f"{self.label} ({name}{shown_with_unit(self.effect, self.unit)} over {nights}, p {shown_p(self.p)})"


def drifts(watched: Sequence[Watched], level: float = LEVEL) -> list[Drift]:
    """Judge the last night of each quantity.

    A night whose scores are those of the night before to the last digit is no further evidence: a CPU that repeats
    itself says the same thing every night. Such nights count once.

    Args:
        watched: Quantities of one series of nights.
        level: Chance of any alarm in a year of quiet nights; half of it for each direction.

    Returns:
        A judgement for each quantity, in order. A quantity whose nights all repeat the first is steady. One with fewer
        than two seeds is not judged, nor is one with two to four distinct nights: no window has a reference yet.
    """
    found = [_not_judged(each, FEW_SEEDS) for each in watched]
    # Noise is moderated among the quantities of a metric with as many nights and seeds, which share an array.
    kinds: dict[tuple[str, tuple[int, ...]], list[int]] = defaultdict(list)
    for number, each in enumerate(watched):
        if each.values.ndim == 2 and each.values.shape[1] > 1 and len(each.values):
            kinds[each.metric, each.values.shape].append(number)
    for numbers in kinds.values():
        several = [watched[number] for number in numbers]
        for number, drift in zip(numbers, _judged(several, len(watched), level), strict=True):
            found[number] = drift
    return found


def _not_judged(watched: Watched, reason: str, distinct: int = 0) -> Drift:
    nights = len(watched.values)
    return Drift(
        watched.label, watched.metric, watched.unit, "not judged", nights=nights, distinct=distinct, reason=reason
    )


def _judged(watched: Sequence[Watched], quantities: int, level: float) -> list[Drift]:
    """Judge quantities of one metric, of equally many nights and seeds."""
    values = np.stack([each.values for each in watched])
    noises_of_seeds = seed_noises(values[:, 0], [each.least_noise for each in watched])
    means, differs = values.mean(axis=2), distinct(values)
    courses = [means[row, differs[row]] for row in range(len(watched))]
    # Two independent sets of seeds differ by so much, and so does a night that draws all its noise anew.
    variances, degrees = night_variances(courses, noises_of_seeds * np.sqrt(2 / values.shape[2]))
    noises = np.maximum(np.sqrt(variances), LEAST_NOISE * noises_of_seeds)
    ends = [REFERENCE_NIGHTS if each.accepted is None else min(REFERENCE_NIGHTS, each.accepted) for each in watched]
    references = np.array([max(int(differs[row, :end].sum()), 1) for row, end in enumerate(ends)])
    judged: dict[int, Drift] = {}
    sizes, shares = differs.sum(axis=1), _unspent(differs)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        means = np.stack([courses[row] for row in rows])
        effects, errors, below, above, windows = strongest(means, references[rows], noises[rows], degrees[rows])
        lengths = np.minimum(references[rows], np.maximum(size - windows, 1)).astype(int)
        levels = np.cumsum(means, axis=1)[np.arange(len(rows)), lengths - 1] / lengths
        columns = (rows, effects, errors, below, above, windows, lengths, levels, shares[rows], noises_of_seeds[rows])
        for row, effect, error, low, high, window, length, mean, share, noise in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            each = watched[row]
            if 1 < size < _LEAST_NIGHTS:
                judged[row] = _not_judged(each, FEW_NIGHTS, int(size))
                continue
            tests = 2 * LOOKS * quantities / share
            worse, better = (min(1.0, tests * p) for p in (low, high)[:: each.sign])
            judged[row] = Drift(
                each.label,
                each.metric,
                each.unit,
                "worse" if worse <= level else "better" if better <= level else "steady",
                effect,
                (effect - _HALF_WIDTH * error, effect + _HALF_WIDTH * error),
                noise,
                min(worse, better),
                int(window),
                length,
                len(each.values),
                int(size),
                mean,
            )
    return [judged[row] for row in range(len(watched))]


def _unspent(differs: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Nights whose chance of an alarm the last distinct night has: its own, and those of equal nights before it.

    Args:
        differs: Nights that differ from the night before, shape (m, nights).
    """
    nights = differs.shape[1]
    last = nights - 1 - differs[:, ::-1].argmax(axis=1)
    others = differs.copy()
    others[np.arange(len(differs)), last] = False
    before = nights - 1 - others[:, ::-1].argmax(axis=1)
    return np.where(others.any(axis=1), last - before, 1)


def seed_noises(accepted: NDArray[np.float64], least: Sequence[float]) -> NDArray[np.float64]:
    """Standard deviations between seeds in the accepted night, as `tlbench.judge.changes.moved_means` takes them.

    Args:
        accepted: Values of the accepted night, shape (quantities, seeds).
        least: Smallest noise of each quantity.
    """
    count, seeds = accepted.shape
    variances, _ = moderate(accepted.var(axis=1, ddof=1), np.full(count, seeds - 1.0))
    return np.maximum(np.sqrt(variances), least)


def distinct(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell the nights that differ from the night before.

    Args:
        values: Values by night and seed, shape (..., nights, seeds).

    Returns:
        Shape (..., nights); the first night is always told.
    """
    differs = np.ones(values.shape[:-1], dtype=np.bool_)
    differs[..., 1:] = (values[..., 1:, :] != values[..., :-1, :]).any(axis=-1)
    return differs


def night_variances(
    courses: Sequence[NDArray[np.float64]], scales: Sequence[float] | NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances of a night's mean, from the differences between successive nights.

    Half the mean square of successive differences (von Neumann, Kent, Bellinson & Hart 1941, Annals of Mathematical
    Statistics 12:153) hardly feels a drift, unlike the variance around the mean. Of n nights it has the precision of
    2 (n - 1)² / (3 n - 4) degrees of freedom: the variance of this estimate is (3 n - 4) / (n - 1)² times the fourth
    power of the noise. Variances are moderated among the quantities (`tlbench.scores.statistics.moderate`).

    A sudden jump is one large difference, and would hide a later drift. Differences are left out that exceed four times
    both a given scale and the differences' own scale by their median absolute value (Rousseeuw & Croux 1993, Journal of
    the American Statistical Association 88:1273, equation 1.1). The median alone would take all new draws for jumps
    where most nights hardly differ.

    Args:
        courses: A quantity's mean in each distinct night, shape (n,), for each quantity.
        scales: Standard deviation that a difference may have without being a jump, for each quantity; no difference is
            a jump unless given.

    Returns:
        Variances and their degrees of freedom, each of shape (quantities,). With one night: 0, and 1 degree.
    """
    halves = np.zeros(len(courses))
    counts = np.zeros(len(courses))
    lengths = np.array([len(course) for course in courses])
    # Quantities of a series have as many nights, but for those of which fewer differ.
    for length in np.unique(lengths[lengths > 1]):
        rows = np.flatnonzero(lengths == length)
        changes = np.diff(np.stack([courses[row] for row in rows.tolist()]), axis=1)
        if scales is not None:
            sizes = np.abs(changes)
            own = _FROM_MEDIAN * np.median(sizes, axis=1)
            jumps = sizes > _JUMP * np.maximum(own, np.asarray(scales, dtype=np.float64)[rows])[:, None]
            changes[jumps] = 0
            counts[rows] = length - 1 - jumps.sum(axis=1)
        else:
            counts[rows] = length - 1
        halves[rows] = (changes**2).sum(axis=1) / (2 * np.maximum(counts[rows], 1))
    counts = np.maximum(counts, 1)
    return moderate(halves, 2 * counts**2 / (3 * counts - 1))


def strongest(
    means: NDArray[np.float64], reference: NDArray[np.int64], noise: NDArray[np.float64], degrees: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """The window of the last nights that differs most from the reference, for many quantities at once.

    Args:
        means: Mean of each distinct night, shape (m, n).
        reference: Number of distinct nights of the reference at most, shape (m,).
        noise: Standard deviation of a night's mean, shape (m,).
        degrees: Degrees of freedom of the noise, shape (m,).

    Returns:
        Effect and standard error of the window that says most, the smallest one-sided p-values below and above over
        all windows, and the length of the window; each of shape (m,). With a single night: 0, 0, 1, 1, 0.
    """
    from scipy.special import stdtr

    count, nights = means.shape
    sums = np.concatenate([np.zeros((count, 1)), np.cumsum(means, axis=1)], axis=1)
    best = tuple(np.full(count, start) for start in (0.0, 0.0, 1.0, 1.0, 0.0))
    effect, error, below, above, length = best
    for window in WINDOWS:
        if window >= nights:
            break
        # Nights of the window are never part of the reference.
        sizes = np.minimum(reference, nights - window)
        shift = (sums[:, -1] - sums[:, -1 - window]) / window - sums[np.arange(count), sizes] / sizes
        spread = noise * np.sqrt(1 / window + 1 / sizes)
        p_below = stdtr(np.minimum(degrees, 1e9), shift / spread)
        p_above = stdtr(np.minimum(degrees, 1e9), -shift / spread)
        clearer = np.minimum(p_below, p_above) < np.minimum(below, above)
        np.copyto(effect, shift, where=clearer)
        np.copyto(error, spread, where=clearer)
        np.copyto(length, window, where=clearer)
        np.copyto(below, np.minimum(below, p_below))
        np.copyto(above, np.minimum(above, p_above))
    return best
