"""Claims judged together, and seeds added until they are decided."""

from __future__ import annotations

import math

from dataclasses import dataclass

import numpy as np
import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlbench.declare.claims import Claim, Margin, Quantity, Reading, score
from tlbench.declare.trials import Arm, Random
from tlbench.judge.judging import LEVEL, judge, looks, outcomes_so_far
from tlbench.judge.wording import shown_interval
from tlbench.scores.listed import ACCURACY, BALANCED_ACCURACY, TOP_5_ACCURACY
from tlbench.scores.statistics import holm


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
    """A trial that only has an accuracy, and a macro-F1 that is the same."""

    accuracy: float
    diverged: bool = False

    @property
    def scores(self):
        """By key of the metric."""
        return {"accuracy": self.accuracy, "macro_f1": self.accuracy}


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


def test_claims_that_wait_count_against_those_that_are_judged_so_far(make_claims):
    """Three of twenty are not judged as three alone: nothing is decided that more trials could take back."""
    claims = make_claims(20)

    assert {"inconclusive": 3} == outcomes_so_far(claims, [0, 1, 2], steady(0.511), [4])
    assert {"supported": 1} == outcomes_so_far(claims[:1], [0], steady(0.511), [4])
    assert {"refuted": 2} == outcomes_so_far(claims, [3, 4], steady(0.2), [4])
    assert {} == outcomes_so_far(claims, [], steady(0.8), [4])


