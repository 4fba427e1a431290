"""Charts of courses over nights, as values of a page: marks are placed in shares of the width and the height."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlbench.report import formats
from tlbench.report.ticks import nice_ticks


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench.judge.courses import Course, CoursePoint, History

# Size of the drawing area in its own units; a page stretches it.
WIDTH, HEIGHT = 1000, 100

# Marks closer than this share of the width hide each other's labels.
NEAR = 0.03

# Dates below a chart.
DATES = 5


@dataclass(frozen=True)
class Mark:
    """A label at a place of a chart.

    Attributes:
        at: Place in percent of the width or height.
        text: Text of the label; empty where it would hide another's.
    """

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A course, ready to be drawn.

    Attributes:
        course: The course.
        mean: Points of a polyline through the means, one for each stretch of successive nights.
        band: Points of a polygon around the intervals, one for each stretch.
        ticks: Values of the vertical axis, in percent of the height from the top.
        versions: Nights with other versions than the night before, by number.
        steps: Change points.
        accepted: The accepted night, in percent of the width.
        reference: Mean of the reference, from the top in drawing units; None without a judgement.
        noise: Top and bottom of the noise between seeds around the reference; None without a judgement.
        window: Line of the mean of the last nights that have drifted: two ends and a height; None where none has.
        summary: The course in a sentence.
    """

    course: Course
    mean: tuple[str, ...]
    band: tuple[str, ...]
    ticks: tuple[Mark, ...]
    versions: tuple[Mark, ...]
    steps: tuple[Mark, ...]
    accepted: float
    reference: float | None
    noise: tuple[float, float] | None
    window: tuple[float, float, float] | None
    summary: str


def chart(course: Course, history: History) -> Chart:
    """Place a course in a chart.

    Args:
        course: Course of one or more points.
        history: History that has it.
    """
    place = _Place.of(course, len(history.nights))
    level, noise = _reference(course)
    stretches = _stretches(course.points)
    drifting = course.drift is not None and course.drift.status in {"worse", "better"}
    window = course.points[-course.drift.window :] if drifting and course.drift else ()
    return Chart(
        course,
        mean=tuple(
            " ".join(f"{place.x(point.night):.1f},{place.y(point.mean):.1f}" for point in stretch)
            for stretch in stretches
        ),
        band=tuple(
            " ".join(
                [f"{place.x(point.night):.1f},{place.y(point.high):.1f}" for point in stretch if point.high is not None]
                + [f"{place.x(p.night):.1f},{place.y(p.low):.1f}" for p in reversed(stretch) if p.low is not None]
            )
            for stretch in stretches
            if all(point.low is not None for point in stretch)
        ),
        ticks=tuple(
            Mark(100 * place.y(value) / HEIGHT, _tick(value, course)) for value in nice_ticks(place.low, place.high)
        ),
        versions=_spaced([(place.x(night) / WIDTH, str(number)) for number, night in version_nights(history)]),
        steps=_spaced([(place.x(night) / WIDTH, "▼") for night in course.steps]),
        accepted=100 * place.x(history.reference) / WIDTH,
        reference=None if level is None else place.y(level),
        noise=None if level is None or noise is None else (place.y(level + noise), place.y(level - noise)),
        window=(
            (place.x(window[0].night), place.x(window[-1].night), place.y(float(np.mean([p.mean for p in window]))))
            if window
            else None
        ),
        summary=summary(course, history),
    )


def version_nights(history: History) -> list[tuple[int, int]]:
    """Number and position of each night with other versions than the night before."""
    nights = [position for position, night in enumerate(history.nights) if night.versions]
    return list(enumerate(nights, start=1))


def dates(history: History) -> list[str]:
    """Dates for the axis below a chart, evenly spread over the nights."""
    count = len(history.nights)
    chosen = sorted({round(share * (count - 1)) for share in np.linspace(0, 1, min(DATES, count))})
    return [history.nights[position].created[:10] for position in chosen]


