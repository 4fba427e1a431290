"""A series of saved runs, night after night: the course of each arm, claim and speed figure, and its drift."""

from __future__ import annotations

import math

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tlbench.judge import change_points
from tlbench.judge.arm_changes import ALL_ARMS, finished
from tlbench.judge.courses import Course, CoursePoint, History, Night
from tlbench.judge.drift import LEAST_NOISE, Drift, Watched, drifts, night_variances
from tlbench.judge.repeats import unexplained
from tlbench.judge.speed_courses import speed_courses, stepped
from tlbench.judge.versions import differing_versions
from tlbench.scores.listed import METRICS
from tlbench.scores.statistics import mean_interval


if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import NDArray

    from tlbench.judge.courses import CourseKind
    from tlbench.judge.repeats import Unexplained
    from tlbench.scores.listed import Metric, Unit
    from tlbench.store.baselines import SavedArm, SavedClaim, SavedRun

# Least noise between seeds of a claim's difference, as `tlbench.judge.claim_changes` has it.
_CLAIM_NOISE = 0.005

_ALARMING = tuple(metric for metric in METRICS if metric.alarms)


def drift_alarms(runs: Sequence[SavedRun]) -> tuple[list[Drift], Unexplained | None]:
    """Judge the last of some runs against the accepted one; see `tlbench.judge.drift` and `tlbench.judge.repeats`.

    Args:
        runs: Saved runs, in order: the accepted one first, the one to judge last.

    Returns:
        Quantities that have become worse, the clearest first, and the night whose scores have changed while nothing
        recorded has; None where there is none.
    """
    worse = [drift for drift in _judged(_tracks(runs), _first_failed(runs)) if drift.status == "worse"]
    return sorted(worse, key=lambda drift: drift.p or 0.0), unexplained(runs, list(_measured(runs)))


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
    since = runs[reference:]
    judged = {(drift.label, drift.metric): drift for drift in _judged(_tracks(since), _first_failed(since))}
    speed = speed_courses(runs, reference, {night for track in tracks for night in track.values})
    names = names or [run.name for run in runs]
    changed = unexplained(since, list(_measured(since)), names[reference:])
    number = len(tracks) + len(speed)
    courses = [
        track.course(judged.get((track.label, track.key)), noise, number)
        for track, noise in zip(tracks, _noises(tracks), strict=True)
    ]
    courses += [stepped(course, number) for course in speed]
    return History(
        tuple(_nights(runs, names)),
        reference,
        tuple(courses),
        change_points.available(),
        replace(changed, night=changed.night + reference) if changed else None,
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

    def watched(self, failed: int | None = None) -> Watched | None:
        """The quantity, night by night; None where the first night lacks it, or the last has another recipe.

        Args:
            failed: First night that failed its comparison; None where none did.
        """
        own = self.identities.get(0)
        if 0 not in self.values or (self.identities and self.identities[max(self.identities)] != own):
            return None
        nights = [night for night in self.values if self.identities.get(night) == own]
        seeds = sorted(self.values[nights[0]].keys() & self.values[nights[-1]].keys())
        nights = [night for night in nights if all(seed in self.values[night] for seed in seeds)]
        sign = 1 if self.metric is None or self.metric.higher_is_better else -1
        values = np.array([[self.values[night][seed] for seed in seeds] for night in nights], dtype=np.float64)
        accepted = None if failed is None else sum(night < failed for night in nights)
        return Watched(self.label, self.key, values, self.least_noise, sign, self.unit, accepted)

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
            note = f"not judged: {drift.reason}"
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


def _judged(tracks: Iterable[_Track], failed: int | None) -> list[Drift]:
    """The last night of each quantity that can be watched, judged together."""
    return drifts([watched for track in tracks if (watched := track.watched(failed)) is not None])


def _first_failed(runs: Sequence[SavedRun]) -> int | None:
    """Position of the first run after the accepted one that failed its comparison; None where none did."""
    return next((night for night, run in enumerate(runs) if night and run.failed), None)


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
        yield Night(name, run.created, commit, run.tlbench_version, measured, len(ours), versions, run.failed)
        known.update(ours)
        before = run
