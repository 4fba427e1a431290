"""Arrays of images and labels in `.npz` files."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from tlbench.errors import ConfigurationError, DataError


def pixels(*colours, size=6):
    """Images of one colour each, shape (N, size, size, 3)."""
    return np.array(colours, np.uint8)[:, None, None, :].repeat(size, 1).repeat(size, 2)


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
KERAS = {
    "x_train": pixels(RED, GREEN, RED, GREEN),
    "y_train": np.array([[7], [9], [7], [9]], np.uint8),
    "x_test": pixels(BLUE, RED),
    "y_test": np.array([[7], [9]], np.uint8),
}


@pytest.fixture
def saved(tmp_path):
    """A function that saves arrays as an `.npz` file."""

    def save(**arrays):
        np.savez(tmp_path / "arrays.npz", **arrays)
        return tmp_path / "arrays.npz"

    return save


def test_arrays_of_keras_datasets_are_a_split(saved, read):
    """Training and test images keep their parts; classes are called by their numbers."""
    dataset = read(saved(**KERAS))

    assert "arrays" == dataset.name
    assert ("7", "9") == dataset.class_names
    assert [0, 1, 0, 1, 0, 1] == dataset.labels.tolist()
    assert [0, 0, 0, 0, 2, 2] == dataset.parts_given.tolist()
    assert (6, 4, 4, 3) == dataset.images.shape
    assert [list(BLUE), list(RED)] == dataset.images[4:, 0, 0].tolist()
    assert "training images from x_train, test images from x_test" in dataset.notes[0]


def test_arrays_of_medmnist_are_a_split(saved, read):
    """Grey images become RGB, and validation images keep their part."""
    arrays = {}
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        arrays[f"{part}_images"] = np.full((count, 6, 6), 100, np.uint8)
        arrays[f"{part}_labels"] = (np.arange(count) % 2)[:, None]
    dataset = read(saved(**arrays))

    assert [0, 0, 0, 0, 1, 1, 2, 2] == dataset.parts_given.tolist()
    assert {100} == set(dataset.images.flat)


@pytest.mark.parametrize(("images", "labels"), [("images", "labels"), ("x", "y"), ("x_train", "y_train")])
def test_arrays_without_a_split_are_divided_as_any(saved, read, images, labels):
    """One pair of arrays is a dataset without parts."""
    dataset = read(saved(**{images: pixels(RED, GREEN)[..., :1], labels: np.array([0, 1])}))

    assert dataset.parts_given is None
    assert [[255] * 3, [0] * 3] == dataset.images[:, 0, 0].tolist()


def test_classes_are_in_the_order_of_their_numbers(saved, read):
    """Ten comes after nine."""
    dataset = read(saved(x=pixels(*[RED] * 12), y=np.arange(12)))

    assert [str(number) for number in range(12)] == list(dataset.class_names)
    assert list(range(12)) == dataset.labels.tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": KERAS["x_test"] / 255}, r"multiply floats in \[0, 1\] by 255.*Received: float64 of shape \(2, 6"),
        ({"x_test": KERAS["x_test"].astype(np.int32)}, "'x_test' .*must be uint8.*Received: int32"),
        ({"x_test": KERAS["x_test"][..., :2]}, r"Received: uint8 of shape \(2, 6, 6, 2\)"),
        ({"x_test": KERAS["x_test"].reshape(2, -1)}, r"Received: uint8 of shape \(2, 108\)"),
        ({"y_test": np.eye(2)}, r"save labels.argmax.*Received: float64 of shape \(2, 2\)"),
        ({"y_test": np.array([7])}, r"one integer for each of the 2 images.*Received: int64 of shape \(1,\)"),
        ({"y_test": np.array([7, 8])}, "no training images of '8'"),
        ({"x": KERAS["x_test"], "y": KERAS["y_test"]}, r"needs arrays x_train, y_train.*Received: x_train, .*x, y"),
        ({"x_test": KERAS["x_test"][:0], "y_test": np.zeros(0, int)}, "'x_test' of .* are none; leave out the array"),
    ],
)
def test_arrays_that_are_no_images_are_refused(saved, read, changes, message):
    """Each message names the array and its remedy."""
    with pytest.raises(DataError, match=message):
        read(saved(**KERAS | changes))


def test_other_arrays_are_refused(saved, read):
    """The names that are read stand in the message."""
    with pytest.raises(DataError, match=r"train_images, train_labels.*Received: features, outcome"):
        read(saved(features=np.zeros(3), outcome=np.zeros(3)))


class Malice:
    """An object that would run code while it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize("name", ["x_train", "y_train"])
def test_objects_are_not_unpickled(saved, read, name):
    """A pickle can run any code."""
    objects = np.array([Malice(), Malice()], dtype=object)

    with pytest.raises(DataError, match=rf"array '{name}' of .* cannot be read; save it as numbers"):
        read(saved(**KERAS | {name: objects}))


def header(shape):
    """The beginning of an array file that claims a shape."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(10**12, 32, 32, 3), (2**40, 2**40, 3)])
def test_an_array_that_claims_an_absurd_size_is_refused(saved, read, shape):
    """No memory is asked for before the sizes are known."""
    path = saved(**KERAS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("bomb.npy", header(shape))

    with pytest.raises(DataError, match=r"an array would take [\d,]+ bytes.*Received: 'bomb.npy'"):
        read(path)


def test_a_broken_file_is_named(saved, read):
    """A changed byte breaks the checksum."""
    path = saved(**KERAS)
    content = bytearray(path.read_bytes())
    content[content.index(b"x_train") + 200] ^= 255
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"arrays.npz cannot be read: it is damaged"):
        read(path)


def test_a_pattern_for_names_is_refused(saved, read):
    """Arrays have no names of files."""
    with pytest.raises(ConfigurationError, match="has arrays of labels; leave it out"):
        read(saved(**KERAS), labels="(.)")
