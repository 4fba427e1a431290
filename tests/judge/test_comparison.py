"""Two saved runs, compared."""

from __future__ import annotations

import itertools

from dataclasses import replace

import numpy as np
import pytest

from tlbench.errors import ConfigurationError
from tlbench.judge.arm_changes import ALL_ARMS
from tlbench.judge.comparison import FailOn, compare
from tlbench.machine.environment import Surroundings
from tlbench.report.comparisons import describe
from tlbench.report.gathering import comparison_record
from tlbench.store.baselines import SavedArm, SavedClaim, SavedRun
from tlbench.store.results import Summary


def scores(accuracy, *, diverged=False, seconds=1.0):
    of_metrics = {"accuracy": accuracy, "macro_f1": accuracy, "loss": 1 - accuracy}
    return Summary(
        diverged=diverged,
        scores={} if diverged else of_metrics | {"batch_statistics_accuracy": accuracy},
        f1={},
        validation_accuracy=(accuracy,),
        training_accuracy=(accuracy,),
        epoch_seconds=(3 * seconds, seconds, 1.1 * seconds),
        epoch_steps=10,
        epoch_images=320,
        seconds=6 * seconds,
    )


def arm(name, accuracies, description=None, **changes):
    trials = {seed: scores(accuracy, **changes) for seed, accuracy in accuracies.items()}
    digests = {seed: f"{name}{seed}" for seed in trials}
    return SavedArm(name, (f"arm {name}",), description or {"recipe": {"Recipe": {"rate": 0.1}}}, digests, trials)


def claim(name, outcome, differences):
    return SavedClaim(name, "", 0.0, outcome, dict(enumerate(differences)), None, None, None)


def trained_by(run, *seeds):
    """A run that has trained the trials of some seeds itself, of all unless any are named."""

    def runs(arm):
        return {seed: run.id if not seeds or seed in seeds else "an earlier run" for seed in arm.trials}

    def measurements(claim):
        return {
            seed: (f"digest@{run.id if not seeds or seed in seeds else 'an earlier run'}",)
            for seed in claim.differences
        }

    return replace(
        run,
        arms=tuple(replace(arm, runs=runs(arm)) for arm in run.arms),
        claims=tuple(replace(claim, measurements=measurements(claim)) for claim in run.claims),
    )


@pytest.fixture
def make_run(environment):
    """A function that makes a run of some arms and claims."""
    numbers = itertools.count()

    def make(arms, claims=(), packages=None):
        around = Surroundings(environment, packages or {}, "linux", "cpu", 2, (), None, {})
        run = SavedRun("a run", "2026-11-24T00:00:00+00:00", "0.1.0", None, {}, around, None, None, tuple(arms), claims)
        return trained_by(replace(run, id=f"run {next(numbers)}"))

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


def test_equal_scores_of_two_measurements_are_the_same(run_of, healthy):
    """Nothing has moved, and nothing fails."""
    comparison = compare(run_of(healthy), run_of(healthy))

    assert {"same"} == set(statuses(comparison).values())
    assert [] == comparison.failures(FailOn(accuracy=True, claims=True, speed=1.1))
    assert "passed" == comparison.outcome(FailOn.parse("accuracy,claims,measured,speed:1.1"))
    assert comparison.paired
    assert {(8, 8), (64, 64)} == {(arm.measured, arm.trials) for arm in comparison.arms}


FAIL_ON = FailOn.parse("accuracy,claims,measured,speed:1.2")


@pytest.mark.parametrize("known", [True, False], ids=["this version's", "an older version's"])
def test_a_run_held_against_itself_is_not_measured(make_run, healthy, known):
    """Neither its arms, nor its claims, nor its steps; without a run's identity the times of trials tell."""
    arms = [arm(str(n), dict(enumerate(map(float, row)))) for n, row in enumerate(healthy[:, :4])]
    run = make_run(arms, (claim("c", "supported", [0.1, 0.11, 0.12, 0.13]),))
    if not known:
        run = replace(
            run,
            id="",
            arms=tuple(replace(arm, runs={}) for arm in run.arms),
            claims=tuple(replace(claim, measurements={}) for claim in run.claims),
        )

    comparison = compare(run, run)

    assert {"not measured"} == set(statuses(comparison).values())
    assert ["not measured"] == [change.status for change in comparison.claims]
    assert [None] == [ratio.ratio for ratio in comparison.ratios]
    assert () == comparison.accuracies
    assert not comparison.measured
    assert "not measured" == comparison.outcome(FAIL_ON)
    assert "not measured" == comparison.outcome(FailOn()), "whatever is asked for"
    page = describe(comparison_record(comparison, FAIL_ON))
    assert "NOT MEASURED: 8 of 8 arms rest on the same measurements in both runs: arm 0, " in page
    assert "NOT MEASURED: 1 of 1 claims rest on the same measurements in both runs: c; --tlbench-fresh" in page
    assert "NOT MEASURED: no step was timed in the newer run" in page
    assert "passed" not in page


