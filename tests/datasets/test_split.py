from __future__ import annotations

import math

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from tlbench.datasets.dataset import Dataset, Split
from tlbench.errors import ConfigurationError, DataError


def dataset_of(counts, *, order=None):
    """Make a dataset with so many one-pixel images of each class, all different."""
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    numbers = np.arange(len(labels))
    images = np.stack([numbers // 256, numbers % 256, labels], axis=-1).astype(np.uint8)[:, None, None, :]
    order = numbers if order is None else order
    return Dataset("counted", images[order], labels[order], tuple(counts))


def contents(dataset, indices):
    """The images at some indices, as a set."""
    return {dataset.images[index].tobytes() for index in indices}


class_sizes = st.lists(st.integers(8, 60), min_size=2, max_size=5)
splits = st.builds(
    Split,
    validation=st.floats(0.05, 0.4),
    test=st.floats(0.05, 0.4),
    training_images=st.none() | st.integers(5, 200),
    seed=st.integers(0, 2**32),
)


def named(sizes):
    """Counts of classes called a, b, c and so on."""
    return dict(zip("abcde", sizes, strict=False))


@given(class_sizes, splits)
def test_no_image_is_in_two_parts(sizes, split):
    """Training, validation and test are disjoint, sorted, and of images that there are."""
    dataset = dataset_of(named(sizes))

    parts = dataset.parts(split)
    every = np.concatenate([parts.training, parts.validation, parts.test])

    assert len(every) == len(set(every.tolist()))
    assert set(every.tolist()) <= set(range(sum(sizes)))
    assert all((np.diff(part) > 0).all() for part in (parts.training, parts.validation, parts.test))


@given(class_sizes, st.integers(0, 2**32))
def test_without_a_limit_every_image_is_used(sizes, seed):
    """Training takes what validation and test leave."""
    parts = dataset_of(named(sizes)).parts(Split(seed=seed))

    assert sum(sizes) == len(parts.training) + len(parts.validation) + len(parts.test)


@given(class_sizes, splits)
def test_each_class_is_divided_in_the_same_proportions(sizes, split):
    """Of every class, validation and test have their share, to the nearest image and at least one."""
    dataset = dataset_of(named(sizes))

    parts = dataset.parts(split)

    for label, size in enumerate(sizes):
        assert max(1, round(size * split.test)) == np.sum(dataset.labels[parts.test] == label)
        assert max(1, round(size * split.validation)) == np.sum(dataset.labels[parts.validation] == label)


@given(class_sizes, st.integers(5, 300))
def test_a_limit_is_kept_exactly(sizes, limit):
    """There are just so many training images, or all, and each class has its proportion to less than two images."""
    dataset = dataset_of(named(sizes))
    every = np.bincount(dataset.labels[dataset.parts(Split()).training])

    limited = np.bincount(dataset.labels[dataset.parts(Split(training_images=limit)).training])
    share = min(1, limit / every.sum())

    assert min(limit, every.sum()) == limited.sum()
    assert limited.min() >= 1
    assert (np.abs(limited - share * every) < 2).all()


@given(class_sizes, st.integers(5, 100), st.integers(0, 100))
def test_more_training_images_contain_fewer(sizes, limit, more):
    """A larger limit adds images and takes none away; the other parts stay as they are."""
    dataset = dataset_of(named(sizes))

    fewer, larger = (dataset.parts(Split(training_images=count)) for count in (limit, limit + more))

    assert set(fewer.training.tolist()) <= set(larger.training.tolist())
    assert fewer.test.tolist() == larger.test.tolist()
    assert fewer.validation.tolist() == larger.validation.tolist()


@given(class_sizes, splits)
def test_a_seed_decides_the_split(sizes, split):
    """Equal datasets and splits give equal parts."""
    first, second = (dataset_of(named(sizes)).parts(split) for _ in range(2))

    assert first.training.tolist() == second.training.tolist()
    assert first.validation.tolist() == second.validation.tolist()
    assert first.test.tolist() == second.test.tolist()


def test_another_seed_chooses_other_images():
    """The seed moves images between parts, not their number."""
    dataset = dataset_of({"a": 50, "b": 50})

    first, second = (dataset.parts(Split(seed=seed)) for seed in (0, 1))

    assert first.test.tolist() != second.test.tolist()
    assert len(first.test) == len(second.test)


def test_classes_of_equal_size_are_not_divided_alike():
    """Each class has a generator of its own, so that numbered images of two classes aren't chosen in step."""
    dataset = dataset_of({"a": 50, "b": 50})

    test = dataset.parts(Split()).test

    assert test[:10].tolist() != (test[10:] - 50).tolist()


@given(class_sizes, splits.filter(lambda split: split.training_images is None), st.integers(8, 60))
def test_another_class_leaves_the_others_where_they_were(sizes, split, added):
    """A class that is added, and sorted before the rest, moves none of the others' images to another part."""
    counts = named(sizes)
    before = dataset_of(counts)
    after = dataset_of({"_": added} | counts)

    parts, longer = before.parts(split), after.parts(split)

    for name in ("training", "validation", "test"):
        indices = getattr(longer, name) - added
        assert getattr(parts, name).tolist() == indices[indices >= 0].tolist()


@given(class_sizes, splits)
def test_parts_do_not_depend_on_how_classes_are_mixed(sizes, split):
    """Images that stay in order within their class are in the same parts, however classes take turns."""
    sorted_by_class = dataset_of(named(sizes))
    within = np.concatenate([np.arange(size) for size in sizes])
    mixed = dataset_of(named(sizes), order=np.argsort(within, kind="stable"))

    first, second = sorted_by_class.parts(split), mixed.parts(split)

    assert contents(sorted_by_class, first.training) == contents(mixed, second.training)
    assert contents(sorted_by_class, first.test) == contents(mixed, second.test)


@pytest.mark.parametrize("size", [1, 2])
def test_a_class_too_small_to_divide_is_named(size):
    """Each part needs an image of each class, so a class needs three."""
    with pytest.raises(DataError, match=f"Class 'b' of dataset 'counted' has too few images.*Received: {size}"):
        dataset_of({"a": 3, "b": size}).parts(Split())


def test_three_images_are_one_for_each_part():
    """The smallest class that can be divided."""
    parts = dataset_of({"a": 3, "b": 3}).parts(Split())

    assert (2, 2, 2) == (len(parts.training), len(parts.validation), len(parts.test))


def test_fewer_training_images_than_classes_are_refused():
    """A class without training images cannot be learned; the message names the setting."""
    message = r"each of its 3 classes; raise the limit in the profile, Split\(training_images=.* training_images=2"
    with pytest.raises(DataError, match=message):
        dataset_of({"a": 9, "b": 9, "c": 9}).parts(Split(training_images=2))


@pytest.mark.parametrize(
    ("values", "received"),
    [
        ({"validation": 0}, "validation=0, test=0.2"),
        ({"test": 1}, "validation=0.1, test=1"),
        ({"validation": 0.5, "test": 0.5}, "validation=0.5, test=0.5"),
        ({"test": math.nan}, "test=nan"),
        ({"training_images": 0}, "training_images=0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_shares_that_leave_nothing_are_refused(values, received):
    """A split says at once which of its values cannot be worked with."""
    with pytest.raises(ConfigurationError, match=f"Received: .*{received}"):
        Split(**values)


IMAGES = np.zeros((4, 2, 2, 3), np.uint8)
LABELS = np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("images", "labels", "class_names", "message"),
    [
        (IMAGES.astype(np.float32), LABELS, ("a", "b"), r"must be uint8.*Received: float32"),
        (IMAGES[..., 0], LABELS, ("a", "b"), r"Received: uint8 of shape \(4, 2, 2\)"),
        (IMAGES[..., :2], LABELS, ("a", "b"), r"Received: uint8 of shape \(4, 2, 2, 2\)"),
        (IMAGES, LABELS[:3], ("a", "b"), r"one label for each of its 4 images. Received: labels of shape \(3,\)"),
        (IMAGES, LABELS * 0, ("a",), r"at least two classes.*Received: \['a'\]"),
        (IMAGES, LABELS, ("a", "a"), r"each of another name. Received: \['a', 'a'\]"),
        (IMAGES, LABELS - 1, ("a", "b"), "its 2 classes from 0. Received: labels from -1 to 0"),
        (IMAGES, LABELS + 1, ("a", "b"), "its 2 classes from 0. Received: labels from 1 to 2"),
        (IMAGES, LABELS / 1, ("a", "b"), "must be integers. Received: float64"),
        (IMAGES, LABELS * 0, ("a", "b"), "Class 'b' of dataset 'wrong' has no images"),
        (IMAGES[:0], LABELS[:0], ("a", "b"), "Class 'a' of dataset 'wrong' has no images"),
    ],
)
def test_arrays_that_are_no_dataset_are_refused(images, labels, class_names, message):
    """A dataset says at once what about its arrays is wrong."""
    with pytest.raises(DataError, match=message):
        Dataset("wrong", images, labels, class_names)


def test_counts_are_by_class():
    """Images are counted for each class, in the order of the labels."""
    assert {"b": 3, "a": 5} == dataset_of({"b": 3, "a": 5}).counts


def test_the_digest_is_of_images_labels_and_class_names():
    """A pixel, a label or a class name changes the digest; the dataset's name and notes do not."""
    dataset = Dataset("one", IMAGES, LABELS, ("a", "b"))
    pixel = IMAGES.copy()
    pixel[3, 1, 1, 2] = 1

    assert dataset.digest == Dataset("two", IMAGES.copy(), LABELS.astype(np.int32), ("a", "b"), notes=("n",)).digest
    assert dataset.digest != Dataset("one", pixel, LABELS, ("a", "b")).digest
    assert dataset.digest != Dataset("one", IMAGES, LABELS[::-1], ("a", "b")).digest
    assert dataset.digest != Dataset("one", IMAGES, LABELS, ("a", "c")).digest
    assert dataset.digest != Dataset("one", IMAGES.reshape(4, 4, 1, 3), LABELS, ("a", "b")).digest


def test_images_in_test_and_training_are_counted():
    """Test images that are the same, pixel by pixel, as training or validation images are counted."""
    dataset = dataset_of({"a": 20, "b": 20})
    parts = dataset.parts(Split())
    images = dataset.images.copy()
    images[parts.test[0]] = images[parts.training[5]]
    images[parts.test[1]] = images[parts.validation[0]]
    images[parts.test[2]] = images[parts.test[3]]
    repeated = Dataset("repeated", images, dataset.labels, dataset.class_names)

    assert 0 == dataset.duplicates_across(parts)
    assert 2 == repeated.duplicates_across(parts)


@given(st.integers(0, 2**32), st.integers(0, 2**31))
def test_a_split_for_each_seed_counts_from_its_own(first, seed):
    """Under a seed it is a split like any other; a fixed split is the same under every seed."""
    varying = Split(seed=first, per_seed=True)

    assert Split(seed=first + seed) == varying.under(seed)
    assert Split(seed=first) == Split(seed=first).under(seed)
    assert varying.under(seed) == varying.under(seed).under(seed)


def given_of(counts_by_part):
    """Make a dataset with so many images of two classes in each part, the parts taking turns with the classes."""
    parts = np.concatenate([np.full(2 * count, number) for number, count in counts_by_part.items()])
    labels = np.concatenate([np.repeat([0, 1], count) for count in counts_by_part.values()])
    images = np.arange(len(parts), dtype=np.uint8)[:, None, None, None].repeat(3, axis=-1)
    return Dataset("given", images, labels, ("a", "b"), parts_given=parts.astype(np.int8))


def test_given_parts_are_taken_as_they_are():
    """Neither shares nor the seed of the split move an image."""
    dataset = given_of({0: 4, 1: 2, 2: 3})

    first, second = (dataset.parts(Split(given=dataset.given, seed=seed, test=0.5)) for seed in (0, 1))

    assert ("training", "validation", "test") == dataset.given
    assert list(range(8)) == first.training.tolist() == second.training.tolist()
    assert list(range(8, 12)) == first.validation.tolist() == second.validation.tolist()
    assert list(range(12, 18)) == first.test.tolist() == second.test.tolist()


@pytest.mark.parametrize(("number", "missing", "given"), [(2, "validation", "test"), (1, "test", "validation")])
def test_a_part_that_is_not_given_is_drawn_from_training(number, missing, given):
    """The given part stays whole, and each class gives its share of the training images to the missing part."""
    dataset = given_of({0: 10, number: 3})

    parts = dataset.parts(Split(given=dataset.given, **{missing: 0.2}))

    assert [4, 16] == [len(getattr(parts, missing)), len(parts.training)]
    assert list(range(20)) == sorted([*parts.training, *getattr(parts, missing)])
    assert list(range(20, 26)) == getattr(parts, given).tolist()


def test_a_limit_of_training_images_leaves_given_test_images():
    """Only training is limited."""
    dataset = given_of({0: 10, 2: 3})

    parts = dataset.parts(Split(given=dataset.given, training_images=6))

    assert [6, 2, 6] == [len(parts.training), len(parts.validation), len(parts.test)]


def test_a_given_split_is_the_same_under_every_seed():
    """A split for each seed contradicts given parts."""
    split = Split(given=("training", "test"))

    assert split == split.under(5)
    with pytest.raises(ConfigurationError, match=r"the same for each seed; leave out per_seed"):
        Split(given=("training", "test"), per_seed=True)


@pytest.mark.parametrize("given", [("test",), ("training",), ("test", "training"), ("train", "test")])
def test_given_parts_have_training_images(given):
    """Other parts, and other orders of the same parts, are refused."""
    with pytest.raises(ConfigurationError, match=r"in the order training, validation, test. Received: given="):
        Split(given=given)


def test_a_split_and_its_dataset_give_the_same_parts():
    """A split with parts that a dataset lacks is refused."""
    with pytest.raises(DataError, match=r"Received: given=\('training', 'test'\), where the dataset gives \(\)"):
        dataset_of({"a": 9, "b": 9}).parts(Split(given=("training", "test")))


def test_a_class_too_small_for_the_drawn_part_is_named():
    """One training image is not enough to validate on another."""
    dataset = given_of({0: 1, 2: 3})

    with pytest.raises(DataError, match=r"too few images to split into training and validation. Received: 1"):
        dataset.parts(Split(given=dataset.given))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([0, 0, 2], r"each of its 4 images. Received: int64 of shape \(3,\)"),
        ([0.0, 0, 2, 2], "Received: float64"),
        ([0, 3, 0, 3], r"2 for test images.*Received: \[0, 3\]"),
        ([0, 0, 0, 0], r"one other part at least. Received: \[0\]"),
        ([1, 2, 1, 2], r"Received: \[1, 2\]"),
        ([0, 2, 0, 0], "Received: no test images of 'b'"),
        ([2, 2, 0, 2], "Received: no training images of 'a'"),
    ],
)
def test_parts_that_are_no_split_are_refused(parts, message):
    """A dataset says at once what about its parts is wrong."""
    with pytest.raises(DataError, match=message):
        Dataset("wrong", IMAGES, LABELS, ("a", "b"), parts_given=np.array(parts))


def test_given_parts_are_in_the_digest():
    """Another split of the same images is another dataset; a dataset without a split keeps its digest."""
    digests = {
        Dataset("d", IMAGES, LABELS, ("a", "b"), parts_given=parts).digest
        for parts in (None, np.array([0, 2, 0, 2]), np.array([2, 0, 0, 2]))
    }

    assert 3 == len(digests)


def test_splits_of_other_seeds_have_other_test_images():
    """As many of each class as any."""
    dataset = dataset_of({"a": 40, "b": 60})
    split = Split(per_seed=True)

    first, second = (dataset.parts(split.under(seed)).test for seed in (0, 1))

    assert set(first) != set(second)
    assert np.bincount(dataset.labels[first]).tolist() == np.bincount(dataset.labels[second]).tolist()
