"""Few images: each claim can be refuted, and arms differ in nothing but their images."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pebble import Pebble

from benchmarks.beyond import test_few_images as experiment
from benchmarks.beyond.few_images import doublings, number, sizes, trained, worth
from tlbench.datasets.dataset import Split
from tlbench.declare.study import Study
from tlbench.declare.trials import DataReference, Random, Recipe, SavedWeights
from tlbench.errors import ConfigurationError
from tlbench.judge.judging import judge


SEEDS = (0, 1, 2)

SIZES = (40, 80, 200, 400, 960)


def make_study(training_images=960):
    """A study of eight classes, which trains 30 steps an epoch on all images."""
    weights = SavedWeights("weights", "0" * 64)
    data = DataReference("images", "1" * 64, Split(training_images=960))
    recipe = Recipe(batch_size=32, epochs=5)
    return Study(
        "tiny", data, tuple("abcdefgh"), Pebble(), recipe, weights, "weights", SEEDS, training_images=training_images
    )


@pytest.fixture
def study():
    return make_study()


def results(random, transferred):
    """A function that gives the planted accuracy of a trial, by its weights and its number of images."""

    def result(trial):
        curve = random if isinstance(trial.initialisation, Random) else transferred
        accuracy = dict(zip(SIZES, curve, strict=True))[trial.data.split.training_images] + 0.002 * trial.seed
        accuracy += 0.001 * isinstance(trial.initialisation, Random) * (trial.seed == 1)
        return SimpleNamespace(diverged=False, scores={"accuracy": accuracy, "macro_f1": accuracy})

    return result


def outcome(claim, random, transferred):
    return judge([claim], results(random, transferred), [len(SEEDS)])[0].outcome


RISING = (0.3, 0.4, 0.5, 0.6, 0.7)

HIGHER = (0.55, 0.6, 0.65, 0.7, 0.75)


@pytest.mark.parametrize("per_class", experiment.CLAIMED)
def test_that_transferred_beats_random_can_be_refuted(per_class, study):
    """On each number of images."""
    claim = experiment.transferred_beats_random(study, per_class)

    assert "supported" == outcome(claim, RISING, HIGHER)
    assert "refuted" == outcome(claim, HIGHER, RISING)


def test_that_the_lead_shrinks_can_be_refuted(study):
    """By a lead that grows."""
    claim = experiment.lead_shrinks(study)

    assert "supported" == outcome(claim, RISING, HIGHER)
    assert "refuted" == outcome(claim, RISING, (0.32, 0.45, 0.6, 0.75, 0.9))


@pytest.mark.parametrize("per_class", [5, 10, 25])
def test_that_transfer_is_worth_twice_the_images_can_be_refuted(per_class, study):
    """By transferred weights that need more than half of the images of random ones."""
    claim = experiment.worth_twice_the_images(study, per_class)

    assert "supported" == outcome(claim, RISING, HIGHER)
    assert "refuted" == outcome(claim, RISING, tuple(accuracy + 0.01 for accuracy in RISING))


def test_a_score_beyond_all_images_is_worth_no_more_than_all(study):
    """A bound is counted as the number itself, which can only speak against the claim."""
    lookup = results(RISING, (0.9, 0.9, 0.9, 0.9, 0.9))

    assert 960 == worth(study, 40).value(lookup, 0)
    assert 960 == worth(study, 40).highest
    assert 960 / 40 == pytest.approx(2 ** doublings(study, 40).value(lookup, 0))


def test_arms_differ_in_their_images_alone(study):
    """Steps stay about the same, batches hold no more than there are; all images are the study's own trial."""
    arms = {count: trained(study, "transferred", count) for count in SIZES}
    steps = {count: arm.recipe.epochs * (count // arm.recipe.batch_size) for count, arm in arms.items()}

    assert all(140 <= each <= 160 for each in steps.values())
    assert study.transferred("all", task=experiment_task()).trial(0) == arms[960].trial(0)
    assert {Split(training_images=count) for count in SIZES} == {arm.data.split for arm in arms.values()}
    assert 16 == trained(study, "random", 16).recipe.batch_size


def experiment_task():
    from benchmarks.poster import EIGHT_CLASSES

    return EIGHT_CLASSES


@pytest.mark.parametrize(
    ("every", "expected"),
    [(960, SIZES), (800, (40, 80, 200, 400, 800)), (4830, (40, 80, 200, 400, 800, 4830)), (30, (30,))],
)
def test_numbers_of_images_go_as_far_as_the_study_does(every, expected):
    """A number that is nearly all is left out; a claim about more than there are is about all."""
    study = make_study(every)

    assert expected == sizes(study)
    assert every == number(study, "all")
    assert min(400, every) == number(study, 50)


def test_more_images_than_there_are_cannot_be_asked_for(study):
    """Nor none at all."""
    with pytest.raises(ConfigurationError, match=r"trains on 960 images; .* Received: count=961"):
        study.fewer_images(961)
    with pytest.raises(ConfigurationError, match="Received: training_images=0"):
        study.fewer_images(0)
