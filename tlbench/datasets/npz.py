"""Arrays of images and labels in an `.npz` file, as `keras.datasets` and MedMNIST have them."""

from __future__ import annotations

import zipfile

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import TYPE_CHECKING

import numpy as np

from PIL import Image

from tlbench.datasets.archives import ARCHIVE_BYTES, ARCHIVE_RATIO, readable
from tlbench.datasets.dataset import PARTS, Dataset
from tlbench.datasets.decoding import square
from tlbench.datasets.labelled import called
from tlbench.errors import DataError
from tlbench.machine import hashes


if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tlbench.datasets.decoding import Request


# Names of the arrays of images and labels, by the number of their part; None for arrays without a split.
_PAIRS: tuple[tuple[int | None, str, str], ...] = (
    (0, "x_train", "y_train"),
    (0, "train_images", "train_labels"),
    (1, "x_val", "y_val"),
    (1, "x_valid", "y_valid"),
    (1, "val_images", "val_labels"),
    (2, "x_test", "y_test"),
    (2, "test_images", "test_labels"),
    (None, "images", "labels"),
    (None, "x", "y"),
)


@dataclass(frozen=True)
class Arrays:
    """Arrays in an `.npz` file."""

    path: Path

    def digest(self) -> str:
        """SHA-256 of the file, as hexadecimal digits."""
        return hashes.sha256(self.path)

    def dataset(self, request: Request) -> Dataset:
        """Read the images, see `tlbench.datasets.decoding.LabelledImages`."""
        request.refuse_pattern(self.path, "arrays")
        with readable(self.path), np.load(self.path, allow_pickle=False) as arrays:
            pairs = [pair for pair in _PAIRS if pair[1] in arrays.files and pair[2] in arrays.files]
            numbers = [number for number, _, _ in pairs]
            if not pairs or len(set(numbers)) < len(numbers) or (len(pairs) > 1 and None in numbers):
                msg = (
                    f"{self.path} needs arrays x_train, y_train, x_test and y_test (and x_val and y_val), or "
                    "train_images, train_labels, test_images and test_labels, or images and labels. "
                    f"Received: {', '.join(arrays.files)}"
                )
                raise DataError(msg)
            self._check_sizes()
            read = [(number, *self._pair(arrays, images, labels)) for number, images, labels in pairs]

        sizes = [_squares(images, request.image_size) for _, images, _ in read]
        labels = np.concatenate([labels for _, _, labels in read])
        classes, numbered = np.unique(labels, return_inverse=True)
        given = None
        notes: tuple[str, ...] = ()
        if len(read) > 1:
            given = np.concatenate([np.full(len(labels), number, np.int8) for number, _, labels in read])
            told = ", ".join(
                f"{PARTS[number]} images from {pair[1]}"
                for number, pair in zip(numbers, pairs, strict=True)
                if number is not None
            )
            notes = (f"{called(self.path)} has a split of its own: {told}.",)
        return Dataset(
            name=request.name,
            images=np.concatenate(sizes),
            labels=numbered.reshape(-1).astype(np.int64),
            class_names=tuple(map(str, classes.tolist())),
            notes=notes,
            parts_given=given,
        )

    def _check_sizes(self) -> None:
        limit = max(ARCHIVE_BYTES, ARCHIVE_RATIO * self.path.stat().st_size)
        with zipfile.ZipFile(self.path) as archive:
            for member in archive.infolist():
                with archive.open(member) as file:
                    version = np.lib.format.read_magic(file)
                    read = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shape, _, dtype = read(file)
                # Python's integers do not overflow, as NumPy's would.
                size = dtype.itemsize
                for length in shape:
                    size *= length
                if size > min(limit, member.file_size) and not dtype.hasobject:
                    msg = (
                        f"The arrays of {self.path} are refused: an array would take {size:,} bytes, more than the "
                        f"{min(limit, member.file_size):,} that it may take. Received: {member.filename!r}"
                    )
                    raise DataError(msg)

    def _pair(
        self, arrays: np.lib.npyio.NpzFile, images_name: str, labels_name: str
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        images, labels = (self._array(arrays, name) for name in (images_name, labels_name))
        if images.ndim == 4 and images.shape[-1] == 1:
            images = images[..., 0]
        if images.dtype != np.uint8 or not (images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)):
            remedy = (
                "multiply floats in [0, 1] by 255 and round"
                if np.issubdtype(images.dtype, np.floating)
                else "convert them"
            )
            msg = (
                f"The images {images_name!r} of {self.path} must be uint8 of shape (N, H, W), (N, H, W, 1) or "
                f"(N, H, W, 3); {remedy}. Received: {images.dtype} of shape {images.shape}"
            )
            raise DataError(msg)
        if labels.ndim == 2 and labels.shape[-1] == 1:
            labels = labels[:, 0]
        if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
            msg = (
                f"The labels {labels_name!r} of {self.path} must be one integer for each of the {len(images)} images; "
                "where they have a column for each class, save labels.argmax(axis=1). "
                f"Received: {labels.dtype} of shape {labels.shape}"
            )
            raise DataError(msg)
        if not images.size:
            msg = f"The images {images_name!r} of {self.path} are none; leave out the array. Received: {images.shape}"
            raise DataError(msg)
        return images.astype(np.uint8, copy=False), labels.astype(np.int64)

    def _array(self, arrays: np.lib.npyio.NpzFile, name: str) -> NDArray[np.generic]:
        try:
            array: NDArray[np.generic] = arrays[name]
        except ValueError as error:
            # Of Python objects, which are not unpickled: that would run code.
            msg = f"The array {name!r} of {self.path} cannot be read; save it as numbers of one type. Received: {error}"
            raise DataError(msg) from error
        return array


def find(path: Path) -> Arrays | None:
    """The arrays at a path; None for another format.

    Args:
        path: An existing path, recognised by its content.
    """
    if not path.is_file() or not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return Arrays(path) if names and all(name.endswith(".npy") for name in names) else None


def _squares(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    squares = np.zeros((len(images), size, size, 3), np.uint8)

    def resize(index: int) -> None:
        squares[index] = square(Image.fromarray(images[index]), size)

    with ThreadPoolExecutor(min(8, cpu_count() or 1)) as pool:
        for _ in pool.map(resize, range(len(images)), chunksize=256):
            pass
    return squares
