"""The times that stored trials took."""

from __future__ import annotations

import contextlib
import heapq
import json
import math

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tlbench.declare.graphs import Graph
from tlbench.machine.environment import Environment
from tlbench.store.files import RESULT, SCHEMA_VERSION


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Timing:
    """The times of a stored trial.

    Attributes:
        graph: Key of the network that the trial compiled, unless an earlier trial of its process had.
        epoch_steps: Number of steps of an epoch.
        batch_size: Number of images of a step.
        epoch_seconds: Wall time of each epoch's steps.
        seconds: Wall time of the whole trial.
    """

    graph: Graph
    epoch_steps: int
    batch_size: int
    epoch_seconds: tuple[float, ...]
    seconds: float

    @classmethod
    def of(cls, content: Any) -> Timing:
        """The timing in a stored result's JSON.

        Raises:
            ValueError: The JSON holds no readable timing.
        """
        try:
            steps = _count(content["epoch_steps"])
            _count(len(content["epoch_seconds"]))
            return cls(
                graph=_graph(content),
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


def _graph(content: Any) -> Graph:
    # Results of before graphs were stored tell theirs by the trial.
    if "graph" in content:
        graph = Graph.load(content["graph"])
        _count(graph.labels)
        return graph
    return Graph.read(content["trial"], _count(len(content["label_names"])))


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


def timings(folder: Path, newest: int) -> Iterator[Timing]:
    """The times of stored trials, of any study and version of the code, the newest first.

    Unreadable files are left out: damaged ones, and those of another schema or environment.

    Args:
        folder: Results of one environment, whose key is the folder's name.
        newest: Maximum number of files to read.
    """
    dated = []
    for path in folder.glob(f"*/{RESULT}"):
        with contextlib.suppress(OSError):
            dated.append((path.stat().st_mtime, path))
    for _, path in heapq.nlargest(newest, dated):
        if (timing := _read(path, folder.name)) is not None:
            yield timing


def _read(path: Path, key: str) -> Timing | None:
    # A folder may hold anything, and a forecast is not worth failing a run for.
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        here = Environment(**content["environment"]).key == key
        return Timing.of(content) if here and content["schema_version"] <= SCHEMA_VERSION else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
