"""The times that stored trials took."""

from __future__ import annotations

import json
import math

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class StoredGraph:
    """What trials must share to share a compiled network, as their JSON tells it.

    Attributes:
        network: The architecture, as JSON text.
        labels: Number of its outputs.
        frozen: Flows that training leaves alone.
        optimizer: Keras' name of the optimizer.
        precision: Keras dtype policy.
    """

    network: str
    labels: int
    frozen: frozenset[str]
    optimizer: str
    precision: str

    @classmethod
    def of(cls, description: Mapping[str, Any], labels: int) -> StoredGraph:
        """The graph of a trial.

        Args:
            description: See `Trial.description`.
            labels: Number of labels of its task.
        """
        recipe = description["recipe"]["Recipe"]
        return cls(
            network=json.dumps(description["network"], sort_keys=True),
            labels=labels,
            frozen=frozenset(map(_text, description["frozen"])),
            optimizer=_text(recipe["optimizer"]),
            precision=_text(recipe["precision"]),
        )


@dataclass(frozen=True)
class Timing:
    """What a stored trial took.

    Attributes:
        graph: What it compiled, unless an earlier trial of its process had.
        epoch_steps: Number of steps of an epoch.
        batch_size: Number of images of a step.
        epoch_seconds: Wall time of each epoch's steps.
        seconds: Wall time of the whole trial.
    """

    graph: StoredGraph
    epoch_steps: int
    batch_size: int
    epoch_seconds: tuple[float, ...]
    seconds: float

    @classmethod
    def of(cls, content: Any) -> Timing:
        """The timing in a stored result's JSON.

        Raises:
            ValueError: It has none that can be read.
        """
        try:
            steps = _count(content["epoch_steps"])
            _count(len(content["epoch_seconds"]))
            return cls(
                graph=StoredGraph.of(content["trial"], _count(len(content["label_names"]))),
                epoch_steps=steps,
                batch_size=_count(_count(content["epoch_images"]) // steps),
                epoch_seconds=tuple(map(_positive, content["epoch_seconds"])),
                seconds=_positive(content["seconds"]),
            )
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            msg = f"A stored result's JSON must hold the trial and its times. Received: {error!r}"
            raise ValueError(msg) from error

    @property
    def steady_seconds(self) -> float:
        """Mean wall time of an epoch's steps, but for the first epoch, which may have had to trace."""
        return fmean(self.epoch_seconds[1:] or self.epoch_seconds)

    @property
    def other_seconds(self) -> float:
        """Wall time outside of training steps: building, evaluation."""
        return max(self.seconds - sum(self.epoch_seconds), 0.0)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        msg = f"not a text: {value!r}"
        raise TypeError(msg)
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        msg = f"not a positive whole number: {value!r}"
        raise ValueError(msg)
    return value


def _positive(value: Any) -> float:
    if not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        msg = f"not a positive number: {value!r}"
        raise ValueError(msg)
    return float(value)
