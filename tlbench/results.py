"""What a trial left behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tlbench import metrics


if TYPE_CHECKING:
    import numpy as np

    from numpy.typing import NDArray

    from tlbench.environment import Environment


@dataclass(frozen=True, eq=False)
class Result:
    """The stored predictions of one training run, and what they say.

    Attributes:
        status: `"diverged"` when the loss became NaN or infinite; no score is a number then.
        label_names: Names of the task's labels.
        labels: Of the test images, shape (N,).
        probabilities: For the test images after the last epoch, float32, shape (N, labels).
        validation_labels: Shape (M,).
        validation_probabilities: After each epoch, float32, shape (epochs, M, labels).
        batch_statistics_probabilities:
            As `probabilities`, but with BatchNorm normalising by the statistics of the test batches. Where this
            scores far higher, the moving statistics lag behind the weights. Shape (N, labels).
        training_loss: Of each epoch, as Keras reports it while training; a figure's curve, never a verdict.
        training_accuracy: Likewise.
        epoch_seconds: Wall time of each epoch's steps; the first includes tracing where the trial had to.
        seconds: Wall time of the whole trial.
        environment: What it ran on.
    """

    status: Literal["finished", "diverged"]
    label_names: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    validation_labels: NDArray[np.int64]
    validation_probabilities: NDArray[np.float32]
    batch_statistics_probabilities: NDArray[np.float32]
    training_loss: tuple[float, ...]
    training_accuracy: tuple[float, ...]
    epoch_seconds: tuple[float, ...]
    seconds: float
    environment: Environment = field(repr=False)

    @property
    def diverged(self) -> bool:
        """Whether the run ended in a loss that is no number."""
        return self.status == "diverged"

    @property
    def accuracy(self) -> float:
        """Share of test images that are classified rightly."""
        return metrics.accuracy(self.labels, self.probabilities)

    @property
    def loss(self) -> float:
        """Mean cross-entropy over the test images, in nats."""
        return metrics.loss(self.labels, self.probabilities)

    @cached_property
    def f1(self) -> dict[str, float]:
        """F1 of each label on the test images."""
        scores = metrics.f1_per_class(self.labels, self.probabilities)
        return {name: float(score) for name, score in zip(self.label_names, scores, strict=True)}

    @property
    def macro_f1(self) -> float:
        """Unweighted mean of the labels' F1."""
        return sum(self.f1.values()) / len(self.f1)

    @property
    def batch_statistics_accuracy(self) -> float:
        """Test accuracy with BatchNorm's statistics re-estimated on the test batches."""
        return metrics.accuracy(self.labels, self.batch_statistics_probabilities)

    @cached_property
    def validation_accuracy(self) -> tuple[float, ...]:
        """Accuracy on the validation images after each epoch."""
        return tuple(metrics.accuracy(self.validation_labels, epoch) for epoch in self.validation_probabilities)
