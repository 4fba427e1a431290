"""Claims and the verdicts on them."""

from __future__ import annotations

import math
import re

import pytest

from tlbench.declare.claims import Margin, Quantity, Reading, combined, f1, f1_lead, mean, score, validation_accuracy
from tlbench.declare.trials import Arm, Random
from tlbench.errors import ConfigurationError
from tlbench.judge.judging import judge as judge_together
from tlbench.judge.wording import shown_difference, shown_interval, shown_p, shown_with_unit
from tlbench.scores.listed import ACCURACY, BRIER_SCORE, CALIBRATION_ERROR, LOSS, MACRO_F1


SEEDS = (0, 1, 2)

TENTHS = Reading("tenths", lambda result: 10 * result.accuracy, highest=10.0)


@pytest.fixture
def make_arm(make_trial):
    """A function that makes an arm; arms of different rates are different."""

    def make(label, rate):
        trial = make_trial()
        recipe = trial.recipe.at(learning_rate=rate)
        return Arm(label, trial.data, trial.task, trial.network, Random(), frozenset(), recipe)

    return make


@pytest.fixture
def arms(make_arm):
    return make_arm("A", 0.1), make_arm("B", 0.2)


@pytest.fixture
def lookup(arms, make_result):
    """A function that gives the first arm and the second so many right answers of ten under each seed."""

    def make(first, second):
        results = {
            arm.trial(seed).digest: make_result(right if right is not None else 0, diverged=right is None)
            for arm, rights in zip(arms, (first, second), strict=True)
            for seed, right in zip(SEEDS, rights, strict=True)
        }
        return lambda trial: results[trial.digest]

    return make


def judge(claim, lookup, seeds=SEEDS):
    return judge_together([claim], lookup, [len(seeds)])[0]


def test_a_clear_difference_supports_a_claim(arms, lookup):
    """The whole interval lies above the threshold."""
    verdict = judge(score(arms[0]).beats(score(arms[1])), lookup((9, 8, 9), (4, 4, 5)))

    assert "supported" == verdict.outcome
    assert verdict.supported
    assert {0: 0.5, 1: 0.4, 2: 0.4} == pytest.approx(dict(verdict.differences))


def test_the_opposite_difference_refutes_it(arms, lookup):
    """The whole interval lies below the threshold."""
    verdict = judge(score(arms[0]).beats(score(arms[1])), lookup((4, 4, 5), (9, 8, 9)))

    assert "refuted" == verdict.outcome
    assert not verdict.supported


def test_equal_scores_refute_that_one_beats_the_other(arms, lookup):
    """No difference at all, with no noise, is not an advantage."""
    verdict = judge(score(arms[0]).beats(score(arms[1])), lookup((5, 5, 5), (5, 5, 5)))

    assert "refuted" == verdict.outcome


def test_a_difference_within_the_noise_is_inconclusive(arms, lookup):
    """The interval holds the threshold."""
    verdict = judge(score(arms[0]).beats(score(arms[1])), lookup((9, 4, 6), (5, 6, 5)))

    assert verdict.inconclusive
    assert 0.05 < verdict.p < 0.95
    assert verdict.seeds_needed > len(SEEDS)
    assert f"may need {verdict.seeds_needed} seeds" in str(verdict)


def test_one_seed_decides_nothing(arms, lookup):
    """However large the difference is."""
    verdict = judge(score(arms[0]).beats(score(arms[1])), lookup((10, 0, 0), (0, 0, 0)), seeds=(0,))

    assert verdict.inconclusive
    assert "one seed" in verdict.reason


def test_a_margin_has_to_be_exceeded(arms, lookup):
    """A difference of 0.1 does not support a claim of 0.2."""
    claim = score(arms[0]).beats(score(arms[1]), by=Margin(0.2, "a test"))

    assert "refuted" == judge(claim, lookup((6, 7, 6), (5, 6, 5))).outcome


def test_non_inferiority_allows_less_than_its_margin(arms, lookup):
    """No difference supports the claim of being no worse."""
    claim = score(arms[0]).is_at_least(score(arms[1]), within=Margin(0.02, "a test"))

    assert judge(claim, lookup((5, 5, 5), (5, 5, 5))).supported


def test_non_inferiority_is_refuted_by_a_loss_beyond_its_margin(arms, lookup):
    """A clear loss is worse."""
    claim = score(arms[0]).is_at_least(score(arms[1]), within=Margin(0.02, "a test"))

    assert "refuted" == judge(claim, lookup((5, 5, 5), (6, 6, 6))).outcome


