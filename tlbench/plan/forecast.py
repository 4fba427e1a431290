"""Forecasts of the time that missing trials take, from the times of stored trials."""

from __future__ import annotations

import json
import math

from collections import defaultdict
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from tlbench.declare.graphs import Graph
from tlbench.errors import ConfigurationError


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from tlbench.declare.trials import Trial
    from tlbench.machine.environment import Environment
    from tlbench.store.baselines import SavedRun
    from tlbench.store.timings import Timing

# Of the stored trials of one size only the newest count: code and machine change.
RECENT = 20


@dataclass(frozen=True)
class Size:
    """The size of a task on a dataset, as far as it decides the time of training.

    Attributes:
        labels: Number of labels.
        training_images: Number of images that are trained on.
    """

    labels: int
    training_images: int


@dataclass(frozen=True)
class Expected:
    """The expected time of a missing trial.

    Attributes:
        graph: What it compiles, unless its process has already.
        seconds: Where the process has compiled it.
        tracing_seconds: What it takes longer where not.
        at_most: Whether its graph was never timed, and this is what one with less frozen takes.
        whole_seconds: Time of the trial if nothing were frozen; None where nothing is frozen, or where one of the two
            was never timed.
    """

    graph: Graph
    seconds: float
    tracing_seconds: float
    at_most: bool
    whole_seconds: float | None = None


@dataclass(frozen=True)
class Forecast:
    """The expected time of some missing trials.

    Attributes:
        expected: By digest; those are not in it that nothing like was ever timed.
        seconds: Wall time of all that are in it.
        processes: How many train at once.
        unknown: Number of trials that are not in it.
        timings: Number of stored trials that it rests on.
    """

    expected: Mapping[str, Expected]
    seconds: float
    processes: int
    unknown: int
    timings: int

    @property
    def at_most(self) -> int:
        """Number of trials of which only an upper bound is known."""
        return sum(expected.at_most for expected in self.expected.values())

    @property
    def frozen(self) -> Frozen:
        """The time that frozen parts save, over the trials for which it is known."""
        known = [each for each in self.expected.values() if each.whole_seconds is not None]
        whole = sum(each.whole_seconds or 0.0 for each in known)
        return Frozen(len(known), sum(each.seconds for each in known), whole)


@dataclass(frozen=True)
class Frozen:
    """The time that frozen parts save: what lies before the first trained layer is computed once for each image.

    Attributes:
        trials: Number of trials with frozen parts.
        seconds: Time of these trials, one after the other.
        whole_seconds: Time of these trials if nothing were frozen.
    """

    trials: int
    seconds: float
    whole_seconds: float


@dataclass(frozen=True)
class Job:
    """A trial, as far as it decides when others can be trained.

    Attributes:
        name: Name of the trial.
        source: Name of the one that it starts from, if that has to be trained as well.
        graph: What it compiles.
        seconds: What it takes where its process has compiled that.
        tracing_seconds: What it takes longer where not.
    """

    name: str
    source: str | None
    graph: Hashable
    seconds: float
    tracing_seconds: float


