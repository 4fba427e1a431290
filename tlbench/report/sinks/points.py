"""What a trial's numbers are, for whatever draws them over epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tlbench.report.frames import HISTORIES, SCORES


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlbench.report.records import TrialRecord


@dataclass(frozen=True)
class Point:
    """A number of a trial.

    Attributes:
        of: Whether it is of an epoch, or of the test images after the last.
        name: As that of the record's field.
        value: The number.
        epoch: Counted from 1.
    """

    of: Literal["epochs", "test"]
    name: str
    value: float
    epoch: int


def points(trial: TrialRecord) -> Iterator[Point]:
    """A trial's history and scores; what is no number is left out."""
    for name in HISTORIES:
        for epoch, value in enumerate(getattr(trial, name), start=1):
            if value is not None:
                yield Point("epochs", name, value, epoch)
    for name in SCORES:
        if (value := getattr(trial, name)) is not None:
            yield Point("test", name, value, len(trial.validation_accuracy))
