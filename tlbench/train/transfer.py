"""Weights: copied from a source, left alone where they are frozen, and both checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tlbench.errors import TrainingError, WeightsError


if TYPE_CHECKING:
    from collections.abc import Iterable

    import keras

    from tlbench.store.results import Weights


def read(model: keras.Model) -> Weights:
    """The weights of a model as arrays, BatchNorm's moving statistics included."""
    import keras

    return {variable.path: np.array(keras.ops.convert_to_numpy(variable)) for variable in model.weights}


def write(model: keras.Model, weights: Weights) -> None:
    """Set every weight of a model.

    Raises:
        WeightsError: The weights are not this model's, by name or shape; the model is unchanged then.
    """
    shapes = {variable.path: tuple(variable.shape) for variable in model.weights}
    received = {path: value.shape for path, value in weights.items()}
    if shapes != received:
        differing = sorted(path for path in shapes.keys() | received.keys() if shapes.get(path) != received.get(path))
        msg = (
            f"The weights do not fit the network: {len(differing)} of {len(shapes)} differ, first {differing[0]!r}, "
            f"expected shape {shapes.get(differing[0])}. Received: {received.get(differing[0])}"
        )
        raise WeightsError(msg)
    for variable in model.weights:
        variable.assign(weights[variable.path])


def paths(layers: Iterable[keras.layers.Layer]) -> frozenset[str]:
    """Paths of the weights of some layers."""
    return frozenset(variable.path for layer in layers for variable in layer.weights)


def transfer(source: Weights, fresh: Weights, copied: frozenset[str]) -> Weights:
    """Copy some weights of a source into a network, beside fresh weights for the rest.

    Args:
        source: Weights of the source; others than the copied ones may be missing.
        fresh: Weights of the new network.
        copied: Paths of the weights to copy.

    Returns:
        New weights for the whole network.

    Raises:
        WeightsError: The source lacks one of these weights, or has the weight in another shape.
    """
    weights = dict(fresh)
    for path in sorted(copied):
        value = source.get(path)
        if value is None or value.shape != fresh[path].shape:
            msg = (
                f"Weight {path!r} cannot be transferred: the network needs shape {fresh[path].shape}. "
                f"Received: {'nothing' if value is None else value.shape}"
            )
            raise WeightsError(msg)
        weights[path] = value
    return weights


def check_transferred(model: keras.Model, source: Weights, copied: frozenset[str], fresh: Weights) -> None:
    """Make sure that a model holds the copied weights of its source, and fresh weights elsewhere, bit for bit.

    Args:
        model: The new network.
        source: Weights of the source.
        copied: Paths of the copied weights.
        fresh: Weights that the new network was drawn with.

    Raises:
        WeightsError: A weight is another, or there is nothing to transfer.
    """
    if not copied:
        msg = "Nothing to transfer: the network has no weights but its head's."
        raise WeightsError(msg)
    held = read(model)
    changed = differences(source, held, copied)
    if changed:
        msg = f"{len(changed)} of {len(copied)} weights were not transferred, first {changed[0]!r}."
        raise WeightsError(msg)
    rest = frozenset(fresh) - copied
    changed = differences(fresh, held, rest)
    if changed:
        msg = f"{len(changed)} of {len(rest)} weights that are drawn anew are others, first {changed[0]!r}."
        raise WeightsError(msg)


def check_frozen(before: Weights, after: Weights, frozen: frozenset[str]) -> None:
    """Make sure that training left the frozen weights alone, BatchNorm's statistics included.

    Raises:
        TrainingError: It did not.
    """
    changed = differences(before, after, frozen)
    if changed:
        msg = f"Training changed {len(changed)} of {len(frozen)} frozen weights, first {changed[0]!r}."
        raise TrainingError(msg)


def check_trained(before: Weights, after: Weights, trained: frozenset[str]) -> None:
    """Make sure that training changed every layer's weights that it should.

    Raises:
        TrainingError: Not one of them changed.
    """
    if trained and len(differences(before, after, trained)) == 0:
        msg = f"Training left all {len(trained)} trainable weights as they were."
        raise TrainingError(msg)


def differences(first: Weights, second: Weights, among: frozenset[str]) -> list[str]:
    """Paths, sorted, of the weights whose bits differ."""
    return sorted(path for path in among if first[path].tobytes() != second[path].tobytes())