def test_a_stored_result_of_another_run_is_a_measurement(run_of, healthy):
    """The page says that this run has not trained it."""
    new = trained_by(run_of(healthy[:, :4]), 2, 3)

    comparison = compare(run_of(healthy[:, :4]), new)

    assert {"same"} == set(statuses(comparison).values())
    assert {(2, 4), (16, 32)} == {(arm.measured, arm.trials) for arm in comparison.arms}
    assert "2 of 4" in describe(comparison_record(comparison, FAIL_ON))


def test_seeds_that_were_not_measured_are_left_out(run_of, healthy):
    """Their differences of zero would hide what the others say; what is left is paired still."""
    old = run_of(healthy[:, :6])
    new = run_of(np.concatenate([healthy[:, :3], healthy[:, 3:6] - 0.2], axis=1))
    read = tuple(
        replace(b, runs=b.runs | {seed: a.runs[seed] for seed in range(3)})
        for a, b in zip(old.arms, new.arms, strict=True)
    )

    comparison = compare(old, replace(new, arms=read))

    assert {"regressed"} == set(statuses(comparison).values())
    assert comparison.paired
    assert -0.2 == pytest.approx(comparison.arms[0].changes["accuracy"].effect)
    assert "seeds left out, the same measurements in both runs: 0, 1, 2" == comparison.arms[-1].note
    assert {3, 4, 5} == {seed for _, seed, _, _ in comparison.accuracies}


def test_new_seeds_beside_what_was_not_measured_are_compared_unpaired(run_of, healthy):
    """As when a run adds seeds to those of the baseline."""
    old, new = run_of(healthy[:, :4]), run_of(healthy)
    read = tuple(
        replace(b, runs=b.runs | {seed: a.runs[seed] for seed in range(4)})
        for a, b in zip(old.arms, new.arms, strict=True)
    )

    comparison = compare(old, replace(new, arms=read))

    assert {"same"} == set(statuses(comparison).values())
    assert not comparison.paired
    assert healthy[0, :4].mean() == pytest.approx(comparison.arms[-8].changes["accuracy"].old)
    assert healthy[0, 4:].mean() == pytest.approx(comparison.arms[-8].changes["accuracy"].new)


def test_what_was_partly_not_measured_fails_where_asked_to(make_run):
    """An arm that was read and one that was trained: the second is judged, the first is named."""
    first, second = arm("A", {0: 0.8, 1: 0.81}), arm("B", {0: 0.7, 1: 0.71})
    old = make_run([first, second])
    new = make_run([first, second])
    new = replace(new, arms=(replace(new.arms[0], runs=old.arms[0].runs), new.arms[1]))

    comparison = compare(old, new)

    assert {"arm A": "not measured", "arm B": "same", ALL_ARMS: "same"} == statuses(comparison)
    assert "not measured" == comparison.outcome(FAIL_ON)
    assert "passed" == comparison.outcome(FailOn(accuracy=True))


def test_a_failure_comes_before_what_was_not_measured(make_run):
    """Exit statuses follow."""
    first, second = arm("A", {0: 0.8, 1: 0.81}), arm("B", {0: 0.7, 1: 0.71})
    old = make_run([first, second])
    new = make_run([first, arm("B", {0: 0.1, 1: 0.11})])
    new = replace(new, arms=(replace(new.arms[0], runs=old.arms[0].runs), new.arms[1]))

    assert "failed" == compare(old, new).outcome(FAIL_ON)


def test_a_claim_judged_otherwise_on_the_same_measurements_has_not_changed(make_run):
    """Among more claims its level is another; nothing was measured that could have moved it."""
    old = make_run([], (claim("c", "supported", [0.1, 0.11, 0.12]),))
    judged = tuple(replace(each, outcome="inconclusive") for each in old.claims)

    (change,) = compare(old, replace(old, claims=judged)).claims

    assert ("not measured", "supported", "inconclusive") == (change.status, change.old, change.new)
    assert "judged otherwise" in change.note


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


def _with_scores(run, **changed):
    """The same run with scores changed by functions of the accuracy; None takes a score away."""

    def scores_of(summary):
        accuracy = summary.scores["accuracy"]
        of_metrics = summary.scores | {key: of(accuracy) for key, of in changed.items() if of}
        return {key: value for key, value in of_metrics.items() if changed.get(key, key) is not None}

    return replace(
        run,
        arms=tuple(
            replace(arm, trials={seed: replace(each, scores=scores_of(each)) for seed, each in arm.trials.items()})
            for arm in run.arms
        ),
    )


