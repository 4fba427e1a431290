"""Weights that trials start from: drawn under a seed, published, or saved by a user."""

from __future__ import annotations

import random

from functools import lru_cache
from typing import TYPE_CHECKING

from tlbench.declare.trials import SavedWeights
from tlbench.networks import published, saved
from tlbench.train import transfer


if TYPE_CHECKING:
    from pathlib import Path

    from tlbench.declare.trials import ImageNet, Network
    from tlbench.store.results import Weights


@lru_cache(maxsize=8)
def fresh_weights(network: Network, labels: int, precision: str, seed: int) -> Weights:
    """The weights that Keras gives a network under a seed; not to be written to.

    Args:
        network: The architecture.
        labels: Number of its outputs.
        precision: Keras dtype policy.
        seed: Seed of Python's `random`, from which Keras' initialisers draw their own seeds. The weights are those of
            `keras.utils.set_random_seed`, which also makes TensorFlow prepare every compiled function anew: 2 s for
            each network.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        return transfer.read(network.build(labels, precision))
    finally:
        random.setstate(state)


def weights_of(network: Network, start: ImageNet | SavedWeights, path: Path | None) -> Weights:
    """The weights of a file, as a source.

    Args:
        network: The architecture; for ImageNet's weights, a network that has published weights.
        start: Weights to start from.
        path: File of these weights; None for ImageNet's in Keras' cache.

    Raises:
        WeightsError: The file cannot be found, is another one, or holds the weights of another network.
    """
    if isinstance(start, SavedWeights):
        model = network.build(2)
        body_end = list(network.flow_ends.values())[-1]
        saved.load(model, body_end, path, start.sha256, getattr(network, "statistics", None))
    else:
        weights = published.of_network(network)
        model = network.build(weights.classes)
        weights.load(model, weights.find(path))
    return transfer.read(model)
