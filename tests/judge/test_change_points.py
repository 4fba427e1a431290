"""Steps in the course of a quantity."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tlbench.judge import change_points
from tlbench.judge.change_points import change_points as found


@pytest.fixture
def course():
    """A hundred nights of noise one."""
    return np.random.default_rng(0).normal(0, 1, 100)


def test_a_quiet_course_has_no_step(course):
    """Nor has a constant one."""
    assert () == found(course, 1.0, 50)
    assert () == found(np.full(100, 0.8), 0.01, 50)


def test_a_step_is_found_at_its_night(course):
    """And two are."""
    course[40:] += 6
    course[70:] -= 12

    assert (40, 70) == found(course, 1.0, 50)


def test_a_course_has_few_false_steps():
    """The level holds for all courses of a page together: here 400 pages of one course."""
    courses = np.random.default_rng(0).normal(0, 1, (400, 60))

    assert 0.08 > np.mean([bool(found(course, 1.0, 1)) for course in courses])


@pytest.mark.parametrize(("nights", "noise"), [(5, 1.0), (100, 0.0)], ids=["short", "no noise"])
def test_a_course_that_says_nothing_has_no_step(nights, noise):
    """Too few nights, or no noise to hold a step against."""
    assert () == found(np.arange(nights) * 10.0, noise, 1)


def test_without_the_engine_no_step_is_looked_for(course, monkeypatch):
    """The page says so."""
    monkeypatch.setitem(sys.modules, "ruptures", None)
    monkeypatch.setattr(change_points.util, "find_spec", lambda _name: None)
    course[40:] += 6

    assert not change_points.available()
    assert () == found(course, 1.0, 50)
