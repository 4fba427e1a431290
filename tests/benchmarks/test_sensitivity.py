"""The faults that the sensitivity study plants: each changes what it says, and nothing that would give it away."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import sensitivity
from tlbench.declare import tasks
from tlbench.machine.environment import current
from tlbench.train import transfer


@pytest.fixture
def train(dataset):
    """A function that trains a tiny trial by a trainer of its own, under a fault."""
    from tlbench.train.training import Trainer

    def trained(trial, source=None, condition="healthy"):
        with sensitivity.CONDITIONS[condition].patch():
            return Trainer(current()).train(trial, dataset, source)

    return trained


def test_an_epoch_without_its_last_batch_has_a_step_less(train, make_trial):
    """And trains on fewer images."""
    healthy, _ = train(make_trial())

    faulty, _ = train(make_trial(), condition="last-batch")

    assert healthy.epoch_steps - 1 == faulty.epoch_steps
    assert healthy.epoch_images > faulty.epoch_images


def test_half_of_one_class_bears_the_label_of_another(dataset, make_trial):
    """Among the training images only."""
    trial = make_trial()
    parts = dataset.parts(trial.split)

    with sensitivity.CONDITIONS["one-class"].patch():
        counts = [
            np.bincount(tasks.examples(dataset, part, trial.task).labels).tolist()
            for part in (parts.training, parts.validation, parts.test)
        ]

    assert [[5, 15, 10], [4, 4, 4], [6, 6, 6]] == counts


def test_weights_in_wrong_layers_are_all_there(train, make_trial, source):
    """Each in a layer that takes its shape, and most in another than their own."""
    trial = make_trial(initialisation=make_trial(seed=7), frozen=frozenset({"entry", "middle", "exit"}))
    _, healthy = train(trial, source)

    _, faulty = train(trial, source, "wrong-layers")

    moved = transfer.differences(healthy, faulty, frozenset(healthy) - {"predictions/kernel", "predictions/bias"})
    assert {"middle_conv/kernel", "shortcut_conv/kernel", "exit_conv/kernel"} <= set(moved)
    assert faulty["middle_conv/kernel"].tobytes() in {
        value.tobytes() for path, value in healthy.items() if path.endswith("kernel")
    }


def test_batchnorm_in_training_mode_moves_statistics_of_frozen_flows_alone(train, make_trial, source):
    """Their kernels, scales and offsets stay; the network learns another thing."""
    trial = make_trial(initialisation=make_trial(seed=7), frozen=frozenset({"entry", "middle"}))
    healthy, before = train(trial, source)

    faulty, after = train(trial, source, "batchnorm-mode")

    of_frozen = [path for path in before if path.startswith(("entry", "middle", "shortcut"))]
    changed = transfer.differences(before, after, frozenset(of_frozen))
    assert changed
    assert {path for path in of_frozen if "moving" in path} == set(changed)
    assert healthy.probabilities.tobytes() != faulty.probabilities.tobytes()


def test_faults_leave_nothing_behind(make_trial, train):
    """What is trained after all of them is as before."""
    before, _ = train(make_trial())
    for condition in sensitivity.CONDITIONS.values():
        with condition.patch():
            pass

    after, _ = train(make_trial())

    assert before.probabilities.tobytes() == after.probabilities.tobytes()
