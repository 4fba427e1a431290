"""Weights: transferred, frozen, and both checked."""

from __future__ import annotations

import numpy as np
import pytest

from tlbench.errors import TrainingError, WeightsError
from tlbench.train import transfer


BODY = frozenset({"conv/kernel", "bn/moving_mean"})


@pytest.fixture
def fresh():
    return {"conv/kernel": np.zeros((3, 3)), "bn/moving_mean": np.zeros(3), "head/kernel": np.zeros((3, 8))}


@pytest.fixture
def source():
    return {"conv/kernel": np.ones((3, 3)), "bn/moving_mean": np.ones(3), "head/kernel": np.ones((3, 2))}


def test_the_body_comes_from_the_source_and_the_head_is_fresh(source, fresh):
    """The source's head, of another number of labels, is not looked at."""
    weights = transfer.transfer(source, fresh, BODY)

    assert 1.0 == weights["conv/kernel"].mean()
    assert 1.0 == weights["bn/moving_mean"].mean()
    assert 0.0 == weights["head/kernel"].mean()
    assert (3, 8) == weights["head/kernel"].shape


def test_a_source_that_lacks_a_weight_is_an_error(source, fresh):
    """Nothing is left at random in silence."""
    del source["bn/moving_mean"]

    with pytest.raises(WeightsError, match=r"'bn/moving_mean'.*Received: nothing"):
        transfer.transfer(source, fresh, BODY)


def test_a_source_of_another_shape_is_an_error(source, fresh):
    """A narrower network cannot be transferred from."""
    source["conv/kernel"] = np.ones((3, 2))

    with pytest.raises(WeightsError, match=r"\(3, 3\).*Received: \(3, 2\)"):
        transfer.transfer(source, fresh, BODY)


def test_frozen_weights_that_stay_pass(fresh):
    """Others may change."""
    after = fresh | {"head/kernel": np.ones((3, 8))}

    transfer.check_frozen(fresh, after, BODY)


def test_a_frozen_weight_that_changes_is_named(fresh):
    """One moving statistic that moved by the smallest step is enough."""
    moved = fresh["bn/moving_mean"].copy()
    moved[1] = np.nextafter(0, 1)

    with pytest.raises(TrainingError, match=r"changed 1 of 2 frozen weights, first 'bn/moving_mean'"):
        transfer.check_frozen(fresh, fresh | {"bn/moving_mean": moved}, BODY)


def test_training_that_changes_nothing_is_an_error(fresh):
    """A run without a step is no run."""
    with pytest.raises(TrainingError, match="as they were"):
        transfer.check_trained(fresh, dict(fresh), frozenset(fresh) - BODY)


@pytest.fixture
def held(monkeypatch):
    """A function that makes a model of weights."""
    monkeypatch.setattr(transfer, "read", lambda model: model)
    return dict


def test_copied_and_fresh_weights_are_both_checked(held, source, fresh):
    """A weight that was to be drawn anew must not be the source's, and the other way around."""
    copied = frozenset({"conv/kernel"})
    right = held(transfer.transfer(source, fresh, copied))

    transfer.check_transferred(right, source, copied, fresh)
    with pytest.raises(WeightsError, match="1 of 1 weights were not transferred, first 'conv/kernel'"):
        transfer.check_transferred(held(fresh), source, copied, fresh)
    with pytest.raises(WeightsError, match="1 of 2 weights that are drawn anew are others, first 'bn/moving_mean'"):
        transfer.check_transferred(held(transfer.transfer(source, fresh, BODY)), source, copied, fresh)


def test_nothing_to_copy_is_an_error(held, source, fresh):
    """A body without weights."""
    with pytest.raises(WeightsError, match="Nothing to transfer"):
        transfer.check_transferred(held(fresh), source, frozenset(), fresh)
