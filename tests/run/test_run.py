"""A study run without pytest."""

from __future__ import annotations

import json

from dataclasses import replace

import numpy as np
import pytest

from pebble import Pebble

from tlbench.datasets.dataset import Dataset, Split
from tlbench.declare.claims import Reading, score, validation_accuracy
from tlbench.declare.profiles import Profile
from tlbench.declare.tasks import Task
from tlbench.declare.trials import Recipe
from tlbench.errors import ConfigurationError
from tlbench.judge.comparison import FailOn
from tlbench.report.figures import Curves
from tlbench.report.tables import Column, Row, Table
from tlbench.run import status
from tlbench.run.commands import Command
from tlbench.run.options import Options
from tlbench.run.run import Run
from tlbench.scores.extras import ALL_EXTRAS, BATCH_STATISTICS, NO_EXTRAS, VALIDATION
from tlbench.scores.listed import BATCH_STATISTICS_ACCURACY
from tlbench.store import baselines


def colours(size):
    """60 noisy images of three colours."""
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = generator.integers(0, 120, (60, size, size, 3))
    images[np.arange(60), :, :, labels] += 100
    return Dataset("colours", images.astype(np.uint8), labels, ("red", "green", "blue"))


RECIPE = Recipe(learning_rate=0.1, epochs=1, batch_size=8)

SPLIT = Split(validation=0.2, test=0.2)

PROFILE = Profile("tiny", colours, colours, Pebble(), RECIPE, SPLIT, RECIPE, SPLIT)


def start(folder, **changes):
    """A run whose store is in a folder."""
    given = {"seeds": 2, "max_seeds": 2, "store": folder, "report": folder / "report", "compare_fail": FailOn()}
    return Run(Options(profile=PROFILE, **(given | changes)), command=Command(("study", "--tlbench-save", "x")))


