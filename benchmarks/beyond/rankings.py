"""Ratings of sources against their accuracies: numbers of one seed, averaged over several targets.

Each function takes the ratings of all pairs of a source and a target, target after target, then the accuracies of the
same pairs, and the number of sources of each target: ratings of different targets are never compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scipy import stats


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

RESAMPLES = 200


def picked(values: Sequence[float], sizes: tuple[int, ...]) -> float:
    """Accuracy of the source that is rated highest."""
    return float(np.mean([accuracies[ratings.argmax()] for ratings, accuracies in _by_target(values, sizes)]))


def best(values: Sequence[float], sizes: tuple[int, ...]) -> float:
    """Accuracy of the best source, which is known with hindsight alone."""
    return float(np.mean([accuracies.max() for _, accuracies in _by_target(values, sizes)]))


def tau(values: Sequence[float], sizes: tuple[int, ...], of: Callable[..., Any] = stats.weightedtau) -> float:
    """Rank correlation of ratings and accuracies: Kendall's, weighted by rank (Vigna 2015) as You et al. 2021 do."""
    return float(np.mean([of(*group).statistic for group in _by_target(values, sizes)]))


def resampled_tau(values: Sequence[float], sizes: tuple[int, ...], quantile: float) -> float:
    """A quantile of the weighted rank correlation over bootstrap samples of each target's sources."""
    generator, groups = np.random.default_rng(0), _by_target(values, sizes)
    taus = []
    for _ in range(RESAMPLES):
        samples = [generator.integers(0, size, size) for size in sizes]
        pairs = [(x[sample], y[sample]) for sample, (x, y) in zip(samples, groups, strict=True)]
        taus.append(np.mean([stats.weightedtau(x, y).statistic for x, y in pairs]))
    # A sample of one source has no ranks.
    return float(np.nanquantile(taus, quantile))


def _by_target(
    values: Sequence[float], sizes: tuple[int, ...]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    ratings, accuracies = (np.split(half, np.cumsum(sizes)[:-1]) for half in np.split(np.asarray(values), 2))
    return list(zip(ratings, accuracies, strict=True))
