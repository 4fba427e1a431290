"""Gathers results, verdicts and comparisons into the records of a report."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tlbench.declare.trials import Trial
from tlbench.networks import parts
from tlbench.report.records import (
    ArmRecord,
    ClaimRecord,
    ComparisonRecord,
    EvaluationRecord,
    SeedScore,
    TrialChange,
    TrialRecord,
    finite,
)


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tlbench.declare.evaluations import Evaluation
    from tlbench.judge.comparison import Comparison, FailOn
    from tlbench.judge.verdicts import Verdict
    from tlbench.machine.environment import Environment
    from tlbench.store.results import EvaluationResult, Result, ResultOf


def claim_record(verdict: Verdict) -> ClaimRecord:
    """A verdict as values of JSON."""
    claim, interval, evidence = verdict.claim, verdict.interval, verdict.evidence
    own = evidence.interval
    return ClaimRecord(
        name=claim.name,
        statement=claim.statement,
        threshold=claim.threshold,
        margin_reason=claim.margin.reason,
        left=str(claim.left),
        right=str(claim.right),
        unit=claim.difference.unit,
        ceiling=claim.left.highest if claim.left.highest == claim.right.highest else None,
        outcome=verdict.outcome,
        reason=verdict.reason,
        sentence=verdict.effect,
        effect=interval.mean if interval else None,
        low=finite(interval.low) if interval else None,
        high=finite(interval.high) if interval else None,
        confidence=interval.confidence if interval else None,
        p=evidence.p,
        adjusted_p=verdict.decision.p,
        level=verdict.decision.level,
        claims=verdict.decision.claims,
        looks=verdict.decision.looks,
        seeds_needed=verdict.seeds_needed,
        seeds=tuple(
            SeedScore(seed, finite(evidence.left[seed]), finite(evidence.right[seed]), finite(difference))
            for seed, difference in verdict.differences.items()
        ),
        arms=tuple(dict.fromkeys(arm.label for arm in claim.arms)),
        trials=tuple(dict.fromkeys(trial.digest for trial in claim.trials(list(verdict.differences)))),
        also={key: claim_record(other) for key, other in verdict.also.items()},
        own_low=finite(own.low) if own else None,
        own_high=finite(own.high) if own else None,
        scale=claim.difference.scale,
        sides_in_points="points" in (claim.left.shown_unit, claim.right.shown_unit),
    )


def arm_records(
    trials: Iterable[Trial],
    result: ResultOf,
    labels: Mapping[str, Sequence[str]],
    evaluations: Iterable[Evaluation] = (),
) -> tuple[tuple[ArmRecord, ...], tuple[Environment, ...]]:
    """The trials of a run by arm, and the environments that they ran on.

    Args:
        trials: In the order of the plan; those without a result are left out.
        result: Function that gives the result of a trial or an evaluation, or None.
        labels: Labels of arms, by `Trial.arm_digest`.
        evaluations: Evaluations of the trials; those without a result are left out.
    """
    evaluated: defaultdict[str, list[EvaluationRecord]] = defaultdict(list)
    for evaluation in evaluations:
        if (scored := result(evaluation)) is not None:
            evaluated[evaluation.trial.digest].append(_evaluation_record(evaluation, scored))
    grouped: defaultdict[str, list[tuple[Trial, Result]]] = defaultdict(list)
    for trial in trials:
        if (outcome := result(trial)) is not None:
            grouped[trial.arm_digest].append((trial, outcome))
    environments = list(dict.fromkeys(outcome.environment for group in grouped.values() for _, outcome in group))
    arms = []
    for arm, group in grouped.items():
        first = group[0][0]
        arms.append(
            ArmRecord(
                labels=tuple(labels.get(arm, ())) or (f"pretraining on {first.data.name}",),
                facts=_facts(first, labels),
                trials=tuple(
                    _trial_record(
                        trial, outcome, environments.index(outcome.environment), tuple(evaluated[trial.digest])
                    )
                    for trial, outcome in sorted(group, key=lambda pair: pair[0].seed)
                ),
            )
        )
    return tuple(arms), tuple(environments)


def comparison_record(comparison: Comparison, fail_on: FailOn) -> ComparisonRecord:
    """A comparison as values of JSON.

    Args:
        comparison: Comparison of two runs.
        fail_on: Conditions under which it fails.
    """
    return ComparisonRecord(
        old=comparison.old.title,
        new=comparison.new.title,
        paired=comparison.paired,
        versions=comparison.versions,
        arms=comparison.arms,
        claims=comparison.claims,
        ratios=comparison.ratios,
        numerics=None if comparison.numerics is None else str(comparison.numerics),
        fail_on=str(fail_on),
        failures=tuple(comparison.failures(fail_on)),
        unmeasured=tuple(comparison.unmeasured(fail_on)),
        outcome=comparison.outcome(fail_on),
        trials=tuple(TrialChange(*change) for change in comparison.accuracies),
    )


def _facts(trial: Trial, labels: Mapping[str, Sequence[str]]) -> dict[str, str]:
    recipe = trial.recipe
    if isinstance(source := trial.initialisation, Trial):
        start = f"weights of {next(iter(labels.get(source.arm_digest, ())), f'pretraining on {source.data.name}')}"
    else:
        start = source.name
    if trial.transferred is not None:
        start += f" in {'+'.join(parts.in_order(trial.network, trial.transferred))}; the rest drawn anew"
    return {
        "data": f"{trial.data.name}, digest {trial.data.digest[:12]}, {trial.data.split}",
        "task": f"{trial.task.name}: {_groups(trial)}",
        "network": str(trial.network),
        "starts from": start,
        "frozen": "+".join(parts.in_order(trial.network, trial.frozen)) or "nothing",
        "recipe": str(recipe),
    }


def _groups(trial: Trial) -> str:
    groups = (f"{label} ({', '.join(classes or ('all others',))})" for label, classes in trial.task.groups)
    return ", ".join(groups) or "every class"


def _evaluation_record(evaluation: Evaluation, result: EvaluationResult) -> EvaluationRecord:
    return EvaluationRecord(
        digest=evaluation.digest,
        images=evaluation.images.name,
        status=result.status,
        scores=result.scores,
        f1={} if result.diverged else result.f1,
        seconds=result.seconds,
        readout=evaluation.readout.name if evaluation.readout is not None else None,
    )


def _trial_record(
    trial: Trial, result: Result, environment: int, evaluations: tuple[EvaluationRecord, ...]
) -> TrialRecord:
    return TrialRecord(
        digest=trial.digest,
        seed=trial.seed,
        status=result.status,
        scores=result.scores,
        f1={} if result.diverged else result.f1,
        training_loss=tuple(map(finite, result.training_loss)),
        training_accuracy=tuple(map(finite, result.training_accuracy)),
        validation_accuracy=tuple(map(finite, result.validation_accuracy)),
        seconds=result.seconds,
        step_seconds=result.summary.step_seconds,
        source=trial.source.digest if trial.source else None,
        environment=environment,
        evaluations=evaluations,
    )