def shown(value: float, course: Course) -> str:
    """A value of a course: `87.7%`, `0.34`, `+1.2 points` of a claim, or the ratio `1.05` of a speed figure."""
    if course.kind == "claim":
        return formats.with_unit(value, course.unit)
    return formats.shown(value, course.unit)


def _tick(value: float, course: Course) -> str:
    return formats.signed(value, course.unit) if course.kind == "claim" else formats.shown(value, course.unit)


def summary(course: Course, history: History) -> str:
    """A course in a sentence: its first and last value, its drift, and its change points."""
    first, last = course.points[0], course.points[-1]
    text = f"{shown(first.mean, course)} at first, {shown(last.mean, course)} at last"
    if course.kind == "speed":
        text += " times the accepted night's value"
    text += f", in {len(course.points)} of {len(history.nights)} nights"
    if outcomes := Counter(point.outcome for point in course.points if point.outcome):
        text += f": {', '.join(f'{count} {outcome}' for outcome, count in outcomes.most_common())}"
    if course.drift is not None:
        text += f"; {drift_in_words(course)}"
    if course.steps:
        at = ", ".join(history.nights[night].created[:10] for night in course.steps)
        text += f"; change point{'s' if len(course.steps) > 1 else ''}: {at}"
    return f"{text}; {course.note}" if course.note else text


def drift_in_words(course: Course) -> str:
    """The judgement on a course's last night."""
    drift = course.drift
    if drift is None or drift.effect is None or drift.status == "not judged":
        return "not judged"
    if drift.status == "steady":
        return "no drift"
    return (
        f"{drift.status}: {formats.with_unit(drift.effect, drift.unit)} against the reference over {drift.window} "
        f"night{'s' if drift.window > 1 else ''}, p {formats.p_value(drift.p)}"
    )


@dataclass(frozen=True)
class _Place:
    """From nights and values to drawing units."""

    nights: int
    low: float
    high: float

    @classmethod
    def of(cls, course: Course, nights: int) -> _Place:
        values = [point.mean for point in course.points]
        values += [end for point in course.points for end in (point.low, point.high) if end is not None]
        level, noise = _reference(course)
        if level is not None and noise is not None:
            values += [level - noise, level + noise]
        low, high = min(values), max(values)
        margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.01
        return cls(nights, low - margin, high + margin)

    def x(self, night: int) -> float:
        return WIDTH * night / max(self.nights - 1, 1)

    def y(self, value: float) -> float:
        return HEIGHT * (self.high - value) / (self.high - self.low)


def _reference(course: Course) -> tuple[float | None, float | None]:
    """Mean of the reference and the noise between seeds."""
    drift = course.drift
    if drift is None or drift.level is None:
        return None, None
    return drift.level, drift.seed_noise


def _stretches(points: Sequence[CoursePoint]) -> list[list[CoursePoint]]:
    """Points of successive nights; a night without a measurement is a gap."""
    found: list[list[CoursePoint]] = []
    for point in points:
        if found and found[-1][-1].night == point.night - 1:
            found[-1].append(point)
        else:
            found.append([point])
    return found


def _spaced(marks: Sequence[tuple[float, str]]) -> tuple[Mark, ...]:
    """Marks in percent of the width, without labels that would hide the one before."""
    found: list[Mark] = []
    labelled = -1.0
    for at, text in marks:
        near = at - labelled < NEAR
        found.append(Mark(100 * at, "" if near else text))
        labelled = labelled if near else at
    return tuple(found)


BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(course: Course, columns: int = 24) -> str:
    """A course as a line of text, each character the mean of some nights.

    Args:
        course: The course.
        columns: Number of characters at most.
    """
    values = np.array([point.mean for point in course.points])
    means = np.array([part.mean() for part in np.array_split(values, min(columns, len(values)))])
    spread = float(np.ptp(means))
    if spread == 0:
        return BLOCKS[3] * len(means)
    return "".join(BLOCKS[int(7 * share + 0.5)] for share in (means - means.min()) / spread)
