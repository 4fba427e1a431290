"""The arithmetic between scores and verdicts; pure functions of arrays."""

from __future__ import annotations

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


def epochs_to_match(curve: Sequence[float], target: float) -> int | None:
    """The first epoch, counted from 1, after which a curve is at least at a target; None if it never is.

    Args:
        curve: A score after each epoch.
        target: The score to reach.
    """
    return next((epoch for epoch, score in enumerate(curve, start=1) if score >= target), None)