def predict(
    trials: Sequence[Trial],
    timings: Iterable[Timing],
    size: Callable[[Trial], Size | None],
    processes: int = 1,
    startup_seconds: float = 0.0,
) -> Forecast:
    """Predict what trials will take.

    The steps of a trial take what those of stored trials of its graph took, those of the nearest batch size and number
    of steps; all else takes what it took there; and each process pays once for each graph that it has to trace. A graph
    that was never timed is taken for one of the same network with the same flows frozen, or else for one with less
    frozen, which takes longer. Where there is none of either, the trial is not counted. A trial of no epochs takes what
    others took beside their steps, and traces no step.

    Args:
        trials: Those to train, each after its source.
        timings: Times of stored trials of the same environment, the newest first.
        size: Gives the size of a trial's task on its data; None where it is unknown.
        processes: How many train at once.
        startup_seconds: What a process takes until it can train.
    """
    timed: defaultdict[Graph, list[Timing]] = defaultdict(list)
    for timing in timings:
        timed[timing.graph].append(timing)
    histories = {graph: _History(of_graph) for graph, of_graph in timed.items()}

    expected: dict[str, Expected] = {}
    used: set[Graph] = set()
    for trial in trials:
        found = size(trial)
        if found is None or not found.training_images:
            continue
        graph = Graph.of(trial, found.labels)
        nearest = _nearest(graph, histories)
        if nearest is None:
            continue
        used.add(nearest)
        batch_size = min(trial.recipe.batch_size, found.training_images)
        scale = _Scale(batch_size, found.training_images // batch_size, trial.recipe.epochs)
        whole = None
        if graph.frozen and nearest.frozen == graph.frozen:
            whole = _nearest(replace(graph, frozen=frozenset()), histories)
        expected[trial.digest] = Expected(
            graph=graph,
            seconds=histories[nearest].seconds(scale),
            tracing_seconds=histories[nearest].tracing_seconds if trial.recipe.epochs else 0.0,
            at_most=nearest.frozen != graph.frozen,
            whole_seconds=histories[whole].seconds(scale) if whole is not None else None,
        )
    jobs = [
        Job(
            trial.digest,
            trial.source.digest if trial.source else None,
            # Whoever has predicted with a network has not traced its step of training.
            (of.graph, trial.recipe.epochs > 0),
            of.seconds,
            of.tracing_seconds,
        )
        for trial in trials
        if (of := expected.get(trial.digest))
    ]
    return Forecast(
        expected=expected,
        seconds=makespan(jobs, processes, startup_seconds),
        processes=processes,
        unknown=len(trials) - len(expected),
        timings=sum(len(timed[graph]) for graph in used),
    )


def makespan(jobs: Iterable[Job], processes: int, startup_seconds: float = 0.0) -> float:
    """When the last of some jobs ends, if each in turn goes to the process that ends it first.

    It is never less than the jobs' seconds divided among the processes, and never more than one process takes.

    Args:
        jobs: Each after its source.
        processes: How many work at once; each traces a graph when it first gets it.
        startup_seconds: When they are ready to begin.
    """
    if processes < 1:
        msg = f"At least one process has to train. Received: processes={processes!r}"
        raise ConfigurationError(msg)
    free = [startup_seconds] * processes
    traced: list[set[Hashable]] = [set() for _ in free]
    ends: dict[str | None, float] = {}
    for job in jobs:
        ready = ends.get(job.source, 0.0)
        candidates = [
            max(free[process], ready) + job.seconds + (0.0 if job.graph in traced[process] else job.tracing_seconds)
            for process in range(processes)
        ]
        end = min(candidates)
        process = candidates.index(end)
        free[process] = ends[job.name] = end
        traced[process].add(job.graph)
    return max(ends.values(), default=0.0)


def peak_memory(trials: Iterable[Trial], runs: Iterable[SavedRun], environment: Environment) -> int | None:
    """Most bytes that a process may hold which trains some trials.

    Args:
        trials: Those to train.
        runs: That were saved on this machine, the latest first.
        environment: That they are trained in.

    Returns:
        What the latest run held that trained all their networks at their batch sizes, in this environment; None where
        there is none.
    """
    wanted = {_heft(trial.description) for trial in trials}
    for run in runs:
        if run.peak_memory_bytes is None or run.surroundings.environment.key != environment.key:
            continue
        try:
            trained = {_heft(arm.description) for arm in run.arms}
        except (LookupError, TypeError):  # Saved by a version that describes trials in another way.
            continue
        if wanted <= trained:
            return run.peak_memory_bytes
    return None


def _heft(description: Mapping[str, Any]) -> str:
    # What decides most of the memory that a trial needs.
    recipe = description["recipe"]["Recipe"]
    return json.dumps([description["network"], recipe["batch_size"], recipe["precision"]], sort_keys=True)


@dataclass(frozen=True)
class _Scale:
    """The size of a training run."""

    batch_size: int
    steps: int
    epochs: int

    @classmethod
    def of(cls, timing: Timing) -> _Scale:
        return cls(timing.batch_size, timing.epoch_steps, len(timing.epoch_seconds))

    def distance(self, other: _Scale) -> tuple[float, ...]:
        """Distance between two scales; smaller for steps of the same size than for as many steps."""
        return (
            # A single epoch may hold the tracing.
            float(other.epochs == 1 != self.epochs),
            abs(math.log(self.batch_size / other.batch_size)),
            abs(math.log(self.steps / other.steps)),
            abs(math.log(max(self.epochs, 1) / other.epochs)),
        )


class _History:
    """The timings of one graph.

    Args:
        timings: At least one, the newest first.
    """

    def __init__(self, timings: Sequence[Timing]) -> None:
        # Most trials came after one of their graph in the same process; those that took far longer had to trace it.
        # They say what the others take only where there are none.
        self._scales = _scales(timings)
        excess = [self._excess(timing) for timing in timings]
        largest = max(excess)
        traced = [timing for timing, value in zip(timings, excess, strict=True) if 2 * value >= largest]
        others = [timing for timing, value in zip(timings, excess, strict=True) if 2 * value < largest]
        self._scales |= _scales(others)
        self.tracing_seconds = median(map(self._excess, traced))

    def seconds(self, scale: _Scale) -> float:
        """Time of a trial that has nothing to trace."""
        nearest = min(self._scales, key=scale.distance)
        typical = self._scales[nearest]
        image = typical.steady_seconds / (nearest.batch_size * nearest.steps)
        return scale.epochs * scale.steps * scale.batch_size * image + typical.other_seconds

    def _excess(self, timing: Timing) -> float:
        scale = _Scale.of(timing)
        typical = self._scales[scale]
        steady = typical.steady_seconds if scale.epochs == 1 else timing.steady_seconds
        first = timing.epoch_seconds[0] - steady
        return max(first, 0.0) + max(timing.other_seconds - typical.other_seconds, 0.0)


@dataclass(frozen=True)
class _Typical:
    """The typical times of trials of one size; see `Timing`."""

    steady_seconds: float
    other_seconds: float


def _scales(timings: Sequence[Timing]) -> dict[_Scale, _Typical]:
    of_scale: defaultdict[_Scale, list[Timing]] = defaultdict(list)
    for timing in timings:
        of_scale[_Scale.of(timing)].append(timing)
    return {
        scale: _Typical(
            steady_seconds=median(timing.steady_seconds for timing in alike[:RECENT]),
            other_seconds=median(timing.other_seconds for timing in alike[:RECENT]),
        )
        for scale, alike in of_scale.items()
    }


def _nearest(graph: Graph, known: Iterable[Graph]) -> Graph | None:
    # A graph with more frozen says nothing, since it may take any part of the time.
    candidates = [
        other
        for other in known
        if (other.network, other.precision) == (graph.network, graph.precision) and other.frozen <= graph.frozen
    ]
    return min(
        candidates,
        key=lambda other: (-len(other.frozen), other.optimizer != graph.optimizer, abs(other.labels - graph.labels)),
        default=None,
    )
