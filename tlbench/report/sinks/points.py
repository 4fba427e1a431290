"""Numbers of a trial, for sinks that draw them over epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tlbench.report.frames import HISTORIES


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlbench.report.records import TrialRecord


@dataclass(frozen=True)
class TrialPoint:
    """A number of a trial.

    Attributes:
        of: `"epochs"` for a number of one epoch, `"test"` for a score on the test images after the last.
        name: Name of the record's field, or key of the metric.
        value: The number.
        epoch: Epoch, counted from 1.
    """

    of: Literal["epochs", "test"]
    name: str
    value: float
    epoch: int


def points(trial: TrialRecord) -> Iterator[TrialPoint]:
    """Iterate over a trial's history and scores; what is no number is left out."""
    for name in HISTORIES:
        for epoch, value in enumerate(getattr(trial, name), start=1):
            if value is not None:
                yield TrialPoint("epochs", name, value, epoch)
    for key, value in trial.scores.items():
        yield TrialPoint("test", key, value, len(trial.training_loss))
