from __future__ import annotations

import math

import numpy as np
import pytest

from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, top_k_accuracy_score

from tlbench.scores.metrics import (
    accuracy,
    balanced_accuracy,
    brier_score,
    confusion,
    expected_calibration_error,
    f1_per_class,
    loss,
    macro_f1,
    reliability,
    top_k_accuracy,
)


# Three images of class 0, two of class 1, one of class 2; the third and the last are taken for class 1.
LABELS = [0, 0, 0, 1, 1, 2]
PROBABILITIES = [
    [0.8, 0.1, 0.1],
    [0.5, 0.3, 0.2],
    [0.2, 0.7, 0.1],
    [0.1, 0.8, 0.1],
    [0.2, 0.6, 0.2],
    [0.1, 0.5, 0.4],
]


@st.composite
def predictions(draw):
    """Labels and softmax probabilities of up to 20 images in up to 5 classes."""
    images, classes = draw(st.integers(1, 20)), draw(st.integers(2, 5))
    labels = draw(arrays(np.int64, images, elements=st.integers(0, classes - 1)))
    scores = draw(arrays(np.float64, (images, classes), elements=st.integers(-8, 8)))
    exponentials = np.exp(scores)
    return labels, exponentials / exponentials.sum(axis=1, keepdims=True)


def test_accuracy_of_a_small_case():
    """Four of six images are classified rightly."""
    assert pytest.approx(4 / 6) == accuracy(LABELS, PROBABILITIES)


def test_loss_of_a_small_case():
    """The loss is the mean of minus the logarithm of each label's probability."""
    expected = -sum(map(math.log, [0.8, 0.5, 0.2, 0.8, 0.6, 0.4])) / 6

    assert pytest.approx(expected) == loss(LABELS, PROBABILITIES)


def test_f1_of_a_small_case():
    """F1 is twice the right ones over those present and those predicted."""
    assert [2 * 2 / (3 + 2), 2 * 2 / (2 + 4), 0.0] == pytest.approx(f1_per_class(LABELS, PROBABILITIES))


def test_macro_f1_is_the_mean_over_classes():
    """Every class counts the same, however many images it has."""
    assert pytest.approx((4 / 5 + 4 / 6 + 0) / 3) == macro_f1(LABELS, PROBABILITIES)


def test_f1_of_a_class_that_nowhere_occurs_is_zero():
    """A class that is neither present nor predicted has an F1 of 0, and nothing warns."""
    assert [1.0, 1.0, 0.0] == f1_per_class([0, 1], np.eye(3)[[0, 1]]).tolist()


def test_first_of_equal_probabilities_is_the_prediction():
    """A tie goes to the class that is counted first."""
    tied = np.full((2, 4), 0.25)

    assert 1.0 == accuracy([0, 0], tied)
    assert 0.0 == accuracy([3, 3], tied)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_sure_mistake_costs_what_it_costs_in_keras(dtype):
    """Probabilities of 0 are clipped to 1e-7, so that the loss stays finite in every precision."""
    assert pytest.approx(-math.log(1e-7)) == loss([1], np.array([[1, 0]], dtype))


def test_a_sure_hit_costs_almost_nothing():
    """Probabilities of 1 are clipped to 1 - 1e-7."""
    assert pytest.approx(1e-7, rel=1e-3) == loss([0], [[1.0, 0.0]])


@given(predictions())
def test_metrics_are_those_of_scikit_learn(prediction):
    """Accuracy, loss and F1 agree with scikit-learn's own functions."""
    labels, probabilities = prediction
    assume(probabilities.min() > 1e-6)  # Below, ours is clipped.
    classes = range(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)

    assert pytest.approx(accuracy_score(labels, predicted)) == accuracy(labels, probabilities)
    assert pytest.approx(log_loss(labels, probabilities, labels=classes), abs=1e-6) == loss(labels, probabilities)
    assert pytest.approx(f1_score(labels, predicted, labels=classes, average="macro", zero_division=0.0)) == macro_f1(
        labels, probabilities
    )


@given(predictions())
def test_f1_follows_from_counts(prediction):
    """F1 of each class is 2 TP / (2 TP + FP + FN), and 0 where that is 0 / 0."""
    labels, probabilities = prediction
    predicted = probabilities.argmax(axis=1)
    expected = []
    for label in range(probabilities.shape[1]):
        hits = np.sum((labels == label) & (predicted == label))
        occurrences = np.sum(labels == label) + np.sum(predicted == label)
        expected.append(2 * hits / occurrences if occurrences else 0.0)

    assert expected == pytest.approx(f1_per_class(labels, probabilities))


@given(predictions(), st.randoms(use_true_random=False))
def test_order_of_images_does_not_matter(prediction, random):
    """Metrics are the same for the same images in another order."""
    labels, probabilities = prediction
    order = list(range(len(labels)))
    random.shuffle(order)

    assert accuracy(labels, probabilities) == accuracy(labels[order], probabilities[order])
    assert pytest.approx(loss(labels, probabilities)) == loss(labels[order], probabilities[order])
    assert f1_per_class(labels, probabilities).tolist() == f1_per_class(labels[order], probabilities[order]).tolist()


