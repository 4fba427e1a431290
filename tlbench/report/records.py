"""Claims, trials and comparisons as the plain values of which a report is made."""

from __future__ import annotations

import math

from dataclasses import dataclass

from tlbench.judge.changes import ArmChange, ClaimChange, Ratio
from tlbench.scores.listed import Unit


@dataclass(frozen=True)
class SeedScore:
    """The sides of a claim under one seed.

    Attributes:
        seed: Seed of the trials.
        left: Value that should be greater; None where a run diverged or lacks the score.
        right: Value that it is compared with; None where a run diverged or lacks the score.
        difference: Left less right; None where either side is None.
    """

    seed: int
    left: float | None
    right: float | None
    difference: float | None


@dataclass(frozen=True)
class ClaimRecord:
    """A claim and the verdict on it.

    Attributes:
        name: Name of the claim.
        statement: The claim in a sentence.
        threshold: Value that the difference should exceed.
        margin_reason: Reason for the threshold.
        left: Quantity that should be greater, in words.
        right: Quantity that it is compared with, in words.
        unit: Unit of both sides, of the difference, its interval and the threshold. `"percent"` is a share, whose
            numbers here are from 0 to 1: 0.037 is 3.7 points.
        ceiling: Highest possible value of both sides; None where there is none.
        outcome: Supported, refuted or inconclusive.
        reason: Reason for the outcome, in a phrase.
        sentence: Difference, interval, threshold and p, in a line.
        effect: Mean difference; None where a run diverged.
        low: Lower end of the interval that decides, see `tlbench.judge.decisions.Decision`; None where it has none.
        high: Upper end of the interval that decides; None where it has none.
        confidence: Confidence of the interval that decides.
        p: One-sided p-value of the claim by itself; None where there is no test.
        adjusted_p: P-value that decides: of the outcome's test, after Holm's correction among all claims of the run.
        level: Level that the p-value that decides must not exceed.
        claims: Number of claims judged together.
        looks: Number of seeds at each look, as planned.
        seeds_needed: Number of seeds that may decide it; None where it is decided, or the number is unknown.
        seeds: Sides of the claim under each seed.
        arms: Labels of the arms that it is about.
        trials: Digests of the trials that it rests on.
        also: Verdicts on the same claim about other metrics, by `tlbench.scores.listed.Metric.key`; empty unless the
            claim is about accuracy.
        own_low: Lower end of Student's 90 % interval of the claim by itself; None where it has none.
        own_high: Upper end of that interval; None where it has none.
        scale: Scale of the noise of its difference, see `tlbench.declare.claims.Quantity.scale`.
        sides_in_points: True where the sides are differences of shares themselves, such as gains, and shown in points.
    """

    name: str
    statement: str
    threshold: float
    margin_reason: str
    left: str
    right: str
    unit: Unit
    ceiling: float | None
    outcome: str
    reason: str
    sentence: str
    effect: float | None
    low: float | None
    high: float | None
    confidence: float | None
    p: float | None
    adjusted_p: float | None
    level: float
    claims: int
    looks: tuple[int, ...]
    seeds_needed: int | None
    seeds: tuple[SeedScore, ...]
    arms: tuple[str, ...]
    trials: tuple[str, ...]
    also: dict[str, ClaimRecord]
    own_low: float | None = None
    own_high: float | None = None
    scale: float = 2.0
    sides_in_points: bool = False


@dataclass(frozen=True)
class EvaluationRecord:
    """The scores of a trained network on other images than its trial's own test images, or by a readout.

    Attributes:
        digest: Digest of the evaluation, see `tlbench.declare.evaluations.Evaluation`.
        images: Name of the images.
        status: Finished or diverged.
        scores: Scores by `tlbench.scores.listed.Metric.key`; empty where a probability is not finite.
        f1: F1 by label; empty where a probability is not finite.
        seconds: Wall time of the evaluation.
        readout: Name of the readout that predicts; None for the network's head.
    """

    digest: str
    images: str
    status: str
    scores: dict[str, float]
    f1: dict[str, float]
    seconds: float
    readout: str | None = None


@dataclass(frozen=True)
class TrialRecord:
    """A trial and its scores.

    Attributes:
        digest: Digest of the trial, see `tlbench.declare.trials.Trial`.
        seed: Seed of the trial.
        status: Finished or diverged.
        scores: Scores on the test images, by `tlbench.scores.listed.Metric.key`; empty where the trial diverged. A
            metric is absent where it does not apply, and where the tlbench that wrote the results did not know it.
        f1: F1 by label; empty where the trial diverged.
        training_loss: Training loss of each epoch, as Keras reports it; None where it is not finite.
        training_accuracy: Training accuracy of each epoch, as Keras reports it; None where it is not finite.
        validation_accuracy: Validation accuracy after each epoch, None where it is not finite; empty where no claim,
            table or figure of the run reads it.
        seconds: Wall time of the trial.
        step_seconds: Wall time of a step, in the fastest epoch after the first.
        source: Digest of the trial it started from; None where it started from none.
        environment: Index in the report's environments.
        evaluations: Scores of the trained network on other images, in the order of the plan.
    """

    digest: str
    seed: int
    status: str
    scores: dict[str, float]
    f1: dict[str, float]
    training_loss: tuple[float | None, ...]
    training_accuracy: tuple[float | None, ...]
    validation_accuracy: tuple[float | None, ...]
    seconds: float
    step_seconds: float | None
    source: str | None
    environment: int
    evaluations: tuple[EvaluationRecord, ...]


@dataclass(frozen=True)
class ArmRecord:
    """The trials of an arm, or of a source.

    Attributes:
        labels: Labels in tables and claims; the first is shown.
        facts: Common facts of the trials in words, by name: data, task, network, start, frozen flows, recipe.
        trials: Trials of the arm, in the order of their seeds.
    """

    labels: tuple[str, ...]
    facts: dict[str, str]
    trials: tuple[TrialRecord, ...]


@dataclass(frozen=True)
class ComparisonRecord:
    """The comparison of this run with a saved one; see `tlbench.judge.comparison.Comparison`.

    Attributes:
        old: Name, date and versions of the older run, in a line.
        new: Name, date and versions of the newer run, in a line.
        paired: Whether scores are compared seed by seed.
        versions: Differences of packages, flags and machine: name, old and new value; None where a run has none.
        arms: Changes of the mean of all arms, then of each arm.
        claims: Changes of the claims of either run.
        ratios: Changes of times, rates and memory.
        numerics: Agreement of the fingerprints, in words; None where a run has none.
        fail_on: Conditions under which the comparison fails, in words.
        failures: Reasons why it fails, a sentence each.
        unmeasured: Quantities that were asked for and not measured, a sentence each.
        outcome: Passed, failed or not measured.
        trials: Accuracy of each trial that both runs have.
    """

    old: str
    new: str
    paired: bool
    versions: tuple[tuple[str, str | None, str | None], ...]
    arms: tuple[ArmChange, ...]
    claims: tuple[ClaimChange, ...]
    ratios: tuple[Ratio, ...]
    numerics: str | None
    fail_on: str
    failures: tuple[str, ...]
    trials: tuple[TrialChange, ...]
    unmeasured: tuple[str, ...] = ()
    outcome: str = "passed"


@dataclass(frozen=True)
class TrialChange:
    """A trial of both runs.

    Attributes:
        arm: Label of the arm.
        seed: Seed of the trial.
        old: Accuracy in the older run.
        new: Accuracy in the newer run.
    """

    arm: str
    seed: int
    old: float
    new: float


def finite(value: float) -> float | None:
    """The number, or None where it is not finite."""
    return value if math.isfinite(value) else None
