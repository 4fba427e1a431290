"""Round numbers for the axes of pages."""

from __future__ import annotations

import math


# Numbers of an axis, at most.
MOST_TICKS = 5


def nice_ticks(low: float, high: float) -> list[float]:
    """Two to five round numbers between two ends, zero among them where it lies between.

    Args:
        low: Lower end.
        high: Upper end, above the lower one.
    """
    size = high - low
    power = 10.0 ** math.floor(math.log10(size))
    for step in (power, power / 2, power / 5, power / 10):
        first, last = math.ceil(low / step), math.floor(high / step)
        if last > first:
            every = math.ceil((last - first + 1) / MOST_TICKS)
            start = first + -first % every if first <= 0 <= last else first
            return [number * step for number in range(start, last + 1, every)]
    return [low, high]
