"""Scores that foretell, from one pass of the target's images, how well a network will transfer; nothing is trained.

Pure functions of arrays, the higher the better. Their source says how well a score of theirs ranks networks; none says
what accuracy a network will reach.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np


if TYPE_CHECKING:
    from numpy.typing import NDArray

# The ratio of precisions in LogME is sought between the largest eigenvalue of the features' scatter times and divided
# by this. Features that explain a label without error would have an infinite evidence beyond it.
_WIDEST = 1e12

# Points of the grid among which the largest evidence is found before it is refined.
_GRID = 121


def log_maximum_evidence(features: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """LogME: log evidence of a Bayesian linear regression of each label on the features, maximised, for each image.

    For a label's indicator y and features F, the evidence of y under weights of precision alpha and noise of precision
    beta is maximised over both; the score is the mean over labels of its logarithm, divided by the number of images
    (You et al. 2021, arXiv:2102.11005, section 4). Given alpha / beta, the best beta has a closed form, so that one
    number is sought for each label.

    Args:
        features: Features of the target's images, shape (N, channels).
        labels: Labels of the images, shape (N,), of at least two values; labels without images are left out.

    Raises:
        ValueError: The shapes do not go together, or the labels have one value.
    """
    # Imported here: it takes 0.2 s, which most runs do without.
    from scipy.optimize import minimize_scalar

    inputs = _checked(features, labels)
    images = len(inputs)
    scatter, directions = _spectrum(inputs)
    evidences = []
    for label in np.unique(labels):
        indicator = (labels == label).astype(np.float64)
        explained = (directions.T @ indicator) ** 2
        # Less than 0 by rounding alone, where the features span all images.
        rest = max(float(indicator.sum() - explained.sum()), 0.0)
        evidence = partial(_log_evidence, scatter=scatter, explained=explained, rest=rest, images=images)
        centre, width = np.log(scatter.max()), np.log(_WIDEST)
        grid = np.linspace(centre - width, centre + width, _GRID)
        best = int(np.argmax([evidence(point) for point in grid]))
        bounds = grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]
        found = minimize_scalar(lambda point, of=evidence: -of(point), bounds=bounds, options={"xatol": 1e-8})
        evidences.append(max(-float(found.fun), evidence(grid[best])))
    return float(np.mean(evidences)) / images


def _spectrum(features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared singular values of features that are not 0, and the directions among images that they belong to."""
    images, channels = features.shape
    # Of the smaller product: a decomposition of the features themselves takes many times as long.
    scatter, directions = np.linalg.eigh(features.T @ features if channels < images else features @ features.T)
    kept = scatter > max(scatter.max(), np.finfo(float).tiny) * np.finfo(float).eps * max(images, channels)
    scatter, directions = scatter[kept], directions[:, kept]
    if not len(scatter):  # All features are 0, and explain nothing.
        return np.ones(1), np.zeros((images, 1))
    if channels < images:
        directions = features @ directions / np.sqrt(scatter)
    return scatter, directions


def _log_evidence(
    log_ratio: float, *, scatter: NDArray[np.float64], explained: NDArray[np.float64], rest: float, images: int
) -> float:
    """Log evidence under the best noise, given the logarithm of alpha / beta."""
    shrunk = 1 + scatter / np.exp(log_ratio)
    precision = images / ((explained / shrunk).sum() + rest)
    return float(images * (np.log(precision) - 1 - np.log(2 * np.pi)) - np.log(shrunk).sum()) / 2


