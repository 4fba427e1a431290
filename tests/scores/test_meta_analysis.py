"""Effects of several studies, combined."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from tlbench.scores.meta_analysis import combine, least_number


effects = st.lists(st.floats(-1, 1).map(lambda value: round(value, 6)), min_size=2, max_size=10)
errors = st.floats(0.001, 0.5)


@given(effects, errors)
def test_equal_variances_are_combined_as_statsmodels_does(values, error):
    """By Paule and Mandel's estimator, where the effects lie further apart than their noise; else there is no tau."""
    assume(np.ptp(values) > 0.001)
    combined = combine(values, [error] * len(values))

    theirs = combine_effects(np.array(values), np.full(len(values), error**2), method_re="iterated", use_t=True)
    assert theirs.mean_effect_re == pytest.approx(combined.estimate.mean, abs=1e-12)
    assert max(theirs.tau2, 0) == pytest.approx(combined.tau**2, rel=1e-4, abs=1e-6)
    assert theirs.i2 == pytest.approx(combined.i_squared, abs=1e-9) or theirs.i2 <= combined.i_squared == 0
    if combined.tau > 0.01:
        # Hartung and Knapp's standard error.
        assert math.sqrt(theirs.var_hksj_re) == pytest.approx(combined.estimate.standard_error, rel=1e-3)
        # Their interval and ours.
        low, high = theirs.conf_int(alpha=0.1, use_t=True)[3]
        ours = combined.estimate.interval(0.05, 0.05)
        assert (low, high) == pytest.approx((ours.low, ours.high), abs=1e-3)


@given(st.floats(-1, 1), st.integers(2, 10), errors)
def test_equal_effects_have_no_spread(value, count, error):
    """And their mean is as uncertain as their noise says."""
    combined = combine([value] * count, [error] * count)

    assert (0.0, 0.0) == (combined.tau, combined.i_squared)
    assert value == combined.estimate.mean
    assert error / math.sqrt(count) == pytest.approx(combined.estimate.standard_error)


def test_effects_of_little_noise_are_a_sample():
    """Means of a textbook's t test: 1, 2, 3 with standard error 1/√3 and two degrees of freedom."""
    combined = combine([1.0, 2.0, 3.0], [0.0, 0.0, 0.0])

    assert (2.0, 1.0, 1.0) == (combined.estimate.mean, combined.tau, combined.i_squared)
    assert stats.ttest_1samp([1.0, 2.0, 3.0], 0, alternative="greater").pvalue == pytest.approx(
        combined.estimate.p(0.0, "greater")
    )
    # t(0.95, 1 degree) = 6.3138 times √(1 + 1/3).
    assert (2 - 7.2905, 2 + 7.2905) == pytest.approx(combined.prediction(), abs=1e-3)


def test_an_example_of_the_literature():
    """Eight schools: Rubin 1981, Journal of Educational Statistics 6:377, table 1."""
    values, noise = [28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]

    combined = combine(values, noise)

    # By hand: their variance is 109.07 and the mean variance within is 166.0, so that nothing is left for tau.
    assert 8.75 == combined.estimate.mean
    assert 0 == combined.tau
    assert math.sqrt(166.0 / 8) == pytest.approx(combined.estimate.standard_error)


def test_two_effects_predict_no_third():
    """There is no degree of freedom left."""
    assert combine([0.1, 0.2], [0.01, 0.01]).prediction() is None


@given(effects, errors)
def test_a_further_effect_is_less_certain_than_the_mean(values, error):
    """The interval of the mean lies within the predicted one."""
    combined = combine(values, [error] * len(values))
    predicted = combined.prediction()

    if predicted is not None:
        mean = combined.estimate.interval(0.05, 0.05)
        assert predicted[0] <= mean.low
        assert mean.high <= predicted[1]


def by_own_variances(values, variances):
    """Mean and standard error by Paule and Mandel with each study's own variance, shape (repetitions, studies)."""
    low, high = np.zeros((len(values), 1)), np.full((len(values), 1), 1e6)
    for _ in range(80):
        tau = (low + high) / 2
        weights = 1 / (variances + tau)
        mean = (weights * values).sum(1, keepdims=True) / weights.sum(1, keepdims=True)
        above = (weights * (values - mean) ** 2).sum(1, keepdims=True) > values.shape[1] - 1
        low, high = np.where(above, tau, low), np.where(above, high, tau)
    return mean[:, 0], weights.sum(1) ** -0.5


@pytest.mark.parametrize("noise", [(1, 1, 1, 1, 1, 1), (0.3, 1, 3, 0.5, 1, 2)], ids=["equal noise", "unequal noise"])
@pytest.mark.parametrize("tau", [0.0, 0.4, 2.0])
@pytest.mark.parametrize("seeds", [2, 4])
@pytest.mark.parametrize("studies", [2, 6])
def test_a_mean_of_zero_is_called_positive_as_often_as_the_level_says(studies, seeds, tau, noise):
    """At most 5 % of 2,000 times, up to three standard errors of such a count."""
    generator = np.random.default_rng([studies, seeds, int(10 * tau), int(10 * noise[0])])
    means = generator.normal(0, tau, (2000, studies, 1))
    samples = means + generator.normal(size=(2000, studies, seeds)) * np.array(noise)[:studies, None]
    values, own_errors = samples.mean(2), samples.std(2, ddof=1) / math.sqrt(seeds)

    called = [
        combine(each, error).estimate.p(0.0, "greater") <= 0.05 for each, error in zip(values, own_errors, strict=True)
    ]

    assert np.mean(called) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_weights_by_own_variances_would_err_more_often():
    """The reason for equal weights: six studies of two observations, with no effect in any."""
    samples = np.random.default_rng(0).normal(size=(2000, 6, 2))

    mean, error = by_own_variances(samples.mean(2), samples.var(2, ddof=1) / 2)

    wrong = np.mean(mean / error > stats.t.ppf(0.95, 5))
    assert 0.07 < wrong < 0.12


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([], 0),
        ([0.04], 1),
        ([0.06], 0),
        ([0.001, 0.01, 0.02], 3),
        ([0.001, 0.04, 0.04], 1),  # 3 * 0.001, then 2 * 0.04.
        ([0.001, 0.02, 0.2], 2),
        ([0.02, 0.001, 0.001], 3),
        ([0.02, 0.02, 0.02], 0),
    ],
)
def test_the_least_number_of_effects(p_values, expected):
    """Each of the smallest p-values is held against its number of larger ones and itself, until one is too large."""
    assert expected == least_number(p_values, 0.05)


@pytest.mark.parametrize("true", [0, 2])
def test_the_least_number_is_seldom_too_large(true):
    """At most 5 % of 2,000 times, with as many certain effects among six."""
    p_values = np.random.default_rng(true).random((2000, 6))
    p_values[:, :true] = 0.0

    too_large = np.mean([least_number(each, 0.05) > true for each in p_values])

    assert too_large <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize("given", [([0.1], [0.1]), ([0.1, 0.2], [0.1]), ([[0.1, 0.2]], [[0.1, 0.2]])])
def test_too_few_effects_are_refused(given):
    """And those without a standard error each."""
    with pytest.raises(ValueError, match="Two effects or more are combined"):
        combine(*given)
