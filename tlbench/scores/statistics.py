"""The arithmetic between scores and verdicts; pure functions of arrays."""

from __future__ import annotations

import bisect
import itertools
import math

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

# Each end of a 90 % interval is a one-sided test at 5 %.
CONFIDENCE = 0.90


@dataclass(frozen=True)
class Interval:
    """A mean and where it plausibly lies.

    Attributes:
        mean: Mean of the sample.
        low: Lower end; minus infinity for a single observation.
        high: Upper end.
        confidence: Share of such intervals that hold the true mean.
    """

    mean: float
    low: float
    high: float
    confidence: float


def mean_interval(sample: ArrayLike, confidence: float = 0.90) -> Interval:
    """Student's t interval of a mean.

    It assumes that the observations are independent and roughly normal. At
    90 %, each end by itself is a one-sided test at 5 % (Schuirmann 1987, J.
    Pharmacokinet. Biopharm. 15:657, for two such tests at once).

    Args:
        sample: Observations, shape (n,), n > 0.
        confidence: Between 0 and 1.

    Returns:
        The interval, unbounded for n = 1.
    """
    # Imported sooner than scipy.stats, with which a test compares this.
    from scipy.special import stdtrit

    values = np.asarray(sample, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        msg = f"An interval needs a one-dimensional sample of finite numbers. Received: {sample!r}"
        raise ValueError(msg)
    mean = float(values.mean())
    if values.size == 1:
        return Interval(mean, -np.inf, np.inf, confidence)
    error = values.std(ddof=1) / math.sqrt(values.size)
    half = float(stdtrit(values.size - 1, (1 + confidence) / 2) * error)
    return Interval(mean, mean - half, mean + half, confidence)


def p_value(sample: ArrayLike, threshold: float, alternative: Literal["greater", "less"] = "greater") -> float:
    """One-sided p-value of Student's t test of a mean against a threshold.

    At most 0.05 exactly where that end of the 90 % interval of `mean_interval`
    is at the threshold or beyond it.

    Args:
        sample: Observations, shape (n,), n > 1.
        threshold: The mean under the null hypothesis.
        alternative: Whether the mean is claimed to be greater than the threshold, or not to be.

    Returns:
        The p-value; 0 or 1 where there is no spread, a mean at the threshold being not greater.
    """
    return Estimate.of_its_own(sample).p(threshold, alternative)


@dataclass(frozen=True)
class Estimate:
    """A mean, and how well it is known.

    Attributes:
        mean: Mean of a sample.
        standard_error: Standard error of the mean; 0 where nothing is known to spread.
        degrees: Degrees of freedom of the standard error.
    """

    mean: float
    standard_error: float
    degrees: float

    @classmethod
    def of(cls, sample: ArrayLike, variance: float, degrees: float) -> Estimate:
        """The estimate of a sample's mean.

        Args:
            sample: Observations, shape (n,), n > 1.
            variance: Variance of an observation.
            degrees: Degrees of freedom of the variance.
        """
        values = np.asarray(sample, dtype=np.float64)
        # Of equal numbers, the sum is rounded and the mean is another.
        mean = values[0] if np.ptp(values) == 0 else values.mean()
        return cls(float(mean), math.sqrt(variance / values.size), degrees)

    @classmethod
    def of_its_own(cls, sample: ArrayLike) -> Estimate:
        """The estimate of a sample's mean, by the sample's own variance.

        Args:
            sample: Observations, shape (n,), n > 1.
        """
        values = np.asarray(sample, dtype=np.float64)
        return cls.of(values, 0.0 if np.ptp(values) == 0 else float(values.var(ddof=1)), values.size - 1.0)

    def p(self, threshold: float, alternative: Literal["greater", "less"]) -> float:
        """One-sided p-value of a t test of the mean against a threshold; see `p_value`."""
        # A hundred times faster than scipy.stats.ttest_1samp, which a test holds it against.
        from scipy.special import stdtr

        if self.standard_error == 0:
            return float((self.mean > threshold) == (alternative == "less"))
        t = (self.mean - threshold) / self.standard_error
        return float(stdtr(self.degrees, -t if alternative == "greater" else t))

    def interval(self, below: float, above: float) -> Interval:
        """Student's t interval of the mean, each end at a level of its own.

        An end is beyond a threshold exactly where a one-sided test at its level says so.

        Args:
            below: Chance that the mean lies below the interval, at most 0.5.
            above: Chance that it lies above.
        """
        from scipy.special import stdtrit

        low, high = (float(stdtrit(self.degrees, 1 - level)) * self.standard_error for level in (below, above))
        return Interval(self.mean, self.mean - low, self.mean + high, 1 - below - above)


def sample_size(
    sample: ArrayLike, threshold: float, level: float = 0.05, power: float = 0.8, most: int = 1000
) -> int | None:
    """Number of observations that tell a mean from a threshold, if the sample's mean and spread are the true ones.

    The sample's own effect is a noisy guess at the true one (Hoenig & Heisey
    2001, The American Statistician 55:19): a size to plan with, no evidence.

    Args:
        sample: Observations, shape (n,), n > 1.
        threshold: The mean under the null hypothesis of a one-sided t test, above or below it.
        level: Level of the test.
        power: Probability that the test rejects.
        most: The largest answer.

    Returns:
        The smallest size, None if it is above `most`.
    """
    values = np.asarray(sample, dtype=np.float64)
    distance, spread = abs(values.mean() - threshold), values.std(ddof=1)
    if spread == 0:
        return 2 if distance > 0 else None
    return size_to_decide(float(distance / spread), level, power, lambda size: size - 1.0, most)


def _power(effect: float, size: int, level: float, degrees: float) -> float:
    # That of statsmodels' TTestPower, which takes a second to import; a test compares both.
    from scipy.special import nctdtr, stdtrit

    return float(1 - nctdtr(degrees, effect * math.sqrt(size), stdtrit(degrees, 1 - level)))


def smallest_effect(size: int, level: float, power: float, degrees: float) -> float:
    """The smallest effect that a one-sided t test of so many observations finds.

    Args:
        size: Number of observations, at least 2.
        level: Level of the test.
        power: Chance that the test rejects, between `level` and 1.
        degrees: Degrees of freedom of the standard deviation.

    Returns:
        In standard deviations of an observation.
    """
    from scipy.optimize import brentq

    # From below, since the power of an effect far above what is needed is no number in scipy.
    highest = 0.5
    while not _power(highest, size, level, degrees) >= power:
        highest *= 1.5
    return float(brentq(lambda effect: _power(effect, size, level, degrees) - power, 0.0, highest))


def size_to_decide(
    effect: float, level: float, power: float, degrees: Callable[[int], float], most: int = 1000
) -> int | None:
    """Number of observations with which a one-sided t test finds an effect.

    Args:
        effect: In standard deviations of an observation; none is found that is 0.
        level: Level of the test.
        power: Chance that the test rejects.
        degrees: From a number of observations to the degrees of freedom of their standard deviation.
        most: The largest answer.

    Returns:
        The smallest size, None if it is above `most`.
    """

    def reached(size: int) -> float:
        return _power(effect, size, level, degrees(size))

    # From below, since the power of a size far above what is needed is no number in scipy.
    size = 2
    while size < most and not reached(size) >= power:
        size = min(2 * size, most)
    if not reached(size) >= power:
        return None
    return bisect.bisect_left(range(size), power, lo=2, key=reached)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values adjusted for their number: comparing them with a level keeps the chance of any false rejection below it.

    Holm 1979, Scandinavian Journal of Statistics 6:65; whatever the tests have to do with each other.

    Args:
        p_values: Shape (m,); m may be 0.

    Returns:
        Shape (m,), each at least as large as it was and at most 1.
    """
    # Thousands of times faster than statsmodels' multipletests, which a test holds it against.
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1)), 1)
    return adjusted


def holm_levels(p_values: ArrayLike, level: float) -> NDArray[np.float64]:
    """The level that Holm's procedure leaves to each of its tests.

    The tests are rejected in the order of their p-values, the smallest at `level / m`, the next at `level / (m - 1)`,
    until one is not; all that are left are held against that one's level (Holm 1979, Scandinavian Journal of
    Statistics 6:65). A test is rejected exactly where its own p-value is at most its level, so that a confidence bound
    at its level is beyond the bound of its null hypothesis exactly then.

    Args:
        p_values: Shape (m,); m may be 0.
        level: Level of all tests together.

    Returns:
        Shape (m,), each from `level / m` to `level`.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)
    steps = level / np.arange(values.size, 0, -1)
    kept = np.flatnonzero(values[order] > steps)
    if kept.size:
        steps[kept[0] :] = steps[kept[0]]
    levels = np.empty_like(values)
    levels[order] = steps
    return levels