def test_a_metric_that_does_not_alarm_is_compared_and_decides_nothing(run_of, healthy):
    """However far it moves; the p-values of the metrics that alarm stay what they were."""
    old, new = run_of(healthy[:, :4]), run_of(healthy[:, :4] - 0.02)
    plain = compare(old, new)
    comparison = compare(
        _with_scores(old, brier_score=lambda accuracy: 1 - accuracy), _with_scores(new, brier_score=lambda _: 2.0)
    )

    assert statuses(plain) == statuses(comparison)
    for before, after in zip(plain.arms, comparison.arms, strict=True):
        shown = after.changes["brier_score"]
        assert {key: after.changes[key] for key in before.changes} == before.changes
        assert (2.0, None) == (shown.new, shown.p)
        assert shown.interval[0] < shown.effect < shown.interval[1]


@pytest.mark.parametrize("lacking", ["older", "newer"])
def test_a_score_that_either_run_lacks_is_not_compared(run_of, healthy, lacking):
    """As in runs that a tlbench saved which did not know it; the other metrics are compared."""
    old, new = run_of(healthy[:, :4]), run_of(healthy[:, :4] - 0.1)
    if lacking == "older":
        old = _with_scores(old, loss=None)
    else:
        new = _with_scores(new, loss=None)

    comparison = compare(old, new)

    assert {"regressed"} == set(statuses(comparison).values())
    assert all("loss" not in arm.changes for arm in comparison.arms)
    assert "loss" in describe(comparison_record(comparison, FAIL_ON)), "its column stays"


def test_a_metric_of_some_arms_alone_has_no_mean_of_all(make_run):
    """Top-5 accuracy does not apply to an arm of two classes; a mean over fewer arms is another quantity."""
    arms = [arm(name, {0: 0.8, 1: 0.81, 2: 0.79}) for name in ("A", "B")]
    many = _with_scores(make_run(arms[:1]), top_5_accuracy=lambda accuracy: accuracy + 0.1).arms
    old, new = (trained_by(replace(make_run(arms), arms=(*many, arms[1]), id=name)) for name in ("one", "two"))

    everything, first, second = compare(old, new).arms

    assert (ALL_ARMS, "arm A", "arm B") == (everything.label, first.label, second.label)
    assert [False, True, False] == ["top_5_accuracy" in each.changes for each in (everything, first, second)]
    assert pytest.approx(0.9) == first.changes["top_5_accuracy"].new


def test_arms_without_a_metric_that_alarms_are_not_judged(run_of, healthy):
    """Whatever else they have in common."""
    runs = [run_of(healthy[:2, :4]) for _ in range(2)]
    bare = [_with_scores(run, accuracy=None, macro_f1=None, loss=None) for run in runs]

    comparison = compare(*bare)

    assert {"not judged"} == set(statuses(comparison).values())
    assert () == comparison.accuracies


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
        ("measured", FailOn(measured=True)),
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


def test_scores_that_decide_nothing_have_a_table_of_their_own(run_of, healthy):
    """Below the arms, with their units; without such scores there is none."""
    old, new = run_of(healthy[:2, :4]), run_of(healthy[:2, :4] - 0.02)
    further = [_with_scores(run, brier_score=lambda accuracy: 1 - accuracy) for run in (old, new)]
    bare = [_with_scores(run, batch_statistics_accuracy=None) for run in (old, new)]

    page = describe(comparison_record(compare(*further), FAIL_ON))

    assert "arm, further scores" in page
    assert "accuracy (%)" in page
    assert "loss (nats)" in page
    assert page.index("loss (nats)") < page.index("Brier score") < page.index("speed and memory")
    assert "further scores" not in describe(comparison_record(compare(*bare), FAIL_ON))


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("percent", "11.0 -> 31.0 [+20.0, +20.0] points"),
        ("nats", "0.110 -> 0.310 [+0.200, +0.200] nats"),
        ("number", "0.110 -> 0.310 [+0.200, +0.200]\n"),
    ],
)
def test_the_difference_of_a_claim_is_in_its_unit(make_run, unit, expected):
    """Points where it is one of shares, as in verdicts."""
    claims = [
        (replace(claim("c", "supported", differences), unit=unit),)
        for differences in ([0.1, 0.11, 0.12], [0.3, 0.31, 0.32])
    ]

    page = describe(comparison_record(compare(*(make_run([], each) for each in claims)), FAIL_ON))

    assert expected in page


def test_a_fingerprint_of_another_schema_leaves_the_rest_compared(run_of, healthy):
    """Why it cannot be compared stands in its place, and is no failure."""
    runs = [replace(run_of(healthy), fingerprint={"schema_version": 99}) for _ in range(2)]

    comparison = compare(*runs)

    assert "newer tlbench" in comparison.numerics
    assert [] == comparison.failures(FailOn(fingerprint=True))
    assert {"same"} == set(statuses(comparison).values())