def test_a_diverged_run_is_never_a_number(arms, lookup):
    """The verdict is inconclusive and names the seed."""
    verdict = judge(score(arms[0]).beats(score(arms[1])), lookup((9, None, 9), (4, 4, 5)))

    assert verdict.inconclusive
    assert "diverged under seed 1" in verdict.reason
    assert math.isnan(verdict.differences[1])
    assert verdict.interval is None


def test_differences_are_taken_within_each_seed(arms, lookup):
    """Seeds that differ much, but together, leave the difference clear."""
    verdict = judge(score(arms[0]).beats(score(arms[1])), lookup((3, 6, 9), (2, 5, 8)))

    assert verdict.supported


def test_quantities_add_up(arms, lookup):
    """(A - B) / 2 + B is the mean of both."""
    first, second = map(score, arms)
    quantity = (first - second) / 2 + second

    assert 0.6 == pytest.approx(quantity.value(lookup((8, 8, 8), (4, 4, 4)), 0))


@pytest.mark.parametrize(
    ("metric", "unit", "highest"),
    [
        (ACCURACY, "percent", 1.0),
        (f1("cat"), "percent", 1.0),
        (LOSS, "nats", None),
        (CALIBRATION_ERROR, "percent", None),
        (BRIER_SCORE, "number", None),
        (TENTHS, "number", 10.0),
    ],
)
def test_a_quantity_is_in_the_unit_of_its_metric(arms, metric, unit, highest):
    """And reaches as high."""
    quantity = score(arms[0], metric)

    assert (unit, highest) == (quantity.unit, quantity.highest)


def test_a_sum_has_a_unit_where_its_terms_share_it_and_no_bound(arms):
    """Twice an accuracy may be above one; an accuracy less a loss is no share."""
    accuracy, loss = score(arms[0]), score(arms[1], LOSS)

    assert ("percent", None) == ((accuracy + accuracy).unit, (accuracy + accuracy).highest)
    assert ("percent", "points") == ((accuracy - accuracy).unit, (accuracy - accuracy).shown_unit)
    assert ("percent", "percent") == (accuracy.shown_unit, ((accuracy + accuracy) / 2).shown_unit)
    assert ("number", None) == ((accuracy - loss).unit, (accuracy - loss).highest)
    assert None is (accuracy / 2).highest


def test_a_claim_names_its_trials(arms):
    """Everything it needs is known before anything is trained."""
    claim = score(arms[0]).beats(score(arms[1]))

    assert {arm.trial(seed) for arm in arms for seed in SEEDS} == set(claim.trials(SEEDS))


def test_a_verdict_says_what_it_rests_on(arms, lookup):
    """Effect, interval, threshold, seeds and arms stand in it."""
    verdict = judge(score(arms[0]).beats(score(arms[1])), lookup((9, 8, 9), (4, 4, 5)))

    text = str(verdict)

    assert "supported" in text
    assert "difference +43.3 points, interval +33.6 to +53.1;" in text
    assert "should exceed 0.0, p = 0.003;" in text
    assert "by seed 0: +50.0, 1: +40.0, 2: +40.0" in text
    assert "accuracy of [A] against accuracy of [B]" in text


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.0123, "percent", "+1.2"),
        (-0.0004, "percent", "0.0"),
        (0.0123, "number", "+0.012"),
        (-0.0004, "number", "0.000"),
        (-0.0, "number", "0.000"),
        (-math.inf, "percent", "-inf"),
    ],
)
def test_differences_of_shares_are_in_points_and_zero_has_no_sign(value, unit, expected):
    """Other differences have three digits."""
    assert expected == shown_difference(value, unit)


@pytest.mark.parametrize(
    ("unit", "expected"), [("percent", "+3.7 points"), ("nats", "+0.037 nats"), ("number", "+0.037")]
)
def test_differences_are_told_with_their_unit(unit, expected):
    """A share's are in points, a loss's in nats."""
    assert expected == shown_with_unit(0.037, unit)


def test_a_verdict_on_a_loss_is_in_nats(arms, lookup):
    """Of a Brier score, which has no unit, in none."""
    results = lookup((4, 4, 5), (9, 8, 9))

    assert " nats, interval " in judge(score(arms[0], LOSS).beats(score(arms[1], LOSS)), results).effect
    brier = judge(score(arms[0], BRIER_SCORE).beats(score(arms[1], BRIER_SCORE)), results)
    assert brier.supported
    assert re.match(r"difference \+0\.\d{3}, interval ", brier.effect)


