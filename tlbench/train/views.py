"""Images as trained networks see them: features at every cut, and the head's probabilities, of one pass of each image.

Readouts ask for the same images at several cuts, and with other tasks: what was computed is kept for those that follow.
"""

from __future__ import annotations

import hashlib

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tlbench.train.batches import predict, prediction_batch


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from tlbench.train.batches import Rows

# The most bytes of outputs that are kept. Where those of all cuts would take too much of it, only the cut that is asked
# for is computed.
KEPT_BYTES = 256 * 1024**2


class Reader:
    """A network that gives averaged outputs of some layers, and its head's probabilities, in one row for each image.

    Args:
        model: Functional model, whose variables are shared.
        layers: Names of the layers.
    """

    def __init__(self, model: keras.Model, layers: Iterable[str]) -> None:
        outputs = {layer: _averaged(model.get_layer(layer).output) for layer in layers}
        stops = np.cumsum([output.shape[-1] for output in outputs.values()]).tolist()
        self._columns = {
            layer: slice(stop - output.shape[-1], stop)
            for (layer, output), stop in zip(outputs.items(), stops, strict=True)
        }
        self._head = slice(stops[-1], None)
        probabilities = keras.ops.cast(model.output, "float32")
        self._model = keras.Model(model.input, keras.ops.concatenate([*outputs.values(), probabilities], axis=-1))

    @property
    def row_bytes(self) -> int:
        """Size of the outputs of one image."""
        return 4 * int(self._model.output.shape[-1])

    def read(self, rows: Rows) -> NDArray[np.float32]:
        """The outputs for some images, shape (N, columns)."""
        return predict(self._model, rows, prediction_batch(len(rows))).astype(np.float32, copy=False)

    def features(self, outputs: NDArray[np.float32], layer: str) -> NDArray[np.float32]:
        """The averaged outputs of a layer, shape (N, channels).

        Args:
            outputs: Outputs for some images, as `read` gives them.
            layer: Name of one of the layers.
        """
        return outputs[:, self._columns[layer]]

    def probabilities(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The head's probabilities among the outputs for some images, shape (N, labels)."""
        return outputs[:, self._head]


def _averaged(output: Any) -> Any:
    """The mean over all positions, in float32: networks of half precision would lose digits in it."""
    output = keras.ops.cast(output, "float32")
    positions = tuple(range(1, len(output.shape) - 1))
    return keras.ops.mean(output, axis=positions) if positions else output


class Kept:
    """Outputs for images, kept while there is room; those that were unused for longest go first.

    Args:
        capacity_bytes: The most bytes that are kept.
    """

    def __init__(self, capacity_bytes: int = KEPT_BYTES) -> None:
        self.capacity_bytes = capacity_bytes
        self._arrays: OrderedDict[object, NDArray[np.float32]] = OrderedDict()

    def get(self, key: object, compute: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """The outputs under a key, computed unless they are kept.

        Args:
            key: Everything that the outputs depend on.
            compute: Function that computes the outputs.
        """
        if key not in self._arrays:
            array = compute()
            self._arrays[key] = array
            while sum(each.nbytes for each in self._arrays.values()) > self.capacity_bytes:
                self._arrays.popitem(last=False)
            return array
        self._arrays.move_to_end(key)
        return self._arrays[key]


@dataclass(frozen=True, eq=False)
class SeenImages:
    """Images as a trained network sees them, see `tlbench.declare.readouts.Seen`; computed when first asked for.

    Attributes:
        labels: Labels of the images, shape (N,).
        reader: Reader of the network.
        layer: Name of the layer whose features are read.
        outputs: Function that gives the reader's outputs for the images.
    """

    labels: NDArray[np.int64]
    reader: Reader
    layer: str
    outputs: Callable[[], NDArray[np.float32]]

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """Averaged outputs of the layer, shape (N, channels).

        Raises:
            NotFiniteError: One is not finite.
        """
        return _finite(self.reader.features(self.outputs(), self.layer))

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Probabilities of the network's own head, shape (N, labels).

        Raises:
            NotFiniteError: One is not finite.
        """
        return _finite(self.reader.probabilities(self.outputs()))


class NotFiniteError(Exception):
    """An output of the network is not finite."""


def _finite(values: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(values).all():
        raise NotFiniteError
    return values


def rows_key(rows: Rows) -> str:
    """A digest of the numbers of some rows, as hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(rows.indices).tobytes()).hexdigest()