def look_levels(looks: Sequence[int], level: float) -> tuple[float, ...]:
    """The share of a test's level that each look at growing data may spend.

    The spending function of Pocock's type, level * ln(1 + (e - 1) t) at the
    share t of the data (Lan & DeMets 1983, Biometrika 70:659), of which every
    look gets what has been added since the last. The levels add up to the
    whole, so that, by Bonferroni's inequality, tests that each keep the level of
    their look keep the whole level together, whatever their distribution:
    boundaries that use the correlation between looks would be somewhat wider,
    and exact for large samples only.

    Args:
        looks: Number of observations at each look, growing; the last is the most there can be.
        level: Level of all looks together.

    Returns:
        A level for each look.
    """
    if not looks or any(later <= earlier for earlier, later in itertools.pairwise(looks)) or looks[0] < 1:
        msg = f"Looks need growing numbers of observations. Received: {list(looks)}"
        raise ValueError(msg)
    spent = [level * math.log1p((math.e - 1) * look / looks[-1]) for look in looks]
    return tuple(after - before for before, after in itertools.pairwise([0.0, *spent]))


@dataclass(frozen=True)
class Shift:
    """Shifts of means, and their standard errors.

    Attributes:
        effect: New mean less old mean, shape (m,).
        standard_error: Standard error of each effect, shape (m,).
        degrees: Degrees of freedom of each standard error, shape (m,); may be infinite.
    """

    effect: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    degrees: NDArray[np.float64]

    def interval(self, confidence: float = 0.90) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper ends of Student's t intervals, each of shape (m,)."""
        from scipy.special import stdtrit

        half = stdtrit(np.minimum(self.degrees, 1e9), (1 + confidence) / 2) * self.standard_error
        return self.effect - half, self.effect + half

    def p_below(self, bounds: ArrayLike) -> NDArray[np.float64]:
        """One-sided p-values that effects lie below bounds only by chance, shape (m,)."""
        return _tail(self.effect - np.asarray(bounds, dtype=np.float64), self.standard_error, self.degrees)

    def p_above(self, bounds: ArrayLike) -> NDArray[np.float64]:
        """Likewise, above bounds."""
        return _tail(np.asarray(bounds, dtype=np.float64) - self.effect, self.standard_error, self.degrees)


