"""Lines of progress."""

from __future__ import annotations

import pytest

from tlbench.run import progress as module
from tlbench.run.progress import Progress, Stopwatch
from tlbench.run.status import StatusFile


@pytest.fixture
def lines():
    return []


@pytest.fixture
def progress(make_trial, lines):
    first, second = make_trial(), make_trial(seed=1)
    labels = {first.digest: "an arm, seed 0", second.digest: "an arm, seed 1"}
    return Progress(
        lambda work: labels.get(work.digest, "outside the plan"),
        (first, second),
        lambda line, passing: lines.append((line, passing)),
        lambda trial: trial.frozen,
    )


def test_a_trial_is_numbered_and_named(progress, make_trial, lines):
    """Its line may be replaced by the next."""
    progress.trial_started(make_trial())

    assert [("trial 1/2 [an arm, seed 0]", True)] == lines


def test_epochs_are_counted(progress, make_trial, lines):
    """Out of those of the recipe, with the accuracy; the name comes last, where a narrow terminal cuts it."""
    progress.trial_started(make_trial())
    progress.epoch_ended(make_trial(), 1, 0.613)

    assert ("trial 1/2, epoch 1/2, training 61.3% [an arm, seed 0]", True) == lines[-1]


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


def test_a_stopwatch_runs_from_the_first_start_to_the_last_end(make_trial, make_result, monkeypatch):
    """Whatever happens between trials, or after them, and passes on all it is told."""
    told = []

    class Listener:
        def trial_started(self, trial):
            told.append(("started", trial))

        def epoch_ended(self, trial, epoch, accuracy):
            told.append((epoch, accuracy, trial))

        def trial_ended(self, trial, result):
            told.append((result.seconds, trial))

    times = iter([10.0, 12.0, 17.5])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(times))
    first, second, cut_short = (make_trial(seed=seed) for seed in range(3))
    watch = Stopwatch(Listener(), StatusFile(None))

    before = watch.seconds
    for trial in (first, second):
        watch.trial_started(trial)
        watch.epoch_ended(trial, 1, 0.5)
        watch.trial_ended(trial, make_result())
    watch.trial_started(cut_short)

    assert (0.0, 7.5, [first, second]) == (before, watch.seconds, watch.trained)
    assert [("started", first), (1, 0.5, first), (1.0, first)] == told[:3]
    assert 7 == len(told)