def leep(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """LEEP: mean log probability of the target's labels when the source's head is read as a prediction of them.

    With the source's probabilities theta(x)_z, and P(y | z) their empirical share for images of label y, it is the mean
    over images of log sum_z P(y | z) theta(x)_z (Nguyen et al. 2020, arXiv:2002.12462, equation 2), at most 0.

    Args:
        probabilities: Probabilities of the source's head for the target's images, shape (N, labels of the source).
        labels: Labels of the target's images, shape (N,), of at least two values.

    Raises:
        ValueError: The shapes do not go together, or the labels have one value.
    """
    predicted = _checked(probabilities, labels)
    _, positions = np.unique(labels, return_inverse=True)
    joint = np.zeros((positions.max() + 1, predicted.shape[1]))
    np.add.at(joint, positions, predicted)
    total = joint.sum(axis=0)
    # A label of the source that no image resembles says nothing.
    given = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    expected = (predicted @ given.T)[np.arange(len(positions)), positions]
    return float(np.log(expected).mean())


def negative_conditional_entropy(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """NCE: less the entropy, in nats, of the target's labels given those that the source's head predicts; at most 0.

    It is the sum over both labels of P(y, z) log P(y | z), with empirical shares (Tran et al. 2019, arXiv:1908.08142,
    equations 4 and 8); the source's labels of the target's images are those that its head predicts, as in Nguyen et al.
    2020, arXiv:2002.12462, section 5.

    Args:
        predicted: Labels that the source's head predicts for the target's images, shape (N,).
        labels: Labels of the target's images, shape (N,), of at least two values.

    Raises:
        ValueError: The shapes do not go together, or the labels have one value.
    """
    _checked(predicted[:, None], labels)
    _, rows = np.unique(labels, return_inverse=True)
    _, columns = np.unique(predicted, return_inverse=True)
    joint = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(joint, (rows, columns), 1 / len(labels))
    given = joint / joint.sum(axis=0)
    seen = joint > 0
    return float((joint[seen] * np.log(given[seen])).sum())


def h_score(features: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Regularised H-score: the share of the features' variance, all directions alike, that lies between labels.

    It is the trace of cov(f)^-1 cov(E[f | y]) (Bao et al. 2019, "An information-theoretic approach to transferability
    in task transfer learning", definition 2), with cov(f) shrunk by `shrunk_covariance` to a share alpha and the other
    covariance multiplied by 1 - alpha (Ibrahim et al. 2021, arXiv:2110.06893, section 3).

    Args:
        features: Features of the target's images, shape (N, channels).
        labels: Labels of the images, shape (N,), of at least two values.

    Raises:
        ValueError: The shapes do not go together, or the labels have one value.
    """
    inputs = _checked(features, labels)
    centred = inputs - inputs.mean(axis=0)
    _, positions = np.unique(labels, return_inverse=True)
    counts = np.bincount(positions)
    sums = np.zeros((len(counts), centred.shape[1]))
    np.add.at(sums, positions, centred)
    means = sums / counts[:, None]
    between = (means * (counts / len(labels))[:, None]).T @ means
    covariance, alpha = shrunk_covariance(centred)
    return float(np.trace(np.linalg.pinv(covariance, hermitian=True) @ ((1 - alpha) * between)))


def shrunk_covariance(centred: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """The covariance of some features, shrunk towards a multiple of the identity, and the share of the identity.

    Ledoit & Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices", J. Multivar. Anal.
    88:365, lemmas 3.2 to 3.5.

    Args:
        centred: Features less their mean, shape (N, channels).

    Returns:
        The covariance, shape (channels, channels), and the share, from 0 to 1.
    """
    images, channels = centred.shape
    covariance = centred.T @ centred / images
    scale = np.trace(covariance) / channels
    spread = (covariance**2).sum() - channels * scale**2
    # Squared distances of each image's own covariance from that of all.
    noise = (((centred**2).sum(axis=1) ** 2).sum() / images - (covariance**2).sum()) / images
    # A covariance that is a multiple of the identity already is left as it is.
    share = float(min(noise / spread, 1.0)) if spread > 0 else 0.0
    return (1 - share) * covariance + share * scale * np.eye(channels), share


def _checked(rows: NDArray[np.generic], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    if rows.ndim != 2 or labels.shape != rows.shape[:1] or len(np.unique(labels)) < 2:
        msg = (
            "A transferability score needs a row and a label for each image, and two labels at least. "
            f"Received: rows of shape {rows.shape}, labels of shape {labels.shape}, {len(np.unique(labels))} of them"
        )
        raise ValueError(msg)
    return rows.astype(np.float64)
