"""Transferability scores as readings of features: `score(source, LOGME, by=TrainingFeatures("exit", task=target))`."""

from __future__ import annotations

import math

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tlbench.declare.claims import Reading
from tlbench.scores import transferability
from tlbench.scores.extras import NO_EXTRAS


if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from numpy.typing import NDArray

    from tlbench.scores.listed import Scored, Unit


# Scores of results that are still in use: a study asks for each in many sums, and a score takes up to seconds.
_KNOWN: WeakKeyDictionary[Scored, dict[object, float]] = WeakKeyDictionary()


def _value(result: Scored, *, of: Callable[[NDArray[Any], NDArray[Any]], float], array: str) -> float:
    arrays = result.arrays
    if array not in arrays:
        return math.nan
    known = _KNOWN.setdefault(result, {})
    if of not in known:
        known[of] = of(arrays[array], arrays["labels"])
    return known[of]


def _nce(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    return transferability.negative_conditional_entropy(probabilities.argmax(axis=1), labels)


def _reading(
    name: str, of: Callable[[NDArray[Any], NDArray[Any]], float], array: str, unit: Unit = "number"
) -> Reading:
    return Reading(name, partial(_value, of=of, array=array), unit=unit, extras=NO_EXTRAS)


# All need the arrays of `tlbench.TrainingFeatures`, and are missing from other results.
LOGME = _reading("LogME", transferability.log_maximum_evidence, "features")
H_SCORE = _reading("H-score", transferability.h_score, "features")
# Of the head that the network was trained with: a head as it starts knows nothing of the source's labels.
LEEP = _reading("LEEP", transferability.leep, "head", "nats")
NCE = _reading("NCE", _nce, "head", "nats")
