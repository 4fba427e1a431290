"""The flows of a network, cut from its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError
from tlbench.machine import backends
from tlbench.networks import parts


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import keras

    from tlbench.networks.parts import Divided


def flows(model: keras.Model, ends: Mapping[str, str]) -> dict[str, tuple[keras.layers.Layer, ...]]:
    """The layers of each flow, shortcuts included, and those of the head.

    Args:
        model: A functional model.
        ends: Name of each flow's last layer, in the order of the graph.

    Returns:
        Layers by flow, the rest of the network under `"head"`; every layer is in one flow.

    Raises:
        ConfigurationError: The network is wider than one tensor at one of the ends, or they are not in its order.
    """
    import keras

    if "head" in ends:
        msg = f"The flow 'head' is what follows the last end; name this one otherwise. Received: {dict(ends)}"
        raise ConfigurationError(msg)

    members: dict[str, tuple[keras.layers.Layer, ...]] = {}
    taken: set[int] = set()
    for name, end in ends.items():
        cut(model, end)
        upstream = keras.Model(model.input, model.get_layer(end).output).layers
        if not taken < {id(layer) for layer in upstream}:
            msg = f"Flows' ends must be in the order of the graph: {name!r} has no layers. Received: {dict(ends)}"
            raise ConfigurationError(msg)
        members[name] = tuple(layer for layer in upstream if id(layer) not in taken)
        taken |= {id(layer) for layer in upstream}
    members["head"] = tuple(layer for layer in model.layers if id(layer) not in taken)
    return members


def layers_of(
    model: keras.Model, network: Divided, *names: Iterable[str]
) -> tuple[tuple[keras.layers.Layer, ...], ...]:
    """The layers of some parts and cuts of a network, in the order of the graph.

    Args:
        model: Functional model of the network, which is divided once.
        network: Network that names the parts and cuts.
        names: Sets of names of parts and cuts, which may overlap.

    Returns:
        The layers of each set.

    Raises:
        ConfigurationError: The network has no such part or cut, or cannot be divided there.
    """
    sets = [frozenset(each) for each in names]
    ends = parts.ends(network, frozenset().union(*sets))
    divided = flows(model, ends)

    def layers(wanted: frozenset[str]) -> tuple[keras.layers.Layer, ...]:
        within = wanted if wanted <= ends.keys() else parts.pieces(network, wanted)
        return tuple(layer for name in ends if name in within for layer in divided[name])

    return tuple(map(layers, sets))


def cut(model: keras.Model, end: str) -> tuple[keras.Model, keras.Model]:
    """Cut a network in two behind a layer; both parts share its variables.

    Args:
        model: A functional model.
        end: Name of the last layer of the first part.

    Returns:
        From the network's input to that layer's output, and from there to the network's output.

    Raises:
        ConfigurationError: There is no such layer, or the second part needs more of the first than its output.
    """
    import keras

    try:
        layer = model.get_layer(end)
    except ValueError as error:
        msg = f"The network has no layer to cut it behind. Received: {end!r}"
        raise ConfigurationError(msg) from error
    try:
        first, second = keras.Model(model.input, layer.output), backends.model_behind(layer, model.output)
    except ValueError as error:
        msg = (
            "The network cannot be cut behind this layer: its outputs do not depend on this layer's output alone; cut "
            f"where one tensor holds all, behind an `add` for instance. Received: {end!r} ({error})"
        )
        raise ConfigurationError(msg) from error
    shared = {layer.name for layer in first.layers} & {layer.name for layer in second.layers if layer.weights}
    if shared:
        msg = (
            f"What follows layer {end!r} also depends on layers before it: {', '.join(sorted(shared))}; cut where one "
            f"tensor holds all, behind an `add` for instance. Received: {end!r}"
        )
        raise ConfigurationError(msg)
    return first, second