def rates(run):
    """A claim and a table, of the same two arms."""
    fast = run.study.random("fast")
    slow = run.study.random("slow", recipe=replace(RECIPE, learning_rate=1e-4))
    rows = tuple(Row(arm.label, {"accuracy": score(arm)}) for arm in (fast, slow))
    claim = score(fast).beats(score(slow)).named("test_fast", "A high rate is better.")
    return [claim, Table("Table 1", "two rates", "arm", (Column("accuracy"),), rows)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of the claim and the table, saved as `first`."""
    run = start(tmp_path_factory.mktemp("store"), save="first")
    run.plan(rates(run))
    run.train()
    run.judge()
    run.saving = run.save()
    run.close()
    return run


def test_a_plan_is_told_to_programs(tmp_path):
    """Its trials, those that are missing, its claims, and those that the images do not serve."""
    run = start(tmp_path, plan=True, status=tmp_path / "status.json")
    claim = score(run.study.random("dogs", task=Task("dog/other", dog=["dog"], other=...))).is_positive()
    run.gathered.leave_out(claim.named("test_dogs", ""), "images lack the class dog")
    run.plan(rates(run))

    reached = status.read(tmp_path / "status.json")
    assert ("test_fast",) == reached.claims
    assert tuple(trial.digest for trial in run.trials) == reached.plan.trials
    assert dict.fromkeys(reached.plan.trials) == reached.plan.missing, "nothing of the kind was ever timed"
    assert {"test_dogs": "images lack the class dog"} == reached.plan.not_applicable


def test_a_saved_run_says_why_and_where_a_claim_stands(finished):
    """The reason and the interval of each verdict, and the claims that the images do not serve."""
    (claim,) = baselines.load(finished.saving.saved).claims

    verdict = finished.gathered.verdicts[0]
    assert verdict.reason == claim.reason
    assert (verdict.interval.low, verdict.interval.high) == claim.interval


def test_a_plan_has_each_trial_once(tmp_path):
    """Two arms, two seeds; nothing is trained."""
    run = start(tmp_path)

    assert 4 == len(run.plan(rates(run)))
    assert run.trials == run.missing
    assert None is run.trained


def extras_by_arm(run):
    """The extra predictions of the planned trials, by label of the arm."""
    return {run.labels.first(trial).partition(",")[0]: trial.extras for trial in run.trials}


def test_extra_predictions_are_made_where_a_declaration_reads_them(tmp_path):
    """A claim or a table about accuracy reads none, a figure of curves and a claim about epochs validate."""
    run = start(tmp_path)
    plain, curved, read = (run.study.random(name, recipe=replace(RECIPE, epochs=n)) for n, name in enumerate("abc", 2))
    claim = score(plain).beats(score(read, validation_accuracy(1))).named("test_epochs", "About epochs.")
    lagging = score(plain, BATCH_STATISTICS_ACCURACY)
    columns = (Column("accuracy"), Column("re-estimated"))
    table = Table("T", "a table", "arm", columns, (Row("a", {"accuracy": score(plain), "re-estimated": lagging}),))

    run.plan([*rates(run), claim, table, Curves("F", "curves", curved, read)])

    validated, restated = frozenset({VALIDATION}), frozenset({BATCH_STATISTICS})
    expected = {"fast": NO_EXTRAS, "slow": NO_EXTRAS, "a": restated, "b": validated, "c": validated}
    assert expected == extras_by_arm(run)


def test_all_extra_predictions_are_made_for_a_reading_or_a_figure_that_may_read_them(tmp_path):
    """Somebody else's code, and trials that a test asks for itself."""
    run = start(tmp_path)
    arm, other = run.study.random("an arm"), run.study.random("another", recipe=replace(RECIPE, epochs=2))
    own = Reading("own", lambda scored: scored.validation_accuracy[0])
    claim = score(arm, own).is_positive().named("test_own", "A reading of one's own.")

    run.plan([claim])

    assert {"an arm": ALL_EXTRAS} == extras_by_arm(run)
    assert ALL_EXTRAS == run.result(other.trial(0)).extras
    run.close()


def test_a_later_plan_may_ask_for_more(tmp_path):
    """The result is then trained again, with the extra predictions."""
    run = start(tmp_path)
    arm = run.study.random("fast")
    run.plan([score(arm).is_positive().named("test_positive", "Something is learned.")])
    before = run.result(arm.trial(0))

    run.plan([Curves("F", "curves", arm, arm)])
    after = run.result(arm.trial(0))
    run.close()

    assert (NO_EXTRAS, frozenset({VALIDATION})) == (before.extras, after.extras)
    np.testing.assert_array_equal(before.probabilities, after.probabilities)


def test_a_run_trains_judges_and_reports(finished):
    """Every trial is in the store, the verdict in the report, and each cell filled."""
    report = finished.report()

    assert () == finished.missing
    assert 4 == len(finished.trained[1])
    assert ["test_fast"] == [claim.name for claim in report.claims]
    assert report.tables[0].filled
    assert "pytest study --tlbench-repeat" == report.repeat


def test_a_run_is_saved(finished):
    """Under its name."""
    assert "passed" == finished.saving.outcome
    assert finished.saving.saved.name.endswith("_first.json")


def test_a_second_run_trains_nothing_and_measures_nothing(finished):
    """Its results are those of the run that it is compared with."""
    run = start(finished.options.store, compare="first")
    run.plan(rates(run))
    run.judge()

    assert None is run.trained
    assert "not measured" == run.save().outcome


def test_a_trial_is_repeated_by_its_digest(finished):
    """The store is left as it is; a digest that no trial has is refused."""
    run = start(finished.options.store)
    run.plan(rates(run))

    lines = run.repeat(run.trials[0].digest[:12])

    assert any("accuracy" in line for line in lines)
    with pytest.raises(ConfigurationError, match="which 0 of 4 begin with"):
        run.repeat("x")


def test_a_declaration_that_the_images_do_not_serve_is_named(tmp_path):
    """By the class that they lack."""
    run = start(tmp_path)
    arm = run.study.random("cats", task=Task("cat/red", cat=["cat"], red=["red"]))

    assert "cat" in run.unfit(score(arm).is_positive())
    assert None is run.unfit(rates(run)[0])


def test_the_status_follows_the_run(tmp_path):
    """Planned, training, finished: a program that started the run reads how far it is."""
    path = tmp_path / "status" / "run.json"
    run = start(tmp_path / "store", status=path, save="named")
    states = []

    run.plan(rates(run)[:1])
    states.append(json.loads(path.read_text()))
    run.judge()
    run.close()
    states.append(json.loads(path.read_text()))
    saved = run.save().saved
    run.finish()
    states.append(json.loads(path.read_text()))

    assert ["planned", "training", "finished"] == [state["state"] for state in states]
    assert [(4, 0), (4, 4), (4, 4)] == [(state["planned"], state["trained"]) for state in states]
    assert "trial 4/4" in states[1]["progress"]
    assert [None, None, str(saved)] == [state["saved"] for state in states]


def test_a_display_rests_once_nothing_is_trained(tmp_path):
    """Also after a trial that is repeated, which leaves the store as it is."""
    shown = []

    class Display:
        def line(self, text):
            shown.append(text)

        def state(self, _state):
            shown.append("state")

        def rest(self):
            shown.append("rest")

    options = Options(profile=PROFILE, seeds=1, max_seeds=1, store=tmp_path, report=tmp_path / "report")
    run = Run(options, display=Display())
    run.plan([score(run.study.random("fast")).is_positive().named("test_positive", "Something is learned.")])
    run.train()
    trained = shown.copy()
    shown.clear()
    run.repeat(run.trials[0].digest)
    run.close()

    for lines in (trained, shown):
        assert ["state", "rest"] == [lines[0], lines[-1]]
        assert 1 == lines.count("rest")
        assert 1 == sum(line.startswith("trial ") for line in lines)
