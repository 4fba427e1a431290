"""Values of a history: its nights, and the course of each arm, claim and speed figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tlbench.scores.listed import ACCURACY


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlbench.judge.drift import Drift
    from tlbench.judge.repeats import Unexplained
    from tlbench.scores.listed import Unit

CourseKind = Literal["arm", "claim", "speed"]


@dataclass(frozen=True)
class Night:
    """A saved run of the series.

    Attributes:
        name: Name of the run, with its number where it has one.
        created: Time of saving, in ISO 8601, UTC.
        commit: Revision of the project, with a plus sign where files differed; empty outside of git.
        tlbench_version: Version of tlbench.
        measured: Number of trials that nobody had measured before.
        trials: Number of trials.
        versions: Packages, flags and facts of the machine that differ from the night before: name, old and new value.
        failed: Whether the run failed its comparison when it was saved.
    """

    name: str
    created: str
    commit: str
    tlbench_version: str
    measured: int
    trials: int
    versions: tuple[tuple[str, str | None, str | None], ...] = ()
    failed: bool = False


@dataclass(frozen=True)
class CoursePoint:
    """A quantity in one night.

    Attributes:
        night: Position of the night in the series.
        mean: Mean over seeds; for speed, the ratio to the reference.
        low: Lower end of Student's 90 % interval over seeds; for speed, over arms. None for a single value.
        high: Upper end.
        outcome: Verdict on a claim; empty for other quantities.
    """

    night: int
    mean: float
    low: float | None = None
    high: float | None = None
    outcome: str = ""


@dataclass(frozen=True)
class Course:
    """The course of a quantity over the nights that measured it.

    Attributes:
        kind: Kind of the quantity.
        label: Label of the arm, name of the claim, or name of the speed figure.
        metric: Key of an arm's metric; empty for claims and speed.
        unit: Unit of the values; a number for ratios of speed.
        points: Points of the measured nights, in order.
        drift: Judgement on the last night; None for speed.
        steps: Nights at which the course steps, by position in the series.
        note: Remark, such as a recipe that differs from the reference's; empty where there is none.
    """

    kind: CourseKind
    label: str
    metric: str
    unit: Unit
    points: tuple[CoursePoint, ...]
    drift: Drift | None = None
    steps: tuple[int, ...] = ()
    note: str = ""

    @property
    def alarming(self) -> bool:
        """True where the quantity has become worse."""
        return self.drift is not None and self.drift.status == "worse"


@dataclass(frozen=True)
class History:
    """A series of saved runs.

    Attributes:
        nights: Nights, in order.
        reference: Position of the accepted night.
        courses: Courses of arms, claims and speed figures.
        steps_known: Whether change points were looked for.
        unexplained: First night since the accepted one whose scores have changed while nothing recorded has; None where
            there is none.
    """

    nights: tuple[Night, ...]
    reference: int
    courses: tuple[Course, ...]
    steps_known: bool = True
    unexplained: Unexplained | None = None

    def of(self, kind: CourseKind) -> list[Course]:
        """Courses of a kind."""
        return [course for course in self.courses if course.kind == kind]

    @property
    def alarming(self) -> bool:
        """True where a quantity has become worse, or scores have changed while nothing recorded has."""
        return bool(self.alarms) or self.unexplained is not None

    @property
    def alarms(self) -> list[Drift]:
        """Quantities that have become worse, the clearest first."""
        return _clearest(self.courses, "worse")

    @property
    def improvements(self) -> list[Drift]:
        """Quantities that have become better, the clearest first."""
        return _clearest(self.courses, "better")


def _clearest(courses: Iterable[Course], status: str) -> list[Drift]:
    found = [course.drift for course in courses if course.drift is not None and course.drift.status == status]
    return sorted(found, key=lambda drift: 1.0 if drift.p is None else drift.p)


def shown(course: Course) -> bool:
    """Tell whether a course is shown before the others of its arm: accuracy, claims and speed."""
    return course.metric in {"", ACCURACY.key}
