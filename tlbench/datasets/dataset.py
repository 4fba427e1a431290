"""Datasets, and their splits."""

from __future__ import annotations

import hashlib

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tlbench.errors import ConfigurationError, DataError


if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


# The parts of a split, as `Dataset.parts_given` counts them.
PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class Split:
    """A division of a dataset into training, validation and test images.

    Attributes:
        validation: Share of each class that goes to validation.
        test: Share of each class that goes to the test.
        training_images:
            At most so many training images in all, with the classes in their
            own proportions and at least one of each; more images contain
            fewer. None takes what validation and test leave.
        seed: Seeds the choice of images; not negative.
        per_seed: Whether each seed of a trial draws a split, counted from `seed`; otherwise all seeds share this split.
        given: Names of the parts that the dataset gives, in the order of `PARTS`; a part that is missing is drawn from
            the dataset's training images. Empty for a split of all images, whatever parts the dataset gives.
    """

    validation: float = 0.1
    test: float = 0.2
    training_images: int | None = None
    seed: int = 0
    per_seed: bool = field(default=False, metadata={"added": True})
    given: tuple[str, ...] = field(default=(), metadata={"added": True})

    def __post_init__(self) -> None:
        if not (0 < self.validation < 1 and 0 < self.test < 1 and self.validation + self.test < 1):
            msg = (
                "The validation and test shares must be positive and leave something to train on. "
                f"Received: validation={self.validation!r}, test={self.test!r}"
            )
            raise ConfigurationError(msg)
        if self.training_images is not None and self.training_images < 1:
            msg = f"training_images must be positive. Received: training_images={self.training_images!r}"
            raise ConfigurationError(msg)
        if self.seed < 0:
            msg = f"The seed of a split must not be negative. Received: seed={self.seed!r}"
            raise ConfigurationError(msg)
        if self.given and self.given not in {PARTS, ("training", "test"), ("training", "validation")}:
            msg = (
                "A given split has training images and test images, validation images, or both, in the order "
                f"{', '.join(PARTS)}. Received: given={self.given!r}"
            )
            raise ConfigurationError(msg)
        if self.given and self.per_seed:
            msg = (
                "A split that the dataset gives is the same for each seed; leave out per_seed=True or given. "
                f"Received: given={self.given!r}, per_seed=True"
            )
            raise ConfigurationError(msg)

    def under(self, seed: int) -> Split:
        """The split of a trial.

        Args:
            seed: The trial's.
        """
        return replace(self, seed=self.seed + seed, per_seed=False) if self.per_seed else self


