"""Intervals and epochs to match."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from tlbench.scores.statistics import (
    Estimate,
    _power,
    epochs_to_match,
    holm,
    holm_levels,
    look_levels,
    mean_interval,
    moderate,
    p_value,
    sample_size,
    shift,
)


samples = st.lists(st.floats(-1, 1), min_size=2, max_size=20)


def test_the_interval_of_three_numbers_is_students():
    """Mean 2, standard error 1/√3, and t(0.95, 2 degrees) = 2.91999 (any table)."""
    interval = mean_interval([1.0, 2.0, 3.0])

    assert 2.0 == interval.mean
    assert 2 - 2.919986 / math.sqrt(3) == pytest.approx(interval.low, abs=1e-6)
    assert 2 + 2.919986 / math.sqrt(3) == pytest.approx(interval.high, abs=1e-6)


def test_the_interval_of_one_number_is_unbounded():
    """One seed says nothing of the noise."""
    interval = mean_interval([0.5])

    assert (-math.inf, math.inf) == (interval.low, interval.high)


@given(samples)
def test_the_interval_holds_the_mean(sample):
    """Its ends are on either side of it."""
    interval = mean_interval(sample)

    assert interval.low <= interval.mean + 1e-12
    assert interval.high >= interval.mean - 1e-12


@given(samples, st.floats(-10, 10))
def test_the_interval_moves_with_the_sample(sample, shift):
    """Adding a constant moves both ends by it."""
    moved = mean_interval(np.add(sample, shift))

    assert moved.low == pytest.approx(mean_interval(sample).low + shift, abs=1e-9)
    assert moved.high == pytest.approx(mean_interval(sample).high + shift, abs=1e-9)


def test_the_interval_holds_the_true_mean_as_often_as_it_says():
    """Of 4,000 normal samples of five, 90 % of the intervals hold 0, but for chance (4 standard errors)."""
    generator = np.random.default_rng(0)
    intervals = [mean_interval(generator.normal(size=5)) for _ in range(4000)]

    share = np.mean([interval.low < 0 < interval.high for interval in intervals])

    assert share == pytest.approx(0.9, abs=4 * math.sqrt(0.9 * 0.1 / 4000))


@pytest.mark.parametrize("sample", [[], [math.nan, 1.0], [[1.0, 2.0]]], ids=str)
def test_what_is_no_sample_is_refused(sample):
    """An interval of nothing, or of what is no number, has no meaning."""
    with pytest.raises(ValueError, match="Received"):
        mean_interval(sample)


@pytest.mark.parametrize(
    ("curve", "target", "expected"),
    [((0.2, 0.6, 0.5), 0.5, 2), ((0.5, 0.6), 0.5, 1), ((0.2, 0.3), 0.5, None), ((), 0.5, None)],
)
def test_epochs_to_match_counts_from_one(curve, target, expected):
    """The first epoch at or above the target counts."""
    assert expected == epochs_to_match(curve, target)


def test_the_p_value_of_three_numbers_is_students():
    """Of 1, 2, 3 against 0: t = 2√3 with 2 degrees of freedom, whose upper tail is (1 - t/√(2 + t²))/2."""
    t = 2 * math.sqrt(3)

    assert (1 - t / math.sqrt(2 + t**2)) / 2 == pytest.approx(p_value([1.0, 2.0, 3.0], 0.0))


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=12), st.sampled_from(["greater", "less"]))
def test_the_p_value_is_that_of_scipy(sample, alternative):
    """Of `scipy.stats.ttest_1samp`, wherever there is a spread."""
    assume(np.ptp(sample) > 0)

    expected = stats.ttest_1samp(sample, 3.0, alternative=alternative).pvalue

    assert expected == pytest.approx(p_value(sample, 3.0, alternative), rel=1e-6, abs=1e-12)


def test_without_spread_the_p_value_is_certain():
    """0 where the mean is above the threshold, and 1 where it isn't."""
    assert 0.0 == p_value([0.2, 0.2], 0.1)
    assert 1.0 == p_value([0.2, 0.2], 0.2)


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=12))
def test_the_p_value_and_the_interval_agree(sample):
    """The interval lies above zero exactly where p is below 0.05."""
    low, p = mean_interval(sample, 0.90).low, p_value(sample, 0.0)

    assert (low > 1e-9) == (p < 0.05) or abs(low) < 1e-6


