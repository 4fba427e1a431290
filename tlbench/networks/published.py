"""Published weights of networks: files, their hashes, and loading them.

A network that has published weights names them in a property `pretrained`.
"""

from __future__ import annotations

import hashlib

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError, WeightsError


if TYPE_CHECKING:
    import keras
    import numpy as np

    from numpy.typing import NDArray


@dataclass(frozen=True)
class WeightsFile:
    """A published file.

    Attributes:
        name: Name of the file below its URL.
        md5: MD5 of the file, as hexadecimal digits.
        head: Whether the file holds the head too.
    """

    name: str
    md5: str
    head: bool


@dataclass(frozen=True)
class Published:
    """Published weights of a network.

    Attributes:
        name: Name in tables and headers.
        url: URL of the folder with the files.
        files: Accepted files; the first is the one to download.
        classes: Number of classes of the published head.
        body_end: Name of the last layer before the head.
    """

    name: str
    url: str
    files: tuple[WeightsFile, ...]
    classes: int
    body_end: str

    def find(self, path: Path | None = None) -> Path:
        """Find a file of these weights, see `find_weights`.

        Args:
            path: File of the user; None for Keras' cache, to which a missing file is downloaded.

        Raises:
            WeightsError: The file is missing, cannot be downloaded, or is another one.
        """
        return find_weights(path, self.files, self.url)

    def load(self, model: keras.Model, path: Path) -> None:
        """Load a file into the body of a network, see `load_weights`.

        Args:
            model: Network with the published architecture.
            path: A file of `find`.

        Raises:
            WeightsError: The file is for another architecture, or is damaged.
        """
        load_weights(model, path, self.body_end)


def of_network(network: object) -> Published:
    """The published weights of a network.

    Args:
        network: A network; the property `pretrained` is optional.

    Raises:
        ConfigurationError: The network has none.
    """
    published = getattr(network, "pretrained", None)
    if not isinstance(published, Published):
        msg = (
            "No weights are published for this network: Keras' are for the full size. Use --tlbench-profile poster, "
            f"or another --tlbench-source. Received: {network}"
        )
        raise ConfigurationError(msg)
    return published


def md5(path: Path) -> str:
    """MD5 of a file, as hexadecimal digits; Keras publishes no other hash of this kind of file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def find_weights(
    path: Path | None,
    published: tuple[WeightsFile, ...],
    url: str,
    cache: Path | None = None,
) -> Path:
    """Find a file of published weights, and check its hash.

    Args:
        path: File of the user; None for Keras' cache, to which a missing file is downloaded.
        published: Accepted files; the first is the one to download.
        url: URL of the folder with the files.
        cache: Folder to download to; None for Keras' own.

    Returns:
        The path of a file whose hash is a published one.

    Raises:
        WeightsError: The file is missing, cannot be downloaded, or is another one.
    """
    if path is None:
        path = _download(published[0], url, cache)
    if not path.is_file():
        msg = f"The weights file is not there; give --tlbench-weights the path of {published[0].name}. Received: {path}"
        raise WeightsError(msg)
    received, expected = md5(path), [file.md5 for file in published]
    if received not in expected:
        msg = (
            f"The weights file {path} is not as published: its MD5 should be {' or '.join(expected)}; download "
            f"{url}{published[0].name} again. Received: {received}"
        )
        raise WeightsError(msg)
    return path


def _download(file: WeightsFile, url: str, cache: Path | None) -> Path:
    import keras

    try:
        if cache is not None:
            # Keras downloads to /tmp where this folder is missing.
            cache.mkdir(parents=True, exist_ok=True)
        found = keras.utils.get_file(
            file.name, url + file.name, cache_subdir="models", file_hash=file.md5, cache_dir=cache
        )
    except Exception as error:
        msg = (
            f"Published weights could not be downloaded from {url}{file.name} (MD5 {file.md5}); give "
            "--tlbench-weights the path of that file, or --tlbench-source embedded or an image folder to train a "
            "source on. "
            f"Received: {error}"
        )
        raise WeightsError(msg) from error
    return Path(found)


def load_weights(model: keras.Model, path: Path, body_end: str = "avg_pool", *, head: bool = False) -> None:
    """Load a published file into a network, topologically: weight by weight in the graph's order, whatever their names.

    `keras.Model.load_weights` does the same, but loads a file with a head only
    into a network with that head, and goes by the file's extension.

    Args:
        model: Network with the published architecture.
        path: A file in Keras' legacy HDF5 format.
        body_end: The last layer before the head.
        head: Whether to load the head as well, which needs a file that has it and a network with as many classes.
            Otherwise the network's head stays as it is, and a file's is left out.

    Raises:
        WeightsError: The file is no such file, is for another architecture, or did not arrive. Unless it did not
            arrive, the network is as before.
    """
    import keras

    arrays = _arrays(path)
    body = keras.Model(model.input, model.get_layer(body_end).output)
    target = model if head else body
    if not head:
        arrays = arrays[: len(body.weights)] + _without_head(arrays[len(body.weights) :])
    _check_shapes(target, arrays, path)
    target.set_weights(arrays)

    for variable, expected in zip(target.weights, arrays, strict=True):
        if (keras.ops.convert_to_numpy(variable) != expected).any():
            msg = f"Weight {variable.path!r} was not loaded from {path}."
            raise WeightsError(msg)


def _without_head(arrays: list[NDArray[np.floating]]) -> list[NDArray[np.floating]]:
    """Nothing, where these are the kernel and the bias of a dense layer; else all of them."""
    return [] if [array.ndim for array in arrays] == [2, 1] else arrays


def _check_shapes(model: keras.Model, arrays: list[NDArray[np.floating]], path: Path) -> None:
    if len(model.weights) != len(arrays):
        msg = (
            f"The weights file {path} is for another architecture: the network has {len(model.weights)} weights to "
            f"load. Received: {len(arrays)} weights"
        )
        raise WeightsError(msg)
    for variable, array in zip(model.weights, arrays, strict=True):
        if tuple(variable.shape) != array.shape:
            msg = (
                f"The weights file {path} is for another architecture: weight {variable.path!r} has shape "
                f"{tuple(variable.shape)}. Received: {array.shape}"
            )
            raise WeightsError(msg)


def _arrays(path: Path) -> list[NDArray[np.floating]]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            groups = [file[name] for name in file.attrs["layer_names"]]
            arrays = [group[name][()] for group in groups for name in group.attrs["weight_names"]]
    except (OSError, KeyError, TypeError) as error:
        msg = f"The weights file {path} is not in Keras' legacy HDF5 format, or is damaged. Received: {error}"
        raise WeightsError(msg) from error
    if not arrays:
        msg = f"The weights file {path} holds no weights."
        raise WeightsError(msg)
    return arrays
