"""Accuracy, F1 and loss: the one place where they are computed, from labels and predicted probabilities."""

from __future__ import annotations

import math

from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Keras' backend.epsilon(): probabilities are clipped to it, so that the loss is comparable with what Keras reports.
EPSILON = 1e-7


def accuracy(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Share of images whose most probable class, the first of equals, is their label.

    Args:
        labels: Integers, shape (N,).
        probabilities: Shape (N, classes).

    Returns:
        Between 0 and 1; NaN where a probability is no finite number, as after a diverged run.
    """
    labels, probabilities = _checked(labels, probabilities)
    if not np.isfinite(probabilities).all():
        return math.nan
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def loss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean categorical cross-entropy, in nats.

    Args:
        labels: Integers, shape (N,).
        probabilities: Shape (N, classes); clipped to [1e-7, 1 - 1e-7] as Keras does.

    Returns:
        At least 0; NaN where a probability is no finite number.
    """
    labels, probabilities = _checked(labels, probabilities)
    if not np.isfinite(probabilities).all():
        return math.nan
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.mean(np.log(np.clip(of_label, EPSILON, 1 - EPSILON))))


def f1_per_class(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    """F1 of each class, the harmonic mean of its precision and recall.

    Args:
        labels: Integers, shape (N,).
        probabilities: Shape (N, classes).

    Returns:
        Shape (classes,), between 0 and 1; 0 for a class that is neither present nor predicted.
        NaN where a probability is no finite number.
    """
    from sklearn.metrics import f1_score

    labels, probabilities = _checked(labels, probabilities)
    classes = np.arange(probabilities.shape[1])
    if not np.isfinite(probabilities).all():
        return np.full(len(classes), math.nan)
    scores = f1_score(labels, probabilities.argmax(axis=1), labels=classes, average=None, zero_division=0.0)
    return np.asarray(scores, dtype=np.float64)


def macro_f1(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Unweighted mean of `f1_per_class`."""
    return float(f1_per_class(labels, probabilities).mean())


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    labels = np.asarray(labels)
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        msg = (
            "Metrics need labels of shape (N,) and probabilities of shape (N, classes), N > 0. "
            f"Received: labels of shape {labels.shape}, probabilities of shape {probabilities.shape}"
        )
        raise ValueError(msg)
    # NumPy would count a negative label from the end.
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        msg = (
            f"Metrics need integer labels from 0 to {probabilities.shape[1] - 1}, the columns of probabilities. "
            f"Received: {labels.dtype} labels from {labels.min()} to {labels.max()}"
        )
        raise ValueError(msg)
    return labels, probabilities
