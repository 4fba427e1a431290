"""Lines of progress."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlbench.declare.evaluations import Evaluation, TestImages
from tlbench.declare.readouts import TrainingFeatures
from tlbench.run import progress as module
from tlbench.run.progress import Progress, Stopwatch
from tlbench.run.status import StatusFile


class Display:
    """Remembers what is shown."""

    def __init__(self):
        self.lines, self.states, self.rests = [], [], 0

    def line(self, text):
        """Part of the protocol, as the others."""
        self.lines.append(text)

    def state(self, state):
        """Part of the protocol."""
        self.states.append(state)

    def rest(self):
        """Part of the protocol."""
        self.rests += 1


@pytest.fixture
def display():
    return Display()


@pytest.fixture
def progress(make_trial, display):
    first, second = make_trial(), make_trial(seed=1)
    labels = {first.digest: "an arm, seed 0", second.digest: "an arm, seed 1"}
    claims = [frozenset({first.digest}), frozenset({first.digest, second.digest})]
    return Progress(
        lambda work: labels.get(work.digest, "outside the plan"),
        (first, second),
        display,
        lambda trial: trial.frozen,
        claims=claims,
    )


def test_a_trial_that_runs_is_named(progress, make_trial, display):
    """With its epochs, and no accuracy before the first has ended."""
    progress.trial_started(make_trial())

    (state,) = display.states
    assert [("an arm, seed 0", 0, 2, None)] == [(r.label, r.epoch, r.epochs, r.accuracy) for r in state.running]
    assert (0, 2, None) == (state.finished, state.total, state.seconds_left)


def test_epochs_are_counted(progress, make_trial, display):
    """Out of those of the recipe, with the accuracy."""
    progress.trial_started(make_trial())
    progress.epoch_ended(make_trial(), 1, 0.613)

    (running,) = display.states[-1].running
    assert (1, 2, 0.613) == (running.epoch, running.epochs, running.accuracy)


def test_the_time_left_is_that_of_like_trials(progress, make_trial, make_result, display):
    """The first took a second; the second will take another."""
    progress.trial_started(make_trial())
    progress.trial_ended(make_trial(), make_result(8))

    assert ["trial 1/2 [an arm, seed 0]: accuracy 80.0%, 1.0 s, 1 s left"] == display.lines


def test_a_trial_of_no_epochs_tells_nothing_of_the_time_left(progress, make_trial, make_result, display):
    """It trains nothing, and the others do."""
    untrained = make_trial(recipe=make_trial().recipe.at(epochs=0))
    progress.trial_ended(untrained, make_result(8))

    assert ["trial 1/2 [outside the plan]: accuracy 80.0%, 1.0 s"] == display.lines


def test_an_evaluation_without_a_prediction_is_told(progress, make_trial, make_result, display):
    """Its features were read."""
    result = make_result()
    evaluation = Evaluation(make_trial(), TestImages(), TrainingFeatures("exit"))
    progress.evaluation_ended(evaluation, replace(result, probabilities=result.probabilities[:, :0]))

    assert ["evaluation 1/1 [outside the plan]: read, 1.0 s"] == display.lines


def test_evaluations_are_part_of_the_time_left(make_trial, make_result, display):
    """Three of them and two trials; each takes a second."""
    trials = make_trial(), make_trial(seed=1)
    evaluations = [Evaluation(trial, TestImages()) for trial in (*trials, make_trial(seed=2))]
    progress = Progress(lambda _work: "", (*trials, *evaluations), display, lambda trial: trial.frozen)
    for trial in trials:
        progress.trial_started(trial)
        progress.trial_ended(trial, make_result(8))
    before = progress.current.seconds_left
    for evaluation in evaluations[:2]:
        progress.evaluation_ended(evaluation, make_result(8))

    told = [line.rpartition(": accuracy 80.0%, 1.0 s")[::2] for line in display.lines]
    assert None is before, "no evaluation has ended that would tell how long the next takes"
    assert [("trial 1/2 []", ", 1 s left"), ("trial 2/2 []", "")] == told[:2]
    assert [("evaluation 1/3 []", ", 2 s left"), ("evaluation 2/3 []", ", 1 s left")] == told[2:]


def test_a_diverged_trial_is_told_as_such(progress, make_trial, make_result, display):
    """Not as an accuracy."""
    progress.trial_started(make_trial())
    progress.trial_ended(make_trial(), make_result(diverged=True))

    assert "[an arm, seed 0]: diverged" in display.lines[-1]


def test_a_trial_outside_the_plan_is_told_too(progress, make_trial, make_result, display):
    """A test may ask for what nothing declared; there are more trials then."""
    for seed in (0, 1, 9):
        progress.trial_started(make_trial(seed=seed))
        progress.trial_ended(make_trial(seed=seed), make_result(8))

    assert display.lines[-1].startswith("trial 3/3 [outside the plan]")


def test_claims_are_counted_once_they_have_all_their_trials(progress, make_trial, make_result):
    """One waits for a trial, the other for two."""
    counts = [progress.current.claims_ready]
    for seed in (0, 1):
        progress.trial_started(make_trial(seed=seed))
        progress.trial_ended(make_trial(seed=seed), make_result(8))
        counts.append(progress.current.claims_ready)

    assert [0, 1, 2] == counts
    assert 2 == progress.current.claims


def test_claims_that_are_ready_are_judged_aside(display, make_trial, make_result, monkeypatch):
    """In the thread that refreshes, once for each set of them; the end of a trial waits for nothing."""
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.01)
    judged, threads = [], set()

    def judge(ready):
        judged.append(list(ready))
        threads.add(module.threading.current_thread().name)
        return {"supported": len(ready)}

    first, second = make_trial(), make_trial(seed=1)
    claims = [frozenset({first.digest}), frozenset({first.digest, second.digest})]
    progress = Progress(lambda _work: "", (first, second), display, lambda trial: trial.frozen, 1, claims, judge)
    with progress.watched():
        for trial, count in ((first, 1), (second, 2)):
            progress.trial_ended(trial, make_result(8))
            deadline = module.time.monotonic() + 10
            while display.states[-1].so_far != {"supported": count} and module.time.monotonic() < deadline:
                module.time.sleep(0.01)

    assert [[0], [0, 1]] == judged
    assert {"tlbench-progress"} == threads
    assert {"supported": 2} == display.states[-1].so_far


def test_the_state_is_shown_though_nothing_is_heard(progress, display, monkeypatch):
    """From the first moment, again and again, and not after the end."""
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.01)
    with progress.watched(), progress.watched():
        deadline = module.time.monotonic() + 10
        while len(display.states) < 5 and module.time.monotonic() < deadline:
            module.time.sleep(0.01)
    shown = len(display.states)
    module.time.sleep(0.05)

    assert 5 <= shown == len(display.states)
    assert 1 == display.rests


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