@pytest.mark.parametrize(("effect", "size"), [(0.5, 27), (1.0, 8), (-1.0, 8)])
def test_the_sample_size_is_that_of_published_tables(effect, size):
    """One-sided at 5 % with 80 % power: d = 0.5 needs 27 and d = 1 needs 8 (G*Power 3.1, one-sample t test)."""
    unit = np.array([-1.0, 1.0]) / math.sqrt(2)  # Standard deviation 1.

    assert size == sample_size(unit + effect, 0.0)


def test_no_sample_is_large_enough_for_no_effect():
    """Nor is one within the limit for a tiny one."""
    assert sample_size([-1.0, 1.0], 0.0) is None
    assert sample_size([-1.0, 1.001], 0.0) is None


@pytest.mark.parametrize("level", [0.05, 0.0167, 0.001])
@pytest.mark.parametrize("effect", [1.24, 3.0, 30.0])
def test_a_large_effect_needs_a_small_sample(level, effect):
    """However small the level is, and though no power can be computed for a thousand of them."""
    unit = np.array([-1.0, 1.0]) / math.sqrt(2)

    assert 2 <= sample_size(unit + effect, 0.0, level) <= 20


def test_without_spread_two_observations_are_enough():
    """As long as there is a difference."""
    assert 2 == sample_size([0.5, 0.5], 0.0)
    assert sample_size([0.5, 0.5], 0.5) is None


def test_holm_multiplies_by_the_number_of_those_that_are_left():
    """0.01, 0.02, 0.03, 0.04: 4 x 0.01, then 3 x 0.02, and never less than the one before (Holm 1979)."""
    assert [0.04, 0.06, 0.06, 0.06] == pytest.approx(list(holm([0.01, 0.02, 0.03, 0.04])))
    assert [0.06, 0.04] == pytest.approx(list(holm([0.06, 0.02])))
    assert [] == list(holm([]))


@given(st.floats(0.0, 3.0), st.integers(2, 60), st.sampled_from([0.05, 0.05 / 12, 0.001]))
def test_the_power_is_that_of_statsmodels(effect, size, level):
    """Of a one-sided t test of one sample, by the noncentral t distribution."""
    expected = TTestPower().power(effect, size, level, df=size - 1, alternative="larger")

    assert expected == pytest.approx(_power(effect, size, level, size - 1), abs=1e-6)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.sampled_from([0.8, 0.9, 0.99]))
def test_the_interval_is_that_of_scipy(sample, confidence):
    """Student's t interval of a mean."""
    interval = mean_interval(sample, confidence)
    half = stats.t.ppf((1 + confidence) / 2, len(sample) - 1) * stats.sem(sample)

    assert half == pytest.approx((interval.high - interval.low) / 2, abs=1e-9)


@settings(max_examples=20)  # Of 40 ms each.
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_that_of_statsmodels(p_values):
    """Ties and ends included."""
    assert multipletests(p_values, method="holm")[1] == pytest.approx(holm(p_values))


def test_the_levels_of_looks_are_those_of_the_spending_function():
    """At half of the data ln(1 + (e - 1)/2) = 0.6201 of the level, and all of it at the end."""
    first, second = look_levels([2, 4], 0.05)

    assert 0.05 * 0.620115 == pytest.approx(first, rel=1e-5)
    assert 0.05 == pytest.approx(first + second)


