"""Linear probes: a linear classifier on the features at one place of a trained network.

Donahue et al. 2014, "DeCAF" (arXiv:1310.1531, section 3), and Alain & Bengio 2016, "Understanding intermediate layers
using linear classifier probes" (arXiv:1610.01644, section 3).
"""

from __future__ import annotations

import warnings

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tlbench.declare.readouts import ReadoutResult
from tlbench.errors import DataError, TrainingError


if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tlbench.declare.readouts import Views
    from tlbench.declare.tasks import Task

# Far more than a convex problem on standardised features needs; whoever meets the limit is told.
MOST_ITERATIONS = 10_000


@dataclass(frozen=True)
class LinearProbe:
    """Logistic regression on the features of a trial's training images, which predicts the images of the evaluation.

    Features are standardised by mean and standard deviation of the training images. The penalty is the one whose
    classifier is most often right on the validation images, the strongest of several. The result's `arrays` are
    `penalty` and `iterations`, shape (1,), and `validation_accuracy`, one for each penalty.

    Attributes:
        cut: Part or cut of the network whose output is averaged over its positions.
        penalties: Penalties to choose from: factors of half the squared norm of the weights, which is added to the mean
            loss in nats; intercepts are free.
        task: Labelling of the images; None for the task that the network was trained on.
    """

    REVISION: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy")
    reads_images: ClassVar[bool] = True

    cut: str
    penalties: tuple[float, ...] = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
    task: Task | None = field(default=None, kw_only=True)

    @property
    def name(self) -> str:
        """Name in tables and sentences."""
        return f"linear probe at {self.cut}{f' for {self.task.name}' if self.task else ''}"

    def read(self, views: Views) -> ReadoutResult:
        """Fit a classifier for each penalty, and predict with the best of them, see `tlbench.Readout.read`.

        Raises:
            DataError: The training images have one label, or there are no validation images.
            TrainingError: A fit has not converged.
        """
        training, validation = views.training, views.validation
        if len(np.unique(training.labels)) < 2 or not len(validation.labels):
            msg = (
                f"A {self.name} needs training images of two labels, and validation images to choose its penalty by. "
                f"Received: {len(np.unique(training.labels))} labels, {len(validation.labels)} validation images"
            )
            raise DataError(msg)
        mean, scale = _statistics(training.features)
        inputs, choosing, tested = (
            (seen.features.astype(np.float64) - mean) / scale for seen in (training, validation, views.images)
        )
        penalties = sorted(self.penalties, reverse=True)
        classifiers = [self._fitted(inputs, training.labels, penalty) for penalty in penalties]
        accuracies = [np.mean(classifier.predict(choosing) == validation.labels) for classifier in classifiers]
        best = int(np.argmax(accuracies))
        probabilities = np.zeros((len(tested), len(views.label_names)), np.float32)
        probabilities[:, classifiers[best].classes_] = classifiers[best].predict_proba(tested)
        arrays = {
            "penalty": np.array(penalties[best : best + 1]),
            "iterations": np.array(classifiers[best].n_iter_),
            "validation_accuracy": np.array(accuracies),
        }
        return ReadoutResult(views.images.labels, probabilities, arrays)

    def _fitted(self, inputs: NDArray[np.float64], labels: NDArray[np.int64], penalty: float) -> Any:
        # Imported here: whoever probes nothing needs no scikit-learn.
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        classifier = LogisticRegression(C=1 / (penalty * len(labels)), max_iter=MOST_ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                return classifier.fit(inputs, labels)
            except ConvergenceWarning as warning:
                msg = (
                    f"The {self.name} has not converged within {MOST_ITERATIONS} iterations under penalty {penalty:g}; "
                    f"leave that penalty out. Received: {warning}"
                )
                raise TrainingError(msg) from warning


def _statistics(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean, scale = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    return mean, np.where(scale > 0, scale, 1.0)
