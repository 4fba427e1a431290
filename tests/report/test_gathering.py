"""What a run has brought about, gathered into a report's values."""

from __future__ import annotations

import math

from dataclasses import replace

import pytest

from tlbench.declare.claims import Margin, score
from tlbench.declare.tasks import Task
from tlbench.declare.trials import Arm, ImageNet, Random
from tlbench.judge.judging import judge
from tlbench.report.gathering import arm_records, claim_record
from tlbench.scores.listed import LOSS


@pytest.fixture
def arm(make_trial):
    trial = make_trial()
    return Arm("A", trial.data, trial.task, trial.network, Random(), frozenset(), trial.recipe)


@pytest.fixture
def other(arm):
    return replace(arm, label="B", recipe=arm.recipe.at(learning_rate=0.5))


def verdict_on(claim, results, seeds):
    return judge([claim], lambda trial: results[trial.digest], [seeds])[0]


def test_a_claim_is_told_with_all_it_rests_on(arm, other, make_result):
    """Effect, interval, p, both sides by seed, its arms and its trials, and the same on macro-F1."""
    claim = score(arm).beats(score(other), by=Margin(0.05, "less is not worth it")).named("test_a", "A beats B.")
    results = {arm.trial(seed).digest: make_result(9 + seed % 2) for seed in range(3)}
    results |= {other.trial(seed).digest: make_result(5) for seed in range(3)}
    verdict = verdict_on(claim, results, 3)

    record = claim_record(verdict)

    assert ("test_a", "A beats B.", 0.05, "less is not worth it") == (
        record.name,
        record.statement,
        record.threshold,
        record.margin_reason,
    )
    assert "supported" == record.outcome == record.also["macro_f1"].outcome
    assert verdict.interval.mean == record.effect
    assert (verdict.interval.low, verdict.interval.high) == (record.low, record.high)
    assert verdict.decision.p == record.adjusted_p
    assert [(0, 0.9, 0.5), (1, 1.0, 0.5), (2, 0.9, 0.5)] == [
        (seed.seed, seed.left, seed.right) for seed in record.seeds
    ]
    assert ("A", "B") == record.arms
    assert set(results) == set(record.trials)


def test_a_claim_of_which_a_run_diverged_has_no_numbers_for_that_seed(arm, other, make_result):
    """No interval and no p; the other seeds are told."""
    results = {arm.trial(seed).digest: make_result(9, diverged=not seed) for seed in range(2)}
    results |= {other.trial(seed).digest: make_result(5) for seed in range(2)}

    record = claim_record(verdict_on(score(arm).beats(score(other)), results, 2))

    assert (None, None, None, None) == (record.effect, record.low, record.high, record.p)
    assert [(None, None), (0.9, 0.4)] == [(seed.left, seed.difference) for seed in record.seeds]


def test_one_seed_has_no_ends_of_an_interval(arm, other, make_result):
    """They are infinite, which JSON has no number for."""
    results = {arm.trial(0).digest: make_result(9), other.trial(0).digest: make_result(5)}

    record = claim_record(verdict_on(score(arm).beats(score(other)), results, 1))

    assert (pytest.approx(0.4), None, None) == (record.effect, record.low, record.high)


def test_a_claim_about_another_metric_has_no_verdicts_beside_it(arm, make_result):
    """Only claims about accuracy are judged on other metrics too."""
    results = {arm.trial(seed).digest: make_result(9) for seed in range(2)}

    assert {} == claim_record(verdict_on(score(arm, LOSS).is_positive(), results, 2)).also


def test_trials_are_grouped_by_arm_with_their_histories(arm, other, make_result):
    """In the order of the plan, seeds in order; what has no result is left out."""
    trials = [arm.trial(1), other.trial(0), arm.trial(0), other.trial(1)]
    results = {trial.digest: make_result(9) for trial in trials[:3]}

    (first, second), environments = arm_records(
        trials, lambda trial: results.get(trial.digest), {trials[0].arm_digest: ["A", "also A"]}
    )

    assert ("A", "also A") == first.labels
    assert [0, 1] == [trial.seed for trial in first.trials]
    assert [other.trial(0).digest] == [trial.digest for trial in second.trials]
    assert (0.9, (0.5, 1.0), (0.5, 0.5)) == (
        first.trials[0].scores["accuracy"],
        first.trials[0].validation_accuracy,
        first.trials[0].training_loss,
    )
    assert 1 == len(environments)


def test_a_diverged_trial_has_no_scores(arm, make_result):
    """What Keras reported while it trained is told as far as it is a number."""
    result = replace(make_result(diverged=True), training_loss=(0.5, math.nan))

    ((record,), _) = arm_records([arm.trial(0)], lambda _trial: result, {})
    (trial,) = record.trials

    assert ("diverged", {}, {}) == (trial.status, trial.scores, trial.f1)
    assert (0.5, None) == trial.training_loss


def test_facts_say_what_an_arm_is(make_trial, arm, make_result):
    """Data, task with its groups, network, where it starts, what is frozen, and the recipe."""
    source = arm.trial(0)
    trial = make_trial(
        task=Task("warm/cold", warm=["red"], cold=...),
        initialisation=source,
        frozen=frozenset({"entry", "middle"}),
    )

    records, _ = arm_records([source, trial], lambda _trial: make_result(9), {source.arm_digest: ["A"]})
    facts = records[1].facts

    assert "warm/cold: warm (red), cold (all others)" == facts["task"]
    assert "weights of A" == facts["starts from"]
    assert "entry+middle" == facts["frozen"]
    assert "Pebble" in facts["network"]
    assert "learning_rate=0.001" in facts["recipe"]
    assert source.digest == records[1].trials[0].source


def test_a_source_that_no_table_names_is_told_by_its_data(make_trial, make_result):
    """Pretraining is in no table."""
    (record,), _ = arm_records([make_trial()], lambda _trial: make_result(9), {})

    assert ("pretraining on colours",) == record.labels


def test_published_weights_are_named(make_trial, make_result):
    """ImageNet is no trial."""
    trial = make_trial(initialisation=ImageNet("0" * 32))
    (record,), _ = arm_records([trial], lambda _trial: make_result(9), {})

    assert "ImageNet weights" == record.facts["starts from"]