def _tail(
    distance: NDArray[np.float64], error: NDArray[np.float64], degrees: NDArray[np.float64]
) -> NDArray[np.float64]:
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, distance / error, np.where(distance < 0, -np.inf, np.inf))
    return np.asarray(stdtr(np.minimum(degrees, 1e9), t), dtype=np.float64)


def shift(old: Sequence[ArrayLike], new: Sequence[ArrayLike], *, paired: bool) -> Shift:
    """Shifts of the means of many samples at once.

    Student's t, paired or of two samples of equal variance, with variances that
    are moderated across the samples (`moderate`): three or four seeds know
    little of their noise, nineteen arms of as many seeds know a good deal.

    Args:
        old: Samples, one for each mean, of two observations or more.
        new: Newer samples, in the same order.
        paired: Whether the observations of a mean belong together pair by pair.
    """
    olds, news = ([np.asarray(sample, dtype=np.float64) for sample in samples] for samples in (old, new))
    effect = np.array([after.mean() - before.mean() for before, after in zip(olds, news, strict=True)])
    if paired:
        changes = [after - before for before, after in zip(olds, news, strict=True)]
        variances = np.array([change.var(ddof=1) for change in changes])
        degrees = np.array([change.size - 1.0 for change in changes])
        inverse_sizes = np.array([1 / change.size for change in changes])
    else:
        pairs = list(zip(olds, news, strict=True))
        degrees = np.array([before.size + after.size - 2.0 for before, after in pairs])
        squares = [
            sum(float(((sample - sample.mean()) ** 2).sum()) for sample in (before, after)) for before, after in pairs
        ]
        variances = np.array(squares) / degrees
        inverse_sizes = np.array([1 / before.size + 1 / after.size for before, after in pairs])
    variances, degrees = moderate(variances, degrees)
    return Shift(effect, np.sqrt(variances * inverse_sizes), degrees)


