"""Results of trials."""

from __future__ import annotations

import math

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from tlbench.scores import listed, metrics
from tlbench.scores.extras import BATCH_STATISTICS, VALIDATION


if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from numpy.typing import NDArray

    from tlbench.declare.evaluations import Evaluation, Work
    from tlbench.declare.trials import Trial
    from tlbench.machine.environment import Environment

    # By the variable's path, for instance "block1_conv1/kernel".
    Weights = dict[str, NDArray[np.floating]]


# The array of each extra prediction, which is an attribute of `Result` too.
EXTRA_ARRAYS = {VALIDATION: "validation_probabilities", BATCH_STATISTICS: "batch_statistics_probabilities"}


@dataclass(frozen=True)
class Summary:
    """A result without its predictions, as saved runs keep it.

    Attributes:
        diverged: Whether the run ended in a loss that is not finite; there are no scores then.
        scores: Values of the listed metrics, by `tlbench.scores.listed.Metric.key`. A metric is absent where it does
            not apply, and where the tlbench that saved the run did not know it.
        f1: F1 by label.
        validation_accuracy: Validation accuracy after each epoch; empty where the validation images were not predicted.
        training_accuracy: Training accuracy of each epoch, as Keras reports it.
        epoch_seconds: Wall time of each epoch's steps.
        epoch_steps: Number of steps of an epoch.
        epoch_images: Number of images of an epoch.
        seconds: Wall time of the whole trial.
    """

    diverged: bool
    scores: dict[str, float]
    f1: dict[str, float]
    validation_accuracy: tuple[float, ...]
    training_accuracy: tuple[float, ...]
    epoch_seconds: tuple[float, ...]
    epoch_steps: int
    epoch_images: int
    seconds: float

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Empty: no saved run keeps arrays."""
        return {}

    @property
    def step_seconds(self) -> float | None:
        """Wall time of a step in the fastest epoch after the first, which may have had to trace; None with one epoch.

        The fastest is least disturbed by what else the machine does.
        """
        return min(self.epoch_seconds[1:]) / self.epoch_steps if len(self.epoch_seconds) > 1 else None

    @property
    def images_per_second(self) -> float | None:
        """Images trained on per second, in the same epoch; None with one epoch."""
        return self.epoch_images / self.epoch_steps / self.step_seconds if self.step_seconds else None

    @property
    def tracing_seconds(self) -> float | None:
        """Extra time of the first epoch, which is what tracing and compiling cost; None with one epoch."""
        if self.step_seconds is None:
            return None
        return max(self.epoch_seconds[0] - self.step_seconds * self.epoch_steps, 0.0)


@dataclass(frozen=True, eq=False)
class _Predicted:
    """Stored predictions for N images, and the scores that follow from them; see `Result` and `EvaluationResult`."""

    status: Literal["finished", "diverged"]
    label_names: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    if TYPE_CHECKING:  # A field of one kind of result, and None for the other.

        @property
        def batch_statistics_probabilities(self) -> NDArray[np.float32] | None: ...

    @property
    def diverged(self) -> bool:
        """True where a loss or a probability is not finite; there are no scores then."""
        return self.status == "diverged"

    @cached_property
    def scores(self) -> dict[str, float]:
        """Values of the listed metrics that apply, by `tlbench.scores.listed.Metric.key`; empty where it diverged."""
        return {} if self.diverged else listed.computed(self)

    @cached_property
    def f1(self) -> dict[str, float]:
        """F1 of each label; empty where a readout predicts nothing."""
        if not self.probabilities.shape[1]:
            return {}
        scores = metrics.f1_per_class(self.labels, self.probabilities)
        return {name: float(score) for name, score in zip(self.label_names, scores, strict=True)}


@dataclass(frozen=True, eq=False)
class Result(_Predicted):
    """The stored predictions of one training run, and the scores that follow from them.

    Attributes:
        status: `"diverged"` when the loss became NaN or infinite; no score is a number then.
        label_names: Names of the task's labels.
        labels: Labels of the test images, shape (N,).
        probabilities: Probabilities for the test images after the last epoch, float32, shape (N, labels).
        validation_labels: Labels of the validation images, shape (M,).
        validation_probabilities: Probabilities for the validation images after each epoch, float32, shape
            (epochs, M, labels); None where nothing asked for these predictions.
        batch_statistics_probabilities:
            Probabilities with BatchNorm normalising by the statistics of the test batches, shape (N, labels). Where
            they score far higher, the moving statistics lag behind the weights. None where nothing asked for them.
        training_loss: Training loss of each epoch, as Keras reports it; a figure's curve, never a verdict.
        training_accuracy: Training accuracy of each epoch, as Keras reports it; a figure's curve, never a verdict.
        epoch_seconds: Wall time of each epoch's steps; the first includes tracing where the trial had to.
        epoch_steps: Number of steps of an epoch.
        epoch_images: Number of images that they train on.
        seconds: Wall time of the whole trial.
        environment: Environment of the run.
        run: Identifier of the run that trained it: two results of one trial and one run are one measurement. Empty
            until the result is stored, and where an older version of tlbench stored it.
    """

    validation_labels: NDArray[np.int64]
    validation_probabilities: NDArray[np.float32] | None
    batch_statistics_probabilities: NDArray[np.float32] | None
    training_loss: tuple[float, ...]
    training_accuracy: tuple[float, ...]
    epoch_seconds: tuple[float, ...]
    epoch_steps: int
    epoch_images: int
    seconds: float
    environment: Environment = field(repr=False)
    run: str = ""

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Empty: a trial is read by its network's head."""
        return {}

    @property
    def accuracy(self) -> float:
        """Share of test images that are classified correctly; NaN where the run diverged."""
        return metrics.accuracy(self.labels, self.probabilities)

    @cached_property
    def validation_accuracy(self) -> tuple[float, ...]:
        """Accuracy on the validation images after each epoch; empty where nothing asked for these predictions."""
        epochs = () if self.validation_probabilities is None else self.validation_probabilities
        return tuple(metrics.accuracy(self.validation_labels, epoch) for epoch in epochs)

    @property
    def extras(self) -> frozenset[str]:
        """Extra predictions that the result has, see `tlbench.scores.extras`."""
        return frozenset(extra for extra, array in EXTRA_ARRAYS.items() if getattr(self, array) is not None)

    @property
    def summary(self) -> Summary:
        """The result without its predictions."""
        return Summary(
            diverged=self.diverged,
            scores=self.scores,
            f1={} if self.diverged else self.f1,
            validation_accuracy=() if self.diverged else self.validation_accuracy,
            training_accuracy=tuple(value if math.isfinite(value) else 0.0 for value in self.training_accuracy),
            epoch_seconds=self.epoch_seconds,
            epoch_steps=self.epoch_steps,
            epoch_images=self.epoch_images,
            seconds=self.seconds,
        )


