"""Degradations: each claim can be refuted, and nothing is trained for the evaluations."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import tiny

from pebble import Pebble

from benchmarks.beyond import test_degradations as experiment
from benchmarks.beyond.robustness import SEVERITIES, networks
from tlbench.datasets.dataset import Split
from tlbench.declare.degraded import Degraded
from tlbench.declare.evaluations import Evaluation
from tlbench.declare.profiles import Profile
from tlbench.declare.study import Study
from tlbench.declare.trials import DataReference, Recipe, SavedWeights
from tlbench.judge.judging import judge
from tlbench.run.options import Options
from tlbench.run.run import Run


SEEDS = (0, 1, 2)

CLASSES = tuple("abcdefgh")

ORIGINALS = (0.5, 0.9, 0.8, 0.6)

EVENLY = dict.fromkeys(SEVERITIES, (0.6, 0.6, 0.6, 0.6))


@pytest.fixture
def study():
    """A study of eight classes whose transferred weights come from a file."""
    weights = SavedWeights("weights", "0" * 64)
    data = DataReference("images", "1" * 64, Split())
    return Study("tiny", data, CLASSES, Pebble(), Recipe(), weights, "weights", SEEDS)


@pytest.fixture
def outcome(study):
    """A function that judges a claim on planted shares of accuracy above chance, kept by each of the four networks."""

    def judged(claim, kept):
        arms = {arm.trial(0).arm_digest: place for place, arm in enumerate(networks(study))}

        def result(work):
            trial = work.trial if isinstance(work, Evaluation) else work
            place = arms[trial.arm_digest]
            share = kept[work.images.kind][place] if isinstance(work, Evaluation) else 1
            accuracy = 1 / 8 + share * (ORIGINALS[place] - 1 / 8) + 0.001 * (trial.seed * (place + 1) % 3)
            return SimpleNamespace(diverged=False, scores={"accuracy": accuracy, "macro_f1": accuracy})

        return judge([claim], result, [len(SEEDS)])[0].outcome

    return judged


@pytest.mark.parametrize("kind", SEVERITIES)
def test_that_transferred_weights_keep_more_can_be_refuted(kind, study, outcome):
    """By random weights that keep more under this kind, whatever the others do."""
    claim = experiment.transferred_keeps_more(study, kind)

    assert "supported" == outcome(claim, EVENLY | {kind: (0.4, 0.7, 0.5, 0.5)})
    assert "refuted" == outcome(claim, EVENLY | {kind: (0.7, 0.4, 0.5, 0.5)})


def test_that_the_order_is_kept_can_be_refuted(study, outcome):
    """By networks that are reversed under most kinds; one kind is not enough."""
    claim = experiment.order_is_kept(study)
    reversed_ = (0.9, 0.05, 0.1, 0.3)

    assert "supported" == outcome(claim, EVENLY)
    assert "supported" == outcome(claim, EVENLY | {"motion blur": reversed_})
    assert "refuted" == outcome(claim, dict.fromkeys(SEVERITIES, reversed_))


def test_that_compression_harms_less_can_be_refuted(study, outcome):
    """By a network that keeps more under blur and noise."""
    claim = experiment.compression_harms_less(study)

    assert "supported" == outcome(claim, EVENLY | {"JPEG compression": (0.1, 0.9, 0.1, 0.1)})
    assert "refuted" == outcome(claim, EVENLY | {"JPEG compression": (0.9, 0.3, 0.9, 0.9)})


def test_a_network_that_knows_nothing_keeps_no_share(study):
    """An accuracy of chance has no share to keep: the claim stays undecided."""
    claim = experiment.transferred_keeps_more(study, "motion blur")

    def at_chance(_work):
        return SimpleNamespace(diverged=False, scores={"accuracy": 1 / 8})

    assert "inconclusive" == judge([claim], at_chance, [len(SEEDS)])[0].outcome


def test_every_severity_is_one_of_its_kind(study):
    """Each network is scored on all of them."""
    table = experiment.accuracies(study)
    images = {work.images for cell in table.quantities for work in cell.work(0) if isinstance(work, Evaluation)}

    assert {Degraded(kind, each) for kind, (_, severities) in SEVERITIES.items() for each in severities} == images
    assert 24 * 4 == sum(isinstance(work, Evaluation) for cell in table.quantities for work in cell.work(0))


def test_nothing_is_trained_for_evaluations(tmp_path):
    """With the poster's trials stored, the plan has none to train, and the store's trials stay as they are."""
    profile = Profile(
        "tiny",
        tiny.images,
        lambda size: tiny.images(size, 1),
        Pebble(),
        Recipe(epochs=1),
        Split(0.2, 0.3),
        Recipe(epochs=1),
    )

    def start():
        return Run(Options(profile=profile, seeds=1, max_seeds=1, store=tmp_path, report=tmp_path / "report"))

    def stored():
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*") if path.is_file()}

    first = start()
    for arm in networks(first.study):
        first.result(arm.trial(0))
    first.close()
    before = stored()
    assert before

    run = start()
    figure = experiment.accuracy_over_severity(run.study, "motion blur")
    run.plan([figure])
    missing = run.missing
    drawn = run.trace(figure)
    run.close()

    assert 5 == len(run.trials)
    assert ({Evaluation}, 16) == ({type(work) for work in missing}, len(missing))
    assert before == stored()
    assert all(point.cell.numbers for point in drawn.points)
