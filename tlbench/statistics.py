"""The arithmetic between scores and verdicts; pure functions of arrays."""

from __future__ import annotations

import bisect

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Interval:
    """A mean and where it plausibly lies.

    Attributes:
        mean: Of the sample.
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
    # Takes a second to import, which collecting tests shouldn't.
    from scipy import stats

    values = np.asarray(sample, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        msg = f"An interval needs a one-dimensional sample of finite numbers. Received: {sample!r}"
        raise ValueError(msg)
    mean = float(values.mean())
    if values.size == 1:
        return Interval(mean, -np.inf, np.inf, confidence)
    half = float(stats.t.ppf((1 + confidence) / 2, values.size - 1) * stats.sem(values))
    return Interval(mean, mean - half, mean + half, confidence)


def p_value(sample: ArrayLike, threshold: float) -> float:
    """One-sided p-value of Student's t test that a mean exceeds a threshold.

    At most 0.05 exactly where the lower end of the 90 % interval of
    `mean_interval` is at least at the threshold.

    Args:
        sample: Observations, shape (n,), n > 1.
        threshold: The mean under the null hypothesis.

    Returns:
        The p-value; without any spread 0 above the threshold, otherwise 1.
    """
    from scipy import stats

    values = np.asarray(sample, dtype=np.float64)
    if np.ptp(values) == 0:
        return 0.0 if values[0] > threshold else 1.0
    return float(stats.ttest_1samp(values, threshold, alternative="greater").pvalue)


def sample_size(sample: ArrayLike, threshold: float, power: float = 0.8, most: int = 1000) -> int | None:
    """How many observations would tell a mean from a threshold, if the sample's mean and spread are the true ones.

    The sample's own effect is a noisy guess at the true one (Hoenig & Heisey
    2001, The American Statistician 55:19): a size to plan with, no evidence.

    Args:
        sample: Observations, shape (n,), n > 1.
        threshold: The mean under the null hypothesis of a one-sided t test at 5 %, above or below it.
        power: Probability that the test rejects.
        most: The largest answer.

    Returns:
        The smallest size, None if it is above `most`.
    """
    from statsmodels.stats.power import TTestPower

    values = np.asarray(sample, dtype=np.float64)
    distance, spread = abs(values.mean() - threshold), values.std(ddof=1)
    if spread == 0:
        return 2 if distance > 0 else None

    def reached(size: int) -> float:
        return float(TTestPower().power(distance / spread, size, 0.05, alternative="larger"))

    if not reached(most) >= power:
        return None
    return bisect.bisect_left(range(most), power, lo=2, key=reached)


def epochs_to_match(curve: Sequence[float], target: float) -> int | None:
    """The first epoch, counted from 1, after which a curve is at least at a target; None if it never is.

    Args:
        curve: A score after each epoch.
        target: The score to reach.
    """
    return next((epoch for epoch, score in enumerate(curve, start=1) if score >= target), None)
