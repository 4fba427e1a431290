"""Faults, each planted in the training of a trial."""

from __future__ import annotations

import contextlib
import itertools

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

from tlbench import Dataset, Parts, Random, Xception
from tlbench.declare import tasks
from tlbench.train import transfer


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from tlbench import Arm, Trial


def with_rate(factor: float) -> Callable[[Trial], Trial]:
    """Another learning rate than the trial says."""
    return lambda trial: replace(trial, recipe=trial.recipe.at(learning_rate=trial.recipe.learning_rate * factor))


def with_last_flow_trainable(trial: Trial) -> Trial:
    """The last of the frozen flows is trained."""
    frozen = [flow for flow in trial.network.flow_ends if flow in trial.frozen]
    return replace(trial, frozen=trial.frozen - set(frozen[-1:]))


def with_slow_statistics(trial: Trial) -> Trial:
    """BatchNorm's momentum is Keras' default."""
    return replace(trial, network=replace(trial.network, batchnorm_momentum=0.99))


@contextlib.contextmanager
def without_transfer() -> Iterator[None]:
    """The source's weights do not arrive, and nobody notices."""
    with (
        mock.patch.object(transfer, "transfer", lambda _source, fresh, _body: dict(fresh)),
        mock.patch.object(transfer, "check_transferred", return_value=None),
    ):
        yield


def with_leak() -> AbstractContextManager[Any]:
    """As many training images as before are drawn from the test images."""
    original = Dataset.parts

    def parts(self, split):
        healthy = original(self, split)
        chosen = np.random.default_rng(0).permutation(healthy.test)[: len(healthy.training)]
        return Parts(np.sort(chosen), healthy.validation, healthy.test)

    return mock.patch.object(Dataset, "parts", parts)


def _with_training_labels(change: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> AbstractContextManager[Any]:
    original = tasks.examples
    parts = itertools.cycle(("training", "validation", "test"))

    def examples(dataset, indices, task):
        healthy = original(dataset, indices, task)
        if next(parts) != "training":
            return healthy
        return tasks.Examples(healthy.images, healthy.indices, change(healthy.labels.copy()))

    return mock.patch.object(tasks, "examples", examples)


def with_shuffled_labels() -> AbstractContextManager[Any]:
    """A tenth of the training labels change places with each other."""

    def shuffled(labels):
        generator = np.random.default_rng(0)
        rows = generator.choice(len(labels), len(labels) // 10, replace=False)
        labels[np.sort(rows)] = labels[generator.permutation(rows)]
        return labels

    return _with_training_labels(shuffled)


def with_swapped_labels() -> AbstractContextManager[Any]:
    """Half of the training images of the first label bear the second."""

    def swapped(labels):
        labels[np.flatnonzero(labels == 0)[::2]] = 1
        return labels

    return _with_training_labels(swapped)


@contextlib.contextmanager
def with_weights_in_wrong_layers() -> Iterator[None]:
    """Weights of the source go to the next layer with weights of the same kind and shape, and nobody notices."""
    original = transfer.transfer

    def displaced(source, fresh, body):
        alike = defaultdict(list)
        for path in sorted(body):
            alike[path.rpartition("/")[2], source[path].shape].append(path)
        moved = dict(source)
        for paths in alike.values():
            moved |= {path: source[other] for path, other in zip(paths, paths[1:] + paths[:1], strict=True)}
        return original(moved, fresh, body)

    with (
        mock.patch.object(transfer, "transfer", displaced),
        mock.patch.object(transfer, "check_transferred", return_value=None),
    ):
        yield


@contextlib.contextmanager
def with_batchnorm_in_training_mode() -> Iterator[None]:
    """Frozen flows keep their weights, but BatchNorm normalises by each batch and moves its statistics."""
    from keras.layers import BatchNormalization

    frozen = BatchNormalization.trainable
    # Read as trainable, which is what decides on the mode; what is set reaches the weights all the same.
    unnoticed = property(lambda _layer: True, frozen.fset)
    with (
        mock.patch.object(BatchNormalization, "trainable", unnoticed),
        mock.patch.object(transfer, "check_frozen", return_value=None),
    ):
        yield


def without_last_batch() -> AbstractContextManager[Any]:
    """Each epoch ends a step early."""
    from tlbench.train.batches import Batches

    original = Batches.__len__
    return mock.patch.object(Batches, "__len__", lambda batches: max(original(batches) - 1, 1))


def with_unit_inputs() -> AbstractContextManager[Any]:
    """Images are scaled to [0, 1]; the source's weights come from a network that saw [-1, 1]."""
    original = Xception.build

    def build(self, classes, dtype="float32"):
        model = original(self, classes, dtype)
        layer = model.get_layer("rescaling")
        layer.scale, layer.offset = 1 / 255, 0.0
        return model

    return mock.patch.object(Xception, "build", build)


@dataclass(frozen=True)
class Condition:
    """A way to train the study: healthy, or with a fault planted.

    Attributes:
        fault: The fault in a phrase; empty for none.
        affects: Says whether the fault affects an arm; the results of other arms are the healthy ones.
        change: Change of each trial.
        patch: Patch of the code that trains it.
        own_networks: Whether compiled networks of other conditions would hide it.
        prefix_cache: Whether the output of frozen flows is computed once, which would hide what happens in them.
    """

    fault: str = ""
    affects: Callable[[Arm], bool] = lambda _arm: True
    change: Callable[[Trial], Trial] = lambda trial: trial
    patch: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext
    own_networks: bool = False
    prefix_cache: bool = True


CONDITIONS = {
    "healthy": Condition(),
    "weights-not-loaded": Condition(
        "transferred weights not loaded",
        affects=lambda arm: not isinstance(arm.initialisation, Random),
        patch=without_transfer,
    ),
    "flow-left-trainable": Condition(
        "the last frozen flow left trainable",
        affects=lambda arm: bool(arm.frozen),
        change=with_last_flow_trainable,
    ),
    "momentum": Condition("BatchNorm momentum 0.99 for 0.8", change=with_slow_statistics),
    "rate-x10": Condition("learning rate x 10", change=with_rate(10)),
    "rate-over10": Condition("learning rate / 10", change=with_rate(0.1)),
    "labels": Condition("10 % of the training labels shuffled", patch=with_shuffled_labels),
    "inputs": Condition("inputs scaled to [0, 1], the source's to [-1, 1]", patch=with_unit_inputs, own_networks=True),
    "leak": Condition("training images drawn from the test images", patch=with_leak),
    "one-class": Condition("half of one class's training labels swapped for another's", patch=with_swapped_labels),
    "wrong-layers": Condition(
        "transferred weights in other layers of equal shape",
        affects=lambda arm: not isinstance(arm.initialisation, Random),
        patch=with_weights_in_wrong_layers,
    ),
    "batchnorm-mode": Condition(
        "BatchNorm in training mode in frozen flows",
        affects=lambda arm: bool(arm.frozen),
        patch=with_batchnorm_in_training_mode,
        own_networks=True,
        prefix_cache=False,
    ),
    "last-batch": Condition("the last batch of each epoch dropped", patch=without_last_batch),
}
