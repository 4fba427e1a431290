"""The list of metrics, from which results, saved runs, comparisons and reports take their scores.

To add a metric, write a pure function in `tlbench.scores.metrics` and add a line to `METRICS`.
"""

from __future__ import annotations

import math

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tlbench.scores import extras, metrics


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from numpy.typing import NDArray

# How a value is shown: a share of 0.5 as 50.0 %, a difference of shares of 0.5 as 50.0 points, 0.5 nats, or 0.5.
Unit = Literal["percent", "points", "nats", "number"]

# Units of shares and their differences, which are stored as hundredths of what is shown.
HUNDREDTHS: frozenset[Unit] = frozenset({"percent", "points"})

# Units of values as CSV files hold them, which are not scaled: 0.5 of a share is 50 %.
STORED_UNITS: dict[Unit, str] = {
    "percent": "share, 0 to 1",
    "points": "difference of shares, 0.01 is a point",
    "nats": "nats",
    "number": "number",
}


class Predictions(Protocol):
    """Stored predictions for N test images, from which listed metrics are computed."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """True labels, shape (N,)."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Predicted probabilities, shape (N, labels); no columns where a readout predicts nothing."""

    @property
    def batch_statistics_probabilities(self) -> NDArray[np.float32] | None:
        """Probabilities with BatchNorm's statistics re-estimated on the test batches, shape (N, labels).

        None where nothing was predicted in this way; metrics of these probabilities are absent then.
        """


class Scored(Protocol):
    """The scores of a trial: a result, or the part of one that a saved run keeps."""

    @property
    def diverged(self) -> bool:
        """True where training ended in a loss that is not finite; there are no scores then."""

    @property
    def scores(self) -> Mapping[str, float]:
        """Values of the listed metrics, by `Metric.key`; metrics that do not apply are absent."""

    @property
    def f1(self) -> Mapping[str, float]:
        """F1 by label; empty where a readout predicts nothing."""

    @property
    def validation_accuracy(self) -> Sequence[float]:
        """Validation accuracy after each epoch; empty where the validation images were not predicted."""

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Arrays of a readout by name, see `tlbench.declare.readouts.ReadoutResult`; empty without a readout."""


@dataclass(frozen=True)
class Metric:
    """A score of a trial, computed from its predictions for the test images.

    Attributes:
        name: Name in tables and sentences.
        of: Pure function of labels, shape (N,), and probabilities, shape (N, labels).
        unit: Unit of the value. `"percent"` is a share from 0 to 1, whose differences are shown in points.
        higher_is_better: Whether a higher value is better.
        least_margin: Largest change that a comparison ignores whatever the noise, in the metric's own unit.
        key: Name in `results.json`, saved runs and stored results. Never change one: files hold it.
        alarms: Whether a comparison calls an arm regressed or improved by this metric. All others are shown only.
            The error rates in `docs/sensitivity.md` hold for the metrics that alarm today: count them anew after a
            change.
        beside_accuracy: Whether a claim about accuracy is also judged on this metric, which must be a share: the
            claim's margin is applied to it. No outcome rests on that.
        least_labels: Smallest number of labels for which the metric has a meaning.
        batch_statistics: Whether the probabilities are those with BatchNorm's statistics re-estimated.
    """

    name: str
    of: Callable[[NDArray[np.int64], NDArray[np.float32]], float]
    unit: Unit
    higher_is_better: bool
    least_margin: float
    key: str
    alarms: bool = False
    beside_accuracy: bool = False
    least_labels: int = 1
    batch_statistics: bool = False

    @property
    def extras(self) -> frozenset[str]:
        """Extra predictions that the metric is computed from, see `tlbench.scores.extras`."""
        return frozenset({extras.BATCH_STATISTICS}) if self.batch_statistics else extras.NO_EXTRAS

    @property
    def highest(self) -> float | None:
        """Highest possible value; None where there is none, or where a lower value is better."""
        return 1.0 if self.unit == "percent" and self.higher_is_better else None

    def value(self, scored: Scored) -> float:
        """Value of the metric for a trial; NaN where the trial has none."""
        return scored.scores.get(self.key, math.nan)

    def computed(self, predictions: Predictions) -> float | None:
        """Value computed from predictions; None where the metric does not apply or the value is not finite."""
        probabilities = (
            predictions.batch_statistics_probabilities if self.batch_statistics else predictions.probabilities
        )
        if probabilities is None or probabilities.shape[1] < self.least_labels:
            return None
        value = self.of(predictions.labels, probabilities)
        return value if math.isfinite(value) else None


# In the order of columns.
METRICS = (
    ACCURACY := Metric("accuracy", metrics.accuracy, "percent", True, 0.005, "accuracy", alarms=True),
    MACRO_F1 := Metric(
        "macro-F1", metrics.macro_f1, "percent", True, 0.005, "macro_f1", alarms=True, beside_accuracy=True
    ),
    # A change of the probability of the right label by a hundredth is a hundredth of a nat.
    LOSS := Metric("loss", metrics.loss, "nats", False, 0.01, "loss", alarms=True),
    BATCH_STATISTICS_ACCURACY := Metric(
        "accuracy with batch statistics",
        metrics.accuracy,
        "percent",
        True,
        0.005,
        "batch_statistics_accuracy",
        batch_statistics=True,
    ),
    BALANCED_ACCURACY := Metric(
        "balanced accuracy", metrics.balanced_accuracy, "percent", True, 0.005, "balanced_accuracy"
    ),
    TOP_5_ACCURACY := Metric(
        "top-5 accuracy", metrics.top_k_accuracy, "percent", True, 0.005, "top_5_accuracy", least_labels=6
    ),
    CALIBRATION_ERROR := Metric(
        "expected calibration error",
        metrics.expected_calibration_error,
        "percent",
        False,
        0.005,
        "expected_calibration_error",
    ),
    BRIER_SCORE := Metric("Brier score", metrics.brier_score, "number", False, 0.01, "brier_score"),
)


def computed(predictions: Predictions) -> dict[str, float]:
    """Values of all listed metrics that apply, by key."""
    return {metric.key: value for metric in METRICS if (value := metric.computed(predictions)) is not None}
