"""Times, rates and memory of two runs, compared."""

from __future__ import annotations

import math
import statistics

from typing import TYPE_CHECKING

from tlbench.judge.changes import Ratio
from tlbench.scores.statistics import mean_interval


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tlbench.judge.arm_changes import ArmPair
    from tlbench.store.baselines import SavedArm, SavedRun

STEP_TIME = "training step"

# Seconds of tracing that exceed the noise of an epoch.
LEAST_TRACING = 0.5


def ratios_of(
    matched: Sequence[ArmPair], pairs: Sequence[tuple[SavedArm, SavedArm]], old: SavedRun, new: SavedRun
) -> Iterable[Ratio]:
    """Compare times, rates and memory of two runs.

    Args:
        matched: Arms of both runs, with all their trials.
        pairs: Arms of equal recipes without trials that are the same measurement.
        old: The older run.
        new: The newer run.
    """
    steps = [
        (before_seconds, after_seconds)
        for before, after in pairs
        if (before_seconds := _best(before, "step_seconds", min))
        and (after_seconds := _best(after, "step_seconds", min))
    ]
    if steps:
        yield _ratio(STEP_TIME, [(1000 * before, 1000 * after) for before, after in steps], "ms")
        rates = [tuple(_best(arm, "images_per_second", max) for arm in pair) for pair in pairs]
        yield _ratio("training speed", [(before, after) for before, after in rates if before and after], "images/s")
    elif times := [time for before, _, note in matched if not note and (time := _best(before, "step_seconds", min))]:
        yield Ratio(STEP_TIME, 1000 * statistics.median(times), None, "ms", None, None)
    # Trials that share a compiled network trace once: the longest stands for the arm.
    tracing = [(_longest_tracing(before), _longest_tracing(after)) for before, after in pairs]
    tracing = [times for times in tracing if min(times) > LEAST_TRACING]
    if tracing:
        yield _ratio("tracing and compiling", tracing, "s")
    if old.peak_memory_bytes and new.peak_memory_bytes:
        peaks = old.peak_memory_bytes / 2**20, new.peak_memory_bytes / 2**20
        yield Ratio("peak memory", *peaks, "MiB", peaks[1] / peaks[0], None)
    elif old.peak_memory_bytes:
        yield Ratio("peak memory", old.peak_memory_bytes / 2**20, None, "MiB", None, None)


def _ratio(name: str, times: Sequence[tuple[float, float]], unit: str) -> Ratio:
    interval = mean_interval([math.log(after / before) for before, after in times])
    old, new = (statistics.median(side) for side in zip(*times, strict=True))
    ends = (math.exp(interval.low), math.exp(interval.high)) if len(times) > 1 else None
    return Ratio(name, old, new, unit, math.exp(interval.mean), ends)


def _best(arm: SavedArm, name: str, best: Callable[[list[float]], float]) -> float:
    # Over the seeds, since whatever else the machine does can only slow a step down.
    values = [value for scores in arm.trials.values() if (value := getattr(scores, name))]
    return best(values) if values else 0.0


def _longest_tracing(arm: SavedArm) -> float:
    return max((scores.tracing_seconds or 0.0 for scores in arm.trials.values()), default=0.0)
