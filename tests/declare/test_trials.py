"""Trials, arms and their digests."""

from __future__ import annotations

import json

from dataclasses import fields, replace

import pytest

from tlbench.datasets.dataset import Split
from tlbench.declare import revisions
from tlbench.declare.tasks import Task
from tlbench.declare.trials import Arm, DataReference, ImageNet, Random, Recipe, SavedWeights
from tlbench.errors import ConfigurationError
from tlbench.networks.xception import Xception


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


@pytest.mark.parametrize("name", ["TRAINER", "LOADER"])
def test_the_revision_of_what_trains_and_loads_is_part_of_the_digest(make_trial, monkeypatch, name):
    """Results of other code are never read; runs of other code can be compared all the same."""
    digest, arm = make_trial().digest, make_trial().arm_digest

    monkeypatch.setattr(revisions, name, replace(getattr(revisions, name), number=99))

    assert digest != make_trial().digest
    assert arm == make_trial().arm_digest


@pytest.mark.parametrize(
    ("name", "start"),
    [("IMAGENET", ImageNet("0a58e3b7378bc2990ea3b43d5981f1f6")), ("SAVED", SavedWeights("mine.h5", "5f2c"))],
)
def test_the_revision_of_a_files_loader_is_part_of_digests_that_rest_on_the_file(name, start, make_trial, monkeypatch):
    """Directly, or by way of a source; of no other."""

    def digests():
        first = make_trial(initialisation=start)
        return make_trial().digest, first.digest, make_trial(initialisation=first).digest

    before = digests()

    monkeypatch.setattr(revisions, name, replace(getattr(revisions, name), number=99))

    assert [True, False, False] == [old == new for old, new in zip(before, digests(), strict=True)]


def test_a_file_of_weights_is_known_by_its_content(make_trial):
    """Its name is for tables alone."""
    first, renamed, other = (
        make_trial(initialisation=SavedWeights(*each)) for each in [("a", "5f2c"), ("b", "5f2c"), ("a", "77aa")]
    )

    assert first.digest == renamed.digest
    assert first.digest != other.digest


def test_the_code_of_a_network_is_part_of_the_digest(make_trial, monkeypatch):
    """See `tests/declare/test_revisions.py` for what that is."""
    before = make_trial().digest

    monkeypatch.setattr(revisions, "of_class", lambda network: {network.__qualname__: 2})

    assert before != make_trial().digest


def test_each_seed_draws_a_split_where_an_arm_says_so(trial):
    """Arms of a seed share it, and the arm is the same for all seeds."""
    data = replace(trial.data, split=replace(trial.data.split, seed=5, per_seed=True))
    first, second = (arm_of(replace(trial, data=data)).trial(seed) for seed in (0, 3))

    assert [5, 8] == [first.split.seed, second.split.seed]
    assert first.arm_digest == second.arm_digest
    assert first.digest != second.digest
    assert {first.split} == {arm_of(replace(trial, data=data, frozen=frozenset({"entry"}))).trial(0).split}


def test_a_fixed_split_is_the_same_for_every_seed(trial):
    """And its description is as before splits could differ."""
    arm = arm_of(trial)

    assert arm.trial(0).split == arm.trial(3).split == trial.data.split
    assert "per_seed" not in json.dumps(arm.trial(0).description)


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
    with pytest.raises(ConfigurationError, match=r"entry, middle, exit. Received: entrance"):
        make_trial(frozen=frozenset({"entrance"}))


def test_a_recipe_may_train_for_no_epochs_but_not_for_fewer():
    """No epochs leave a network as it starts."""
    assert 0 == Recipe().at(epochs=0).epochs
    with pytest.raises(ConfigurationError, match=r"must not be negative; 0 trains nothing. Received: epochs=-1"):
        Recipe(epochs=-1)


@pytest.mark.parametrize("change", [{"learning_rate": 0.0}, {"batch_size": -1}], ids=str)
def test_a_recipe_refuses_what_cannot_train(change):
    """Rates and sizes of batches are positive."""
    with pytest.raises(ConfigurationError, match="must be positive"):
        Recipe(**change)


def test_a_constant_learning_rate_is_the_same_in_every_epoch():
    """As Keras trains without a schedule."""
    assert [0.1, 0.1] == [Recipe(learning_rate=0.1, epochs=2).rate(epoch) for epoch in range(2)]


def test_a_cosine_falls_from_the_learning_rate_towards_zero():
    """Since cos 0 = 1, cos 60 degrees = 1/2, cos 120 degrees = -1/2."""
    recipe = Recipe(learning_rate=0.1, epochs=3, schedule="cosine")

    assert [0.1, 0.075, 0.025] == pytest.approx([recipe.rate(epoch) for epoch in range(3)])


def test_parts_and_cuts_that_mean_the_same_are_the_same_trial(make_trial):
    """All modules of the entry flow are the entry flow, beside a module within it too."""
    network = Xception(image_size=8, width=1 / 32, middle_modules=2, stem_stride=1)
    spelled = [{"entry"}, {"block1", "block2", "block3", "block4"}, {"entry", "block2"}]

    trials = {make_trial(network=network, frozen=frozenset(names)) for names in spelled}

    assert 1 == len({trial.digest for trial in trials}) == len(trials)


def test_a_trial_that_transfers_every_part_is_as_it_was(make_trial):
    """The digest, of before parts could be transferred, holds; a part of them makes another."""
    source = make_trial(seed=7)
    whole = make_trial(initialisation=source)

    assert whole == make_trial(initialisation=source, transferred=frozenset({"entry", "middle", "exit"}))
    assert "transferred" not in whole.description
    assert whole.digest != make_trial(initialisation=source, transferred=frozenset({"entry"})).digest


@pytest.mark.parametrize(("start", "names"), [("random", {"entry"}), ("source", set())])
def test_nothing_to_transfer_is_an_error(make_trial, start, names):
    """No source, or no part."""
    initialisation = Random() if start == "random" else make_trial(seed=7)

    with pytest.raises(ConfigurationError, match="transfers at least one part"):
        make_trial(initialisation=initialisation, transferred=frozenset(names))
