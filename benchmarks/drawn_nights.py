"""Nights drawn from stored real trials, and the most that any test can find in them."""

from __future__ import annotations

import json

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scipy.special import ndtr, ndtri

from tlbench.judge.arm_changes import ALL_ARMS
from tlbench.judge.drift import LEVEL, Watched
from tlbench.scores.listed import ACCURACY, METRICS


ALARMING = [metric for metric in METRICS if metric.alarms]

SOURCES = {"real images": Path("docs/real-images/results.json"), "pocket": Path("docs/pocket/results.json")}

# A drift of one standard deviation between seeds.
DRIFT_NIGHTS, DELAY = 60, 14

# A drift begins before this night.
LATEST_START = 200

DAYS_OF_MONTH = 30

# Claims about accuracy, as differences of two arms.
CLAIMS = {
    "transferred beats random, rate 0.01": ("transferred weights, rate 0.01", "random weights, rate 0.01"),
    "transferred beats random, rate 0.001": ("transferred weights, rate 0.001", "random weights, rate 0.001"),
    "transferred beats random, rate 0.0001": ("transferred weights, rate 0.0001", "random weights, rate 0.0001"),
    "none beats all": ("transferred weights, rate 0.001", "frozen all"),
    "entry beats entry+middle": ("frozen entry", "frozen entry+middle"),
}


@dataclass(frozen=True)
class Stored:
    """Scores of stored trials.

    Attributes:
        arms: Labels of the arms.
        scores: Scores, shape (arms, seeds, metrics).
    """

    arms: tuple[str, ...]
    scores: np.ndarray

    @classmethod
    def read(cls, path: Path) -> Stored:
        """Read the trials of a `results.json`."""
        arms = json.loads(path.read_text(encoding="utf-8"))["arms"]
        scores = [[[trial["scores"][m.key] for m in ALARMING] for trial in arm["trials"]] for arm in arms]
        return cls(tuple(arm["labels"][0] for arm in arms), np.array(scores))

    @property
    def noise(self) -> np.ndarray:
        """Standard deviation between seeds, at least a metric's least margin, shape (arms, metrics)."""
        return np.maximum(self.scores.std(axis=1, ddof=1), [metric.least_margin for metric in ALARMING])

    def nights(self, generator: np.random.Generator, draws: np.ndarray, seeds: int | None = None) -> np.ndarray:
        """Scores of quiet nights, shape (nights, arms, seeds, metrics).

        Args:
            generator: Source of the draws.
            draws: Number of the draw of each night, as `draws_of_nights` has it.
            seeds: Number of seeds; as many as are stored unless given. Further seeds have the means of the stored ones.
        """
        arms, stored, _ = self.scores.shape
        own = np.arange(seeds or stored) % stored
        # Residuals of few trials are too small by what their mean takes of them.
        residuals = (self.scores - self.scores.mean(axis=1, keepdims=True)) * np.sqrt(stored / (stored - 1))
        drawn = generator.integers(0, stored, (draws[-1] + 1, arms, len(own)))
        noise = np.take_along_axis(residuals[None], drawn[..., None], axis=2)
        return self.scores[:, own] + noise[draws]


