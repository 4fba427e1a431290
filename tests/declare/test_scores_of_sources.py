"""Transferability scores as readings of stored features."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tlbench.declare.transferability import H_SCORE, LEEP, LOGME, NCE
from tlbench.scores.extras import NO_EXTRAS
from tlbench.scores.transferability import h_score, leep, log_maximum_evidence, negative_conditional_entropy


class Counted(np.ndarray):
    """Features that count how often they are read."""

    def __new__(cls, array):
        """From other features."""
        made = np.asarray(array).view(cls)
        made.read = 0
        return made

    def astype(self, *arguments, **options):
        """Each score begins with this."""
        self.read += 1
        return np.asarray(self).astype(*arguments, **options)


READINGS = (LOGME, H_SCORE, LEEP, NCE)


class Stored:
    """A result of a readout."""

    def __init__(self, arrays):
        self.arrays = arrays


@pytest.fixture
def arrays():
    """Features and a head of 30 images of three labels."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 30)
    features = np.eye(3)[labels] + generator.normal(size=(30, 3))
    return {"features": features, "labels": labels, "head": generator.dirichlet(np.ones(4), 30)}


def test_readings_are_the_scores_of_stored_arrays(arrays):
    """Features for two of them, and the head for the others."""
    features, labels, head = arrays["features"], arrays["labels"], arrays["head"]
    expected = (
        log_maximum_evidence(features, labels),
        h_score(features, labels),
        leep(head, labels),
        negative_conditional_entropy(head.argmax(axis=1), labels),
    )

    assert expected == tuple(reading.value(Stored(arrays)) for reading in READINGS)


def test_a_score_is_computed_once_for_each_result(arrays):
    """Results with other arrays have their own."""
    arrays["features"] = Counted(arrays["features"])
    first, second = Stored(arrays), Stored(arrays | {"labels": np.roll(arrays["labels"], 1)})

    values = [LOGME.value(result) for result in (first, second, first, second)]

    assert values[:2] == values[2:]
    assert values[0] != values[1]
    assert 2 == arrays["features"].read


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_a_result_without_features_has_no_score(reading, make_result):
    """A trial's own result has none, nor has a summary of one in a saved run; no extra prediction is made for it."""
    assert math.isnan(reading.value(make_result()))
    assert math.isnan(reading.value(make_result().summary))
    assert NO_EXTRAS == reading.extras