@dataclass(frozen=True, eq=False)
class EvaluationResult(_Predicted):
    """The stored predictions of a trained network for images, and the scores that follow from them.

    Attributes:
        status: `"diverged"` when a probability or a feature is not finite; no score is a number then.
        label_names: Names of the task's labels.
        labels: Labels of the images, shape (N,).
        probabilities: Probabilities for the images, float32, shape (N, labels); shape (N, 0) of a readout that predicts
            nothing, which has no score.
        weights: SHA-256 of the file of weights that the network had, see `tlbench.store.files.weights_digest`.
        seconds: Wall time of the evaluation.
        environment: Environment of the run.
        run: Identifier of the run that computed it; empty until the result is stored.
        arrays: Arrays of the readout by name, see `tlbench.declare.readouts.ReadoutResult`; empty without a readout.
    """

    weights: str
    seconds: float
    environment: Environment = field(repr=False)
    run: str = ""
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    @property
    def batch_statistics_probabilities(self) -> None:
        """None: an evaluation leaves BatchNorm's statistics as training left them."""

    @property
    def validation_accuracy(self) -> tuple[float, ...]:
        """Empty: an evaluation has no history."""
        return ()


class ResultOf(Protocol):
    """Gives the result of a trial or an evaluation, or None where there is none."""

    @overload
    def __call__(self, work: Trial, /) -> Result | None: ...
    @overload
    def __call__(self, work: Evaluation, /) -> EvaluationResult | None: ...
    @overload
    def __call__(self, work: Work, /) -> Result | EvaluationResult | None: ...
