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
        name: See `tlbench.declare.claims.Claim`, as the next two.
        statement: ...
        threshold: ...
        margin_reason: Why the threshold is what it is.
        left: What should be greater, in words.
        right: What it is compared with, in words.
        unit: Unit of both sides, of the difference, its interval and the threshold. `"percent"` is a share, whose
            numbers here are from 0 to 1: 0.037 is 3.7 points.
        ceiling: What both sides can reach; None where there is no such bound.
        outcome: Supported, refuted or inconclusive.
        reason: Why, in a phrase.
        sentence: Difference, interval, threshold and p, in a line.
        effect: Mean difference; None where a run diverged.
        low: Lower end of the interval that decides, see `tlbench.declare.claims.Decision`; None where it has none.
        high: Upper end.
        confidence: Of the interval.
        p: One-sided, by itself, that the difference exceeds the threshold by chance; None where there is none.
        adjusted_p: That decides: of the outcome's test, after Holm's correction among all claims of the run.
        level: What that must not exceed.
        claims: Number of claims judged together.
        looks: Number of seeds at each look, as planned.
        seeds_needed: How many may decide it; None where it is decided, or nothing tells.
        seeds: Scores under each.
        arms: Labels of those it is about.
        trials: Digests of those it rests on.
        also: Verdicts on the same claim about other metrics, by `tlbench.scores.listed.Metric.key`; empty unless the
            claim is about accuracy.
        own_low: Lower end of Student's 90 % interval of the claim by itself; None where it has none.
        own_high: Upper end.
        scale: Of the noise of its difference, see `tlbench.declare.claims.Quantity`.
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
        validation_accuracy: Validation accuracy after each epoch; None where it is not finite.
        seconds: Wall time of the trial.
        step_seconds: Wall time of a step, in the fastest epoch after the first.
        source: Digest of the trial it started from; None where it started from none.
        environment: Index in the report's environments.
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


@dataclass(frozen=True)
class ArmRecord:
    """The trials of an arm, or of a source.

    Attributes:
        labels: What tables and claims call it; the first is shown.
        facts: What its trials have in common, by name, in words: data, task, network, start, frozen flows, recipe.
        trials: By seed, in order.
    """

    labels: tuple[str, ...]
    facts: dict[str, str]
    trials: tuple[TrialRecord, ...]


@dataclass(frozen=True)
class ComparisonRecord:
    """This run, held against a saved one; see `tlbench.judge.comparison.Comparison`.

    Attributes:
        old: Name, date and versions of the older run, in a line.
        new: Of the newer one.
        paired: ...
        versions: ...
        arms: ...
        claims: ...
        ratios: ...
        numerics: What the fingerprints say; None where a run has none.
        fail_on: What makes the comparison fail.
        failures: Why it fails, a sentence each.
        unmeasured: What was not measured, though asked for, a sentence each.
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
        arm: Label of its arm.
        seed: Of the trial.
        old: Accuracy in the older run.
        new: In the newer one.
    """

    arm: str
    seed: int
    old: float
    new: float


def finite(value: float) -> float | None:
    """A number, or None where it is none."""
    return value if math.isfinite(value) else None
