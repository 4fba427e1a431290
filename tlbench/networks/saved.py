"""Weights that a user saved from a network of the study, in any of Keras' three formats.

A file's layers are matched with the network's by their names, where every layer has its namesake in the file, and
otherwise by topology: by Keras' own addresses (`layers/conv2d_3/vars/0`), or in the graph's order in the legacy format.
The head is left out.
"""

from __future__ import annotations

import io
import tempfile
import zipfile

from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from tlbench.errors import WeightsError
from tlbench.machine import hashes
from tlbench.networks import published


if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

    from numpy.typing import NDArray


# Endings of file names; the content decides between the formats.
SUFFIXES = (".keras", ".h5")

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_IN_KERAS = "model.weights.h5"

# Keras 2 had another name for the group of a model's layers.
_OLD_LAYERS, _LAYERS = "_layer_checkpoint_dependencies", "layers"


@dataclass(frozen=True)
class _Stored:
    """The weights of a file.

    Attributes:
        layers: Weights of each layer or sublayer by its address, for instance `layers/conv2d_3`; in the file's order.
        names: Addresses by the layers' names, without names that several layers share.
        ordered: Whether the order of the layers is the graph's.
    """

    layers: dict[str, list[NDArray[Any]]]
    names: dict[str, str]
    ordered: bool


def load(
    model: keras.Model,
    body_end: str,
    path: Path | None,
    sha256: str | None = None,
    statistics: published.Statistics | None = None,
) -> None:
    """Load the weights of a file into the body of a network.

    Args:
        model: The network; its head keeps its weights.
        body_end: Name of the last layer before the head.
        path: A `.keras`, `.weights.h5` or legacy `.h5` file.
        sha256: Hash that the file must have, as hexadecimal digits; None for any.
        statistics: Statistics that the network normalises images by, which a file may hold too.

    Raises:
        WeightsError: The file is missing, in no such format, changed since its hash was taken, or lacks a weight of the
            network, or holds a weight in another shape, without a number, or without an effect. The network is as
            before then.
    """
    import keras

    if path is None or not path.is_file():
        msg = f"The file of the weights to start from is not there; give its path to --tlbench-source. Received: {path}"
        raise WeightsError(msg)
    if sha256 is not None and (received := hashes.sha256(path)) != sha256:
        msg = (
            f"The weights file {path} changed while it was in use: its SHA-256 was {sha256}; start the run again. "
            f"Received: {received}"
        )
        raise WeightsError(msg)
    body = keras.Model(model.input, model.get_layer(body_end).output)
    stored = _read(path)
    found = list(_in_order(body, stored) if stored.ordered else _by_address(body, stored))
    arrays = [
        _checked(path, variable, where, value) for variable, (where, value) in zip(body.weights, found, strict=True)
    ]
    published.assign(body, published.without_statistics(body, arrays, path, statistics), path)


def _checked(path: Path, variable: Any, where: str, value: NDArray[Any] | None) -> NDArray[Any]:
    shape = tuple(variable.shape)
    if value is None or value.shape != shape:
        received = "no such weight" if value is None else f"shape {value.shape}"
        msg = (
            f"The weights file {path} is of another network: weight {variable.path!r} has shape {shape}; save the "
            "weights of the network that the report names, or choose that network with --tlbench-network. "
            f"Received: {received} at {where!r}"
        )
        raise WeightsError(msg)
    if not np.isfinite(value).all():
        msg = f"The weights file {path} holds values that are no numbers; train it again. Received: {where!r}"
        raise WeightsError(msg)
    return value.astype(variable.dtype)


def _by_address(body: keras.Model, stored: _Stored) -> Iterator[tuple[str, NDArray[Any] | None]]:
    """Each weight of the body, in order, with its place in a file whose layers have addresses.

    Keras gives the addresses when it saves the body: each weight is filled with its own number for that, so that the
    saved number tells which weight stands where.
    """
    kept = body.get_weights()
    with tempfile.TemporaryDirectory(prefix="tlbench-weights-") as folder:
        place = Path(folder) / "numbered.weights.h5"
        try:
            body.set_weights([np.full(value.shape, number, np.float32) for number, value in enumerate(kept)])
            body.save_weights(place)
        finally:
            body.set_weights(kept)
        own = _read(place)
    address_of = {address: address for address in own.layers}
    if own.names and own.names.keys() <= stored.names.keys() and len(own.names) == len(own.layers):
        address_of = {address: stored.names[name] for name, address in own.names.items()}
    places = {
        int(number.flat[0]): (address_of[address], index)
        for address, numbers in own.layers.items()
        for index, number in enumerate(numbers)
    }
    for number in range(len(kept)):
        address, index = places[number]
        values = stored.layers.get(address, [])
        yield f"{address}/vars/{index}", values[index] if index < len(values) else None


def _in_order(body: keras.Model, stored: _Stored) -> Iterator[tuple[str, NDArray[Any] | None]]:
    """Each weight of the body, in order, with its place in a file of the legacy format."""
    layers = [layer for layer in body.layers if layer.weights]
    if {layer.name for layer in layers} <= stored.names.keys():
        for layer in layers:
            values = stored.layers[layer.name]
            for index in range(len(layer.weights)):
                yield f"{layer.name}/{index}", values[index] if index < len(values) else None
        return
    placed = [(f"{name}/{index}", value) for name, each in stored.layers.items() for index, value in enumerate(each)]
    for number in range(len(body.weights)):
        yield placed[number] if number < len(placed) else ("the end of the file", None)


def _read(path: Path) -> _Stored:
    import h5py

    try:
        with path.open("rb") as file:
            begin = file.read(8)
            if begin.startswith(_ZIP):
                with zipfile.ZipFile(file) as archive:
                    # HDF5 seeks, which is slow within a compressed member.
                    content: IO[bytes] = io.BytesIO(archive.read(_IN_KERAS))
            elif begin == _HDF5:
                content = file
            else:
                msg = (
                    f"The weights file {path} is no .keras, .weights.h5 or .h5 file of Keras; save it by "
                    f"`model.save_weights('NAME.weights.h5')`. Received: a file that begins with {begin!r}"
                )
                raise WeightsError(msg)
            with h5py.File(content, "r") as h5:
                stored = _stored(h5)
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        msg = f"The weights file {path} cannot be read; it is damaged, or not of Keras. Received: {error}"
        raise WeightsError(msg) from error
    if not any(stored.layers.values()):
        msg = f"The weights file {path} holds no weights."
        raise WeightsError(msg)
    return stored


def _stored(file: Any) -> _Stored:
    import h5py

    if "model_weights" in file:  # A whole model in the legacy format.
        file = file["model_weights"]
    if "layer_names" in file.attrs:
        layers = published.legacy_layers(file)
        return _Stored(layers, {name: name for name, values in layers.items() if values}, ordered=True)

    layers, named = {}, list[tuple[str, str]]()

    def visit(address: str, group: Any) -> None:
        if isinstance(group, h5py.Group) and address.endswith("/vars") and len(group):
            parts = [_LAYERS if part == _OLD_LAYERS else part for part in address.split("/")[:-1]]
            if parts[0] == "optimizer":
                return
            layer = "/".join(parts)
            layers[layer] = [group[key][()] for key in sorted(group, key=int)]
            if "name" in group.attrs:
                named.append((published.text(group.attrs["name"]), layer))

    file.visititems(visit)
    counts = [name for name, _ in named]
    return _Stored(layers, {name: layer for name, layer in named if counts.count(name) == 1}, ordered=False)