@pytest.mark.parametrize("no_number", [math.nan, math.inf])
def test_predictions_of_a_diverged_run_score_no_number(no_number):
    """A probability that is no finite number makes every metric NaN, not a score by chance."""
    probabilities = [[no_number, 0.5], [0.5, 0.5]]

    assert math.isnan(accuracy([0, 1], probabilities))
    assert math.isnan(loss([0, 1], probabilities))
    assert math.isnan(macro_f1([0, 1], probabilities))
    assert math.isnan(balanced_accuracy([0, 1], probabilities))
    assert math.isnan(top_k_accuracy([0], [[no_number, 0.5, 0.5]], k=2))
    assert math.isnan(expected_calibration_error([0, 1], probabilities))
    assert math.isnan(brier_score([0, 1], probabilities))
    assert np.isnan(f1_per_class([0, 1], probabilities)).all()


@pytest.mark.parametrize(
    "metric", [accuracy, loss, f1_per_class, macro_f1, balanced_accuracy, top_k_accuracy, brier_score]
)
@pytest.mark.parametrize(
    ("labels", "probabilities", "received"),
    [
        ([], np.zeros((0, 2)), r"labels of shape \(0,\)"),
        ([0, 1], [[0.5, 0.5]], r"labels of shape \(2,\), probabilities of shape \(1, 2\)"),
        ([0, 1], [0.5, 0.5], r"probabilities of shape \(2,\)"),
        ([[0, 1]], [[0.5, 0.5]], r"labels of shape \(1, 2\)"),
        ([-1], [[0.5, 0.5]], "from 0 to 1.*labels from -1 to -1"),
        ([2], [[0.5, 0.5]], "from 0 to 1.*labels from 2 to 2"),
        ([0.0], [[0.5, 0.5]], "Received: float64 labels"),
    ],
)
def test_labels_and_probabilities_have_to_fit(metric, labels, probabilities, received):
    """Shapes that don't belong together and labels without a column are refused, with what was received."""
    with pytest.raises(ValueError, match=received):
        metric(labels, probabilities)


def test_confusion_counts_true_classes_in_rows():
    """Two of class 0, one of them taken for class 1; one of class 1, taken rightly; none of class 2."""
    probabilities = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1]]

    assert [[1, 1, 0], [0, 1, 0], [0, 0, 0]] == confusion([0, 0, 1], probabilities).tolist()


def test_reliability_is_by_bins_of_confidence():
    """Confidences 0.55 and 0.6 are in the sixth of ten bins, since each holds its upper end; 0.9 in the ninth."""
    probabilities = [[0.55, 0.45], [0.4, 0.6], [0.9, 0.1]]

    assert [(pytest.approx(0.575), 0.5, 2), (pytest.approx(0.9), 1.0, 1)] == reliability([0, 0, 0], probabilities, 10)


def test_the_calibration_error_is_the_mean_distance():
    """Two thirds of it |0.5 - 0.575|, one third |1 - 0.9| (Guo et al. 2017, eq. 3)."""
    probabilities = [[0.55, 0.45], [0.4, 0.6], [0.9, 0.1]]

    assert pytest.approx(2 / 3 * 0.075 + 1 / 3 * 0.1) == expected_calibration_error([0, 0, 0], probabilities, 10)


def test_a_network_that_is_right_as_often_as_it_says_has_no_error():
    """Three of four with a confidence of three quarters."""
    assert pytest.approx(0) == expected_calibration_error([0, 0, 0, 1], [[0.75, 0.25]] * 4, 10)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(2, 5)), elements=st.floats(0.01, 1)),
    st.integers(1, 20),
)
def test_the_calibration_error_is_a_share(scores, bins):
    """Whatever is predicted, and every image is in one bin."""
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    labels = np.arange(len(scores)) % scores.shape[1]

    assert 0 <= expected_calibration_error(labels, probabilities, bins) <= 1
    assert len(labels) == sum(count for _, _, count in reliability(labels, probabilities, bins))


def test_balanced_accuracy_of_a_small_case():
    """Two of three, two of two and none of one are right: every class present counts the same."""
    assert pytest.approx((2 / 3 + 1 + 0) / 3) == balanced_accuracy(LABELS, PROBABILITIES)


def test_balanced_accuracy_is_over_the_classes_present():
    """Class 2 has no image: one image is taken for it, which nothing warns of."""
    assert 0.5 == balanced_accuracy([0, 1], np.eye(3)[[0, 2]])


def test_balanced_accuracy_sees_through_the_commonest_class():
    """Ninety of a hundred are right by always saying the same, which is worth a half."""
    labels = np.arange(100) >= 90

    assert 0.9 == accuracy(labels.astype(int), [[1.0, 0.0]] * 100)
    assert 0.5 == balanced_accuracy(labels.astype(int), [[1.0, 0.0]] * 100)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true", "ignore:A single label was found")
