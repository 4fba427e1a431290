"""Weights that trials start from: drawn under a seed, or published."""

from __future__ import annotations

import random

from functools import lru_cache
from typing import TYPE_CHECKING

from tlbench.networks import published
from tlbench.train import transfer


if TYPE_CHECKING:
    from pathlib import Path

    from tlbench.declare.trials import Network
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


def published_weights(network: Network, path: Path | None) -> Weights:
    """The published weights of a network, as a source.

    Args:
        network: A network that has published weights.
        path: File of the user; None for Keras' cache.

    Raises:
        WeightsError: The file cannot be found, or its weights are not this network's.
    """
    weights = published.of_network(network)
    model = network.build(weights.classes)
    weights.load(model, weights.find(path))
    return transfer.read(model)
