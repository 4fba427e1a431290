"""Readouts: predictions and numbers that are read off a trained network otherwise than by its own head.

    probed = score(arm, by=LinearProbe("block4"))

To add a readout, write a frozen dataclass with the members of `Readout`.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol


if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from numpy.typing import NDArray

    from tlbench.declare.tasks import Task


class Seen(Protocol):
    """N images as a trained network sees them; arrays are computed when they are first asked for."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the images under the readout's task, shape (N,)."""

    @property
    def features(self) -> NDArray[np.float32]:
        """Output of the network at the readout's cut, averaged over positions, shape (N, channels)."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Probabilities of the network's own head, shape (N, labels of the task that it was trained on)."""


@dataclass(frozen=True, eq=False)
class Views:
    """The images of an evaluation, and those that its trial trains and validates on, as the network sees them.

    Attributes:
        training: Training images of the trial, never altered.
        validation: Validation images of the trial, never altered.
        images: Images of the evaluation.
        label_names: Names of the labels of the readout's task.
    """

    training: Seen
    validation: Seen
    images: Seen
    label_names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ReadoutResult:
    """The outcome of a readout.

    Attributes:
        labels: Labels of the predicted images, shape (N,).
        probabilities: Predictions, from which all listed metrics are computed, shape (N, labels of the readout's task);
            None for a readout that predicts nothing, which has no listed metric.
        arrays: Further arrays by name, which a `tlbench.Reading` finds under `arrays` of the result.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32] | None
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class Readout(Hashable, Protocol):
    """A way to read a trained network; a frozen dataclass, since its fields are part of digests.

    The code of its class and of the class's bases is part of digests too, see `tlbench.declare.revisions.of_class`.
    So are the versions of the distributions that an optional attribute `packages` names.
    """

    @property
    def name(self) -> str:
        """Name in tables and sentences, for instance `"linear probe at block4"`."""

    @property
    def cut(self) -> str:
        """Part or cut of the network whose output is read."""

    @property
    def task(self) -> Task | None:
        """Labelling of the images; None for the task that the network was trained on."""

    @property
    def reads_images(self) -> bool:
        """True where the outcome depends on the images of the evaluation, not on the training images alone."""

    def read(self, views: Views) -> ReadoutResult:
        """Read the network.

        Args:
            views: Images as the network sees them.

        Raises:
            DataError: The images do not serve the readout.
            TrainingError: Something that the readout fits cannot be fitted.
        """


@dataclass(frozen=True)
class TrainingFeatures:
    """The features of a trial's training images, with their labels and the head's probabilities; nothing is predicted.

    The result's `arrays` are `features`, float32, shape (N, channels), `labels`, shape (N,), and `head`, float32, the
    probabilities of the network's own head, shape (N, labels of the task that it was trained on).

    Attributes:
        cut: Part or cut of the network whose output is averaged over its positions.
        task: Labelling of the images; None for the task that the network was trained on.
    """

    REVISION: ClassVar[int] = 1
    reads_images: ClassVar[bool] = False

    cut: str
    task: Task | None = field(default=None, kw_only=True)

    @property
    def name(self) -> str:
        """Name in tables and sentences."""
        return f"features at {self.cut}{_of(self.task)}"

    def read(self, views: Views) -> ReadoutResult:
        """The features, labels and probabilities, see `Readout.read`."""
        seen = views.training
        arrays: dict[str, NDArray[Any]] = {
            "features": seen.features,
            "labels": seen.labels,
            "head": seen.probabilities,
        }
        return ReadoutResult(seen.labels, None, arrays)


def _of(task: Task | None) -> str:
    return f" for {task.name}" if task else ""
