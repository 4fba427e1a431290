"""Transferability scores: cases by hand, values of published code, plain evaluations and invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.covariance import LedoitWolf

from tlbench.scores.transferability import (
    h_score,
    leep,
    log_maximum_evidence,
    negative_conditional_entropy,
    shrunk_covariance,
)


def images(seed=20, count=60, channels=5, labels=3, outputs=4):
    """Features, labels and a head's probabilities of some images, which know of each other."""
    generator = np.random.default_rng(seed)
    found = generator.integers(0, labels, count)
    centres = generator.normal(size=(labels, channels))
    features = centres[found] + generator.normal(size=(count, channels))
    logits = generator.normal(size=(count, outputs))
    logits[np.arange(count), found % outputs] += 1.5
    return features, found, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


seeds = st.integers(0, 10_000)


# Cases by hand.


def test_leep_of_a_head_that_says_nothing_is_the_labels_entropy():
    """All images get the same probabilities: log(1/2) for each of two balanced labels."""
    assert leep(np.full((4, 3), 1 / 3), np.array([0, 0, 1, 1])) == pytest.approx(math.log(1 / 2))


def test_leep_by_hand():
    """P(y=0 | z) is 1.4 / 1.6 and 0.6 / 1.4 for the two labels of the source."""
    head = np.array([[0.8, 0.2], [0.6, 0.4], [0.2, 0.8]])
    first, second = 1.4 / 1.6, 0.6 / 1.4
    expected = (
        math.log(0.8 * first + 0.2 * second)
        + math.log(0.6 * first + 0.4 * second)
        + math.log(0.2 * (1 - first) + 0.8 * (1 - second))
    ) / 3

    assert leep(head, np.array([0, 0, 1])) == pytest.approx(expected)


def test_nce_by_hand():
    """One label of the source is pure, the other shared by two labels of the target."""
    predicted, labels = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])

    assert negative_conditional_entropy(predicted, labels) == pytest.approx(-math.log(2) / 2)
    assert negative_conditional_entropy(labels, labels) == pytest.approx(0)


def test_h_score_by_hand():
    """In one channel nothing is shrunk: the variance between labels, over all variance."""
    features = np.array([[0.0], [2.0], [4.0], [6.0]])

    assert h_score(features, np.array([0, 0, 1, 1])) == pytest.approx(4 / 5)


def test_log_maximum_evidence_by_hand():
    """Features of nothing but zeros leave the noise: a half of the label's images have a 1, of variance a half."""
    expected = -0.5 * math.log(2 * math.pi * 0.5) - 0.5

    assert log_maximum_evidence(np.zeros((4, 2)), np.array([0, 0, 1, 1])) == pytest.approx(expected)


# Other code.


def test_values_of_published_code():
    """Of `tllib.ranking` of github.com/thuml/Transfer-Learning-Library, run on the same arrays.

    `log_maximum_evidence` of logme.py, which stops where a step changes the ratio of precisions by less than 1 %;
    `log_expected_empirical_prediction` of leep.py; `negative_conditional_entropy` of nce.py; and `regularized_h_score`
    of hscore.py, which divides the covariance between labels by N - 1 instead of N.
    """
    features, labels, head = images()

    assert log_maximum_evidence(features, labels) == pytest.approx(-0.4934337651554306, abs=1e-7)
    assert leep(head, labels) == pytest.approx(-0.7951485287355488, abs=1e-12)
    assert negative_conditional_entropy(head.argmax(axis=1), labels) == pytest.approx(-0.6627813114712305, abs=1e-12)
    assert h_score(features, labels) * 60 / 59 == pytest.approx(1.0950345292994534, abs=1e-10)


@pytest.mark.parametrize(("count", "channels"), [(40, 4), (20, 20), (15, 30)])
def test_log_maximum_evidence_is_the_maximum(count, channels):
    """Found by brute force over both precisions, of the normal density that the evidence is."""
    features, labels, _ = images(seed=3, count=count, channels=channels)

    def evidence(logarithms, indicator):
        alpha, beta = np.exp(logarithms)
        covariance = np.eye(count) / beta + features @ features.T / alpha
        _, log_determinant = np.linalg.slogdet(covariance)
        distance = indicator @ np.linalg.solve(covariance, indicator)
        return -0.5 * (count * math.log(2 * math.pi) + log_determinant + distance)

    found = []
    for label in np.unique(labels):
        indicator = (labels == label).astype(float)
        runs = [
            minimize(lambda x, y=indicator: -evidence(x, y), start, method="Nelder-Mead", options={"maxiter": 4000})
            for start in ([0, 0], [3, 2], [6, 2], [2, 5])
        ]
        found.append(-min(run.fun for run in runs))

    assert log_maximum_evidence(features, labels) == pytest.approx(np.mean(found) / count, abs=1e-6)