@given(predictions())
def test_balanced_accuracy_is_that_of_scikit_learn(prediction):
    """Which warns of a single class, and of classes that are predicted and absent, and leaves them out as well."""
    labels, probabilities = prediction
    expected = balanced_accuracy_score(labels, probabilities.argmax(axis=1))

    assert pytest.approx(expected) == balanced_accuracy(labels, probabilities)


def test_top_k_accuracy_of_a_small_case():
    """All labels but the last are the first or the second choice, and the last is the second, too."""
    probabilities = [[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.3, 0.2, 0.5]]

    assert 1 / 3 == top_k_accuracy([0, 0, 1], probabilities, k=1)
    assert 1 / 3 == top_k_accuracy([0, 0, 1], probabilities, k=2)
    assert 2 / 3 == top_k_accuracy([0, 1, 1], probabilities, k=2)


def test_the_first_of_equals_is_among_the_top():
    """As it is the prediction: a network that finds all classes equally probable is no worse by its top five."""
    tied = np.full((2, 8), 0.125)

    assert 1.0 == top_k_accuracy([0, 4], tied)
    assert 0.0 == top_k_accuracy([5, 7], tied)


@pytest.mark.parametrize(("k", "classes"), [(5, 5), (5, 2), (0, 8), (1, 2)])
def test_top_k_of_no_more_classes_is_no_accuracy(k, classes):
    """Every image would count, or none."""
    with pytest.raises(ValueError, match=f"Received: k={k}, {classes} classes"):
        top_k_accuracy([0], np.full((1, classes), 1 / classes), k)


@st.composite
def untied(draw):
    """Labels and probabilities of six to ten classes, no two of an image equal."""
    images, classes = draw(st.integers(1, 15)), draw(st.integers(6, 10))
    labels = draw(arrays(np.int64, images, elements=st.integers(0, classes - 1)))
    ranks = [draw(st.permutations(range(1, classes + 1))) for _ in range(images)]
    return labels, np.array(ranks) / sum(range(1, classes + 1))


@given(untied(), st.integers(1, 5))
def test_top_k_accuracy_is_that_of_scikit_learn(prediction, k):
    """Where no probabilities are equal; it grows with k from the accuracy."""
    labels, probabilities = prediction
    expected = top_k_accuracy_score(labels, probabilities, k=k, labels=range(probabilities.shape[1]))

    assert pytest.approx(expected) == top_k_accuracy(labels, probabilities, k)
    assert accuracy(labels, probabilities) == pytest.approx(top_k_accuracy(labels, probabilities, 1))
    assert top_k_accuracy(labels, probabilities, k) <= top_k_accuracy(labels, probabilities, 5)


@given(predictions())
def test_top_two_hold_the_prediction_whatever_is_tied(prediction):
    """Softmax of whole numbers has many ties."""
    labels, probabilities = prediction
    assume(probabilities.shape[1] > 2)

    assert accuracy(labels, probabilities) <= top_k_accuracy(labels, probabilities, 2) <= 1


def test_the_brier_score_of_a_small_case():
    """A sure hit costs 0, a sure mistake 2, and (0.5, 0.3, 0.2) for the first class 0.25 + 0.09 + 0.04."""
    assert 0.0 == brier_score([0], [[1.0, 0.0, 0.0]])
    assert 2.0 == brier_score([1], [[1.0, 0.0, 0.0]])
    assert pytest.approx(0.38) == brier_score([0], [[0.5, 0.3, 0.2]])
    assert pytest.approx((0 + 2 + 0.38) / 3) == brier_score([0, 1, 0], [[1, 0, 0], [1, 0, 0], [0.5, 0.3, 0.2]])


@given(predictions())
def test_the_brier_score_is_between_0_and_2(prediction):
    """It follows from one-hot labels; the predictions that it is computed from stay as they are."""
    labels, probabilities = prediction
    before = probabilities.copy()
    one_hot = np.eye(probabilities.shape[1])[labels]

    score = brier_score(labels, probabilities)

    assert 0 <= score <= 2
    assert pytest.approx(((probabilities - one_hot) ** 2).sum() / len(labels)) == score
    assert (before == probabilities).all()


@given(predictions())
def test_the_brier_score_of_two_classes_is_twice_that_of_scikit_learn(prediction):
    """Which counts the second class alone."""
    from sklearn.metrics import brier_score_loss

    labels, probabilities = prediction
    assume(probabilities.shape[1] == 2)

    expected = brier_score_loss(labels, probabilities[:, 1], pos_label=1)
    assert pytest.approx(2 * expected) == brier_score(labels, probabilities)


def test_the_calibration_error_has_ten_bins_unless_told():
    """As the paper draws them."""
    probabilities = [[0.55, 0.45], [0.4, 0.6], [0.9, 0.1]]

    assert expected_calibration_error([0, 0, 0], probabilities, 10) == expected_calibration_error(
        [0, 0, 0], probabilities
    )
