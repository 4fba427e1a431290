"""Plans: what is trained, in which order."""

from __future__ import annotations

from tlbench.declare.graphs import Graph
from tlbench.declare.tasks import Task
from tlbench.plan.schedule import ordered
from tlbench.report.plans import describe


def test_each_trial_is_planned_once(make_trial):
    """A cell of two tables is one run."""
    assert (make_trial(),) == ordered([make_trial(), make_trial()])


def test_a_source_comes_before_what_starts_from_it(make_trial):
    """Even one that nobody asked for."""
    source = make_trial(seed=5)
    middle = make_trial(initialisation=source)
    last = make_trial(initialisation=middle)

    assert (source, middle, last) == ordered([last, source])


def test_a_plan_is_described_with_what_is_stored_and_shared(make_trial):
    """Each line says what a trial serves, what it starts from and whether it is stored."""
    source = make_trial(seed=5)
    trial = make_trial(initialisation=source, frozen=frozenset({"entry", "middle"}))
    labels = {source.digest: ["the source"], trial.digest: ["one arm", "another arm"]}

    text = describe((source, trial), labels, lambda candidate: candidate == source, lambda trial: trial.frozen)

    lines = text.splitlines()
    assert "the source" in lines[2]
    assert "stored" in lines[2]
    assert "one arm" in lines[3]
    assert "trial 1" in lines[3]
    assert "entry+middle" in lines[3]
    assert "to train" in lines[3]
    assert "= another arm" in lines[4]
    assert "2 trials serve 3 uses; 1 are stored, 1 to train" in text
    assert "share 2 compiled networks" in text


def test_tasks_of_as_many_labels_share_a_network(make_trial):
    """Optimizers do not: each compiled network has the steps of one."""
    tasks = [Task("person/other", person=["red"], other=...), Task("cat/dog", cat=["green"], dog=["blue"])]
    optimizers = [make_trial().recipe.at(optimizer=name) for name in ("adam", "sgd")]

    def described(*plan):
        return describe(plan, {}, lambda _trial: False, lambda trial: Graph.of(trial, 2)).splitlines()[-1]

    assert "share 1 compiled network:" in described(*(make_trial(task=task) for task in tasks))
    assert "share 2 compiled networks:" in described(*(make_trial(recipe=recipe) for recipe in optimizers))