@pytest.mark.parametrize(("count", "channels"), [(60, 5), (12, 30)])
def test_the_shrunk_covariance_is_that_of_scikit_learn(count, channels):
    """With the share of the identity."""
    features, _, _ = images(count=count, channels=channels)
    reference = LedoitWolf().fit(features)

    covariance, share = shrunk_covariance(features - features.mean(axis=0))

    assert np.allclose(reference.covariance_, covariance)
    assert share == pytest.approx(reference.shrinkage_)


# Properties.


@given(seeds)
def test_entropies_are_never_positive(seed):
    """They are mean log probabilities."""
    _, labels, head = images(seed)

    assert leep(head, labels) <= 0
    assert negative_conditional_entropy(head.argmax(axis=1), labels) <= 1e-12


@given(seeds)
def test_leep_of_certain_predictions_is_nce(seed):
    """A head that is sure of a label is that label."""
    _, labels, head = images(seed)
    predicted = head.argmax(axis=1)

    assert leep(np.eye(4)[predicted], labels) == pytest.approx(negative_conditional_entropy(predicted, labels))


@given(seeds)
def test_scores_do_not_depend_on_the_names_of_labels(seed):
    """Nor on gaps among their numbers, nor on the order of the images."""
    features, labels, head = images(seed)
    order = np.random.default_rng(seed).permutation(len(labels))
    renamed = np.array([7, 0, 3])[labels][order]
    turned = head[order][:, [2, 0, 3, 1]]

    assert log_maximum_evidence(features[order], renamed) == pytest.approx(log_maximum_evidence(features, labels))
    assert h_score(features[order], renamed) == pytest.approx(h_score(features, labels))
    assert leep(turned, renamed) == pytest.approx(leep(head, labels))
    assert negative_conditional_entropy(turned.argmax(axis=1), renamed) == pytest.approx(
        negative_conditional_entropy(head.argmax(axis=1), labels)
    )


@given(seeds)
def test_scores_of_features_do_not_depend_on_their_axes(seed):
    """Rotations and another unit change nothing."""
    features, labels, _ = images(seed)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))
    turned = 3 * features @ rotation

    assert log_maximum_evidence(turned, labels) == pytest.approx(log_maximum_evidence(features, labels), abs=1e-6)
    assert h_score(turned, labels) == pytest.approx(h_score(features, labels))


@given(seeds)
def test_h_score_is_between_nothing_and_one_for_each_direction_that_labels_span(seed):
    """Three labels span two."""
    features, labels, _ = images(seed)

    assert -1e-9 <= h_score(features, labels) <= 2 + 1e-9


def test_features_of_the_labels_score_higher_than_noise():
    """By every score."""
    features, labels, head = images(count=200)
    generator = np.random.default_rng(0)
    noise, guesses = generator.normal(size=features.shape), generator.permuted(head, axis=0)

    assert log_maximum_evidence(features, labels) > log_maximum_evidence(noise, labels) + 0.01
    assert h_score(features, labels) > h_score(noise, labels) + 0.1
    assert leep(head, labels) > leep(guesses, labels) + 0.05
    assert (
        negative_conditional_entropy(head.argmax(axis=1), labels)
        > negative_conditional_entropy(guesses.argmax(axis=1), labels) + 0.05
    )


@pytest.mark.parametrize(
    ("score", "rows"),
    [(log_maximum_evidence, (6, 2)), (h_score, (6, 2)), (leep, (6, 2)), (negative_conditional_entropy, (6,))],
)
@pytest.mark.parametrize("labels", [np.zeros(6, int), np.array([0, 1])], ids=["one label", "too few"])
def test_arrays_that_do_not_go_together_are_refused(score, rows, labels):
    """The error says what came."""
    with pytest.raises(ValueError, match=r"needs a row and a label for each image, and two labels .* Received: rows"):
        score(np.ones(rows, int), labels)
