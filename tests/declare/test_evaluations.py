"""Evaluations as values: digests, images, and quantities on images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from pebble import RED_GREEN

from tlbench.datasets.dataset import Dataset, Split
from tlbench.declare import revisions
from tlbench.declare.claims import evaluations, score, validation_accuracy
from tlbench.declare.degraded import Degraded
from tlbench.declare.evaluations import Evaluation, Mirrored, TestImages, evaluations_of, trials_of
from tlbench.declare.trials import Arm, DataReference
from tlbench.errors import ConfigurationError, DataError
from tlbench.plan.schedule import ordered
from tlbench.scores.listed import MACRO_F1


@dataclass(frozen=True)
class Darker(TestImages):
    """Images of a test's own."""

    factor: float = 0.5

    @property
    def name(self):
        """With its parameter."""
        return f"test images at {self.factor:g} of their brightness"

    def altered(self, images, _numbers):
        """Darker."""
        return (images * self.factor).astype(np.uint8)


@pytest.fixture
def arm(make_trial):
    trial = make_trial()
    return Arm("plain", trial.data, trial.task, trial.network, trial.initialisation, trial.frozen, trial.recipe)


def test_equal_evaluations_have_equal_digests(make_trial):
    """Whoever makes them, and however the dataset is called."""
    trial = make_trial()
    other = Mirrored(dataset=replace(trial.data, name="same images"))

    assert Evaluation(trial, Mirrored()).digest == Evaluation(make_trial(), Mirrored()).digest
    assert Evaluation(trial, Mirrored(dataset=trial.data)).digest == Evaluation(trial, other).digest


@pytest.mark.parametrize(
    "other",
    [
        lambda trial, _make: Evaluation(trial, TestImages()),
        lambda trial, _make: Evaluation(trial, Darker()),
        lambda trial, _make: Evaluation(trial, Darker(0.25)),
        lambda trial, _make: Evaluation(trial, Mirrored(dataset=replace(trial.data, digest="0" * 64))),
        lambda trial, _make: Evaluation(trial, Mirrored(dataset=replace(trial.data, split=Split(seed=3)))),
        lambda _trial, make: Evaluation(make(seed=1), Mirrored()),
    ],
    ids=["kind", "own kind", "parameter", "dataset", "split", "trial"],
)
def test_everything_that_can_move_a_score_is_in_the_digest(other, make_trial):
    """Images, their dataset and split, and the trial."""
    trial = make_trial()

    assert Evaluation(trial, Mirrored()).digest != other(trial, make_trial).digest


@pytest.mark.parametrize("changed", ["evaluator", "images"])
def test_the_code_of_evaluations_is_in_the_digest(changed, make_trial, monkeypatch):
    """That of the images by class, and that which predicts; a trial's digest leaves both out."""
    trial = make_trial()
    before, trained = Evaluation(trial, Mirrored()).digest, trial.digest
    if changed == "evaluator":
        monkeypatch.setattr(revisions, "EVALUATOR", replace(revisions.EVALUATOR, number=99))
    else:
        revisions.of_class.cache_clear()
        monkeypatch.setattr(Mirrored, "REVISION", 99)

    assert before != Evaluation(trial, Mirrored()).digest
    assert trained == make_trial().digest
    revisions.of_class.cache_clear()


def test_test_images_are_those_of_the_trials_split(make_trial, dataset):
    """With the labels of its task."""
    trial = make_trial(task=RED_GREEN, seed=2)
    evaluation = Evaluation(trial, TestImages())

    examples = evaluation.examples({dataset.digest: dataset})

    test = dataset.parts(trial.split).test
    assert test[dataset.labels[test] < 2].tolist() == examples.indices.tolist()
    assert dataset.labels[examples.indices].tolist() == examples.labels.tolist()


def test_mirrored_images_are_flipped_from_left_to_right(dataset):
    """Twice is once."""
    images = dataset.images[:4]
    mirrored = Mirrored().altered(images, np.arange(4))

    assert np.array_equal(images[:, :, 0], mirrored[:, :, -1])
    assert np.array_equal(images, Mirrored().altered(mirrored, np.arange(4)))


