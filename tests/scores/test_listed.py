"""The list of metrics, and the scores that results take from it."""

from __future__ import annotations

import math

from dataclasses import replace

import numpy as np
import pytest

from tlbench.scores import metrics
from tlbench.scores.listed import ACCURACY, BATCH_STATISTICS_ACCURACY, METRICS, TOP_5_ACCURACY


@pytest.fixture
def result_of(make_result):
    """A function that makes a result of some classes, whose predictions are drawn."""

    def make(classes, seed=0):
        generator = np.random.default_rng(seed)
        tested, estimated_anew = generator.dirichlet(np.ones(classes), (2, 40)).astype(np.float32)
        return replace(
            make_result(label_names=tuple(map(str, range(classes)))),
            labels=np.arange(40) % classes,
            probabilities=tested,
            batch_statistics_probabilities=estimated_anew,
        )

    return make


def test_names_and_keys_tell_metrics_apart():
    """Tables go by the one, files by the other."""
    assert len(METRICS) == len({metric.name for metric in METRICS}) == len({metric.key for metric in METRICS})


def test_only_accuracy_macro_f1_and_loss_alarm():
    """The error rates in docs/sensitivity.md are those of a comparison by these three."""
    assert ["accuracy", "macro_f1", "loss"] == [metric.key for metric in METRICS if metric.alarms]


def test_metrics_on_which_claims_about_accuracy_are_judged_too_are_shares():
    """The claim's margin is applied to them as it is."""
    assert {"percent"} == {metric.unit for metric in METRICS if metric.beside_accuracy}


def test_a_result_has_a_score_for_each_metric(result_of):
    """Each computed from the stored predictions by its function."""
    result = result_of(8)
    expected = {
        "accuracy": metrics.accuracy,
        "macro_f1": metrics.macro_f1,
        "loss": metrics.loss,
        "balanced_accuracy": metrics.balanced_accuracy,
        "top_5_accuracy": metrics.top_k_accuracy,
        "expected_calibration_error": metrics.expected_calibration_error,
        "brier_score": metrics.brier_score,
    }

    assert {key: of(result.labels, result.probabilities) for key, of in expected.items()} | {
        "batch_statistics_accuracy": metrics.accuracy(result.labels, result.batch_statistics_probabilities)
    } == result.scores
    assert [metric.key for metric in METRICS] == list(result.scores)
    assert result.scores == {metric.key: metric.value(result) for metric in METRICS}
    assert result.scores == result.summary.scores


@pytest.mark.parametrize(("classes", "applies"), [(2, False), (5, False), (6, True)])
def test_top_5_accuracy_applies_to_more_than_five_classes(result_of, classes, applies):
    """Among five, every label would be in the top five."""
    result = result_of(classes)

    assert applies == (TOP_5_ACCURACY.key in result.scores)
    assert applies == (not math.isnan(TOP_5_ACCURACY.value(result)))


def test_a_score_that_is_no_number_is_absent(result_of):
    """JSON has no number for it; the other scores stay."""
    result = result_of(3)
    unknown = replace(result, batch_statistics_probabilities=np.full((40, 3), np.nan, np.float32))

    assert BATCH_STATISTICS_ACCURACY.key not in unknown.scores
    assert result.scores[ACCURACY.key] == unknown.scores[ACCURACY.key]


def test_a_diverged_result_has_no_scores(make_result):
    """Nor has what is saved of it."""
    result = make_result(diverged=True)

    assert ({}, {}, {}) == (result.scores, result.summary.scores, result.summary.f1)
    assert math.isnan(ACCURACY.value(result))


def test_macro_f1_is_the_mean_of_a_results_f1_to_the_last_digit(result_of):
    """As runs that were saved before there was a list of metrics have it."""
    for seed in range(20):
        result = result_of(8, seed)

        assert sum(result.f1.values()) / 8 == result.scores["macro_f1"]