@given(st.sets(st.integers(1, 100), min_size=1, max_size=8))
def test_the_levels_of_looks_add_up_to_the_level(looks):
    """Every look has some of it."""
    levels = look_levels(sorted(looks), 0.05)

    assert 0.05 == pytest.approx(sum(levels))
    assert min(levels) > 0


@pytest.mark.parametrize("looks", [(), (4, 4), (4, 3), (0, 2)])
def test_looks_that_do_not_grow_are_refused(looks):
    """The levels would not add up."""
    with pytest.raises(ValueError, match="Received"):
        look_levels(looks, 0.05)


@given(samples, st.floats(-1, 1))
def test_a_mean_is_above_its_threshold_or_not(sample, threshold):
    """The two p-values add up to one."""
    greater, less = p_value(sample, threshold, "greater"), p_value(sample, threshold, "less")

    assert 1.0 == pytest.approx(greater + less)


def test_moderated_variances_of_equal_ones_are_their_own_estimate():
    """Without spread the prior has infinite weight: its scale, from E[log s²] = log σ² + ψ(d/2) - log(d/2)."""
    variances, degrees = moderate([2.0, 2.0, 2.0, 2.0], [4, 4, 4, 4])

    # psi(2) is 1 less Euler's constant.
    assert [2 * 2 / math.exp(1 - 0.5772156649)] * 4 == pytest.approx(list(variances))
    assert [16.0] * 4 == list(degrees)


def test_moderated_variances_solve_smyths_equations():
    """With d = 2 and psi'(1) = π²/6, logs of variance π²/6 + π²/6 have a prior of 2 degrees of freedom."""
    # Logarithms of variance π²/3 around 0, so that the prior's trigamma is π²/6 and its degrees 2.
    half = math.pi / math.sqrt(3)
    logs = np.array([-half, half, 0.0])

    variances, degrees = moderate(np.exp(logs), [2, 2, 2])

    # ψ and log(d/2) of data and prior cancel: the scale is exp of the mean log.
    assert list((2 * 1.0 + 2 * np.exp(logs)) / 4) == pytest.approx(list(variances), rel=1e-6)
    assert [4.0] * 3 == pytest.approx(list(degrees))


@given(samples.filter(lambda sample: np.std(sample) > 1e-6), st.floats(-1, 1))
def test_an_estimate_with_a_samples_own_variance_is_students(sample, threshold):
    """Both p-values, and an interval each end of which is a test."""
    estimate = Estimate.of(sample, np.var(sample, ddof=1), len(sample) - 1.0)
    interval = estimate.interval(0.05, 0.05)

    for alternative in ("greater", "less"):
        assert p_value(sample, threshold, alternative) == pytest.approx(estimate.p(threshold, alternative), abs=1e-9)
    assert mean_interval(sample).low == pytest.approx(interval.low)
    assert mean_interval(sample).high == pytest.approx(interval.high)
    assert 0.9 == pytest.approx(interval.confidence)


@pytest.mark.parametrize(("mean", "greater", "less"), [(0.6, 0.0, 1.0), (0.5, 1.0, 0.0), (0.4, 1.0, 0.0)])
def test_an_estimate_without_spread_is_sure(mean, greater, less):
    """A mean at the threshold is not greater."""
    estimate = Estimate(mean, 0.0, 3.0)

    assert (greater, less) == (estimate.p(0.5, "greater"), estimate.p(0.5, "less"))
    assert (mean, mean) == (estimate.interval(0.01, 0.05).low, estimate.interval(0.01, 0.05).high)


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.2))
def test_holms_levels_reject_what_holm_rejects(p_values, level):
    """A p-value is at most its own level where the corrected one is at most the level of all."""
    corrected, levels = holm(p_values), holm_levels(p_values, level)

    for p, adjusted, own in zip(p_values, corrected, levels, strict=True):
        if not math.isclose(adjusted, level, rel_tol=1e-9):
            assert (adjusted <= level) == (p <= own)
        assert level / max(len(p_values), 1) <= own * (1 + 1e-12)
        assert own <= level


