"""Arms of two runs: matched, and judged by every metric."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tlbench.judge.changes import ArmChange, Change, corrected, moved_means
from tlbench.scores.listed import METRICS


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tlbench.judge.changes import ChangeStatus, MovedMean
    from tlbench.scores.listed import Metric
    from tlbench.store.baselines import SavedArm, SavedRun
    from tlbench.store.results import Summary

ALL_ARMS = "mean of all arms"


# An arm in the older run and in the newer one, and a remark; empty where there is none.
ArmPair = tuple["SavedArm", "SavedArm", str]


def measured_apart(before: SavedArm, after: SavedArm, note: str) -> ArmPair:
    """Leave out the newer arm's trials whose results are the older arm's own; arms of equal seeds stay so."""
    same = {seed for seed in after.trials if _is_same_measurement(before, after, seed)}
    if not same:
        return before, after, note
    left = {seed: scores for seed, scores in after.trials.items() if seed not in same}
    if left:
        seeds = ", ".join(map(str, sorted(same)))
        note = "; ".join(filter(None, (note, f"seeds left out, the same measurements in both runs: {seeds}")))
    if left.keys() <= before.trials.keys():
        before = replace(before, trials={seed: before.trials[seed] for seed in left})
    return before, replace(after, trials=left), note


def _is_same_measurement(before: SavedArm, after: SavedArm, seed: int) -> bool:
    if seed not in before.trials or seed not in before.digests or before.digests[seed] != after.digests.get(seed):
        return False
    runs = before.runs.get(seed, ""), after.runs.get(seed, "")
    if any(runs):
        return runs[0] == runs[1]
    # Saved by an older version of tlbench: two trainings never take the same time to the last digit.
    old, new = before.trials[seed], after.trials[seed]
    return (old.seconds, old.epoch_seconds) == (new.seconds, new.epoch_seconds)


# Number of the newer run's trials of each arm, by `SavedArm.arm`: those that the newer run trained, and all.
Counts = dict[str, tuple[int, int]]


def counts_of(arm: SavedArm, run: SavedRun) -> tuple[int, int]:
    """Number of an arm's trials that a run trained itself, and of all."""
    return sum(bool(run.id) and trained_by == run.id for trained_by in arm.runs.values()), len(arm.trials)


def matched_arms(old: SavedRun, new: SavedRun) -> tuple[list[ArmPair], list[SavedArm], list[SavedArm]]:
    """Match the arms of two runs: by their trials, else by label.

    Returns:
        Arms of both runs, arms that the newer run lacks, and arms that the older run lacks.
    """
    of_new = {arm.arm: arm for arm in new.arms}
    known = {arm.arm for arm in old.arms}
    by_label = {arm.labels[0]: arm for arm in new.arms if arm.arm not in known}
    pairs, missing = [], []
    for arm in old.arms:
        if arm.arm in of_new:
            pairs.append((arm, of_new[arm.arm], ""))
        elif other := by_label.pop(arm.labels[0], None):
            pairs.append((arm, other, f"differs in {', '.join(_differing(arm.description, other.description))}"))
        else:
            missing.append(arm)
    return pairs, missing, list(by_label.values())


