"""Intervals and epochs to match."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from tlbench.statistics import epochs_to_match, mean_interval


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
