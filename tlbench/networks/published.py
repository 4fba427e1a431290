"""Published weights of networks: files, their hashes, and loading them.

A network that has published weights names them in a property `pretrained`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.errors import ConfigurationError, WeightsError
from tlbench.machine import hashes


if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    import numpy as np

    from numpy.typing import NDArray


# Name of the weights that Keras publishes of its own networks, trained on ImageNet's 1,000 classes.
IMAGENET = "ImageNet (Keras' published weights)"


@dataclass(frozen=True)
class WeightsFile:
    """A published file.

    Attributes:
        name: Name of the file below its URL.
        hash: MD5 or SHA-256 of the file, as hexadecimal digits; None where no hash is published. A file without one is
            known by its name only, and still has to fit the network wholly.
        head: Whether the file holds the head too.
    """

    name: str
    hash: str | None
    head: bool


@dataclass(frozen=True)
class Statistics:
    """Statistics of images that a network normalises by, as constants of its own.

    Attributes:
        mean: Mean of each channel.
        variance: Variance of each channel, as a `keras.layers.Normalization` of the weights file holds it.
    """

    mean: tuple[float, ...]
    variance: tuple[float, ...]


@dataclass(frozen=True)
class Published:
    """Published weights of a network.

    Attributes:
        name: Name in tables and headers.
        url: URL of the folder with the files.
        files: Accepted files; the first is the one to download.
        classes: Number of classes of the published head.
        body_end: Name of the last layer before the head.
        statistics: Statistics that the files hold for the first layer, and that the network has as constants.
    """

    name: str
    url: str
    files: tuple[WeightsFile, ...]
    classes: int
    body_end: str
    statistics: Statistics | None = None

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
        load_weights(model, path, self.body_end, classes=self.classes, statistics=self.statistics)


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
            "No weights are published for this network; use --tlbench-profile pocket or poster, or another "
            f"--tlbench-network or --tlbench-source. Received: {network}"
        )
        raise ConfigurationError(msg)
    return published


def _is(path: Path, published: WeightsFile) -> bool:
    if published.hash is None:
        return path.name == published.name
    return published.hash == (hashes.md5(path) if len(published.hash) == 32 else hashes.sha256(path))


def find_weights(
    path: Path | None,
    published: tuple[WeightsFile, ...],
    url: str,
    cache: Path | None = None,
) -> Path:
    """Find a file of published weights, and check its hash, or its name where no hash is published.

    Args:
        path: File of the user; None for Keras' cache, to which a missing file is downloaded.
        published: Accepted files; the first is the one to download.
        url: URL of the folder with the files.
        cache: Folder to download to; None for Keras' own.

    Returns:
        The path of a published file.

    Raises:
        WeightsError: The file is missing, cannot be downloaded, or is another one.
    """
    if path is None:
        path = _download(published[0], url, cache)
    if not path.is_file():
        msg = f"The weights file is not there; give --tlbench-weights the path of {published[0].name}. Received: {path}"
        raise WeightsError(msg)
    if not any(_is(path, file) for file in published):
        expected = [file.hash or f"that of a file named {file.name}" for file in published]
        kind = "SHA-256" if any(file.hash and len(file.hash) > 32 for file in published) else "MD5"
        msg = (
            f"The weights file {path} is not as published: its {kind} should be {' or '.join(expected)}; download "
            f"{url}{published[0].name} again. Received: {hashes.md5(path)}"
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
            file.name, url + file.name, cache_subdir="models", file_hash=file.hash, cache_dir=cache
        )
    except Exception as error:
        msg = (
            f"Published weights could not be downloaded from {url}{file.name} (hash {file.hash}); give "
            "--tlbench-weights the path of that file, or --tlbench-source formula or an image folder to train a "
            "source on. "
            f"Received: {error}"
        )
        raise WeightsError(msg) from error
    return Path(found)


def load_weights(
    model: keras.Model,
    path: Path,
    body_end: str = "avg_pool",
    *,
    head: bool = False,
    classes: int | None = None,
    statistics: Statistics | None = None,
) -> None:
    """Load a published file into a network, topologically: weight by weight in the graph's order, whatever their names.

    `keras.Model.load_weights` does the same, but loads a file with a head only
    into a network with that head, and goes by the file's extension.

    Args:
        model: Network with the published architecture.
        path: A file in Keras' legacy HDF5 format.
        body_end: The last layer before the head.
        head: Whether to load the head as well, which needs a file that has it and a network with as many classes.
            Otherwise the network's head stays as it is, and a file's is left out.
        classes: Number of classes of a file's head; None for any number.
        statistics: Statistics that the network normalises images by, which a file may hold too.

    Raises:
        WeightsError: The file is no such file, is for another architecture, or did not arrive. Unless it did not
            arrive, the network is as before.
    """
    import keras

    arrays = _arrays(path)
    body = keras.Model(model.input, model.get_layer(body_end).output)
    target = model if head else body
    if not head:
        arrays = arrays[: len(body.weights)] + _without_head(arrays[len(body.weights) :], classes)
    _check_shapes(target, arrays, path)
    assign(target, without_statistics(target, arrays, path, statistics), path)


def without_statistics(
    model: keras.Model, arrays: Sequence[NDArray[np.floating]], path: Path, statistics: Statistics | None
) -> list[NDArray[np.floating]]:
    """Values of a file, with the model's own in place of statistics that the network has as constants.

    Keras' `Normalization` reads its weights only while it is built or adapted: statistics that are assigned have no
    effect, and are refused unless the network normalises by them itself.

    Args:
        model: Network whose weights have the shapes of the arrays.
        arrays: Values in the order of the network's weights.
        path: File of the values, for the message.
        statistics: Statistics that the network has as constants; None for none.

    Raises:
        WeightsError: The file holds other statistics.
    """
    import keras
    import numpy as np

    by_path = dict(zip((variable.path for variable in model.weights), arrays, strict=True))
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Normalization) or not layer.weights:
            continue
        # Mean, variance and the number of adapted images, in this order.
        fresh = [keras.ops.convert_to_numpy(variable) for variable in layer.weights]
        given = [by_path[variable.path] for variable in layer.weights]
        known = statistics and np.allclose(given[:2], (statistics.mean, statistics.variance), rtol=1e-3)
        other = [
            variable.path
            for variable, value, own in zip(layer.weights, given, fresh, strict=True)
            if (value != own).any()
        ]
        if other and not known:
            msg = (
                f"The weights file {path} holds statistics of a Normalization layer, which would have no effect; give "
                f"the layer its mean and variance as arguments. Received: {other[0]!r}"
            )
            raise WeightsError(msg)
        by_path |= dict(zip((variable.path for variable in layer.weights), fresh, strict=True))
    return list(by_path.values())


def assign(model: keras.Model, arrays: Sequence[NDArray[np.floating]], path: Path) -> None:
    """Set all weights of a network, and make sure that they arrived.

    Args:
        model: Network whose weights have the shapes of the arrays.
        arrays: Values in the order of the network's weights.
        path: File of the values, for the message.

    Raises:
        WeightsError: A weight did not arrive.
    """
    import keras

    model.set_weights(arrays)
    for variable, expected in zip(model.weights, arrays, strict=True):
        if (keras.ops.convert_to_numpy(variable) != expected).any():
            msg = f"Weight {variable.path!r} was not loaded from {path}."
            raise WeightsError(msg)


def _without_head(arrays: list[NDArray[np.floating]], classes: int | None) -> list[NDArray[np.floating]]:
    """Nothing, where these are kernels and biases of one or two layers that end in the classes; else all of them.

    MobileNet's and MobileNetV3's heads are convolutions of a single pixel.
    """
    kinds = [array.ndim for array in arrays]
    is_head = len(kinds) in {2, 4} and set(kinds[::2]) <= {2, 4} and set(kinds[1::2]) == {1}
    return [] if is_head and classes in {None, len(arrays[-1])} else arrays


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


def legacy_layers(group: Any) -> dict[str, list[NDArray[np.floating]]]:
    """The weights of each layer by its name, in the order of a file.

    Args:
        group: Group of an open file in Keras' legacy HDF5 format.
    """
    names = [text(name) for name in group.attrs["layer_names"]]
    return {name: [group[name][weight][()] for weight in group[name].attrs["weight_names"]] for name in names}


def text(attribute: Any) -> str:
    """An attribute of an HDF5 file as text, whether the file has text or bytes."""
    return attribute.decode() if isinstance(attribute, bytes) else str(attribute)


def _arrays(path: Path) -> list[NDArray[np.floating]]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            arrays = [array for arrays in legacy_layers(file).values() for array in arrays]
    except (OSError, KeyError, TypeError) as error:
        msg = f"The weights file {path} is not in Keras' legacy HDF5 format, or is damaged. Received: {error}"
        raise WeightsError(msg) from error
    if not arrays:
        msg = f"The weights file {path} holds no weights."
        raise WeightsError(msg)
    return arrays
