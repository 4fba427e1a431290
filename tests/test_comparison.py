"""Two saved runs, compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tlbench.baselines import Run, SavedArm, SavedClaim
from tlbench.comparison import ALL_ARMS, FailOn, compare
from tlbench.environment import Surroundings
from tlbench.errors import ConfigurationError
from tlbench.report.comparisons import describe
from tlbench.report.gathering import comparison_record
from tlbench.results import Scores


def scores(accuracy, *, diverged=False, seconds=1.0):
    return Scores(
        diverged=diverged,
        accuracy=accuracy,
        loss=1 - accuracy,
        macro_f1=accuracy,
        f1={},
        batch_statistics_accuracy=accuracy,
        validation_accuracy=(accuracy,),
        training_accuracy=(accuracy,),
        epoch_seconds=(3 * seconds, seconds, 1.1 * seconds),
        epoch_steps=10,
        epoch_images=320,
        seconds=6 * seconds,
    )


def arm(name, accuracies, description=None, **changes):
    trials = {seed: scores(accuracy, **changes) for seed, accuracy in accuracies.items()}
    return SavedArm(name, (f"arm {name}",), description or {"recipe": {"Recipe": {"rate": 0.1}}}, {}, trials)


def claim(name, outcome, differences):
    return SavedClaim(name, "", 0.0, outcome, dict(enumerate(differences)), None, None, None, None)


@pytest.fixture
def make_run(environment):
    """A function that makes a run of some arms and claims."""

    def make(arms, claims=(), packages=None):
        around = Surroundings(environment, packages or {}, "linux", "cpu", 2, (), None, {})
        return Run("a run", "2026-11-24T00:00:00+00:00", "0.1.0", None, {}, around, None, None, tuple(arms), claims)

    return make


@pytest.fixture
def healthy():
    """Accuracies of eight arms under eight seeds, 0.8 and a noise of one point."""
    return np.random.default_rng(0).normal(0.8, 0.01, (8, 8))


@pytest.fixture
def run_of(make_run):
    """A function that makes a run of accuracies of shape (arms, seeds), the seeds counted from some number."""

    def make(accuracies, first=0, **changes):
        return make_run(
            [arm(str(n), dict(enumerate(map(float, row), start=first)), **changes) for n, row in enumerate(accuracies)]
        )

    return make


def statuses(comparison):
    return {change.label: change.status for change in comparison.arms}


def test_a_run_is_the_same_as_itself(run_of, healthy):
    """Nothing has moved, and nothing fails."""
    run = run_of(healthy)

    comparison = compare(run, run)

    assert {"same"} == set(statuses(comparison).values())
    assert [] == comparison.failures(FailOn(accuracy=True, claims=True, speed=1.1))
    assert comparison.paired


def test_other_seeds_are_the_same(run_of, healthy):
    """Unpaired, since the seeds differ."""
    comparison = compare(run_of(healthy[:, :4]), run_of(healthy[:, 4:], first=4))

    assert {"same"} == set(statuses(comparison).values())
    assert not comparison.paired


@pytest.mark.parametrize(("shift", "status"), [(-0.08, "regressed"), (0.08, "improved")])
def test_an_arm_that_moves_far_is_named_and_the_others_are_not(run_of, healthy, shift, status):
    """Down is a regression, up an improvement."""
    moved = healthy.copy()
    moved[3] += shift

    comparison = compare(run_of(healthy[:, :4]), run_of(moved[:, 4:], first=4))

    assert {"arm 3"} == {label for label, found in statuses(comparison).items() if found == status}
    assert {"same", status} == set(statuses(comparison).values())
    assert (["accuracy, macro-F1 or loss has regressed: arm 3"] if shift < 0 else []) == comparison.failures(
        FailOn(accuracy=True)
    )


def test_what_moves_every_arm_a_little_shows_in_their_mean(run_of, healthy):
    """Two points are two standard deviations of an arm, and more of the mean."""
    comparison = compare(run_of(healthy[:, :4]), run_of(healthy[:, :4] - 0.02))

    assert "regressed" == statuses(comparison)[ALL_ARMS]


def test_a_drop_within_the_noise_of_seeds_is_none(run_of, healthy):
    """However surely it is there: paired by seed it is exactly half a standard deviation."""
    comparison = compare(run_of(healthy[:1]), run_of(healthy[:1] - 0.5 * healthy[:1].std(ddof=1)))

    assert "same" == statuses(comparison)["arm 0"]


def test_one_seed_is_not_judged(run_of, healthy):
    """It says nothing of the noise; the means are shown."""
    comparison = compare(run_of(healthy[:2, :1]), run_of(healthy[:2, :1] - 0.5))

    assert {"not judged"} == set(statuses(comparison).values())
    assert "one seed" in comparison.arms[0].note
    assert comparison.arms[0].changes["accuracy"].old == pytest.approx(healthy[0, 0])


def test_a_run_that_diverges_now_has_regressed(make_run):
    """And one that no longer does has improved."""
    steady, broken = {0: 0.8, 1: 0.81}, arm("A", {0: 0.0, 1: 0.0}, diverged=True)

    assert {"arm A": "regressed"} == statuses(compare(make_run([arm("A", steady)]), make_run([broken])))
    assert {"arm A": "improved"} == statuses(compare(make_run([broken]), make_run([arm("A", steady)])))
    assert {"arm A": "not judged"} == statuses(compare(make_run([broken]), make_run([broken])))


def test_disjoint_runs_have_arms_missing_and_new(make_run):
    """Nothing is compared, and nothing fails."""
    seeds = {0: 0.8, 1: 0.81}
    comparison = compare(
        make_run([arm("A", seeds)], (claim("one", "supported", [0.1, 0.2]),)),
        make_run([arm("B", seeds)], (claim("other", "refuted", [0.1, 0.2]),)),
    )

    assert {"arm A": "missing", "arm B": "new"} == statuses(comparison)
    assert {"one": "missing", "other": "new"} == {change.name: change.status for change in comparison.claims}
    assert comparison.step_time is None
    assert [] == comparison.failures(FailOn(accuracy=True, claims=True, speed=1.0))
    assert "1 new, 1 missing" in describe(comparison_record(comparison, FailOn()))


def test_an_arm_of_another_recipe_is_matched_by_its_label(make_run):
    """What differs stands beside it."""
    changed = {"recipe": {"Recipe": {"rate": 0.2}}}
    before, after = arm("A", {0: 0.8, 1: 0.81}), replace(arm("B", {0: 0.8, 1: 0.81}, changed), labels=("arm A",))

    comparison = compare(make_run([before]), make_run([after]))

    assert "differs in recipe.rate: 0.1 and 0.2" == comparison.arms[-1].note
    assert () == comparison.ratios, "steps of another recipe are no measure of speed"


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (("supported", [0.1, 0.11, 0.12]), ("refuted", [-0.1, -0.11, -0.12]), "changed verdict"),
        (("supported", [0.1, 0.11, 0.12]), ("inconclusive", [0.0, 0.01, -0.01]), "changed verdict"),
        (("supported", [0.01, 0.02, 0.03]), ("inconclusive", [0.0, 0.02, 0.03]), "same"),
        (("supported", [0.1, 0.11, 0.12]), ("supported", [0.3, 0.31, 0.32]), "same"),
    ],
)
def test_a_verdict_has_changed_where_its_difference_has_moved(make_run, old, new, status):
    """A verdict that falls to the other side of its threshold by a hair is within the noise."""
    (change,) = compare(make_run([], (claim("c", *old),)), make_run([], (claim("c", *new),))).claims

    assert status == change.status
    assert (old[0], new[0]) == (change.old, change.new)


def test_steps_that_take_longer_fail_where_asked_to(run_of, healthy):
    """By the whole interval over arms."""
    comparison = compare(run_of(healthy[:, :4]), run_of(healthy[:, :4], seconds=1.5))

    assert 1.5 == pytest.approx(comparison.step_time.ratio)
    assert [] == comparison.failures(FailOn(accuracy=True, claims=True))
    assert [] == comparison.failures(FailOn(speed=1.6))
    assert ["a training step takes 1.50 times as long (more than 1.2)"] == comparison.failures(FailOn(speed=1.2))
    assert 100.0 == pytest.approx(comparison.step_time.old)


def test_versions_that_differ_are_listed(make_run):
    """Those that don't, are not."""
    old, new = ({"keras": version, "numpy": "2.0"} for version in ("3.8.0", "3.15.1"))

    assert (("keras", "3.8.0", "3.15.1"),) == compare(make_run([], packages=old), make_run([], packages=new)).versions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", FailOn()),
        ("accuracy", FailOn(accuracy=True)),
        ("accuracy, claims,speed:1.2,fingerprint", FailOn(accuracy=True, claims=True, fingerprint=True, speed=1.2)),
    ],
)
def test_what_fails_is_read_from_text(text, expected):
    """And written as it was read."""
    assert expected == FailOn.parse(text)
    assert expected == (FailOn.parse(str(expected)) if text else expected)


