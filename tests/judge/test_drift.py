"""The alarm for drift: what it says of a series of nights, and how often where nothing has changed."""

from __future__ import annotations

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from tlbench.judge.drift import LOOKS, NIGHTS, REFERENCE_NIGHTS, WINDOWS, Watched, drifts, night_variances, strongest


# Accuracies of nights and four seeds, as counts of a thousand test images.
NIGHTS_OF_SEEDS = arrays.arrays(np.int64, st.tuples(st.integers(2, 60), st.just(4)), elements=st.integers(0, 1000)).map(
    lambda counts: counts / 1000
)


def watched(values, **changes):
    return Watched("an arm", "accuracy", np.asarray(values, dtype=float), 0.005, **changes)


def quiet(generator, nights, seeds=4, noise=0.02):
    """Nights as far from each other as seeds are."""
    return generator.normal(0.8, noise, seeds) + generator.normal(0, noise, (nights, seeds))


def test_five_nights_differ_by_a_t_test():
    """Four nights against one, of a known noise and its degrees of freedom."""
    effect, error, below, above, window = strongest(
        np.array([[0.8, 0.77, 0.76, 0.77, 0.78]]), np.array([1]), np.array([0.01]), np.array([6.0])
    )

    assert pytest.approx(-0.03) == effect[0]
    assert pytest.approx(0.01 * np.sqrt(1 / 4 + 1)) == error[0]
    assert pytest.approx(stats.t.cdf(-0.03 / (0.01 * np.sqrt(1 / 4 + 1)), 6)) == below[0]
    assert pytest.approx(1 - below[0]) == above[0]
    assert 4 == window[0]


@pytest.mark.parametrize("nights", [2, 4])
def test_no_window_is_shorter_than_four_nights(nights):
    """Nothing is judged before: neither called steady nor called worse, however large the change."""
    values = quiet(np.random.default_rng(0), nights)
    values[-1] -= 0.5

    (found,) = drifts([watched(values)])

    assert ("not judged", "fewer than 5 nights that differ", nights) == (found.status, found.reason, found.distinct)


def test_an_outlier_of_one_night_is_no_drift():
    """Four noises of a night's mean are a sudden change, and for a comparison to find."""
    values = quiet(np.random.default_rng(0), 30)
    values[-1] -= 0.04

    (found,) = drifts([watched(values)])

    assert "steady" == found.status


def test_a_window_is_held_against_the_reference():
    """The mean of the last four nights against the mean of the first two, by the standard error of both."""
    means = np.array([[0.80, 0.82, 0.81, 0.81, 0.71, 0.71, 0.71, 0.71]])

    effect, error, _, _, window = strongest(means, np.array([2]), np.array([0.02]), np.array([np.inf]))

    assert 4 == window[0]
    assert pytest.approx(-0.10) == effect[0]
    assert pytest.approx(0.02 * np.sqrt(1 / 4 + 1 / 2)) == error[0]


def test_nights_of_the_window_are_no_part_of_the_reference():
    """In the first nights, the reference is what came before the window."""
    effect, error, _, _, window = strongest(
        np.array([[0.8, 0.7, 0.7, 0.7, 0.7]]), np.array([3]), np.array([0.01]), np.array([9.0])
    )

    assert (4, pytest.approx(-0.1)) == (window[0], effect[0])
    assert pytest.approx(0.01 * np.sqrt(1 / 4 + 1)) == error[0]


def test_noise_is_half_the_mean_square_of_successive_differences():
    """Of four nights, with 18 / 8 degrees of freedom; of one night nothing is known."""
    variances, degrees = night_variances([np.array([1.0, 3.0, 2.0, 2.0]), np.array([5.0])])

    assert [pytest.approx((4 + 1 + 0) / 3 / 2), 0.0] == list(variances)
    assert [pytest.approx(2 * 9 / 8), 1.0] == list(degrees)


def test_a_jump_is_no_noise():
    """Beyond four times what the nights' median difference and new draws of all seeds may be."""
    course = np.array([0.0, 1.0, 0.0, 1.0, 21.0, 20.0, 21.0])

    variances, degrees = night_variances([course], [1.0])
    with_jump, _ = night_variances([course])
    of_new_draws, _ = night_variances([course], [6.0])

    assert [0.5] == list(variances)
    assert [pytest.approx(2 * 25 / 14)] == list(degrees)
    assert [pytest.approx((5 + 400) / 6 / 2)] == list(with_jump) == list(of_new_draws)


@given(st.integers(0, 2**32 - 1))
def test_the_degrees_of_freedom_are_those_of_the_estimate(seed):
    """Twice the squared mean over the variance, of many estimates of ten nights each."""
    courses = np.random.default_rng(seed).normal(0, 2, (4000, 10))
    estimates = (np.diff(courses, axis=1) ** 2).mean(axis=1) / 2

    assert pytest.approx(4, rel=0.1) == estimates.mean()
    assert pytest.approx(2 * 81 / 26, rel=0.2) == 2 * estimates.mean() ** 2 / estimates.var()


@given(NIGHTS_OF_SEEDS, st.integers(-100, 100).map(lambda points: points / 1000))
def test_a_constant_moves_nothing(values, constant):
    """A drift is a matter of differences between nights."""
    (before,), (after,) = drifts([watched(values)]), drifts([watched(values + constant)])

    assert before.status == after.status
    assert before.status == "not judged" or pytest.approx(before.p, abs=1e-6) == after.p


