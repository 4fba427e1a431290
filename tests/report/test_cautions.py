"""What could fool a reader."""

from __future__ import annotations

import pytest
import reports

from tlbench.report.cautions import LAG, LEARNED, SATURATED, UNLEARNED, cautions, lags


def kinds(report):
    return [caution.kind for caution in cautions(report)]


def test_nothing_is_found_where_nothing_is_wrong():
    """Two seeds that agree, on the data themselves."""
    assert [] == kinds(reports.report())


def test_stand_in_data_is_named():
    """With what the captions say of them."""
    (found,) = cautions(reports.report(stand_in=True, data="Data: drawn (a stand-in for photographs)."))

    assert "stand-in data" == found.kind
    assert "drawn (a stand-in for photographs)" in found.text


def test_diverged_trials_are_counted_with_arms_and_claims():
    """The claim that rests on one is named."""
    found = {caution.kind: caution for caution in cautions(reports.mixed())}

    assert found["diverged"].text.startswith("1 trial diverged")
    assert (("test_diverged",), ("C",)) == (found["diverged"].claims, found["diverged"].arms)


@pytest.mark.parametrize(
    ("trained", "tested", "re_estimated", "expected"),
    [
        (1.0, 0.125, 0.9, True),
        (0.6 + LAG, 0.6, 0.6 + LAG, True),
        (0.6 + LAG - 0.001, 0.6, 0.9, False),  # It has not learned its training images either.
        (1.0, 0.6, 0.6 + LAG - 0.001, False),  # It overfits: statistics do not mend it.
    ],
)
def test_moving_statistics_lag_where_re_estimated_ones_do_better(trained, tested, re_estimated, expected):
    """And the training images are told apart."""
    trial = reports.trial(
        scores=reports.scores(tested, batch_statistics_accuracy=re_estimated), training_accuracy=(0.5, trained)
    )

    assert expected == lags(trial)


def test_a_diverged_trial_does_not_lag():
    """It has no accuracy."""
    assert not lags(reports.trial(accuracy=None, training_accuracy=(None, None)))


def test_lagging_arms_are_named_with_the_claims_on_them():
    """Through the trials that the claims rest on."""
    lagging = reports.arm(
        "A", (0.2, 0.2), training_accuracy=(0.9, 1.0), scores=reports.scores(0.2, batch_statistics_accuracy=0.9)
    )
    other = reports.arm("B", (0.6, 0.61), training_accuracy=(0.6, LEARNED))
    (found,) = cautions(reports.report(arms=(lagging, other)))

    assert ("moving statistics", ("test_a",), ("A",)) == (found.kind, found.claims, found.arms)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (LEARNED, UNLEARNED - 0.01, ("B",)),
        (UNLEARNED - 0.01, 1.0, ("A",)),
        (LEARNED - 0.01, UNLEARNED - 0.01, None),  # Neither has: no side is ahead for that.
        (1.0, UNLEARNED, None),
        (1.0, None, None),  # Nothing was trained.
    ],
)
def test_a_claim_on_arms_of_which_one_has_not_learned_its_training_images_is_named(first, second, expected):
    """By the mean over the arm's trials, in the last epoch."""

    def arm(label, learned, tested):
        training = () if learned is None else (1.0, learned)
        return reports.arm(label, tested, training_accuracy=training)

    report = reports.report(arms=(arm("A", first, (0.8, 0.82)), arm("B", second, (0.6, 0.61))))

    found = [each for each in cautions(report) if each.kind == "training not finished"]
    assert [(("test_a",), expected)] * (expected is not None) == [(each.claims, each.arms) for each in found]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ((SATURATED, 1.0), (SATURATED, SATURATED), ["saturated"]),
        ((1.0, 1.0), (SATURATED - 0.001, SATURATED - 0.001), []),
    ],
)
def test_both_sides_near_the_top_are_saturated(left, right, expected):
    """One of them is not enough."""
    assert expected == kinds(reports.report(claims=(reports.claim(left=left, right=right),)))


def test_a_sum_of_scores_is_not_saturated():
    """Two accuracies may well add up to more than one."""
    claim = reports.claim(left=(1.5, 1.6), right=(1.2, 1.3))

    assert [] == kinds(reports.report(claims=(reports.replace(claim, ceiling=None),)))


def test_what_is_near_the_top_depends_on_what_can_be_reached():
    """Of a score out of ten, 0.99 is far from it, and 9.9 is near."""
    far, near = (
        reports.claim(name, left=(scale * 0.99,) * 2, right=(scale * 0.98,) * 2, unit="number", ceiling=10.0)
        for name, scale in (("test_far", 1), ("test_near", 10))
    )
    (found,) = cautions(reports.report(claims=(far, near)))

    assert ("saturated", ("test_near",)) == (found.kind, found.claims)


def test_seeds_that_disagree_are_named():
    """About what the claim asks for, not about zero."""
    agree = reports.claim("test_agree", left=(0.7, 0.8), right=(0.6, 0.6))
    differ = reports.claim("test_differ", left=(0.7, 0.8), right=(0.6, 0.6), threshold=0.15)
    (found,) = cautions(reports.report(claims=(agree, differ)))

    assert ("seeds disagree", ("test_differ",)) == (found.kind, found.claims)


def test_one_seed_is_too_few():
    """It is told which claims have no more."""
    (found,) = cautions(reports.report(claims=(reports.claim(left=(0.8,), right=(0.6,)),)))

    assert ("one seed", ("test_a",)) == (found.kind, found.claims)