# Two variances do not say how variances are spread.
LEAST_VARIANCES = 3


def moderate(variances: ArrayLike, degrees: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances drawn towards what they have in common, by as much as they resemble each other.

    The empirical Bayes estimate of Smyth 2004, Statistical Applications in
    Genetics and Molecular Biology 3:3, section 6.2: true variances are taken to
    follow a scaled inverse chi-squared distribution, whose degrees of freedom
    and scale are found from the mean and the variance of their logarithms. Neither
    scipy nor statsmodels has it. Variances of zero are taken for a hundred-thousandth of the median, as
    the author's own software does.

    A test keeps its level on average over variances of that distribution, not for each: of claims whose noise is as far
    apart as a study's, the noisy ones are wrongly decided too often. Verdicts therefore do without (docs/judge.md).

    Args:
        variances: Variances of samples of normal observations, shape (m,).
        degrees: Degrees of freedom of each, shape (m,).

    Returns:
        Moderated variances and their degrees of freedom, each of shape (m,). They are as they were for fewer than
        three variances, or where most of them are zero.
    """
    from scipy.optimize import brentq
    from scipy.special import digamma, zeta

    values, own = np.asarray(variances, dtype=np.float64), np.asarray(degrees, dtype=np.float64)
    median = float(np.median(values)) if values.size else 0.0
    if values.size < LEAST_VARIANCES or median == 0:
        return values, own
    floored = np.maximum(values, 1e-5 * median)
    logs = np.log(floored) - digamma(own / 2) + np.log(own / 2)
    spread = float(logs.var(ddof=1) - zeta(2, own / 2).mean())
    if spread <= 0:
        prior_degrees, prior = np.inf, math.exp(logs.mean())
        moderated = np.full_like(values, prior)
    else:
        # Hurwitz' zeta(2, x) is the trigamma function, which falls from infinity to zero.
        prior_degrees = 2 * float(brentq(lambda x: zeta(2, x) - spread, 1e-8, 1e8 + 1 / spread))
        prior = math.exp(logs.mean() + digamma(prior_degrees / 2) - math.log(prior_degrees / 2))
        moderated = (prior_degrees * prior + own * values) / (prior_degrees + own)
    # No more is known than all observations together say.
    return moderated, np.minimum(own + prior_degrees, own.sum())


def epochs_to_match(curve: Sequence[float], target: float) -> int | None:
    """The first epoch, counted from 1, after which a curve is at least at a target; None if it never is.

    Args:
        curve: A score after each epoch.
        target: The score to reach.
    """
    return next((epoch for epoch, score in enumerate(curve, start=1) if score >= target), None)
