from __future__ import annotations

import numpy as np
import pytest

from tlbench.datasets import miniature
from tlbench.datasets.formula import draw_formula, load_formula
from tlbench.errors import ConfigurationError


@pytest.fixture(scope="module")
def formula():
    """Draw eight images of each of twelve classes."""
    return draw_formula(classes=12, images_per_class=8)


def test_classes_are_none_of_the_miniatures(formula):
    """A source that knew the target's objects would prove nothing."""
    assert set() == set(formula.class_names) & set(miniature.CLASS_NAMES)


def test_class_names_are_sorted_as_labels_count_them(formula):
    """Names of more than ten classes still sort in the labels' order."""
    assert sorted(formula.class_names) == list(formula.class_names)


def test_classes_are_balanced(formula):
    """Every class has the number of images that was asked for."""
    assert list(formula.counts.values()) == [8] * 12


def test_images_are_bytes_of_the_asked_size(formula):
    """Images are uint8 RGB, 32 pixels high and wide unless told otherwise."""
    assert np.uint8 == formula.images.dtype
    assert formula.images.shape == (96, 32, 32, 3)


@pytest.mark.parametrize("image_size", [8, 33, 64])
def test_any_size_can_be_drawn(image_size):
    """Odd and even sizes from eight pixels on come out as asked."""
    assert (2, image_size, image_size, 3) == draw_formula(2, 1, image_size).images.shape


def test_no_two_images_are_equal(formula):
    """Every image is its own."""
    assert len(formula.images) == len(np.unique(formula.images, axis=0))


def test_same_seed_draws_the_same_bits(formula):
    """Drawing again gives the same images, to the last bit."""
    assert formula.digest == draw_formula(classes=12, images_per_class=8).digest


def test_another_seed_makes_other_classes(formula):
    """No image of one seed is found under another."""
    other = draw_formula(classes=12, images_per_class=8, seed=1)

    assert len(np.unique(np.concatenate([formula.images, other.images]), axis=0)) == 192


def test_more_images_and_classes_keep_the_earlier_ones(formula):
    """The first images of the first classes don't depend on what follows."""
    fewer = draw_formula(classes=3, images_per_class=5)

    assert np.array_equal(formula.images.reshape(12, 8, 32, 32, 3)[:3, :5].reshape(15, 32, 32, 3), fewer.images)


def test_numpys_global_generator_is_left_alone():
    """Drawing neither reads nor moves the global random state."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002 -- it is the subject.

    draw_formula(2, 1)

    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_it_says_what_it_stands_in_for(formula):
    """Reports can tell readers that this is not ImageNet."""
    assert formula.stand_in.startswith("ImageNet (")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 1}, "classes=1"),
        ({"images_per_class": 0}, "images_per_class=0"),
        ({"image_size": 4}, "image_size=4"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message):
    """An argument that nothing can be drawn with is named, with its value."""
    with pytest.raises(ConfigurationError, match=message):
        draw_formula(**arguments)


def test_loading_gives_what_drawing_gives(tmp_path):
    """The cached version has the same digest, the second time from disk."""
    expected = draw_formula(2, 2).digest

    assert expected == load_formula(2, 2, folder=tmp_path).digest
    assert expected == load_formula(2, 2, folder=tmp_path).digest


def test_parameters_have_their_own_cache_entries(tmp_path):
    """Another size, number or seed is never served from the first one's entry."""
    for arguments in ((2, 2), (3, 2), (2, 3), (2, 2, 16), (2, 2, 32, 1)):
        load_formula(*arguments, folder=tmp_path)

    assert len(list(tmp_path.iterdir())) == 5
