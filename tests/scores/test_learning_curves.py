"""Learning curves: known ones are found again, and what data do not tell is not told."""

from __future__ import annotations

import numpy as np
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.scores.learning_curves import PowerLaw, Reach, fit_power_law, interval_of_reach, size_to_reach


SIZES = (40, 80, 200, 400, 960)


@settings(max_examples=40)
@given(
    scale=st.floats(0.2, 5),
    exponent=st.floats(0.1, 1.5),
    asymptote=st.floats(0, 0.4),
)
def test_a_known_law_is_found_again(scale, exponent, asymptote):
    """From its own errors: scale, exponent and asymptote."""
    law = PowerLaw(scale, exponent, asymptote)

    found = fit_power_law(SIZES, [law.error(size) for size in SIZES])

    assert (scale, exponent, asymptote) == pytest.approx(
        (found.scale, found.exponent, found.asymptote), rel=0.02, abs=2e-3
    )


def test_noise_moves_a_law_a_little():
    """Errors with a deviation of half a point, in forty draws."""
    law, generator = PowerLaw(3, 0.6, 0.1), np.random.default_rng(0)
    errors = [law.error(size) for size in SIZES]
    found = [fit_power_law(SIZES, errors + generator.normal(0, 0.005, len(SIZES))) for _ in range(40)]

    assert 0.6 == pytest.approx(np.median([each.exponent for each in found]), abs=0.05)
    assert 0.1 == pytest.approx(np.median([each.asymptote for each in found]), abs=0.02)


def test_a_law_is_the_least_sum_of_squares():
    """No neighbour of it is nearer to errors of no law."""
    errors = np.array([0.6, 0.45, 0.4, 0.25, 0.22])
    found = fit_power_law(SIZES, errors)

    def squares(law):
        return sum((law.error(size) - error) ** 2 for size, error in zip(SIZES, errors, strict=True))

    for factors in np.random.default_rng(0).normal(1, 0.02, (50, 3)):
        values = np.array([found.scale, found.exponent, found.asymptote]) * factors
        assert squares(found) <= squares(PowerLaw(*values)) + 1e-12


@pytest.mark.parametrize(
    "errors",
    [(0.5, 0.5, 0.5, 0.5, 0.5), (0.2, 0.3, 0.4, 0.5, 0.6), (0, 0, 0, 0, 0), (0.8, 0.1, 0.1, 0.1, 0.1)],
    ids=["level", "rising", "none", "fallen at once"],
)
def test_errors_that_determine_no_law_have_none(errors):
    """Any exponent, or any large one, fits."""
    assert None is fit_power_law(SIZES, errors)


def test_no_error_is_left_below_zero():
    """A straight line over the logarithm would end there: its law has no asymptote."""
    found = fit_power_law((10, 20, 40, 80, 160), (0.5, 0.4, 0.3, 0.2, 0.1))

    assert 0 == found.asymptote
    assert 0 < found.error(1e6)


@pytest.mark.parametrize(
    ("sizes", "errors"),
    [
        ((1, 2), (0.5, 0.4)),
        ((1, 1, 2), (0.5, 0.4, 0.3)),
        ((0, 1, 2), (0.5, 0.4, 0.3)),
        ((1, 2, 3), (0.5, 0.4)),
        ((1, 2, 3), (0.5, 0.4, float("nan"))),
        ((1, 2, 3), (0.5, 0.4, -0.1)),
    ],
)
def test_bad_input_is_refused(sizes, errors):
    """The message shows what was received."""
    with pytest.raises(ValueError, match="Received: "):
        fit_power_law(sizes, errors)


def test_a_score_between_two_sizes_is_reached_between_them():
    """Halfway over the logarithm of the size."""
    assert 20 == pytest.approx(size_to_reach((10, 40), (0.5, 0.7), 0.6).size)
    assert Reach(40.0) == Reach(round(size_to_reach((10, 40, 90), (0.5, 0.7, 0.9), 0.7).size, 9))


def test_nothing_is_extrapolated():
    """Beyond the largest size, and below the smallest, a bound is all that is known; it says so."""
    above, below = (size_to_reach((10, 40), (0.5, 0.7), target) for target in (0.71, 0.49))

    assert (Reach(40, "more"), "more than 40") == (above, str(above))
    assert (Reach(10, "at most"), "at most 10") == (below, str(below))
    assert "10" == str(size_to_reach((10, 40), (0.5, 0.7), 0.5))


def test_a_score_that_was_reached_stays_reached():
    """A later size that happens to score less does not count."""
    reached = size_to_reach((10, 20, 40), (0.5, 0.7, 0.6), 0.65)

    assert 10 < reached.size < 20


@pytest.mark.parametrize(
    ("sizes", "scores", "target"),
    [((10, 10), (0.5, 0.6), 0.5), ((), (), 0.5), ((10, 20), (0.5,), 0.5), ((10, 20), (0.5, 0.6), float("nan"))],
)
def test_a_curve_that_is_none_is_refused(sizes, scores, target):
    """Sizes that do not grow, and scores that are missing."""
    with pytest.raises(ValueError, match="Received: "):
        size_to_reach(sizes, scores, target)


def test_an_interval_holds_the_mean_curve_s_number():
    """It narrows with less noise, and is the same again."""
    generator = np.random.default_rng(0)
    curve, target = np.array([0.4, 0.5, 0.6, 0.7]), 0.55
    widths = []
    for noise in (0.03, 0.005):
        scores = curve + generator.normal(0, noise, (8, 4))
        targets = target + generator.normal(0, noise, 8)
        low, high = interval_of_reach((10, 20, 40, 80), scores, targets)
        reached = size_to_reach((10, 20, 40, 80), scores.mean(axis=0), targets.mean())

        assert (low, high) == interval_of_reach((10, 20, 40, 80), scores, targets)
        assert low.size < reached.size < high.size
        widths.append(high.size / low.size)
    assert widths[1] < widths[0]


def test_an_interval_may_end_in_a_bound():
    """Where some seeds' score lies beyond the curve; one seed has no interval."""
    scores = np.array([[0.4, 0.5], [0.4, 0.6], [0.4, 0.5], [0.4, 0.6]])
    low, high = interval_of_reach((10, 20), scores, [0.52, 0.52, 0.58, 0.55])

    assert "equal" == low.relation
    assert Reach(20, "more") == high
    assert None is interval_of_reach((10, 20), scores[:1], [0.5])