def test_holms_levels_stop_at_the_first_that_is_not_rejected():
    """Three tests at 0.06: the first passes at 0.02, the second fails at 0.03, and so does the third."""
    assert [0.03, 0.02, 0.03] == pytest.approx(list(holm_levels([0.04, 0.01, 0.05], 0.06)))
    assert [0.02, 0.03, 0.06] == pytest.approx(list(holm_levels([0.01, 0.02, 0.05], 0.06)))


@pytest.mark.parametrize("variances", [[], [1.0], [1.0, 5.0], [0.0, 0.0, 1.0]])
def test_variances_that_have_nothing_in_common_are_left_alone(variances):
    """Two do not say what variances have in common, nor do zeros."""
    moderated, degrees = moderate(variances, [3.0] * len(variances))

    assert variances == list(moderated)
    assert [3.0] * len(variances) == list(degrees)


@given(st.lists(st.floats(1e-6, 1e3), min_size=3, max_size=30), st.integers(1, 10))
def test_moderation_draws_variances_together(variances, degrees):
    """Never farther apart than they were, and never out of order."""
    moderated, _ = moderate(variances, [degrees] * len(variances))

    assert np.ptp(moderated) <= np.ptp(variances) * (1 + 1e-6) + 1e-9
    assert all(np.diff(moderated[np.argsort(variances)]) >= -1e-9)


def test_a_lone_shift_is_students():
    """With nothing to moderate by, the paired and the two-sample test are scipy's."""
    old, new = [1.0, 2.0, 3.0], [1.5, 2.2, 3.6]

    paired, unpaired = shift([old], [new], paired=True), shift([old], [new], paired=False)

    assert stats.ttest_rel(new, old, alternative="less").pvalue == pytest.approx(paired.p_below([0.0])[0])
    assert stats.ttest_ind(new, old, alternative="greater").pvalue == pytest.approx(unpaired.p_above([0.0])[0])
    low, high = stats.ttest_ind(new, old).confidence_interval(0.9)
    assert [low, high] == pytest.approx([end[0] for end in unpaired.interval(0.9)])


def test_without_any_spread_a_shift_is_certain():
    """Equal runs are not below a bound, however near it is."""
    same = shift([[0.5, 0.6]] * 4, [[0.5, 0.6]] * 4, paired=True)

    assert [1.0] * 4 == list(same.p_below([-0.001] * 4))
    assert [0.0] * 4 == list(same.p_below([0.001] * 4))


def test_moderated_tests_keep_their_level():
    """300 studies of ten unshifted means of four, their true variances spread threefold: 5 % are below by chance."""
    generator = np.random.default_rng(0)
    below = []
    for _ in range(300):
        scale = np.exp(generator.normal(0, 0.5, (10, 1)))
        old, new = (scale * generator.normal(size=(10, 4)) for _ in range(2))
        below.append(shift(list(old), list(new), paired=False).p_below(np.zeros(10)) < 0.05)

    assert np.mean(below) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 3000))


@given(st.floats(-1, 1), st.integers(2, 12), st.sampled_from(["greater", "less"]))
def test_a_mean_of_equal_numbers_is_that_number(value, count, alternative):
    """However their sum is rounded: it is not above itself, and has no spread."""
    estimate = Estimate.of_its_own([value] * count)

    assert (value, 0.0) == (estimate.mean, estimate.standard_error)
    assert (alternative == "greater") == estimate.p(value, alternative)
    assert (value, value) == (estimate.interval(0.05, 0.01).low, estimate.interval(0.05, 0.01).high)


def test_a_spread_too_small_for_its_variance_is_none():
    """Squared, it is 0: a p-value is certain then, and the mean is above a threshold between the two numbers."""
    assert 0.0 == p_value([0.0, 1e-193], 0.0)
    assert 1.0 == p_value([0.0, 1e-193], 0.0, "less")
