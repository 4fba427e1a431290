"""The nights at which the course of a quantity steps, found over its whole length.

The engine is ruptures (Truong, Oudre & Vayatis 2020, Signal Processing 167:107299). Apache Otava, which was made for
nightly figures, pins NumPy to one minor version and brings clients of BigQuery, PostgreSQL and Slack. NumPy's version
is part of the environment that keeps results apart: its installation would change the measurement it is to watch.
"""

from __future__ import annotations

from importlib import util
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    import numpy as np

    from numpy.typing import NDArray

# Chance of any change point in a quiet course, over all courses of a page.
LEVEL = 0.05

# A course of fewer nights has no past to step from.
LEAST_NIGHTS = 6


def available() -> bool:
    """Tell whether the engine is installed."""
    return util.find_spec("ruptures") is not None


def change_points(values: NDArray[np.float64], noise: float, courses: int) -> tuple[int, ...]:
    """Find the nights at which the mean of a course steps.

    The squared error of piecewise constant means is minimised exactly, with a penalty for each step (Killick, Fearnhead
    & Eckley 2012, Journal of the American Statistical Association 107:1590). In units of the noise, the gain of a step
    that is none follows a chi-squared distribution of one degree. The penalty is its quantile at the level, divided by
    the number of nights and of courses (Bonferroni).

    Args:
        values: Value of each distinct night, shape (n,).
        noise: Standard deviation of a night's value.
        courses: Number of courses that share the level.

    Returns:
        Positions of the first nights after each step, in order; none without the engine, for a short course, and
        without noise.
    """
    if len(values) < LEAST_NIGHTS or noise <= 0 or not available():
        return ()
    import ruptures

    from scipy.special import chdtri

    penalty = float(chdtri(1, LEVEL / (len(values) * max(courses, 1))))
    found = ruptures.KernelCPD(kernel="linear", min_size=1, jump=1).fit((values / noise)[:, None]).predict(pen=penalty)
    # The last is the end of the course.
    return tuple(int(position) for position in found[:-1])
