"""Trials, arms and their digests."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from tlbench.datasets.dataset import Split
from tlbench.errors import ConfigurationError
from tlbench.tasks import Task
from tlbench.trials import Arm, DataReference, ImageNet, Random, Recipe


@pytest.fixture
def trial(make_trial):
    return make_trial()


def arm_of(trial, **changes):
    values = {field.name: getattr(trial, field.name) for field in fields(Arm) if field.name != "label"}
    return Arm("an arm", **(values | changes))


def test_equal_trials_have_equal_digests(make_trial):
    """What is specified alike is the same run."""
    first, second = make_trial(), make_trial()

    assert first == second
    assert first.digest == second.digest


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"frozen": frozenset({"entry"})},
        {"initialisation": ImageNet("0a58e3b7378bc2990ea3b43d5981f1f6")},
        {"recipe": Recipe(learning_rate=2e-3, batch_size=8, epochs=2)},
        {"recipe": Recipe(learning_rate=1e-3, batch_size=8, epochs=3)},
        {"recipe": Recipe(learning_rate=1e-3, batch_size=8, epochs=2, schedule="cosine")},
        {"recipe": Recipe(learning_rate=1e-3, batch_size=4, epochs=2)},
        {"recipe": Recipe(learning_rate=1e-3, batch_size=8, epochs=2, optimizer="sgd")},
        {"recipe": Recipe(learning_rate=1e-3, batch_size=8, epochs=2, precision="mixed_bfloat16")},
        {"task": Task("red/other", red=["red"], other=...)},
    ],
    ids=str,
)
def test_whatever_moves_a_score_moves_the_digest(make_trial, trial, change):
    """Each part of a trial is part of its digest."""
    assert trial.digest != make_trial(**change).digest


def test_data_network_and_source_move_the_digest(make_trial, trial):
    """So are the parts of its parts."""
    others = [
        make_trial(data=replace(trial.data, digest="0" * 64)),
        make_trial(data=replace(trial.data, split=Split(validation=0.2, test=0.3, seed=1))),
        make_trial(network=replace(trial.network, batchnorm_momentum=0.99)),
        make_trial(initialisation=trial),
        make_trial(initialisation=make_trial(seed=1)),
    ]

    digests = {trial.digest, *(other.digest for other in others)}

    assert len(others) + 1 == len(digests)


def test_names_do_not_move_the_digest(make_trial, trial):
    """A dataset or a task under another name is still the same run."""
    renamed = make_trial(data=DataReference("other", trial.data.digest, trial.data.split), task=Task("other"))

    assert trial == renamed
    assert trial.digest == renamed.digest


def test_the_code_of_the_training_path_is_part_of_the_digest(make_trial, monkeypatch):
    """Results of other code are never read."""
    before = make_trial().digest

    monkeypatch.setattr("tlbench.trials.training_code", lambda _network: "other code")

    assert before != make_trial().digest


def test_an_arm_gives_a_paired_source_the_seed_of_each_trial(trial):
    """A source that is an arm is trained once for each seed."""
    arm = arm_of(trial, initialisation=arm_of(trial))

    assert [3, 4] == [arm.trial(seed).source.seed for seed in (3, 4)]


def test_an_arm_gives_all_seeds_the_same_pretrained_source(trial):
    """A source that is a trial is trained once for all seeds."""
    arm = arm_of(trial, initialisation=trial)

    assert {trial} == {arm.trial(seed).source for seed in (3, 4)}


def test_arms_of_different_labels_share_their_trials(trial):
    """The same run may be a cell of several tables."""
    first, second = arm_of(trial), replace(arm_of(trial), label="another")

    assert first.trial(0).digest == second.trial(0).digest


def test_random_and_imagenet_starts_have_no_source(make_trial):
    """Only a trial is a source that has to be trained first."""
    assert make_trial(initialisation=Random()).source is None
    assert make_trial(initialisation=ImageNet("0a58e3b7378bc2990ea3b43d5981f1f6")).source is None


def test_an_unknown_flow_is_an_error_that_names_the_flows(make_trial):
    """A misspelt flow would freeze nothing in silence."""
    with pytest.raises(ConfigurationError, match=r"entry, middle, exit.*Received: frozen=\['entrance'\]"):
        make_trial(frozen=frozenset({"entrance"}))


@pytest.mark.parametrize("change", [{"learning_rate": 0.0}, {"epochs": 0}, {"batch_size": -1}], ids=str)
def test_a_recipe_refuses_what_cannot_train(change):
    """Rates and counts are positive."""
    with pytest.raises(ConfigurationError, match="must be positive"):
        Recipe(**change)


def test_a_constant_learning_rate_is_the_same_in_every_epoch():
    """As Keras trains without a schedule."""
    assert [0.1, 0.1] == [Recipe(learning_rate=0.1, epochs=2).rate(epoch) for epoch in range(2)]


def test_a_cosine_falls_from_the_learning_rate_towards_zero():
    """Since cos 0 = 1, cos 60 degrees = 1/2, cos 120 degrees = -1/2."""
    recipe = Recipe(learning_rate=0.1, epochs=3, schedule="cosine")

    assert [0.1, 0.075, 0.025] == pytest.approx([recipe.rate(epoch) for epoch in range(3)])