@pytest.mark.parametrize("text", ["speed", "speed:", "speed:-1", "speed:fast", "loss", "accuracy:1"])
def test_what_cannot_fail_is_refused(text):
    """The message names it."""
    with pytest.raises(ConfigurationError, match=f"Received: '{text}'"):
        FailOn.parse(text)


def test_the_page_names_what_has_moved_first(run_of, healthy):
    """Then what has not; the reasons to fail end it."""
    moved = healthy.copy()
    moved[3] -= 0.08

    comparison = compare(run_of(healthy[:, :4]), run_of(moved[:, :4]))
    page = describe(comparison_record(comparison, FailOn(accuracy=True)))

    lines = page.splitlines()
    assert next(line for line in lines if line.startswith("arm ") and "regressed" in line).startswith("arm 3")
    assert "paired by seed" in lines[0]
    assert "FAILED: accuracy, macro-F1 or loss has regressed: " in page


def test_a_fingerprint_of_another_schema_leaves_the_rest_compared(run_of, healthy):
    """Why it cannot be compared stands in its place, and is no failure."""
    run = replace(run_of(healthy), fingerprint={"schema_version": 99})

    comparison = compare(run, run)

    assert "newer tlbench" in comparison.numerics
    assert [] == comparison.failures(FailOn(fingerprint=True))
    assert {"same"} == set(statuses(comparison).values())