def draws_of_nights(generator: np.random.Generator, nights: int, *, repeats: bool) -> np.ndarray:
    """Number of the draw of each night, shape (nights,).

    Args:
        generator: Source of the days on which versions change.
        nights: Number of nights.
        repeats: Whether nights repeat each other until a version changes: on as many days as a year has months, each
            drawn at random, since versions do not change on the first of a month.
    """
    if not repeats:
        return np.arange(nights)
    changes = generator.choice(np.arange(1, nights), -(-nights // DAYS_OF_MONTH) - 1, replace=False)
    return np.searchsorted(np.sort(changes), np.arange(nights), side="right")


def drift(stored: Stored, arms: np.ndarray, start: int, draws: np.ndarray, *, with_versions: bool) -> np.ndarray:
    """The change that a drift makes to the scores of some arms: worse by the noise between seeds, over `DRIFT_NIGHTS`.

    Args:
        stored: Arms and their noise.
        arms: Numbers of the arms that drift.
        start: First night of the drift.
        draws: Number of the draw of each night.
        with_versions: Whether the drift shows only in new draws.

    Returns:
        Differences, shape (nights, arms, 1, metrics).
    """
    shows = np.searchsorted(draws, draws) if with_versions else np.arange(len(draws))
    course = np.clip((shows - start) / DRIFT_NIGHTS, 0, 1)
    size = stored.noise * [-1 if metric.higher_is_better else 1 for metric in ALARMING]
    size[~np.isin(np.arange(len(stored.arms)), arms)] = 0
    return course[:, None, None, None] * size[:, None, :]


def watched(stored: Stored, values: np.ndarray) -> list[Watched]:
    """The quantities of some nights, as `tlbench history` watches them.

    Args:
        stored: Names the arms.
        values: Scores, shape (nights, arms, seeds, metrics).
    """
    found = [
        Watched(label, metric.key, values[:, arm, :, number], metric.least_margin, sign, metric.unit)
        for number, metric in enumerate(ALARMING)
        for sign in [1 if metric.higher_is_better else -1]
        for arm, label in enumerate(stored.arms)
    ]
    found += [
        Watched(ALL_ARMS, metric.key, values[..., number].mean(axis=1), metric.least_margin, sign, metric.unit)
        for number, metric in enumerate(ALARMING)
        for sign in [1 if metric.higher_is_better else -1]
    ]
    accuracy = values[..., ALARMING.index(ACCURACY)]
    found += [
        Watched(name, "", accuracy[:, stored.arms.index(better)] - accuracy[:, stored.arms.index(worse)], 0.005)
        for name, (better, worse) in CLAIMS.items()
    ]
    return found


def most_power(stored: Stored, seeds: float, changes: np.ndarray, starts: np.ndarray) -> float:
    """Most chance that any test has to find the drift of one arm where only new draws show it.

    A test that knows the arm, the start and course of the drift, the mean before it and the noise, and that spends the
    chance of an alarm of the whole year on this one question, is the likelihood ratio's (Neyman & Pearson 1933,
    Philosophical Transactions A 231:289). With n seeds, normal noise, and new draws at which the shares f of the drift
    are complete, its power is Φ(√(n d² Σ f²) - z), where z is the normal quantile of one less the level. d² is the
    squared Mahalanobis distance of a shift of all metrics by their noise: 1 / d² is the variance of their best mean.

    Args:
        stored: Trials, for the correlations between metrics.
        seeds: Number of seeds.
        changes: Nights of new draws, shape (years, changes).
        starts: First night of the drift, shape (years,).
    """
    shares = np.clip((changes - starts[:, None]) / DRIFT_NIGHTS, 0, 1)
    shares[changes >= (starts + DRIFT_NIGHTS + DELAY)[:, None]] = 0
    information = (shares**2).sum(axis=1)
    # Without a new draw there is nothing to find, with any number of seeds.
    signal = np.zeros(len(starts))
    shown = information > 0
    signal[shown] = np.sqrt(seeds * distance(stored) * information[shown])
    return float(ndtr(signal - ndtri(1 - LEVEL)).mean())


def distance(stored: Stored) -> float:
    """Squared Mahalanobis distance of a shift of all metrics by one standard deviation for the worse."""
    signs = np.array([-1.0 if metric.higher_is_better else 1.0 for metric in ALARMING])
    residuals = stored.scores - stored.scores.mean(axis=1, keepdims=True)
    deviations = residuals.std(axis=1, keepdims=True)
    moved = (deviations > 0).all(axis=(1, 2))
    units = (residuals[moved] / deviations[moved]).reshape(-1, len(ALARMING))
    return float(signs @ np.linalg.solve(np.corrcoef(units, rowvar=False), signs))