def _differing(old: object, new: object, name: str = "") -> Iterable[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            # A dataclass stands under its own name, which says less than its fields'.
            yield from _differing(old.get(key), new.get(key), f"{name}.{key}".strip(".") if key.islower() else name)
    elif old != new:
        yield f"{name}: {old} and {new}"


def finished(arm: SavedArm) -> dict[int, Summary]:
    """Trials that did not diverge, by seed."""
    return {seed: scores for seed, scores in sorted(arm.trials.items()) if not scores.diverged}


def has_diverged(arm: SavedArm) -> bool:
    """Tell an arm of which any trial diverged."""
    return any(scores.diverged for scores in arm.trials.values())


def judged_arms(pairs: Sequence[ArmPair], level: float, counts: Counts, *, paired: bool) -> list[ArmChange]:
    """Judge arms of two seeds or more on either side; the mean of all of them comes first.

    Metrics that do not alarm are compared in the same way, outside of Holm's family: no status rests on them.

    Args:
        pairs: Arms of both runs, without trials that are the same measurement.
        level: Level of each direction, for all arms and metrics that alarm together.
        counts: Number of the newer run's trials of each arm.
        paired: Whether both runs have the same seeds of every arm.
    """
    if not pairs:
        return []
    rows = [_Row(pair[0].labels[0], pair[2], counts[pair[0].arm]) for pair in pairs]
    total = _Row(ALL_ARMS, "", (sum(row.counts[0] for row in rows), sum(row.counts[1] for row in rows)))
    family: list[tuple[_Row, Metric, MovedMean]] = []
    for metric in METRICS:
        for row, test in _tested(metric, pairs, rows, total, paired=paired):
            row.changes[metric.key] = test.change
            if metric.alarms:
                family.append((row, metric, test))
    found = corrected([test for _, _, test in family], level)
    for (row, metric, _), (change, status) in zip(family, found, strict=True):
        row.changes[metric.key] = change
        row.statuses.add(status)
    return [row.change for row in (total, *rows) if row is not total or row.changes]


@dataclass
class _Row:
    """An arm while it is judged."""

    label: str
    note: str
    counts: tuple[int, int]
    changes: dict[str, Change] = field(default_factory=dict)
    statuses: set[ChangeStatus] = field(default_factory=set)

    @property
    def change(self) -> ArmChange:
        """The finished judgement."""
        ranked: tuple[ChangeStatus, ...] = ("regressed", "improved", "same")
        status: ChangeStatus = next((each for each in ranked if each in self.statuses), "not judged")
        return ArmChange(self.label, status, self.changes, self.note, *self.counts)


def _tested(
    metric: Metric, pairs: Sequence[ArmPair], rows: Sequence[_Row], total: _Row, *, paired: bool
) -> Iterable[tuple[_Row, MovedMean]]:
    """The tests of a metric: one for each arm that has it on both sides, and one for the mean of all arms."""
    having = [number for number, pair in enumerate(pairs) if all(_has(metric, arm) for arm in pair[:2])]
    if not having:
        return
    olds = [_values(pairs[number][0], metric) for number in having]
    news = [_values(pairs[number][1], metric) for number in having]
    sign = 1 if metric.higher_is_better else -1
    tests = moved_means(olds, news, metric.least_margin, paired=paired, sign=sign)
    yield from zip([rows[number] for number in having], tests, strict=True)
    sizes = {values.size for values in olds}, {values.size for values in news}
    # A mean over fewer arms is another quantity than the mean of all.
    if len(having) == len(pairs) and all(len(each) == 1 for each in sizes):
        means = [np.mean(olds, axis=0)], [np.mean(news, axis=0)]
        (test,) = moved_means(*means, metric.least_margin, paired=paired, sign=sign)
        yield total, test


def _has(metric: Metric, arm: SavedArm) -> bool:
    return all(metric.key in summary.scores for summary in finished(arm).values())


def _values(arm: SavedArm, metric: Metric) -> NDArray[np.float64]:
    return np.array([s.scores[metric.key] for s in finished(arm).values() if metric.key in s.scores])


def unjudged_arms(
    matched: Sequence[ArmPair], pairs: Sequence[ArmPair], judged: Sequence[ArmPair], counts: Counts
) -> list[ArmChange]:
    """Describe the arms that cannot be tested: of one seed, diverged, or not measured anew.

    Args:
        matched: Arms of both runs, with all their trials.
        pairs: The same arms without trials that are the same measurement.
        judged: Those of `pairs` that are judged.
        counts: Number of the newer run's trials of each arm.
    """
    arms = []
    seen = {pair[0].arm for pair in judged}
    for (whole, whole_after, _), (before, after, note) in zip(matched, pairs, strict=True):
        if before.arm in seen:
            continue
        if not after.trials and whole_after.trials:
            reason = "every result is the same measurement in both runs"
            notes = "; ".join(filter(None, (reason, note)))
            changes = _means(whole, whole_after)
            arms.append(ArmChange(before.labels[0], "not measured", changes, notes, *counts[before.arm]))
            continue
        status: ChangeStatus = "not judged"
        reason = "one seed says nothing of the noise between seeds"
        if has_diverged(after) and not has_diverged(before):
            status, reason = "regressed", "a run diverged"
        elif has_diverged(before) and not has_diverged(after):
            status, reason = "improved", "no run diverges any more"
        elif has_diverged(after):
            reason = "runs diverged in both"
        notes = "; ".join(filter(None, (reason, note)))
        arms.append(ArmChange(before.labels[0], status, _means(before, after), notes, *counts[before.arm]))
    return arms


def _means(before: SavedArm, after: SavedArm) -> dict[str, Change]:
    """Old and new mean of each metric that either arm has."""
    means = {metric.key: (_mean(_values(before, metric)), _mean(_values(after, metric))) for metric in METRICS}
    return {key: Change(*pair) for key, pair in means.items() if pair != (None, None)}


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None
