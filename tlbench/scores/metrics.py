"""Metrics as pure functions of labels and predicted probabilities; `tlbench.scores.listed` names them.

Tests compare them with scikit-learn, which takes a second to import.
"""

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
    labels, probabilities = _checked(labels, probabilities)
    if not np.isfinite(probabilities).all():
        return np.full(probabilities.shape[1], math.nan)
    counts = confusion(labels, probabilities)
    right, either = counts.diagonal(), counts.sum(axis=0) + counts.sum(axis=1)
    scores = np.zeros(len(right))
    np.divide(2.0 * right, either, out=scores, where=either > 0)
    return scores


def macro_f1(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Unweighted mean of `f1_per_class`."""
    scores = f1_per_class(labels, probabilities).tolist()
    # NumPy adds eight numbers and more in another order, which would move the last digit of stored scores.
    return float(sum(scores) / len(scores))


def balanced_accuracy(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean over the classes present of the share of their images that are classified correctly.

    Brodersen et al. 2010 (ICPR, 3121-3124), for more than two classes: the unweighted mean of recall. A classifier
    that ignores its input scores 1 / classes, however unequal the classes are.

    Args:
        labels: Integers, shape (N,).
        probabilities: Shape (N, classes).

    Returns:
        Between 0 and 1; NaN where a probability is not finite.
    """
    labels, probabilities = _checked(labels, probabilities)
    if not np.isfinite(probabilities).all():
        return math.nan
    counts = confusion(labels, probabilities)
    images = counts.sum(axis=1)
    return float(np.mean(counts.diagonal()[images > 0] / images[images > 0]))


def top_k_accuracy(labels: ArrayLike, probabilities: ArrayLike, k: int = 5) -> float:
    """Share of images whose label is among the `k` most probable classes, the first of equals coming first.

    Args:
        labels: Integers, shape (N,).
        probabilities: Shape (N, classes), of more than `k` classes and at least three.
        k: Number of classes that count, at least 1.

    Returns:
        Between the accuracy and 1; NaN where a probability is not finite.

    Raises:
        ValueError: There are no more than `k` classes, so that every image would count.
    """
    labels, probabilities = _checked(labels, probabilities)
    classes = probabilities.shape[1]
    if not 1 <= k < classes or classes < 3:
        msg = f"top_k_accuracy needs more classes than k, and at least three. Received: k={k}, {classes} classes"
        raise ValueError(msg)
    if not np.isfinite(probabilities).all():
        return math.nan
    # The first of equals, as accuracy has it, not the last as in scikit-learn: otherwise a network that finds all
    # classes equally probable would have a top-5 accuracy below its accuracy.
    most_probable = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float(np.mean((most_probable == labels[:, np.newaxis]).any(axis=1)))


def brier_score(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean squared distance between the predicted probabilities and the label's one-hot vector.

    The score of Brier 1950 (Monthly Weather Review 78:1-3), summed over all classes: for two classes it is twice what
    `sklearn.metrics.brier_score_loss` returns by default.

    Args:
        labels: Integers, shape (N,).
        probabilities: Shape (N, classes), each row from 0 to 1 and of sum 1.

    Returns:
        Between 0 and 2; NaN where a probability is not finite.
    """
    labels, probabilities = _checked(labels, probabilities)
    if not np.isfinite(probabilities).all():
        return math.nan
    distances = probabilities.astype(np.float64)
    distances[np.arange(len(labels)), labels] -= 1
    return float(np.mean(np.sum(distances**2, axis=1)))


def confusion(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.int64]:
    """Number of images of each class that are predicted as each class.

    Args:
        labels: Integers, shape (N,).
        probabilities: Shape (N, classes), finite.

    Returns:
        Shape (classes, classes): true classes in rows, predicted ones in columns.
    """
    labels, probabilities = _checked(labels, probabilities)
    classes = probabilities.shape[1]
    pairs = labels.astype(np.int64) * classes + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def reliability(labels: ArrayLike, probabilities: ArrayLike, bins: int) -> list[tuple[float, float, int]]:
    """Share of right predictions by confidence (Guo et al. 2017, arXiv:1706.04599, section 2).

    Args:
        labels: Integers, shape (N,).
        probabilities: Shape (N, classes), finite.
        bins: Number of intervals of equal width, from 0 to 1, by the probability of the predicted class.

    Returns:
        Mean confidence, share of right predictions, and number of images of each bin that holds any.
    """
    labels, probabilities = _checked(labels, probabilities)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    # Half-open from below, as in the paper: a confidence of 0.1 is in the first of ten.
    numbers = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for number in np.unique(numbers):
        inside = numbers == number
        found.append((float(confidence[inside].mean()), float(right[inside].mean()), int(inside.sum())))
    return found


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> float:
    """Mean distance of confidence and accuracy over bins, weighted by their images (Guo et al. 2017, eq. 3).

    Args:
        labels: Integers, shape (N,).
        probabilities: Shape (N, classes).
        bins: Number of intervals of equal width, see `reliability`.

    Returns:
        Between 0 and 1; NaN where a probability is not finite.
    """
    if not np.isfinite(np.asarray(probabilities)).all():
        return math.nan
    found = reliability(labels, probabilities, bins)
    images = sum(count for _, _, count in found)
    return sum(abs(right - confidence) * count for confidence, right, count in found) / images


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
