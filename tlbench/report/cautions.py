"""Reasons to look twice before believing a verdict."""

from __future__ import annotations

import statistics

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tlbench.scores.listed import ACCURACY, BATCH_STATISTICS_ACCURACY


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlbench.report.content import Report
    from tlbench.report.records import ClaimRecord, TrialRecord

Kind = Literal[
    "stand-in data",
    "diverged",
    "moving statistics",
    "training not finished",
    "saturated",
    "seeds disagree",
    "one seed",
]

# Accuracy that a trial's own training images, and the batch's own statistics, must be above that of its test by: ten
# points are far beyond the noise of a test of some hundred images, and a network that overfits has the first alone.
LAG = 0.10

# An arm has learned its training images from the first accuracy on, and has not below the second. In between nothing is
# said: whether a few images are missing is no matter of training longer.
LEARNED, UNLEARNED = 0.95, 0.90

# From here on there is less room above than a claim's margin usually asks for: two points.
SATURATED = 0.98


@dataclass(frozen=True)
class Caution:
    """A reason to look twice.

    Attributes:
        kind: Kind of caution.
        text: The finding and its possible consequences, in sentences.
        claims: Names of the claims concerned; empty where all are.
        arms: Labels of the arms concerned; empty where all are.
    """

    kind: Kind
    text: str
    claims: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()


def cautions(report: Report) -> tuple[Caution, ...]:
    """All reasons that a report gives, at most one of each kind.

    Args:
        report: The report.
    """
    return tuple(
        caution
        for find in (_stand_in, _diverged, _moving_statistics, _unfinished, _saturated, _signs, _one_seed)
        for caution in find(report)
    )


def lags(trial: TrialRecord) -> bool:
    """Tell a trial that tests badly because BatchNorm's moving statistics lag behind its weights.

    Such a trial classifies its training images well, and its test images too once the statistics are re-estimated, but
    not with the moving statistics.
    """
    trained = _learned(trial)
    tested, estimated_anew = (trial.scores.get(metric.key) for metric in (ACCURACY, BATCH_STATISTICS_ACCURACY))
    if trained is None or tested is None or estimated_anew is None:
        return False
    # Shares of a few hundred images; what rounding makes of their difference is none.
    return all(round(higher - tested, 6) >= LAG for higher in (trained, estimated_anew))


def _learned(trial: TrialRecord) -> float | None:
    """Accuracy on the training images in the last epoch that has one; None where there is none."""
    return next((accuracy for accuracy in reversed(trial.training_accuracy) if accuracy is not None), None)


def _stand_in(report: Report) -> Iterator[Caution]:
    if report.stand_in:
        text = f"Some images stand in for others, and no verdict is evidence about those. {report.data}"
        yield Caution("stand-in data", text)


def _diverged(report: Report) -> Iterator[Caution]:
    found = _arms_with(report, lambda trial: trial.status == "diverged")
    if found:
        claims = tuple(claim.name for claim in report.claims if any(seed.difference is None for seed in claim.seeds))
        count = sum(trial.status == "diverged" for trial in report.trials.values())
        text = (
            f"{count} trial{'s' * (count != 1)} diverged: the loss is no number, and there is no score. What is left "
            "of an arm are the seeds that went well, and claims on it are not judged."
        )
        yield Caution("diverged", text, claims, found)


def _moving_statistics(report: Report) -> Iterator[Caution]:
    found = _arms_with(report, lags)
    if found:
        text = (
            "BatchNorm's moving statistics lag behind the weights: the network knows its training images, and the test "
            f"images too with statistics re-estimated on them, but as it is it tests at least {100 * LAG:.0f} points "
            "lower. A comparison then tells which arm took more steps; more of them, or a lower momentum, mend it."
        )
        yield Caution("moving statistics", text, _claims_on(report, found), found)


def _unfinished(report: Report) -> Iterator[Caution]:
    means: dict[str, float] = {}
    labels: dict[str, str] = {}
    for arm in report.arms:
        labels |= {trial.digest: arm.labels[0] for trial in arm.trials}
        if known := [learned for trial in arm.trials if (learned := _learned(trial)) is not None]:
            means[arm.labels[0]] = statistics.fmean(known)
    found: list[str] = []
    unlearned: dict[str, None] = {}
    for claim in report.claims:
        of_claim = {labels[digest]: means[labels[digest]] for digest in claim.trials if labels.get(digest, "") in means}
        below = [label for label, mean in of_claim.items() if mean < UNLEARNED]
        if below and max(of_claim.values()) >= LEARNED:
            found.append(claim.name)
            unlearned |= dict.fromkeys(below)
    if found:
        text = (
            f"When training ends, some arms classify less than {100 * UNLEARNED:.0f} % of their own training images, "
            f"and others of the same claims {100 * LEARNED:.0f} % and more. A comparison then tells which arm gets "
            "there within so many epochs, not which is better in the end. More epochs tell whether the difference "
            "stays; an arm that trains few of its weights may never get there."
        )
        yield Caution("training not finished", text, tuple(found), tuple(unlearned))


def _saturated(report: Report) -> Iterator[Caution]:
    found = [claim.name for claim in report.claims if _is_saturated(claim)]
    if found:
        text = (
            f"Both sides of a claim are above {100 * SATURATED:.0f} % of what can be reached: there is hardly room for "
            "a difference, and none that is found says much. A harder task would tell."
        )
        yield Caution("saturated", text, tuple(found))


def _signs(report: Report) -> Iterator[Caution]:
    found = []
    for claim in report.claims:
        known = [seed.difference - claim.threshold for seed in claim.seeds if seed.difference is not None]
        if any(difference > 0 for difference in known) and any(difference < 0 for difference in known):
            found.append(claim.name)
    if found:
        text = (
            "Seeds disagree: under some the difference is above what the claim asks for, under others below. Which of "
            "them are drawn decides what a single run would have shown."
        )
        yield Caution("seeds disagree", text, tuple(found))


def _one_seed(report: Report) -> Iterator[Caution]:
    found = tuple(claim.name for claim in report.claims if len(claim.seeds) == 1)
    if found:
        yield Caution("one seed", "One seed says nothing of the noise between seeds: no verdict is possible.", found)


def _is_saturated(claim: ClaimRecord) -> bool:
    if claim.ceiling is None:
        return False
    sides = [[seed.left for seed in claim.seeds], [seed.right for seed in claim.seeds]]
    known = [[value for value in side if value is not None] for side in sides]
    return all(side and statistics.fmean(side) >= SATURATED * claim.ceiling for side in known)


def _arms_with(report: Report, holds: Callable[[TrialRecord], bool]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(arm.labels[0] for arm in report.arms if any(map(holds, arm.trials))))


def _claims_on(report: Report, labels: tuple[str, ...]) -> tuple[str, ...]:
    digests = {trial.digest for arm in report.arms if arm.labels[0] in labels for trial in arm.trials}
    return tuple(claim.name for claim in report.claims if digests.intersection(claim.trials))
