"""Tasks: labellings of a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tlbench.errors import ConfigurationError, DataError


if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import EllipsisType

    from numpy.typing import NDArray

    from tlbench.datasets.dataset import Dataset


@dataclass(frozen=True)
class Task:
    """A grouping of a dataset's classes into the labels of a task.

    >>> Task("animal/vehicle", animal=["cat", "dog"], vehicle=["car", "airplane"])
    Task('animal/vehicle')

    A group of `...` takes every class that no other group names; classes that
    are in no group are left out. A task without groups keeps every class.
    A group has a list of classes, even of one: a lone string would be taken
    for a list of letters, and is refused.

    Attributes:
        name: What tables call it; tasks with equal groups are equal.
        groups: Label and classes of each group, in the order of the labels.
    """

    name: str = field(compare=False)
    groups: tuple[tuple[str, tuple[str, ...] | None], ...]

    def __init__(self, name: str, /, **groups: Sequence[str] | EllipsisType) -> None:
        for label, classes in groups.items():
            if isinstance(classes, str) or not (classes is ... or len(classes)):
                msg = f"Group {label!r} of task {name!r} needs a list of classes, or `...`. Received: {classes!r}"
                raise ConfigurationError(msg)
        frozen = tuple((label, None if classes is ... else tuple(classes)) for label, classes in groups.items())
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "groups", frozen)
        named = [class_name for _, classes in frozen for class_name in classes or ()]
        if len(named) != len(set(named)):
            msg = f"A class may be in one group of task {name!r} only. Received: {groups}"
            raise ConfigurationError(msg)
        if sum(classes is None for _, classes in frozen) > 1 or len(frozen) == 1:
            msg = f"Task {name!r} needs at least two groups, and at most one of them may be `...`. Received: {groups}"
            raise ConfigurationError(msg)

    def __repr__(self) -> str:
        """The task by its name."""
        return f"Task({self.name!r})"

    def labels_of(self, class_names: Sequence[str]) -> tuple[str, ...]:
        """The names of the task's labels for a dataset with these classes."""
        return tuple(label for label, _ in self.groups) or tuple(class_names)

    def mapping(self, class_names: Sequence[str]) -> NDArray[np.int64]:
        """The task's label of each class of a dataset.

        Args:
            class_names: The dataset's classes.

        Returns:
            Shape (classes,); -1 for a class that the task leaves out.

        Raises:
            DataError: The dataset lacks a class that the task names, or has none for a group of `...`.
        """
        if not self.groups:
            return np.arange(len(class_names), dtype=np.int64)
        mapping = np.full(len(class_names), -1, dtype=np.int64)
        position = {class_name: index for index, class_name in enumerate(class_names)}
        for label, (_, classes) in enumerate(self.groups):
            for class_name in classes or ():
                if class_name not in position:
                    msg = (
                        f"Task {self.name!r} needs the class {class_name!r}, which the dataset lacks. "
                        f"Its classes: {', '.join(class_names)}"
                    )
                    raise DataError(msg)
                mapping[position[class_name]] = label
        for label, (_, classes) in enumerate(self.groups):
            if classes is None:
                if (mapping >= 0).all():
                    msg = (
                        f"Group {self.groups[label][0]!r} of task {self.name!r} takes the classes that the others "
                        f"leave, and they leave none. The dataset's classes: {', '.join(class_names)}"
                    )
                    raise DataError(msg)
                mapping[mapping < 0] = label
        return mapping


EVERY_CLASS = Task("every class")


@dataclass(frozen=True, eq=False)
class Examples:
    """Images with the labels of a task.

    Attributes:
        images: uint8, shape (N, H, W, 3); all of the dataset's.
        indices: Indices of the images that belong to the task, shape (M,).
        labels: The task's, shape (M,).
    """

    images: NDArray[np.uint8]
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def take(self) -> NDArray[np.uint8]:
        """The images that belong here, shape (M, H, W, 3)."""
        return self.images[self.indices]


def examples(dataset: Dataset, indices: NDArray[np.int64], task: Task) -> Examples:
    """The images of one part of a dataset that a task labels.

    Args:
        dataset: The images.
        indices: Indices of the part's images, shape (N,).
        task: The labelling.

    Raises:
        DataError: The dataset lacks a class that the task names, or has none for a group of `...`.
    """
    labels = task.mapping(dataset.class_names)[dataset.labels[indices]]
    return Examples(dataset.images, indices[labels >= 0], labels[labels >= 0])
