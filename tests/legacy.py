"""Files of weights in Keras' legacy HDF5 format, as Keras publishes them."""

from __future__ import annotations

import h5py
import numpy as np


def write_legacy(model, path, *, names=None, order=list):
    """Write a group for each layer, with the names of layers and weights as attributes.

    Args:
        model: Its weights are written.
        path: Written to.
        names: Other names of layers, by their own.
        order: Gives the layers that are written, in order.
    """
    names = names or {}
    with h5py.File(path, "w") as file:
        layers = order(model.layers)
        file.attrs["layer_names"] = [names.get(layer.name, layer.name).encode() for layer in layers]
        for layer in layers:
            group = file.create_group(names.get(layer.name, layer.name))
            weights = [weight.path.encode() for weight in layer.weights]
            # An empty list needs a type that HDF5 has.
            group.attrs["weight_names"] = np.array(weights, None if weights else "S1")
            for name, value in zip(weights, layer.get_weights(), strict=True):
                group.create_dataset(name, data=value)