@given(means=st.lists(st.floats(0.47, 0.53), min_size=2, max_size=6), count=st.integers(1, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_is_decided_so_far_stays_decided(make_claims, means, count):
    """Of each outcome there are at least as many at the end of the look."""
    claims = make_claims(len(means))
    result = lookup(lambda claim, seed: Accurate(means[claim] + 0.01 * math.cos(claim + 2.1 * seed)))
    so_far = outcomes_so_far(claims, range(min(count, len(means))), result, [4])
    verdicts = judge(claims, result, [4])

    for outcome in ("supported", "refuted"):
        assert so_far.get(outcome, 0) <= sum(verdict.outcome == outcome for verdict in verdicts)


def test_many_claims_are_harder_to_decide_than_one(make_claims):
    """Holm's correction: what is supported alone is not among twenty like it."""
    alone = judge(make_claims(1), steady(0.511), [4])
    among = judge(make_claims(20), steady(0.511), [4])

    assert alone[0].supported
    assert among[0].inconclusive
    assert alone[0].p < LEVEL < among[0].p
    assert among[0].interval.low < 0.5 < alone[0].interval.low
    assert among[0].seeds_needed > 4


def test_a_refuted_claim_still_counts_for_the_others(make_claims):
    """Holm's family in each direction is of all claims that are not decided in it."""

    def scores(claim, seed):
        return Accurate(0.1 + 0.001 * seed if claim else 0.511 + 0.01 * math.cos(2.1 * seed))

    verdicts = judge(make_claims(10), lookup(scores), [4])

    assert ["refuted"] * 9 == [verdict.outcome for verdict in verdicts[1:]]
    assert LEVEL / 10 == pytest.approx(verdicts[0].decision.test_level)


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
        def scores(self):
            return {"accuracy": self.accuracy, "macro_f1": 1 - self.accuracy}

    (verdict,) = judge(make_claims(1), lookup(lambda _, seed: Unequal(0.8 + 0.01 * seed)), [4])

    assert verdict.supported
    assert "refuted" == verdict.also["macro_f1"].outcome


def test_claims_can_be_judged_beside_on_any_listed_metric(make_claims):
    """Each metric is a family of its own."""

    @dataclass(frozen=True)
    class Balanced(Accurate):
        @property
        def scores(self):
            return {"accuracy": self.accuracy, "balanced_accuracy": 1 - self.accuracy}

    scores = lookup(lambda _, seed: Balanced(0.8 + 0.01 * seed))
    (verdict,) = judge(make_claims(1), scores, [4], beside=(BALANCED_ACCURACY, ACCURACY))

    assert {"balanced_accuracy": "refuted", "accuracy": "supported"} == {
        key: other.outcome for key, other in verdict.also.items()
    }


def test_a_claim_about_a_score_that_trials_lack_is_inconclusive(make_claims):
    """It says so, and asks for no more seeds, which would not help."""
    asked = []

    (verdict,) = judge(make_claims(1, TOP_5_ACCURACY), steady(0.8), looks(2, 9), lambda t: asked.append(list(t)))

    assert verdict.inconclusive
    assert "a trial has no top-5 accuracy under seed 0, 1" == verdict.reason
    assert [2] == [len(trials) for trials in asked]
    assert ((), (0, 1)) == (verdict.evidence.diverged, verdict.evidence.unknown)


def _value(scores):
    return scores.accuracy


accuracies = st.one_of(
    st.floats(-1, 1, allow_subnormal=False),
    st.sampled_from([0.5, 0.1, 0.5 + 1e-9]),
    st.integers(0, 1380).map(lambda count: count / 1380),
)


@st.composite
def studies(draw):
    """Scores of some claims by seed, around means with noise of several sizes or none, and seeds at each look."""
    planned = looks(draw(st.integers(1, 5)), draw(st.integers(5, 12)))
    found = []
    for _ in range(draw(st.integers(1, 12))):
        centre, spread = draw(accuracies), draw(st.sampled_from([0.0, 1e-6, 0.01, 0.5]))
        noise = draw(st.lists(st.floats(-1, 1), min_size=planned[-1], max_size=planned[-1]))
        found.append([centre + spread * one for one in noise])
    return found, planned


@given(studies())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_interval_that_is_shown_decides(make_claims, study):
    """Above the threshold where a claim is supported, not above it where it is refuted; else it holds the threshold.

    Whatever the scores, the number of claims and of looks; and what is told of it shows the same.
    """
    scores, planned = study
    claims = make_claims(len(scores))

    for verdict in judge(claims, lookup(lambda claim, seed: Accurate(scores[claim][seed])), planned):
        for each in (verdict, *verdict.also.values()):
            low, high = each.interval.low, each.interval.high
            expected = "supported" if low > 0.5 else "refuted" if high <= 0.5 else "inconclusive"
            assert expected == each.outcome
            if each.p is not None:
                assert (each.outcome == "inconclusive") == (each.p > each.decision.level)
            shown_low, shown_high, bound = map(float, shown_interval(low, high, 0.5, "percent"))
            if min(abs(low - 0.5), abs(high - 0.5)) > 1e-8:
                shown = "supported" if shown_low > bound else "refuted" if shown_high <= bound else "inconclusive"
                assert expected == shown


def test_what_is_promised_of_lower_ends_is_kept(make_claims):
    """All that is supported is true and all other lower ends are below the truth, at once, in 95 % of studies.

    1,000 studies of four dependent claims of unequal noise: one true, one far from it, two at the threshold; over two
    looks. Each lower end by itself is below the truth as often. The bound is the level and four standard errors.
    """
    claims, generator = make_claims(4), np.random.default_rng(1)
    true, planned = np.array([6.5, 0.5, 0.5, -1.5]), looks(3, 5)
    at_once, too_high, count = 0, np.zeros(4), 1000
    for _ in range(count):
        common = generator.normal(0, 0.7, 5) * np.array([1, -1, 1, -1])[:, None]
        scores = true[:, None] + common + generator.normal(size=(4, 5)) * np.array([1, 2, 3, 4])[:, None]
        verdicts = judge(claims, lookup(lambda claim, seed, scores=scores: Accurate(scores[claim, seed])), planned)
        low = np.array([verdict.interval.low for verdict in verdicts])
        supported = np.array([verdict.supported for verdict in verdicts])
        at_once += bool(np.where(supported, true > 0.5, low <= true).all())
        too_high += low > true

    error = 4 * math.sqrt(LEVEL * (1 - LEVEL) / count)
    assert 1 - LEVEL - error <= at_once / count < 1
    assert (too_high / count <= LEVEL + error).all()


def test_the_noise_of_other_claims_says_nothing(make_claims):
    """Every p-value is the claim's own, corrected by Holm."""
    verdicts = judge(make_claims(6), steady(0.52), [3])

    own = [verdict.evidence.p for verdict in verdicts]
    assert list(holm(own)) == pytest.approx([verdict.p for verdict in verdicts])


# Standard deviations between seeds as far apart as those of the study's claims on the real images.
APART = (0.0306, 0.0239, 0.0174, 0.0553, 0.0076, 0.0088, 0.0087, 0.0462, 0.0284, 0.0301, 0.0186, 0.1298)


@pytest.mark.parametrize("shared", [0.0, 0.7], ids=["independent", "dependent"])
@pytest.mark.parametrize(
    ("deviations", "most"), [((0.1,) * 4, 3), ((0.1,) * 4, 12), (APART, 3)], ids=["equal", "looks", "apart"]
)
def test_the_chance_of_any_wrong_verdict_is_below_the_level_over_all_looks(make_claims, deviations, most, shared):
    """1,000 studies of claims whose difference is exactly the threshold, every look counted, in each direction.

    Claims of dependent ones share noise, as those of one arm do. The bound is the level and four standard errors of
    that many studies.
    """
    count = len(deviations)
    claims = make_claims(count, Reading("another than accuracy", _value))
    seeds = {claim.arms[0].trial(seed): (n, seed) for n, claim in enumerate(claims) for seed in range(most)}
    generator = np.random.default_rng(0)
    studies = 1000
    wrong = {"supported": 0, "refuted": 0}
    for _ in range(studies):
        common, own = generator.normal(size=(1, most)), generator.normal(size=(count, most))
        noise = 0.5 + np.array(deviations)[:, None] * (math.sqrt(shared) * common + math.sqrt(1 - shared) * own)
        verdicts = judge(claims, lambda trial, noise=noise: Accurate(noise[seeds[trial]]), looks(3, most))
        for outcome in wrong:
            wrong[outcome] += any(verdict.outcome == outcome for verdict in verdicts)

    bound = LEVEL + 4 * math.sqrt(LEVEL * (1 - LEVEL) / studies)
    assert wrong["supported"] / studies <= bound
    assert wrong["refuted"] / studies <= bound
    assert min(wrong.values()) > 0, "the test would not notice a rule that decides nothing"
