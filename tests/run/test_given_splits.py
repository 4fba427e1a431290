"""Runs on images that come with a split of their own, or with more classes than a profile was made for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pebble import Pebble
from pictures import encoded, write_folder

from tlbench.datasets.dataset import Dataset, Split
from tlbench.declare.claims import score
from tlbench.declare.evaluations import TestImages
from tlbench.declare.profiles import Profile
from tlbench.declare.trials import Recipe
from tlbench.errors import ConfigurationError
from tlbench.run.assembly import assemble
from tlbench.run.commands import Command
from tlbench.run.options import Options
from tlbench.run.run import Run


def plain(size, name="colours", seed=0):
    """60 noisy images of three colours, all different."""
    generator = np.random.default_rng(seed)
    labels = np.arange(60) % 3
    images = generator.integers(0, 120, (60, size, size, 3))
    images[np.arange(60), :, :, labels] += 100
    return Dataset(name, images.astype(np.uint8), labels, ("red", "green", "blue"))


def divided(size, name="divided", seed=1):
    """The same kind of images; the first 45 are for training and the last 15 for the test."""
    parts = np.repeat([0, 2], [45, 15]).astype(np.int8)
    return replace(plain(size, name, seed), parts_given=parts)


RECIPE = Recipe(learning_rate=0.1, epochs=1, batch_size=8)

SPLIT = Split(validation=0.2, test=0.2)

PROFILE = Profile("tiny", divided, plain, Pebble(), RECIPE, SPLIT, RECIPE, SPLIT)


def options(folder, profile=PROFILE, **changes):
    """Options of a run whose store is in a folder."""
    return Options(profile=profile, **({"seeds": 2, "max_seeds": 2, "store": folder, "report": folder} | changes))


@pytest.mark.parametrize("split", ["seed", "fixed"])
def test_images_with_a_split_keep_it(tmp_path, split):
    """Header and notes say so, whatever --tlbench-split says."""
    assembly = assemble(options(tmp_path, split=split))

    assert replace(SPLIT, given=("training", "test")) == assembly.study.data.split
    assert (
        "the data set's own: training, test; validation drawn from training, one for all seeds"
        == assembly.header["split"]
    )
    assert any("--tlbench-split does not move it: verdicts hold for this split" in note for note in assembly.notes)


def test_images_without_a_split_have_one_for_each_seed(tmp_path):
    """Nothing changes for them."""
    assembly = assemble(options(tmp_path, replace(PROFILE, images=plain)))

    assert replace(SPLIT, per_seed=True) == assembly.study.data.split
    assert "each seed draws one" == assembly.header["split"]
    assert not [note for note in assembly.notes if "split" in note]


def test_every_part_may_be_given(tmp_path):
    """Nothing is drawn then."""
    parts = np.repeat([0, 1, 2], [30, 15, 15]).astype(np.int8)
    profile = replace(PROFILE, images=lambda size: replace(plain(size), parts_given=parts))

    assert "the data set's own: training, validation, test" == assemble(options(tmp_path, profile)).header["split"]


def test_each_dataset_has_its_own_split(tmp_path):
    """Source images and further datasets with a split keep it beside images without."""
    others = {"photos": lambda size: divided(size, "photos", 2)}
    profile = replace(PROFILE, images=plain, source=divided, datasets=others)
    assembly = assemble(options(tmp_path, profile))

    assert assembly.study.data.split.per_seed
    assert ("training", "test") == assembly.study.pretrained.data.split.given
    assert ("training", "test") == assembly.study.datasets["photos"].split.given
    assert assembly.header["split of 'photos'"].startswith("the data set's own")
    assert ["photos"] == [note.split()[3] for note in assembly.notes if "--tlbench-split" in note]


def test_copies_across_a_given_split_are_counted(tmp_path):
    """Published splits have duplicates, too."""

    def copied(size):
        dataset = divided(size)
        images = dataset.images.copy()
        images[45] = images[0]
        return replace(dataset, images=images)

    notes = assemble(options(tmp_path, replace(PROFILE, images=copied))).notes

    assert "Test images of divided that are, pixel by pixel, also among those it trains on: 1." in notes


def test_trials_test_on_the_given_images(tmp_path):
    """Each seed trains on the same images and is scored on all given test images, so are evaluations."""
    profile = replace(PROFILE, datasets={"photos": lambda size: divided(size, "photos", 2)})
    run = Run(options(tmp_path, profile), command=Command(("study",)))
    arm = run.study.random("arm")
    other = score(arm, on=TestImages(dataset=run.study.dataset("photos")))
    run.plan([score(arm).beats(other).named("test_arm", "One is better.")])
    run.train()
    expected = divided(8).labels[45:].tolist()

    results = [run.assembly.store.load(trial) for trial in run.trials]

    assert [expected, expected] == [result.labels.tolist() for result in results]
    assert [9, 9] == [len(result.validation_labels) for result in results]
    run.close()


def write_classes(path, count, prefix=""):
    """Write a folder of so many classes of six images each."""
    return write_folder(
        path,
        {
            f"{prefix}{number:03d}/{index}.png": encoded((number, index, 0))
            for number in range(count)
            for index in range(6)
        },
    )


def natural(**split):
    """A profile for the user's images."""
    return replace(PROFILE, images="natural-images", split=replace(SPLIT, **split))


def test_more_classes_raise_the_limit_of_training_images(tmp_path):
    """A profile made for eight classes trains on two images of each of the user's classes, and says so."""
    data = write_classes(tmp_path / "data", 12)
    assembly = assemble(options(tmp_path, natural(training_images=8), data=data))

    assert 24 == assembly.study.data.split.training_images
    assert "The profile trains on 8 images; for 12 classes the limit is raised to 24, two for each class." in (
        assembly.notes
    )


@pytest.mark.parametrize("limit", [None, 24, 800])
def test_a_limit_that_suffices_stays(tmp_path, limit):
    """So does no limit at all."""
    data = write_classes(tmp_path / "data", 12)
    assembly = assemble(options(tmp_path, natural(training_images=limit), data=data))

    assert limit == assembly.study.data.split.training_images


def test_a_pattern_labels_the_users_images_alone(tmp_path):
    """Source images keep their folders."""
    contents = {f"{kind}_{index}.png": encoded((index, 0, 9)) for kind in ("cat", "dog") for index in range(6)}
    data = write_folder(tmp_path / "data", contents)
    source = write_classes(tmp_path / "source", 2)
    assembly = assemble(options(tmp_path, natural(), data=data, source=str(source), labels=r"^(.+)_\d+\.png$"))

    assert ("cat", "dog") == assembly.study.class_names


def test_a_pattern_needs_images(tmp_path):
    """The profile's own images have their classes."""
    with pytest.raises(ConfigurationError, match="--tlbench-labels finds the classes of the images of --tlbench-data"):
        options(tmp_path, labels="(.)")
