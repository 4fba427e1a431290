"""Evaluations: trained networks applied to images, as frozen values with a digest; nothing is trained for one.

    robust = score(arm, on=Mirrored())

To add a kind of images, derive a frozen dataclass from `TestImages` and override `altered`, `data` or `examples`. To
read a network otherwise than by its head, see `tlbench.declare.readouts`.
"""

from __future__ import annotations

import hashlib
import json

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tlbench.declare import revisions, tasks
from tlbench.declare.trials import ADDED, Trial, as_json
from tlbench.errors import ConfigurationError, DataError
from tlbench.networks import parts
from tlbench.scores.extras import NO_EXTRAS


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np

    from numpy.typing import NDArray

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.readouts import Readout
    from tlbench.declare.tasks import Examples, Task
    from tlbench.declare.trials import DataReference


class Images(Hashable, Protocol):
    """Images that a trained network is evaluated on; a frozen dataclass, since its fields are part of digests.

    The code of its class and of the class's bases is part of digests too, see `tlbench.declare.revisions.of_class`.
    So are the versions of the distributions that an optional attribute `packages` names.
    """

    @property
    def name(self) -> str:
        """Name in tables and sentences, for instance `"mirrored test images"`."""

    def data(self, trial: Trial) -> DataReference:
        """The dataset that the images are taken from, and its split.

        Args:
            trial: The trained network's trial.
        """

    def examples(self, dataset: Dataset, trial: Trial) -> Examples:
        """The images as the dataset holds them, with the labels of the trial's task.

        Args:
            dataset: The dataset of `data`.
            trial: The trained network's trial.

        Raises:
            DataError: The dataset lacks a class of the task.
        """

    def altered(self, images: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some of these images as the network gets them.

        Args:
            images: Images of the dataset, shape (N, H, W, 3).
            numbers: Position of each image in the dataset, shape (N,): the seed of any randomness, so that an image is
                altered in the same way in every batch.

        Returns:
            Images of the same shape.
        """


@dataclass(frozen=True)
class TestImages:
    """The test images of a trial's split, as they are.

    Attributes:
        dataset: Another dataset with the same classes, whose test images are taken; None for the trial's own.
    """

    REVISION: ClassVar[int] = 1
    # pytest takes classes of this name for tests, where a module imports them.
    __test__: ClassVar[bool] = False

    # By keyword, so that classes derived from this one can take their own parameters by position.
    dataset: DataReference | None = field(default=None, kw_only=True)

    @property
    def name(self) -> str:
        """Name in tables and sentences."""
        return f"test images{self._of_dataset}"

    @property
    def _of_dataset(self) -> str:
        return f" of {self.dataset.name}" if self.dataset else ""

    def data(self, trial: Trial) -> DataReference:
        """The dataset that the images are taken from, and its split."""
        return self.dataset or trial.data

    def examples(self, dataset: Dataset, trial: Trial) -> Examples:
        """The test images with the labels of the trial's task, see `Images.examples`."""
        parts = dataset.parts(self.data(trial).split.under(trial.seed))
        return tasks.examples(dataset, parts.test, trial.task)

    def altered(self, images: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.uint8]:  # noqa: ARG002
        """The images as they are."""
        return images


@dataclass(frozen=True)
class Mirrored(TestImages):
    """The test images of a trial's split, left and right exchanged."""

    REVISION: ClassVar[int] = 1

    @property
    def name(self) -> str:
        """Name in tables and sentences."""
        return f"mirrored test images{self._of_dataset}"

    def altered(self, images: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.uint8]:  # noqa: ARG002
        """The images, left and right exchanged."""
        return images[:, :, ::-1]


@dataclass(frozen=True)
class Evaluation:
    """A trained network applied to images; equal evaluations are the same.

    Attributes:
        trial: Trial that trained the network.
        images: Images that the network predicts.
        readout: Readout that predicts in place of the network's head; None for the head.

    Raises:
        ConfigurationError: The readout reads a place that the network lacks, or no images of the evaluation.
    """

    # An evaluation predicts its images once.
    extras: ClassVar[frozenset[str]] = NO_EXTRAS

    trial: Trial
    images: Images
    readout: Readout | None = field(default=None, metadata={ADDED: True})

    def __post_init__(self) -> None:
        if self.readout is None:
            return
        parts.pieces(self.trial.network, [self.readout.cut])
        if not self.readout.reads_images and self.images != TestImages():
            msg = (
                f"The readout {self.readout.name!r} reads training images alone, whatever the evaluation is on; leave "
                f"`on` out. Received: {self.images.name}"
            )
            raise ConfigurationError(msg)

    @property
    def name(self) -> str:
        """Name in tables and sentences, behind that of the trial: the images, and the readout."""
        if self.readout is None:
            return f"on {self.images.name}"
        return f"by {self.readout.name}" + ("" if self.images == TestImages() else f" on {self.images.name}")

    @property
    def task(self) -> Task:
        """Labelling of the images: that of the readout, or that which the network was trained on."""
        return (self.readout.task if self.readout is not None else None) or self.trial.task

    @property
    def source(self) -> Trial:
        """The trial: an evaluation needs its weights, as a trial needs those of its source."""
        return self.trial.with_extras(NO_EXTRAS)

    def with_extras(self, _extras: frozenset[str]) -> Evaluation:
        """The same evaluation: it has no extra predictions, whatever is asked for."""
        return self

    @property
    def data(self) -> DataReference:
        """The dataset that the images are taken from, and its split."""
        return self.images.data(self.trial)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that can move a score, as hexadecimal digits."""
        code = {revisions.EVALUATOR.name: revisions.EVALUATOR.number} | revisions.of_class(type(self.images))
        code |= revisions.of_packages(self.images)
        if self.readout is not None:
            code |= {revisions.READER.name: revisions.READER.number} | revisions.of_class(type(self.readout))
            code |= revisions.of_packages(self.readout)
        content = {"evaluation": self.description, "code": code}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @cached_property
    def description(self) -> dict[str, Any]:
        """The evaluation as JSON; the trial stands there by its digest."""
        readout = {} if self.readout is None else {"readout": as_json(self.readout)}
        return {"trial": as_json(self.trial), "images": as_json(self.images), **readout}

    def examples(self, datasets: Mapping[str, Dataset]) -> Examples:
        """The images as their dataset holds them, with the labels of the evaluation's task.

        Args:
            datasets: Datasets by digest, that of the trial among them.

        Raises:
            DataError: The dataset of the images lacks a class of the task, or has other classes.
        """
        own, other = datasets[self.trial.data.digest], datasets[self.data.digest]
        expected, received = (self.task.labels_of(each.class_names) for each in (own, other))
        if received != expected:
            msg = (
                f"A network that was trained on {own.name!r} predicts {', '.join(expected)}, and cannot be evaluated "
                f"on a dataset with other classes; give the task groups of classes. Received: {other.name!r} with "
                f"{', '.join(received)}"
            )
            raise DataError(msg)
        return self.images.examples(other, self._as_labelled)

    def training(self, dataset: Dataset) -> tuple[Examples, Examples]:
        """The trial's training and validation images, with the labels of the evaluation's task.

        Args:
            dataset: The dataset of the trial.

        Raises:
            DataError: The dataset lacks a class of the task.
        """
        divided = dataset.parts(self.trial.split)
        training, validation = (
            tasks.examples(dataset, part, self.task) for part in (divided.training, divided.validation)
        )
        return training, validation

    @property
    def _as_labelled(self) -> Trial:
        # Images know a labelling from the trial alone.
        return self.trial if self.task == self.trial.task else replace(self.trial, task=self.task)


# Work of a plan: trials are trained, evaluations are computed from the weights of trained networks.
Work = Trial | Evaluation


def trials_of(works: Iterable[Work]) -> tuple[Trial, ...]:
    """The trials among some work of a plan, in order."""
    return tuple(work for work in works if isinstance(work, Trial))


def evaluations_of(works: Iterable[Work]) -> tuple[Evaluation, ...]:
    """The evaluations among some work of a plan, in order."""
    return tuple(work for work in works if isinstance(work, Evaluation))
