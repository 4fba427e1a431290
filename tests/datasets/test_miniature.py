from __future__ import annotations

import numpy as np
import pytest

from tlbench.datasets.dataset import Split
from tlbench.datasets.miniature import CLASS_NAMES, draw_miniature, load_miniature
from tlbench.errors import ConfigurationError


@pytest.fixture(scope="module")
def miniature():
    """Draw twelve images of each class."""
    return draw_miniature(images_per_class=12)


def test_classes_are_those_of_natural_images(miniature):
    """The eight classes have the study's names, sorted."""
    expected = ("airplane", "car", "cat", "dog", "flower", "fruit", "motorbike", "person")

    assert expected == CLASS_NAMES
    assert expected == miniature.class_names


def test_classes_are_balanced(miniature):
    """Every class has the number of images that was asked for."""
    assert dict.fromkeys(CLASS_NAMES, 12) == miniature.counts


def test_images_are_bytes_of_the_asked_size(miniature):
    """Images are uint8 RGB, 32 pixels high and wide unless told otherwise."""
    assert np.uint8 == miniature.images.dtype
    assert miniature.images.shape == (96, 32, 32, 3)


@pytest.mark.parametrize("image_size", [8, 33, 64])
def test_any_size_can_be_drawn(image_size):
    """Odd and even sizes from eight pixels on come out as asked."""
    assert (8, image_size, image_size, 3) == draw_miniature(1, image_size).images.shape


def test_no_two_images_are_equal(miniature):
    """Every image is its own."""
    assert len(miniature.images) == len(np.unique(miniature.images, axis=0))


def test_every_image_shows_something(miniature):
    """No image is of a single brightness."""
    assert (miniature.images.std(axis=(1, 2, 3)) > 3).all()


def test_same_seed_draws_the_same_bits(miniature):
    """Drawing again gives the same images, to the last bit."""
    assert miniature.digest == draw_miniature(images_per_class=12).digest


def test_another_seed_draws_other_images(miniature):
    """No image of one seed is found under another."""
    other = draw_miniature(images_per_class=12, seed=1)

    assert len(np.unique(np.concatenate([miniature.images, other.images]), axis=0)) == 192


def test_more_images_keep_the_earlier_ones(miniature):
    """The first images of a class don't depend on how many follow."""
    fewer = draw_miniature(images_per_class=5)

    assert np.array_equal(miniature.images.reshape(8, 12, 32, 32, 3)[:, :5].reshape(40, 32, 32, 3), fewer.images)


def test_numpys_global_generator_is_left_alone():
    """Drawing neither reads nor moves the global random state."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002 -- it is the subject.

    draw_miniature(1)

    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_it_says_that_it_is_not_photographs(miniature):
    """Reports can tell readers what the drawings stand in for."""
    assert "Natural Images" in miniature.stand_in
    assert "not evidence" in miniature.stand_in


def test_it_can_be_split(miniature):
    """There is something in each part of a split."""
    parts = miniature.parts(Split())

    assert (len(parts.training), len(parts.validation), len(parts.test)) == (72, 8, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images_per_class": 0}, "images_per_class=0"),
        ({"image_size": 4}, "image_size=4"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message):
    """An argument that nothing can be drawn with is named, with its value."""
    with pytest.raises(ConfigurationError, match=message):
        draw_miniature(**arguments)


def test_loading_gives_what_drawing_gives(tmp_path):
    """The cached version has the same digest, the second time from disk."""
    expected = draw_miniature(2).digest

    assert expected == load_miniature(2, folder=tmp_path).digest
    assert expected == load_miniature(2, folder=tmp_path).digest


def test_parameters_have_their_own_cache_entries(tmp_path):
    """Another size, number or seed is never served from the first one's entry."""
    for arguments in ((2,), (3,), (2, 16), (2, 32, 1)):
        load_miniature(*arguments, folder=tmp_path)

    assert len(list(tmp_path.iterdir())) == 4
