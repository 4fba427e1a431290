"""Lines of progress."""

from __future__ import annotations

import pytest

from tlbench.progress import Progress


@pytest.fixture
def lines():
    return []


@pytest.fixture
def progress(make_trial, lines):
    first, second = make_trial(), make_trial(seed=1)
    labels = {first.digest: ["an arm, seed 0", "another"], second.digest: ["an arm, seed 1"]}
    return Progress(labels, (first, second), lambda line, passing: lines.append((line, passing)))


def test_a_trial_is_numbered_and_named(progress, make_trial, lines):
    """Its line may be replaced by the next."""
    progress.trial_started(make_trial())

    assert [("trial 1/2 [an arm, seed 0]", True)] == lines


def test_epochs_are_counted(progress, make_trial, lines):
    """Out of those of the recipe."""
    progress.trial_started(make_trial())
    progress.epoch_ended(make_trial(), 1)

    assert "trial 1/2 [an arm, seed 0], epoch 1/2" == lines[-1][0]


def test_the_time_left_is_that_of_like_trials(progress, make_trial, make_result, lines):
    """The first took a second; the second will take another."""
    progress.trial_started(make_trial())
    progress.trial_ended(make_trial(), make_result(8))

    assert ("trial 1/2 [an arm, seed 0]: accuracy 80.0%, 1.0 s, 1 s left", False) == lines[-1]


def test_a_diverged_trial_is_told_as_such(progress, make_trial, make_result, lines):
    """Not as an accuracy."""
    progress.trial_started(make_trial())
    progress.trial_ended(make_trial(), make_result(diverged=True))

    assert "[an arm, seed 0]: diverged" in lines[-1][0]


def test_a_trial_outside_the_plan_is_told_too(progress, make_trial, lines):
    """A test may ask for what nothing declared."""
    progress.trial_started(make_trial(seed=9))

    assert "trial 1/2 [outside the plan]" == lines[-1][0]
