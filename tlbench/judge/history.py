"""A series of saved runs, night after night: the course of each arm, claim and speed figure, and its drift."""

from __future__ import annotations

import math

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from tlbench.judge import change_points
from tlbench.judge.arm_changes import ALL_ARMS, finished, matched_arms, measured_apart
from tlbench.judge.comparison import differing_versions
from tlbench.judge.drift import LEAST_NOISE, Drift, Watched, drifts, night_variances
from tlbench.judge.ratios import ratios_of
from tlbench.scores.listed import ACCURACY, METRICS
from tlbench.scores.statistics import mean_interval


if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import NDArray

    from tlbench.scores.listed import Metric, Unit
    from tlbench.store.baselines import SavedArm, SavedClaim, SavedRun

CourseKind = Literal["arm", "claim", "speed"]

# Least noise between seeds of a claim's difference, as `tlbench.judge.claim_changes` has it.
_CLAIM_NOISE = 0.005

_ALARMING = tuple(metric for metric in METRICS if metric.alarms)


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
    """

    name: str
    created: str
    commit: str
    tlbench_version: str
    measured: int
    trials: int
    versions: tuple[tuple[str, str | None, str | None], ...] = ()


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
    """

    nights: tuple[Night, ...]
    reference: int
    courses: tuple[Course, ...]
    steps_known: bool = True

    def of(self, kind: CourseKind) -> list[Course]:
        """Courses of a kind."""
        return [course for course in self.courses if course.kind == kind]

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


def drift_alarms(runs: Sequence[SavedRun]) -> list[Drift]:
    """Judge the last of some runs against the accepted one; see `tlbench.judge.drift`.

    Args:
        runs: Saved runs, in order: the accepted one first, the one to judge last.

    Returns:
        Quantities that have become worse, the clearest first.
    """
    return sorted(
        (drift for drift in _judged(_tracks(runs)) if drift.status == "worse"), key=lambda drift: drift.p or 0.0
    )


def history(runs: Sequence[SavedRun], reference: int, names: Sequence[str] = ()) -> History:
    """Follow every quantity through a series of runs.

    Arms are matched by their trials, else by label. A trial whose result an earlier night of the series has already is
    no measurement: a night is part of an arm's course only where each of the arm's trials was measured anew.

    Args:
        runs: Saved runs, in order.
        reference: Position of the accepted run.
        names: Names of the runs for the reader; their own unless given.
    """
    tracks = _tracks(runs)
    # Nights before the accepted one are shown, and judge nothing.
    judged = {(drift.label, drift.metric): drift for drift in _judged(_tracks(runs[reference:]))}
    speed = _speed(runs, reference, tracks)
    number = len(tracks) + len(speed)
    courses = [
        track.course(judged.get((track.label, track.key)), noise, number)
        for track, noise in zip(tracks, _noises(tracks), strict=True)
    ]
    courses += [_stepped(course, number) for course in speed]
    return History(
        tuple(_nights(runs, names or [run.name for run in runs])), reference, tuple(courses), change_points.available()
    )