@dataclass(frozen=True, eq=False)
class Parts:
    """Indices of the images in each part of a split; every array is one-dimensional and sorted."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images.

    Attributes:
        name: What tables and reports call it.
        images: uint8, shape (N, H, W, 3), RGB; may be memory-mapped.
        labels: int64, shape (N,), indices into `class_names`.
        class_names: Names of the classes, sorted as the labels count them.
        stand_in: What it stands in for, where it isn't the real thing.
        notes: What a reader of a report has to know, a sentence each.
        parts_given: The dataset's own split, shape (N,), the number of each image's part in `PARTS`: integers from 0 to
            2. None for a dataset without a split.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    stand_in: str | None = None
    notes: tuple[str, ...] = field(default=())
    parts_given: NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[-1] != 3:
            msg = (
                f"The images of dataset {self.name!r} must be uint8 of shape (N, H, W, 3). "
                f"Received: {self.images.dtype} of shape {self.images.shape}"
            )
            raise DataError(msg)
        if self.labels.shape != (len(self.images),):
            msg = (
                f"Dataset {self.name!r} needs one label for each of its {len(self.images)} images. "
                f"Received: labels of shape {self.labels.shape}"
            )
            raise DataError(msg)
        if len(self.class_names) < 2 or len(set(self.class_names)) != len(self.class_names):
            msg = (
                f"Dataset {self.name!r} needs at least two classes, each of another name. "
                f"Received: {list(self.class_names)}"
            )
            raise DataError(msg)
        if not np.issubdtype(self.labels.dtype, np.integer):
            msg = f"The labels of dataset {self.name!r} must be integers. Received: {self.labels.dtype}"
            raise DataError(msg)
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.class_names):
            msg = (
                f"The labels of dataset {self.name!r} must count its {len(self.class_names)} classes from 0. "
                f"Received: labels from {self.labels.min()} to {self.labels.max()}"
            )
            raise DataError(msg)
        for class_name, count in self.counts.items():
            if not count:
                msg = f"Class {class_name!r} of dataset {self.name!r} has no images."
                raise DataError(msg)
        if self.parts_given is not None:
            self._check_parts(self.parts_given)

    def _check_parts(self, given: NDArray[np.int8]) -> None:
        if given.shape != self.labels.shape or not np.issubdtype(given.dtype, np.integer):
            msg = (
                f"Dataset {self.name!r} needs a number from 0 to 2 for the part of each of its {len(self.images)} "
                f"images. Received: {given.dtype} of shape {given.shape}"
            )
            raise DataError(msg)
        numbers = np.unique(given).tolist()
        if not set(numbers) <= {0, 1, 2} or 0 not in numbers or len(numbers) < 2:
            msg = (
                f"The parts of dataset {self.name!r} must be 0 for training, 1 for validation and 2 for test images, "
                f"with training images and one other part at least. Received: {numbers}"
            )
            raise DataError(msg)
        for number in numbers:
            counts = np.bincount(self.labels[given == number], minlength=len(self.class_names))
            if missing := [name for name, count in zip(self.class_names, counts, strict=True) if not count]:
                msg = (
                    f"Dataset {self.name!r} has a split of its own, in which each part needs images of each class; add "
                    f"some, or remove the class. Received: no {PARTS[number]} images of {missing[0]!r}"
                    + (f" and {len(missing) - 1} other classes" if len(missing) > 1 else "")
                )
                raise DataError(msg)

    @cached_property
    def given(self) -> tuple[str, ...]:
        """Names of the parts that the dataset gives, for `Split.given`; empty without a split of its own."""
        return () if self.parts_given is None else tuple(PARTS[number] for number in np.unique(self.parts_given))

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of images of each class."""
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        return {name: int(count) for name, count in zip(self.class_names, counts, strict=True)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over images, labels, class names and given parts, as hexadecimal digits."""
        sha256 = hashlib.sha256()
        for part in (repr(self.images.shape), repr(self.class_names)):
            sha256.update(part.encode())
        sha256.update(np.ascontiguousarray(self.labels, dtype="<i8").tobytes())
        for image in self.images:
            sha256.update(np.ascontiguousarray(image).data)
        if self.parts_given is not None:
            sha256.update(np.ascontiguousarray(self.parts_given, dtype="<i1").tobytes())
        return sha256.hexdigest()

    def parts(self, split: Split) -> Parts:
        """Divide the images, each class in the same proportions.

        Args:
            split: Shares and seed, and the parts that are taken as the dataset gives them.

        Returns:
            Disjoint indices; the same ones for equal labels, class names, given parts and splits.

        Raises:
            DataError: A class has too few images to put one in each part, there are more classes than
                training images are asked for, or the dataset lacks a part that the split takes as given.
        """
        if split.given and split.given != self.given:
            msg = (
                f"The split takes parts as dataset {self.name!r} gives them, and the dataset gives others; use "
                f"Split(given=dataset.given). Received: given={split.given!r}, where the dataset gives {self.given!r}"
            )
            raise DataError(msg)
        training, validation, test = zip(*self._drawn(split), strict=True)
        chosen = np.concatenate(training)
        if split.training_images is not None:
            if split.training_images < len(training):
                msg = (
                    f"Dataset {self.name!r} needs at least one training image for each of its {len(training)} classes; "
                    "raise the limit in the profile, Split(training_images=...), to a multiple of the number of "
                    f"classes. Received: training_images={split.training_images!r}"
                )
                raise DataError(msg)
            # How deep each image stands in its class: the uppermost are in the classes' proportions, each class's first
            # one among them.
            depths = [(np.arange(len(indices)) + 0.5) / len(indices) for indices in training]
            for of_class in depths:
                of_class[0] = 0
            depth = np.concatenate(depths)
            chosen = chosen[np.argsort(depth, kind="stable")[: split.training_images]]

        return Parts(np.sort(chosen), np.sort(np.concatenate(validation)), np.sort(np.concatenate(test)))

    def _drawn(self, split: Split) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the training, validation and test images of each class, each in a random order."""
        part = np.zeros(len(self.labels), np.int8) if not split.given else self.parts_given
        for label, class_name in enumerate(self.class_names):
            # A generator for each class, seeded by its name: another class leaves this one's images where they were.
            name_digest = hashlib.sha256(class_name.encode(errors="surrogatepass")).digest()
            generator = np.random.default_rng([split.seed, int.from_bytes(name_digest[:8], "little")])
            indices = generator.permutation(np.flatnonzero((self.labels == label) & (part == 0)))
            validation, test = (np.flatnonzero((self.labels == label) & (part == number)) for number in (1, 2))
            count = len(indices)
            n_test = 0 if len(test) else max(1, round(count * split.test))
            n_validation = 0 if len(validation) else max(1, round(count * split.validation))
            if n_test + n_validation >= count:
                drawn = " and ".join(
                    [name for name in PARTS if name == "training" or name not in split.given]
                    if split.given
                    else ["training, validation", "test"]
                )
                msg = (
                    f"Class {class_name!r} of dataset {self.name!r} has too few images to split into {drawn}. "
                    f"Received: {count}"
                )
                raise DataError(msg)
            test = test if len(test) else indices[:n_test]
            validation = validation if len(validation) else indices[n_test : n_test + n_validation]
            yield indices[n_test + n_validation :], validation, test

    def duplicates_across(self, parts: Parts) -> int:
        """Number of test images that training or validation hold as well, pixel by pixel.

        Args:
            parts: Parts of this dataset; the first call reads every image.
        """
        seen = {self._image_digests[index] for part in (parts.training, parts.validation) for index in part}
        return sum(self._image_digests[index] in seen for index in parts.test)

    @cached_property
    def _image_digests(self) -> list[bytes]:
        return [hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in self.images]
