"""Readouts as values: digests, names, and the places that they read."""

from __future__ import annotations

import math

from dataclasses import dataclass, replace
from importlib import metadata

import pytest

from pebble import RED_GREEN

from tlbench.declare import revisions
from tlbench.declare.claims import f1, f1_lead, score
from tlbench.declare.evaluations import Evaluation, Mirrored, TestImages
from tlbench.declare.probes import LinearProbe
from tlbench.declare.readouts import TrainingFeatures
from tlbench.declare.tasks import Task
from tlbench.declare.trials import Arm
from tlbench.errors import ConfigurationError
from tlbench.scores.listed import MACRO_F1


@dataclass(frozen=True)
class Sundial:
    """A readout of a test's own, which computes with a package that nobody has."""

    packages = ("sundial",)
    reads_images = True
    task = None
    cut = "middle"
    name = "sundial"


@pytest.fixture
def arm(make_trial):
    trial = make_trial()
    return Arm("plain", trial.data, trial.task, trial.network, trial.initialisation, trial.frozen, trial.recipe)


def test_an_evaluation_without_a_readout_keeps_the_digest_that_it_had(make_trial):
    """Its description has no word of readouts."""
    assert {"trial", "images"} == Evaluation(make_trial(), Mirrored()).description.keys()


def test_equal_readouts_have_equal_digests(make_trial):
    """However the task is called."""
    named = Task("other", red=["red"], green=["green"])
    first, second = (
        Evaluation(make_trial(), TestImages(), LinearProbe("middle", task=task)) for task in (RED_GREEN, named)
    )
    assert first.digest == second.digest


@pytest.mark.parametrize(
    "other",
    [
        None,
        TrainingFeatures("middle"),
        LinearProbe("entry"),
        LinearProbe("middle", penalties=(1.0,)),
        LinearProbe("middle", task=RED_GREEN),
    ],
    ids=str,
)
def test_everything_that_can_move_a_readout_is_in_the_digest(other, make_trial):
    """Kind, place, parameters and task."""
    probe = Evaluation(make_trial(), TestImages(), LinearProbe("middle"))

    assert probe.digest != Evaluation(make_trial(), TestImages(), other).digest


@pytest.mark.parametrize("changed", ["reader", "readout", "package"])
def test_the_code_of_readouts_is_in_the_digest(changed, make_trial, monkeypatch):
    """That of the class, that which computes features, and the packages; evaluations by the head leave it out."""

    def digests():
        trial = make_trial()
        return (
            Evaluation(trial, TestImages(), LinearProbe("middle")).digest,
            Evaluation(trial, TestImages()).digest,
        )

    probed, plain = digests()
    if changed == "reader":
        monkeypatch.setattr(revisions, "READER", replace(revisions.READER, number=99))
    elif changed == "readout":
        revisions.of_class.cache_clear()
        monkeypatch.setattr(LinearProbe, "REVISION", 99)
    else:
        version = metadata.version
        revisions._version.cache_clear()
        monkeypatch.setattr(metadata, "version", lambda name: "0.1" if name == "scikit-learn" else version(name))

    assert probed != digests()[0]
    assert plain == digests()[1]
    revisions.of_class.cache_clear()
    revisions._version.cache_clear()


def test_a_package_that_is_missing_is_named_with_the_remedy(make_trial):
    """Before anything trains."""
    with pytest.raises(ConfigurationError, match=r"computes with sundial: pip install sundial, or .*tlbench\[probes\]"):
        _ = Evaluation(make_trial(), TestImages(), Sundial()).digest


def test_a_place_that_the_network_lacks_is_refused(make_trial):
    """The error names its parts."""
    with pytest.raises(ConfigurationError, match=r"no part or cut of that name; parts: entry, middle, exit.*attic"):
        Evaluation(make_trial(), TestImages(), LinearProbe("attic"))


def test_features_are_of_training_images_alone(make_trial):
    """Other images would be left unread without a word."""
    with pytest.raises(ConfigurationError, match=r"reads training images alone.* Received: mirrored test images"):
        Evaluation(make_trial(), Mirrored(), TrainingFeatures("middle"))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "macro-F1 of [plain]"),
        ({"by": LinearProbe("exit")}, "macro-F1 of [plain] by linear probe at exit"),
        (
            {"by": LinearProbe("exit", task=RED_GREEN), "on": Mirrored()},
            "macro-F1 of [plain] by linear probe at exit for red/green on mirrored test images",
        ),
    ],
    ids=["head", "probe", "probe of another task on images"],
)
def test_a_quantity_names_its_readout(changes, name, arm):
    """As verdicts do."""
    assert name == str(score(arm, MACRO_F1, **changes))


def test_a_quantity_by_a_readout_rests_on_an_evaluation_of_the_trial(arm):
    """Of its test images, unless there are others."""
    (work,) = score(arm, by=LinearProbe("exit")).work(3)

    assert Evaluation(arm.trial(3), TestImages(), LinearProbe("exit")) == work
    assert "by linear probe at exit" == work.name
    assert arm.trial(3) == work.source


def test_a_readout_of_a_diverged_trial_has_no_score(arm, make_result):
    """Whatever it predicts."""
    results = {arm.trial(0).digest: make_result(diverged=True)}

    value = score(arm, by=LinearProbe("exit")).value(lambda work: results.get(work.digest, make_result()), 0)

    assert math.isnan(value)


@pytest.mark.parametrize("reading", [f1("cat"), f1_lead("cat"), MACRO_F1], ids=["F1", "lead", "listed"])
def test_a_readout_that_predicts_nothing_has_no_score(reading, make_result):
    """NaN, and no error."""
    result = make_result()
    silent = replace(result, probabilities=result.probabilities[:, :0])

    assert math.isnan(reading.value(silent))
    assert {"batch_statistics_accuracy"} == silent.scores.keys()