@dataclass(eq=False)
class _Track:
    """An arm's metric or a claim, while it is followed.

    Attributes:
        kind: Kind of the quantity.
        label: Label of the arm, or name of the claim.
        metric: Metric of an arm; None for a claim.
        unit: Unit of the values.
        values: Values by seed, by night; nights without a measurement are absent.
        identities: Identifier of the arm, by night; a claim has none.
        outcomes: Verdict on a claim, by night.
    """

    kind: CourseKind
    label: str
    metric: Metric | None
    unit: Unit
    values: dict[int, dict[int, float]] = field(default_factory=dict)
    identities: dict[int, str] = field(default_factory=dict)
    outcomes: dict[int, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Key of the metric; empty for a claim."""
        return self.metric.key if self.metric else ""

    @property
    def least_noise(self) -> float:
        """Least noise between seeds."""
        return self.metric.least_margin if self.metric else _CLAIM_NOISE

    def watched(self) -> Watched | None:
        """The quantity, night by night; None where the first night lacks it, or the last has another recipe."""
        own = self.identities.get(0)
        if 0 not in self.values or (self.identities and self.identities[max(self.identities)] != own):
            return None
        nights = [night for night in self.values if self.identities.get(night) == own]
        seeds = sorted(self.values[nights[0]].keys() & self.values[nights[-1]].keys())
        rows = [
            [self.values[night][seed] for seed in seeds]
            for night in nights
            if all(seed in self.values[night] for seed in seeds)
        ]
        sign = 1 if self.metric is None or self.metric.higher_is_better else -1
        values = np.array(rows, dtype=np.float64)
        return Watched(self.label, self.key, values, self.least_noise, sign, self.unit)

    def course(self, drift: Drift | None, noise: float, courses: int) -> Course:
        """The finished course.

        Args:
            drift: Judgement on the last night.
            noise: Standard deviation of a night's mean.
            courses: Number of courses of the page.
        """
        points = [
            _point(night, list(values.values()), self.outcomes.get(night, "")) for night, values in self.values.items()
        ]
        distinct, nights = _distinct(self.values)
        steps = change_points.change_points(distinct, noise, courses)
        note = ""
        if drift is None and self.values:
            note = "not judged: the accepted run lacks it, or has another recipe"
        elif drift is not None and drift.status == "not judged":
            note = "not judged: fewer than two seeds in common with the accepted run"
        elif len(set(self.identities.values())) > 1:
            note = "its recipe has changed in the series"
        return Course(
            self.kind,
            self.label,
            self.key,
            self.unit,
            tuple(points),
            drift,
            tuple(nights[step] for step in steps),
            note,
        )


def _judged(tracks: Iterable[_Track]) -> list[Drift]:
    """The last night of each quantity that can be watched, judged together."""
    return drifts([watched for track in tracks if (watched := track.watched()) is not None])


def _distinct(values: dict[int, dict[int, float]]) -> tuple[NDArray[np.float64], list[int]]:
    """Means of the nights that differ from the night before, and the positions of these nights."""
    means, nights = [], []
    before: dict[int, float] | None = None
    for night, by_seed in values.items():
        if by_seed != before:
            means.append(float(np.mean(list(by_seed.values()))))
            nights.append(night)
        before = by_seed
    return np.array(means, dtype=np.float64), nights


def _noises(tracks: Sequence[_Track]) -> list[float]:
    """Standard deviations of a night's mean, moderated among the quantities of a metric."""
    noises = [0.0] * len(tracks)
    for key in {track.key for track in tracks}:
        several = [number for number, track in enumerate(tracks) if track.key == key]
        variances, _ = night_variances([_distinct(tracks[number].values)[0] for number in several])
        for number, variance in zip(several, variances, strict=True):
            noises[number] = max(math.sqrt(float(variance)), LEAST_NOISE * tracks[number].least_noise)
    return noises


def _point(night: int, values: Sequence[float], outcome: str = "") -> CoursePoint:
    interval = mean_interval(values)
    if len(values) < 2:
        return CoursePoint(night, interval.mean, outcome=outcome)
    return CoursePoint(night, interval.mean, interval.low, interval.high, outcome)


def _tracks(runs: Sequence[SavedRun]) -> list[_Track]:
    """Every arm's metrics, the means of all arms, and every claim."""
    fresh = list(_measured(runs))
    tracks = [track for key in _keys(runs) for track in _arm_tracks(key, runs, fresh)]
    found = [*_means(tracks, len(runs)), *tracks, *_claim_tracks(runs, fresh)]
    return [track for track in found if track.values]


def _measured(runs: Sequence[SavedRun]) -> Iterable[dict[str, SavedArm]]:
    """The arms of each run whose trials were all measured anew, by `SavedArm.arm`."""
    known: set[Hashable] = set()
    for run in runs:
        ours = {arm.arm: [_measurement(arm, seed) for seed in arm.trials] for arm in run.arms}
        yield {arm.arm: arm for arm in run.arms if not known.intersection(ours[arm.arm])}
        known.update(key for keys in ours.values() for key in keys)


def _measurement(arm: SavedArm, seed: int) -> Hashable:
    """The identity of a trial's measurement, see `tlbench.judge.arm_changes.measured_apart`."""
    trial, run = arm.trials[seed], arm.runs.get(seed, "")
    # Without the run's identifier: two trainings never take the same time to the last digit.
    return (arm.digests.get(seed, (arm.arm, seed)), run or (trial.seconds, trial.epoch_seconds))


def _keys(runs: Sequence[SavedRun]) -> list[dict[int, SavedArm]]:
    """The arms of all runs, each as one arm by night; matched by their trials, else by label."""
    of_identity: dict[str, dict[int, SavedArm]] = {}
    of_label: dict[str, dict[int, SavedArm]] = {}
    found: list[dict[int, SavedArm]] = []
    # From the last on: labels are those of the code as it is.
    for night in range(len(runs) - 1, -1, -1):
        for arm in runs[night].arms:
            key = of_identity.get(arm.arm)
            if key is None and night not in of_label.get(arm.labels[0], {}):
                key = of_label.get(arm.labels[0])
            if key is None:
                found.append(key := {})
            key[night] = arm
            of_identity[arm.arm] = key
            of_label.setdefault(arm.labels[0], key)
    return found


def _arm_tracks(
    key: dict[int, SavedArm], runs: Sequence[SavedRun], fresh: Sequence[dict[str, SavedArm]]
) -> Iterable[_Track]:
    label = key[max(key)].labels[0]
    for metric in _ALARMING:
        track = _Track("arm", label, metric, metric.unit)
        for night in range(len(runs)):
            arm = key.get(night)
            if arm is None:
                continue
            track.identities[night] = arm.arm
            values = {
                seed: trial.scores[metric.key] for seed, trial in finished(arm).items() if metric.key in trial.scores
            }
            if arm.arm in fresh[night] and values:
                track.values[night] = values
        yield track


def _means(tracks: Sequence[_Track], nights: int) -> Iterable[_Track]:
    """The mean of all arms, in nights that measured all of them under the same seeds."""
    for metric in _ALARMING:
        several = [track for track in tracks if track.metric is metric and track.values]
        mean = _Track("arm", ALL_ARMS, metric, metric.unit)
        for night in range(nights if len(several) > 1 else 0):
            of_night = [track.values.get(night, {}) for track in several]
            seeds = set.intersection(*(set(values) for values in of_night))
            if seeds:
                mean.values[night] = {
                    seed: float(np.mean([values[seed] for values in of_night])) for seed in sorted(seeds)
                }
                mean.identities[night] = " ".join(sorted(track.identities[night] for track in several))
        yield mean


def _claim_tracks(runs: Sequence[SavedRun], fresh: Sequence[dict[str, SavedArm]]) -> Iterable[_Track]:
    known: set[Hashable] = set()
    tracks: dict[str, _Track] = {}
    for night, run in enumerate(runs):
        ours = set()
        for claim in run.claims:
            track = tracks.setdefault(claim.name, _Track("claim", claim.name, None, claim.unit))
            keys = _claim_measurements(claim)
            ours |= keys
            # Claims of older versions of tlbench do not say what they rest on.
            anew = not known & keys if claim.measurements else bool(fresh[night]) or not run.arms
            if anew and claim.differences:
                track.values[night] = dict(sorted(claim.differences.items()))
                track.outcomes[night] = claim.outcome
        known |= ours
    return tracks.values()


def _claim_measurements(claim: SavedClaim) -> set[Hashable]:
    return {(claim.name, seed, *measurements) for seed, measurements in claim.measurements.items()}


def _speed(runs: Sequence[SavedRun], reference: int, tracks: Sequence[_Track]) -> list[Course]:
    """Times, rates and memory of each night, as ratios to the accepted one's."""
    measured = {night for track in tracks for night in track.values}
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


def _stepped(course: Course, courses: int) -> Course:
    """A course of ratios with its steps, found among their logarithms."""
    logs = np.log([point.mean for point in course.points])
    # A median: what else the machine does makes single nights slow, which are no steps.
    noise = float(np.median(np.abs(np.diff(logs)))) / (0.6745 * math.sqrt(2)) if len(logs) > 1 else 0.0
    steps = change_points.change_points(logs, max(noise, 0.001), courses)
    return replace(course, steps=tuple(course.points[step].night for step in steps))


def _nights(runs: Sequence[SavedRun], names: Sequence[str]) -> Iterable[Night]:
    known: set[Hashable] = set()
    before: SavedRun | None = None
    for run, name in zip(runs, names, strict=True):
        ours = [_measurement(arm, seed) for arm in run.arms for seed in arm.trials]
        commit = run.commit.revision[:12] + ("+" if run.commit.changed else "") if run.commit else ""
        versions = tuple(each for each in differing_versions(before, run) if each[0] != "commit") if before else ()
        if before and before.tlbench_version != run.tlbench_version:
            versions = (
                ("tlbench", before.tlbench_version, run.tlbench_version),
                *(v for v in versions if v[0] != "tlbench"),
            )
        measured = sum(key not in known for key in ours)
        yield Night(name, run.created, commit, run.tlbench_version, measured, len(ours), versions)
        known.update(ours)
        before = run


def shown(course: Course) -> bool:
    """Tell whether a course is shown before the others of its arm: accuracy, claims and speed."""
    return course.metric in {"", ACCURACY.key}
