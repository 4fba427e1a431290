"""One trial, trained again."""

from __future__ import annotations

import pytest

from tlbench.report.plans import describe_repetition


def test_a_repetition_that_is_the_same_says_so(make_trial, make_result):
    """Bit for bit."""
    lines = describe_repetition("A, seed 0", make_trial(), make_result(9), make_result(9))

    assert "All probabilities of the test images are the same, bit for bit." == lines[-1]


def test_a_repetition_that_differs_says_by_how_much(make_trial, make_result):
    """The largest difference of a probability, and the share of images that are classified otherwise."""
    lines = describe_repetition("A, seed 0", make_trial(), make_result(9), make_result(7))

    assert "again: accuracy 0.9000" in lines[0]
    assert "stored: accuracy 0.7000" in lines[1]
    assert "Probabilities of the test images differ by up to 0.8; 20.0% are classified otherwise." == lines[2]


def test_without_a_stored_result_there_is_nothing_to_be_held_against(make_trial, make_result):
    """The repetition's own scores are told all the same."""
    lines = describe_repetition("A, seed 0", make_trial(), make_result(9), None)

    assert ["Nothing is stored of it to be held against."] == lines[1:]


@pytest.mark.parametrize("which", [0, 1])
def test_a_diverged_one_has_no_probabilities_to_compare(which, make_trial, make_result):
    """It is told as diverged."""
    results = [make_result(9), make_result(9)]
    results[which] = make_result(diverged=True)

    lines = describe_repetition("A, seed 0", make_trial(), *results)

    assert 2 == len(lines)
    assert "diverged" in lines[which]
