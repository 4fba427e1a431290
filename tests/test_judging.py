"""Claims judged together, and seeds added until they are decided."""

from __future__ import annotations

import math

from dataclasses import dataclass

import numpy as np
import pytest

from tlbench.claims import ACCURACY, Claim, Margin, Metric, Quantity, score
from tlbench.judging import LEVEL, judge, looks
from tlbench.trials import Arm, Random


@pytest.fixture
def make_claims(make_trial):
    """A function that makes claims, each that an arm of its own is more accurate than by a half."""

    def make(count, metric=ACCURACY):
        trial = make_trial()
        arms = [
            Arm(
                str(n),
                trial.data,
                trial.task,
                trial.network,
                Random(),
                frozenset(),
                trial.recipe.at(learning_rate=n + 1.0),
            )
            for n in range(count)
        ]
        half = Margin(0.5, "a test")
        return [Claim(score(arm, metric), Quantity(()), half.value, half, name=arm.label) for arm in arms]

    return make


@dataclass(frozen=True)
class Accurate:
    """Scores that only have an accuracy."""

    accuracy: float
    diverged: bool = False

    @property
    def macro_f1(self):
        """The same."""
        return self.accuracy


def lookup(scores):
    """Scores by claim and seed: trials are told apart by their rate."""
    return lambda trial: scores(round(trial.recipe.learning_rate) - 1, trial.seed)


def steady(mean, noise=0.01):
    """Accuracies that stand around a mean, whatever the claim."""
    return lookup(lambda claim, seed: Accurate(mean + noise * math.cos(claim + 2.1 * seed)))


def test_looks_grow_by_half_up_to_the_most():
    """The last look is at the most seeds; without more seeds there is one look."""
    assert (4, 6, 9, 14, 16) == looks(4, 16)
    assert (4,) == looks(4, 4)
    assert (1, 2, 3) == looks(1, 3)


def test_clear_claims_are_decided_at_the_first_look(make_claims):
    """No seed is added for them."""
    asked = []

    verdicts = judge(make_claims(3), steady(0.8), looks(4, 16), lambda trials: asked.append(list(trials)))

    assert ["supported"] * 3 == [verdict.outcome for verdict in verdicts]
    assert [12] == [len(trials) for trials in asked]
    assert [4, 4, 4] == [len(verdict.differences) for verdict in verdicts]


def test_only_undecided_claims_get_more_seeds(make_claims):
    """The clear one keeps its four."""

    def scores(claim, seed):
        return Accurate(0.9 + 0.001 * seed if claim == 0 else 0.5 + 0.05 * (-1) ** seed)

    clear, unclear = judge(make_claims(2), lookup(scores), looks(4, 9))

    assert 4 == len(clear.differences)
    assert 9 == len(unclear.differences)
    assert unclear.inconclusive


def test_many_claims_are_harder_to_decide_than_one(make_claims):
    """Holm's correction: what is supported alone is not among twenty like it."""
    alone = judge(make_claims(1), steady(0.511), [4])
    among = judge(make_claims(20), steady(0.511), [4])

    assert alone[0].supported
    assert among[0].inconclusive
    assert "among 20 claims" in among[0].reason
    assert alone[0].p == among[0].p < LEVEL < among[0].decision.p
    assert among[0].seeds_needed > 4


def test_a_refuted_claim_still_counts_for_the_others(make_claims):
    """Holm's family in each direction is of all claims that are not decided in it."""

    def scores(claim, seed):
        return Accurate(0.1 + 0.001 * seed if claim else 0.511 + 0.01 * math.cos(2.1 * seed))

    verdicts = judge(make_claims(10), lookup(scores), [4])

    assert ["refuted"] * 9 == [verdict.outcome for verdict in verdicts[1:]]
    assert 10 * verdicts[0].p == pytest.approx(verdicts[0].decision.p)


def test_a_diverged_claim_gets_no_more_seeds(make_claims):
    """More of them would not decide it."""
    verdicts = judge(make_claims(1), lookup(lambda _, seed: Accurate(0.9, diverged=seed == 1)), looks(3, 9))

    assert verdicts[0].inconclusive
    assert 3 == len(verdicts[0].differences)


def test_a_claim_about_accuracy_is_also_judged_on_macro_f1(make_claims):
    """The other verdict stands beside it and decides nothing."""

    @dataclass(frozen=True)
    class Unequal(Accurate):
        @property
        def macro_f1(self):
            return 1 - self.accuracy

    (verdict,) = judge(make_claims(1), lookup(lambda _, seed: Unequal(0.8 + 0.01 * seed)), [4])

    assert verdict.supported
    assert "refuted" == verdict.also.outcome


def _value(scores):
    return scores.accuracy


@pytest.mark.parametrize("most", [3, 12])
def test_the_chance_of_any_wrong_verdict_is_below_the_level_over_all_looks(make_claims, most, monkeypatch):
    """1,000 studies of four claims whose difference is exactly the threshold, every look counted, in each direction.

    The bound is the level and four standard errors of that many studies.
    """
    claims = make_claims(4, Metric("another than accuracy", _value))
    seeds = {claim.arms[0].trial(seed): (n, seed) for n, claim in enumerate(claims) for seed in range(most)}
    generator = np.random.default_rng(0)
    studies = 1000
    # statsmodels collects garbage at every call: 80 ms of each.
    monkeypatch.setattr("gc.collect", lambda *_: 0)
    wrong = {"supported": 0, "refuted": 0}
    for _ in range(studies):
        noise = generator.normal(0.5, 0.1, (4, most))
        verdicts = judge(claims, lambda trial, noise=noise: Accurate(noise[seeds[trial]]), looks(3, most))
        for outcome in wrong:
            wrong[outcome] += any(verdict.outcome == outcome for verdict in verdicts)

    bound = LEVEL + 4 * math.sqrt(LEVEL * (1 - LEVEL) / studies)
    assert wrong["supported"] / studies <= bound
    assert wrong["refuted"] / studies <= bound
    assert min(wrong.values()) > 0, "the test would not notice a rule that decides nothing"