def test_degraded_images_are_degraded_by_kind_and_severity(dataset, make_trial):
    """Each image by its position in the dataset; kind and severity are in the name and in the digest."""
    images = Degraded("salt-and-pepper noise", 0.5)
    degraded = images.altered(dataset.images[[3, 5]], np.array([3, 5]))

    assert np.array_equal(degraded[1:], images.altered(dataset.images[5:6], np.array([5])))
    assert not np.array_equal(degraded, dataset.images[[3, 5]])
    assert "test images with salt-and-pepper noise, 0.5" == images.name
    assert "test images of others with JPEG compression, 10" == str(
        Degraded("JPEG compression", 10, dataset=replace(make_trial().data, name="others")).name
    )
    digests = {
        Evaluation(make_trial(), Degraded(kind, severity)).digest
        for kind in ("Gaussian white noise", "Gaussian colour noise")
        for severity in (10, 10.0, np.float64(10), 20)
    }
    assert 4 == len(digests)


@pytest.mark.parametrize(
    ("kind", "packages"),
    [("JPEG compression", ("pillow",)), ("motion blur", ("scipy",)), ("salt-and-pepper noise", ())],
)
def test_versions_of_packages_that_degrade_are_in_the_digest(kind, packages, make_trial, monkeypatch):
    """An encoder of another version may make another image of the same quality."""
    evaluation = Evaluation(make_trial(), Degraded(kind, 1))
    before = evaluation.digest
    monkeypatch.setattr(revisions, "_version", lambda _name: "0.1")

    assert packages == evaluation.images.packages
    assert bool(packages) == (before != Evaluation(make_trial(), Degraded(kind, 1)).digest)


@pytest.mark.parametrize(("kind", "severity"), [("fog", 1), ("JPEG compression", 0), ("Gaussian blur", -0.1)])
def test_degraded_images_of_no_kind_or_severity_are_refused(kind, severity):
    """Where they are declared; the message names kind, range and value."""
    with pytest.raises(ConfigurationError, match=rf"(?s)({kind}).*Received: |Received: kind='{kind}'"):
        Degraded(kind, severity)


def test_images_of_another_dataset_need_the_same_labels(make_trial, dataset):
    """A network that knows red, green and blue says nothing about cats; a task that groups classes may."""
    pets = Dataset("pets", dataset.images, dataset.labels, ("cat", "dog", "bird"))
    shades = Dataset("shades", dataset.images, dataset.labels, ("red", "green", "grey"))
    datasets = {each.digest: each for each in (dataset, pets, shades)}

    def on(other, task):
        reference = DataReference(other.name, other.digest, make_trial().data.split)
        return Evaluation(make_trial(task=task), TestImages(dataset=reference)).examples(datasets)

    with pytest.raises(DataError, match=r"trained on 'colours' predicts red, green, blue.* Received: 'pets' with cat"):
        on(pets, make_trial().task)
    with pytest.raises(DataError, match="needs the class 'red'"):
        on(pets, RED_GREEN)
    assert len(on(shades, RED_GREEN)) > 0


def test_a_quantity_on_images_rests_on_the_trial_and_its_evaluation(arm):
    """The trial is planned before the evaluation, once for both sides."""
    drop = score(arm) - score(arm, on=Mirrored())
    planned = ordered([*drop.trials(0), *evaluations([drop], [0])])

    assert (arm.trial(0), Evaluation(arm.trial(0), Mirrored())) == planned == ordered(drop.work(0))
    assert (arm.trial(0),) == trials_of(planned)
    assert (Evaluation(arm.trial(0), Mirrored()),) == evaluations_of(planned)
    assert "accuracy of [plain] - accuracy of [plain] on mirrored test images" == str(drop)
    assert 2.0 == drop.scale


def test_a_quantity_on_images_has_the_evaluations_score(arm, make_result):
    """On any metric; NaN where the trial diverged, whatever the evaluation says."""
    evaluation = Evaluation(arm.trial(0), Mirrored())
    results = {arm.trial(0).digest: make_result(10), evaluation.digest: make_result(7)}

    assert 0.7 == score(arm, on=Mirrored()).value(lambda work: results[work.digest], 0)
    assert 1.0 == score(arm).value(lambda work: results[work.digest], 0)
    results[arm.trial(0).digest] = make_result(diverged=True)
    assert np.isnan(score(arm, on=Mirrored()).value(lambda work: results[work.digest], 0))


def test_a_claim_about_accuracy_on_images_is_judged_on_macro_f1_too(arm):
    """On the same images."""
    claim = score(arm, on=Mirrored()).beats(score(arm))

    other = claim.on(MACRO_F1)

    assert "macro-F1 of [plain] on mirrored test images" == str(other.left)


def test_an_evaluation_has_no_history(arm, make_result):
    """Its validation accuracy is a score that it lacks."""
    result = replace(make_result(7), validation_probabilities=np.empty((0, 4, 2), np.float32))

    assert np.isnan(score(arm, validation_accuracy(-1), on=Mirrored()).value(lambda _work: result, 0))