@given(NIGHTS_OF_SEEDS)
def test_better_is_worse_the_other_way_round(values):
    """For a loss, a rise is a drift for the worse."""
    (more,), (less,) = drifts([watched(values)]), drifts([watched(-values, sign=-1)])

    assert more.status == less.status
    assert more.status == "not judged" or more.p == pytest.approx(less.p)


@given(NIGHTS_OF_SEEDS)
def test_repeated_nights_are_no_evidence(values):
    """A CPU that repeats itself says the same thing every night; half as many looks have twice the chance each."""
    values = values[: REFERENCE_NIGHTS // 2]
    (once,), (twice,) = drifts([watched(values)]), drifts([watched(np.repeat(values, 2, axis=0))])

    assert (once.distinct, once.effect, once.interval) == (twice.distinct, twice.effect, twice.interval)
    assert once.status == "not judged" or once.p / 2 - 1e-12 <= twice.p <= once.p
    assert 2 * once.nights == twice.nights


def test_a_draw_has_the_chance_of_the_equal_nights_before_it():
    """All looks of a year together have no more than the year's chance, however its nights repeat each other."""
    draws = quiet(np.random.default_rng(0), 20)
    draws[16:] -= 0.04
    values = np.repeat(draws, [1] * 18 + [10, 5], axis=0)
    alone = drifts([watched(draws)])[0]

    found = [drifts([watched(values[:nights])])[0] for nights in (29, 33)]

    assert [pytest.approx(alone.p / 10)] * 2 == [drift.p for drift in found]
    assert alone.p < 1


def test_a_cpu_that_repeats_itself_does_not_drift():
    """A year of equal nights is one distinct night."""
    (found,) = drifts([watched(np.tile([0.8, 0.81, 0.79, 0.8], (NIGHTS, 1)))])

    assert ("steady", 1.0, 1, NIGHTS) == (found.status, found.p, found.distinct, found.nights)


@pytest.mark.parametrize("values", [np.full((5, 1), 0.8), np.empty((0, 4))], ids=["one seed", "no night"])
def test_a_quantity_without_noise_between_seeds_is_not_judged(values):
    """It does not keep the others from being judged."""
    other = watched(quiet(np.random.default_rng(0), 5))

    assert ["not judged", "steady"] == [drift.status for drift in drifts([watched(values), other])]


@pytest.mark.parametrize(("sign", "status"), [(1, "worse"), (-1, "better")])
def test_a_drift_of_the_noise_between_seeds_is_found(sign, status):
    """Sixty nights long, with a noise between nights as between seeds, among sixty quantities."""
    generator = np.random.default_rng(0)
    values = np.stack([quiet(generator, 114) for _ in range(60)])
    values[7] -= 0.02 * np.clip((np.arange(114) - 40) / 60, 0, 1)[:, None]

    found = drifts([watched(each, sign=sign) for each in values])

    assert {7} == {number for number, drift in enumerate(found) if drift.status != "steady"}
    assert status == found[7].status
    assert pytest.approx(-0.02, abs=0.008) == found[7].effect
    assert found[7].interval[0] < -0.02 < found[7].interval[1]


def test_a_drift_is_found_in_spite_of_an_early_jump():
    """One night far off would else count as noise all year: the same drift without it is found as well."""
    generator = np.random.default_rng(0)
    values = np.stack([quiet(generator, 114) for _ in range(60)])
    values[7] -= 0.02 * np.clip((np.arange(114) - 40) / 60, 0, 1)[:, None]
    jumped = values.copy()
    jumped[7, 5] += 0.3

    found = [drifts([watched(each) for each in several])[7] for several in (values, jumped)]

    assert ["worse", "worse"] == [drift.status for drift in found]


def test_a_night_that_failed_its_comparison_is_no_reference():
    """Nor is any after it: what the nights are held against does not become worse with them."""
    generator = np.random.default_rng(0)
    values = quiet(generator, 40)
    values[8:] -= 0.03

    without, found = (drifts([watched(values, accepted=accepted)])[0] for accepted in (None, 8))

    assert (8, pytest.approx(values[:8].mean())) == (found.reference, found.level)
    assert found.p < without.p


def test_a_drift_on_a_cpu_that_repeats_itself_is_found():
    """Without any noise between nights, long before it has the size of the noise between seeds."""
    own = np.random.default_rng(0).normal(0.8, 0.02, 4)
    values = own - own.std(ddof=1) * np.clip((np.arange(120) - 40) / 60, 0, 1)[:, None]

    found = [drifts([watched(values[:nights])])[0] for nights in (41, 90)]

    assert ["steady", "worse"] == [drift.status for drift in found]


def test_a_drift_is_told_in_a_phrase():
    """Label, metric, size, nights and p."""
    values = quiet(np.random.default_rng(0), 60)
    values[40:] -= 0.05

    (found,) = drifts([watched(values)])

    assert "an arm (accuracy -5." in str(found)
    assert "points over 16 nights, p < 0.001)" in str(found)


def test_quiet_nights_rarely_alarm():
    """At most one false alarm among the last nights of a thousand quiet series, by the level of a whole year."""
    generator = np.random.default_rng(1)

    alarms = [drifts([watched(quiet(generator, 20))])[0].status for _ in range(1000)]

    assert 999 <= alarms.count("steady")
    assert 365 * 4 == NIGHTS * len(WINDOWS) == LOOKS
