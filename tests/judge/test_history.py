"""A series of saved runs, followed night after night."""

from __future__ import annotations

from dataclasses import replace

import nights
import numpy as np
import pytest

from tlbench.judge.arm_changes import ALL_ARMS
from tlbench.judge.history import drift_alarms, history


def course(found, label, metric="accuracy"):
    (one,) = [each for each in found.courses if (each.label, each.metric) == (label, metric)]
    return one


def test_every_arm_claim_and_speed_figure_has_a_course():
    """Arms by each metric that alarms, with their mean."""
    found = history(nights.series(nights=8), 0)

    assert {ALL_ARMS, "arm 0", "arm 1", "arm 2"} == {each.label for each in found.of("arm")}
    assert {"accuracy", "macro_f1", "loss"} == {each.metric for each in found.of("arm")}
    assert ["first beats second"] == [each.label for each in found.of("claim")]
    assert {"training step", "training speed", "tracing and compiling", "peak memory"} == {
        each.label for each in found.of("speed")
    }
    assert {8} == {len(each.points) for each in found.courses}


def test_a_point_is_the_mean_with_students_interval():
    """Over the seeds of the night; one seed has no interval."""
    found = history([nights.night(0, {"a": [0.7, 0.8, 0.9], "b": [0.5]}), nights.night(1, {"b": [0.6]})], 0)

    (point,) = course(found, "a").points
    assert (0, pytest.approx(0.8)) == (point.night, point.mean)
    assert pytest.approx(2.919986 * 0.1 / np.sqrt(3)) == point.high - point.mean == point.mean - point.low
    assert [(0.5, None), (0.6, None)] == [(each.mean, each.low) for each in course(found, "b").points]
    assert "not judged: fewer than two seeds in common with the accepted run" == course(found, "b").note


def test_a_drift_is_an_alarm():
    """Of the arm and the claim that rests on it, but not of the others."""
    runs = nights.series(nights=60, drop=0.03)

    found = history(runs, 0)

    assert {"arm 0", "first beats second", ALL_ARMS} >= {drift.label for drift in found.alarms} >= {"arm 0"}
    assert course(found, "arm 0").alarming
    assert "steady" == course(found, "arm 1").drift.status
    assert [drift.label for drift in found.alarms] == [drift.label for drift in drift_alarms(runs)[0]]
    assert [] == found.improvements


def test_quiet_nights_are_no_alarm():
    """Nor a change point."""
    found = history(nights.series(nights=60), 0)

    assert [] == found.alarms == found.improvements
    assert {()} == {each.steps for each in found.of("arm")}


def test_a_step_is_marked_at_its_night():
    """At the night of the version that made it."""
    found = history(nights.series(drop=0.05, from_night=25, keras_from=25), 0)

    assert (25,) == course(found, "arm 0").steps
    assert [25] == [number for number, night in enumerate(found.nights) if night.versions]
    assert {("keras", "3.15.1", "3.16.0")} == set(found.nights[25].versions)


def test_a_slower_step_is_a_change_point():
    """Ratios are to the accepted night."""
    runs = [nights.night(number, {"a": [0.8, 0.81]}, seconds=1.0 + 0.5 * (number >= 10)) for number in range(20)]

    (step,) = [each for each in history(runs, 0).of("speed") if each.label == "training step"]

    assert (1.0, pytest.approx(1.5)) == (step.points[0].mean, step.points[-1].mean)
    assert (10,) == step.steps
    assert step.drift is None


def test_a_night_that_read_its_results_is_no_point():
    """They are an earlier night's; the night is no quiet one."""
    runs = nights.series(nights=6)
    runs[3] = replace(runs[2], created=runs[3].created, id="read")

    found = history(runs, 0)

    assert [0, 1, 2, 4, 5] == [point.night for point in course(found, "arm 0").points]
    assert [0, 1, 2, 4, 5] == [point.night for point in course(found, "first beats second", "").points]
    assert (0, 12) == (found.nights[3].measured, found.nights[3].trials)
    assert 5 == course(found, "arm 0").drift.nights


def test_nights_before_the_accepted_one_judge_nothing():
    """They are shown: a drop that was accepted is no drift."""
    found = history(nights.series(nights=60, drop=0.05, from_night=30), 30)

    assert [] == found.alarms
    assert 60 == len(course(found, "arm 0").points)
    assert 30 == course(found, "arm 0").drift.nights


def test_an_arm_of_another_recipe_is_not_held_against_the_accepted_one():
    """It is the same arm for the reader, and says why it is not judged."""
    runs = [nights.night(number, {"a": [0.8, 0.81], "b": [0.7, 0.71]}) for number in range(4)]
    arms = nights.arm("a", [0.5, 0.51], "run 3", identity="another recipe"), runs[3].arms[1]
    runs[3] = replace(runs[3], arms=arms)

    found = history(runs, 0)

    assert 4 == len(course(found, "a").points)
    assert course(found, "a").drift is None
    assert "not judged" in course(found, "a").note
    assert "steady" == course(found, "b").drift.status


def test_an_arm_is_followed_through_another_label():
    """By its trials; the label is the last one."""
    first, last = nights.night(0, {"old": [0.8, 0.81]}), nights.night(1, {"old": [0.8, 0.82]})
    last = replace(last, arms=(replace(last.arms[0], labels=("new",)),))

    found = history([first, last], 0)

    assert 2 == len(course(found, "new").points)
    assert "old" not in {each.label for each in found.courses}


def test_runs_without_identities_are_told_apart_by_their_times():
    """As older versions of tlbench saved them: two trainings never take the same time."""
    runs = [nights.night(number, {"a": [0.8, 0.81]}, seconds=1 + number / 100) for number in range(3)]
    runs = [replace(run, id="", arms=(replace(run.arms[0], runs={}),)) for run in runs]
    runs.append(replace(runs[0], created=runs[2].created))

    found = history(runs, 0)

    assert [0, 1, 2] == [point.night for point in course(found, "a").points]
