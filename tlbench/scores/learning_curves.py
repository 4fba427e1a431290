"""Learning curves, scores over numbers of training images: fitted, inverted and compared; pure functions of arrays."""

from __future__ import annotations

import math

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tlbench.scores.statistics import CONFIDENCE


if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

# Exponents that are told apart from a constant and from a fall that ends at the second size. Hestness et al. find
# smaller ones than 1 for networks.
EXPONENTS = (0.01, 4.0)

RESAMPLES = 2000


@dataclass(frozen=True)
class PowerLaw:
    """An error that falls with the number of training images as `scale * size ** -exponent + asymptote`.

    The form of Hestness et al. 2017, "Deep Learning Scaling is Predictable, Empirically" (arXiv:1712.00409), and, for a
    network of one size, of Rosenfeld et al. 2020, "A Constructive Prediction of the Generalization Error Across
    Scales" (arXiv:1909.12673).

    Attributes:
        scale: Error at one image above the asymptote.
        exponent: Steepness of the fall.
        asymptote: Error that is left with any number of images.
    """

    scale: float
    exponent: float
    asymptote: float

    def error(self, size: float) -> float:
        """Error with so many images."""
        return self.scale * math.pow(size, -self.exponent) + self.asymptote


def fit_power_law(sizes: Sequence[float], errors: Sequence[float]) -> PowerLaw | None:
    """Fit a power law with an asymptote by least squares, with neither scale nor asymptote below zero.

    For each exponent, scale and asymptote are a linear problem, so that one exponent is all that is searched.

    Args:
        sizes: Numbers of images, shape (n,), positive, three different ones or more.
        errors: Error with each number of images, shape (n,), not negative.

    Returns:
        The law; None where the errors do not determine one: they do not fall, or the best exponent is an end of
        `EXPONENTS`, so that a steeper, or a flatter, law might fit better still.

    Raises:
        ValueError: The sizes are too few or not positive, or an error is negative or no number.
    """
    from scipy.optimize import minimize_scalar, nnls

    x, y = np.asarray(sizes, np.float64), np.asarray(errors, np.float64)
    if x.shape != y.shape or x.ndim != 1 or np.unique(x).size < 3 or not (np.isfinite(x) & (x > 0)).all():
        msg = f"A power law needs three different positive sizes, and an error for each. Received: {sizes!r}"
        raise ValueError(msg)
    if not (np.isfinite(y) & (y >= 0)).all():
        msg = f"Errors must be numbers that are not negative. Received: errors={errors!r}"
        raise ValueError(msg)
    smallest = x.min()

    def solved(log_exponent: float) -> tuple[tuple[float, float], float]:
        falling = (x / smallest) ** -math.exp(log_exponent)
        (above, asymptote), residual = nnls(np.column_stack([falling, np.ones_like(x)]), y)
        return (above, asymptote), residual

    grid = np.linspace(math.log(EXPONENTS[0]), math.log(EXPONENTS[1]), 60).tolist()
    best = int(np.argmin([solved(point)[1] for point in grid]))
    if best in (0, len(grid) - 1):
        return None
    found = minimize_scalar(lambda point: solved(point)[1], bounds=(grid[best - 1], grid[best + 1]), method="bounded")
    (above, asymptote), _ = solved(found.x)
    exponent = math.exp(found.x)
    if above <= 1e-9:
        return None
    return PowerLaw(float(above * smallest**exponent), exponent, float(asymptote))


@dataclass(frozen=True)
class Reach:
    """A number of images that a score needs, as far as a curve tells.

    Attributes:
        size: Number of images.
        relation: Meaning of the number: `"equal"`, or a bound, where the curve ends before it reaches the score
            (`"more"`) or begins above it (`"at most"`).
    """

    size: float
    relation: Literal["equal", "more", "at most"] = "equal"

    def __str__(self) -> str:
        """Say the number with its relation."""
        number = f"{self.size:.0f}"
        return number if self.relation == "equal" else f"{self.relation} {'than ' * (self.relation == 'more')}{number}"


def size_to_reach(sizes: Sequence[float], scores: Sequence[float], target: float) -> Reach:
    """The number of images with which a curve reaches a score.

    The curve is linear over the logarithm of the size, from one measured size to the next, and never falls: a score
    that was reached stays reached. Nothing is extrapolated.

    Args:
        sizes: Numbers of images, growing, shape (n,).
        scores: Score with each number of images, higher is better, shape (n,).
        target: The score to reach.

    Raises:
        ValueError: The sizes do not grow, or a score is no number.
    """
    x, y = np.log(_growing(sizes)), np.maximum.accumulate(np.asarray(scores, np.float64))
    if x.shape != y.shape or not np.isfinite([*y, target]).all():
        msg = f"A curve needs a score for each size. Received: scores={scores!r}, target={target!r}"
        raise ValueError(msg)
    if target > y[-1]:
        return Reach(float(sizes[-1]), "more")
    if target <= y[0]:
        return Reach(float(sizes[0]), "equal" if target == y[0] else "at most")
    after = int(np.searchsorted(y, target))
    share = (target - y[after - 1]) / (y[after] - y[after - 1])
    return Reach(math.exp(x[after - 1] + share * (x[after] - x[after - 1])))


def interval_of_reach(
    sizes: Sequence[float], scores: ArrayLike, targets: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[Reach, Reach] | None:
    """Percentile bootstrap interval, over seeds, of the number of images with which a mean curve reaches a mean score.

    Seeds are drawn with replacement, the same ones for curve and score (Efron & Tibshirani 1993, An Introduction to the
    Bootstrap, ch. 13). With few seeds such an interval is too narrow: four seeds have 35 different resamples.

    Args:
        sizes: Numbers of images, growing, shape (n,).
        scores: Scores by seed and number of images, shape (seeds, n).
        targets: Score to reach by seed, shape (seeds,).
        confidence: Share of the resamples within the interval.

    Returns:
        Both ends, either of which may be a bound; None for less than two seeds.
    """
    curves, wanted = np.asarray(scores, np.float64), np.asarray(targets, np.float64)
    if len(curves) < 2:
        return None
    drawn = np.random.default_rng(0).integers(0, len(curves), (RESAMPLES, len(curves)))
    # Few seeds are drawn in few different ways, each of them often.
    different, counts = np.unique(np.sort(drawn, axis=1), axis=0, return_counts=True)
    reached = [
        reach
        for seeds, count in zip(different, counts, strict=True)
        for reach in [size_to_reach(sizes, curves[seeds].mean(axis=0), float(wanted[seeds].mean()))] * count
    ]
    order = {"at most": -1, "equal": 0, "more": 1}
    reached.sort(key=lambda reach: (order[reach.relation], reach.size))
    low = math.floor((1 - confidence) / 2 * RESAMPLES)
    return reached[low], reached[-1 - low]


def _growing(sizes: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    x = np.asarray(sizes, np.float64)
    if x.ndim != 1 or not x.size or not (np.isfinite(x) & (x > 0)).all() or (np.diff(x) <= 0).any():
        msg = f"Sizes must be positive and grow. Received: sizes={sizes!r}"
        raise ValueError(msg)
    return x
