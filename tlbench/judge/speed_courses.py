"""Courses of times, rates and memory over nights."""

from __future__ import annotations

import math

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tlbench.judge import change_points
from tlbench.judge.arm_changes import matched_arms, measured_apart
from tlbench.judge.courses import Course, CoursePoint
from tlbench.judge.ratios import ratios_of


if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tlbench.store.baselines import SavedRun


def speed_courses(runs: Sequence[SavedRun], reference: int, measured: Collection[int]) -> list[Course]:
    """Times, rates and memory of each night, as ratios to the accepted one's.

    Args:
        runs: Saved runs, in order.
        reference: Position of the accepted run.
        measured: Positions of the nights that measured anything anew.
    """
    base = runs[reference]
    points: dict[str, list[CoursePoint]] = {}
    for night, run in enumerate(runs):
        if night not in measured:
            continue
        matched, _, _ = matched_arms(base, run)
        pairs = matched if night == reference else [measured_apart(*pair) for pair in matched]
        same = [pair[:2] for pair, (_, _, note) in zip(pairs, matched, strict=True) if not note]
        for ratio in ratios_of(matched, same, base, run):
            if ratio.ratio is not None:
                low, high = ratio.interval or (None, None)
                points.setdefault(ratio.name, []).append(CoursePoint(night, ratio.ratio, low, high))
    return [Course("speed", name, "", "number", tuple(found)) for name, found in points.items()]


def stepped(course: Course, courses: int) -> Course:
    """A course of ratios with its steps, found among their logarithms."""
    logs = np.log([point.mean for point in course.points])
    # A median: what else the machine does makes single nights slow, which are no steps.
    noise = float(np.median(np.abs(np.diff(logs)))) / (0.6745 * math.sqrt(2)) if len(logs) > 1 else 0.0
    steps = change_points.change_points(logs, max(noise, 0.001), courses)
    return replace(course, steps=tuple(course.points[step].night for step in steps))