def test_an_interval_has_as_many_decimals_as_show_where_it_lies():
    """With one decimal of a point it would seem to begin at the threshold."""
    assert ("+0.4", "+1.8", "0.0") == shown_interval(0.004, 0.018, 0.0, "percent")
    assert ("+0.003", "+1.800", "0.000") == shown_interval(0.00003, 0.018, 0.0, "percent")
    assert ("-2.3", "-2.0", "-2.0") == shown_interval(-0.0234, -0.02, -0.02, "percent")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0123, "0.012"), (0.0004, "< 0.001"), (0.05, "0.050"), (0.0504, "0.0504"), (0.0496, "0.050"), (1.0, "1.000")],
)
def test_a_p_value_is_shown_on_its_side_of_the_level(value, expected):
    """0.0504 is not 0.050, at which a claim would be decided."""
    assert expected == shown_p(value, 0.05)


def test_the_scale_of_a_sum_counts_an_arm_that_stands_in_it_twice_once(arms):
    """Half of A less half of B, less half of A again: only B is left."""
    first, second = (score(arm) for arm in arms)

    assert 2 == (first - second).scale
    assert 0.25 == (first / 2 - second / 2 - first / 2).scale
    assert 0 == Quantity(()).scale


def test_metrics_read_a_result(make_result):
    """Eight of ten right, four of each label: F1 is 0.8 for both, and validation goes from half to all."""
    result = make_result(8)

    assert 0.8 == pytest.approx(ACCURACY.value(result))
    assert 0.8 == pytest.approx(MACRO_F1.value(result))
    assert 0.8 == pytest.approx(f1("cat").value(result))
    assert 0.0 == pytest.approx(f1_lead("cat").value(result))
    assert -0.8 * math.log(0.9) - 0.2 * math.log(0.1) == pytest.approx(LOSS.value(result), rel=1e-6)
    assert 0.5 == validation_accuracy(1).value(result)
    assert 1.0 == validation_accuracy(-1).value(result)


def test_a_combined_number_is_computed_from_the_scores_of_each_seed(arms, lookup):
    """The lower of two accuracies under each seed; it is judged, and subtracted, as a score is."""
    worse = combined("lower accuracy", min, score(arms[0]), score(arms[1]), unit="percent", highest=1.0)
    results = lookup((9, 4, 6), (5, 6, 5))

    assert [0.5, 0.4, 0.5] == [worse.value(results, seed) for seed in SEEDS]
    assert [0.4, 0.0, 0.1] == pytest.approx([(score(arms[0]) - worse).value(results, seed) for seed in SEEDS])
    assert {trial.digest for trial in worse.trials(0)} == {arm.trial(0).digest for arm in arms}
    assert ("lower accuracy", "percent", 1.0) == (str(worse), worse.unit, worse.highest)
    assert "supported" == judge(worse.is_positive(), results).outcome


def test_a_combined_number_has_no_value_where_a_run_diverged(arms, lookup):
    """The function is never given a value that is no number; the claim stays undecided, and says why."""
    worse = combined("lower accuracy", min, score(arms[0]), score(arms[1]))
    verdict = judge(worse.is_positive(), lookup((9, None, 9), (5, 6, 5)))

    assert [1] == list(verdict.evidence.unknown)
    assert "inconclusive" == verdict.outcome
    assert "diverged under seed 1" in verdict.reason


def test_a_claim_about_a_combined_number_is_judged_on_no_other_metric(arms):
    """Its scores stay the ones that its function was written for."""
    claim = combined("lower accuracy", min, *map(score, arms)).is_positive()

    assert claim.on(MACRO_F1) is None


def test_a_mean_is_the_sum_by_the_number_of_quantities(arms, lookup):
    """Of each seed; a mean of nothing is refused."""
    results = lookup((9, 4, 6), (5, 6, 5))

    assert [0.7, 0.5, 0.55] == pytest.approx([mean(map(score, arms)).value(results, seed) for seed in SEEDS])
    with pytest.raises(ConfigurationError, match="A mean needs quantities"):
        mean([])


def test_a_combined_number_needs_quantities():
    """The message names the number."""
    with pytest.raises(ConfigurationError, match="none, for 'nothing'"):
        combined("nothing", max)
