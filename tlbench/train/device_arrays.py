"""Arrays that lie on the device as a whole: a step is sent the numbers of its rows instead of the rows."""

from __future__ import annotations

import math
import weakref

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tlbench.machine import backends
from tlbench.train import prefixes


if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of the device's memory; the rest is for networks and what they compute.
SHARE = 1 / 4

# Where the backend does not say how much memory there is.
UNKNOWN_BYTES = 4 * 1024**3


class DeviceArrays:
    """Keeps one array of each shape and type on the device, for all compiled networks that take their inputs from it.

    Args:
        capacity_bytes: The most that all of them may take. While an array takes the place of another, there are two.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._left = capacity_bytes
        self._lookups: dict[tuple[tuple[int, ...], str], Lookup] = {}

    def lookup(self, shape: tuple[int, ...], dtype: str) -> Lookup | None:
        """The layer that takes rows from such an array; None where it does not fit beside the others.

        Args:
            shape: (N, ...).
            dtype: Name of its type.
        """
        if (shape, dtype) not in self._lookups:
            bytes_ = prefixes.size(shape, dtype)
            if bytes_ > self._left:
                return None
            self._left -= bytes_
            self._lookups[shape, dtype] = Lookup(shape, dtype)
        return self._lookups[shape, dtype]


class Lookup(keras.layers.Layer):  # type: ignore[misc]
    """From numbers of rows, shape (batch,), to those rows of an array that the layer holds, shape (batch, ...).

    Args:
        shape: Shape of the array, (N, ...).
        dtype: Name of its type.

    Attributes:
        array: The variable that holds it.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        super().__init__(name="lookup", trainable=False, dtype=dtype)
        self.array = self.add_weight(shape=shape, initializer="zeros", dtype=dtype, trainable=False, name="array")
        # Weakly, since an array that has been copied need not be kept in the host's memory.
        self._held: tuple[weakref.ref[NDArray[Any]] | None, int] = (None, 0)

    def hold(self, array: NDArray[Any], version: int = 0) -> NDArray[np.int32]:
        """Copy an array to the device, unless it is there.

        Args:
            array: Array of the layer's shape and type.
            version: Another number where the same array holds other values than before.

        Returns:
            Numbers of its rows, shape (N,), to be sent in their stead.
        """
        held, held_version = self._held
        if held is None or held() is not array or version != held_version:
            self.array.assign(array)
            self._held = weakref.ref(array), version
        return np.arange(len(array), dtype=np.int32)

    def call(self, numbers: Any) -> Any:
        """Part of Keras' interface."""
        return keras.ops.take(self.array, numbers, axis=0)

    def before(self, network: keras.Model) -> keras.Model:
        """A network that takes the numbers of its inputs' rows.

        Args:
            network: That takes the rows.
        """
        numbers = keras.Input((), dtype="int32", name="numbers")
        return keras.Model(numbers, network(self(numbers)))


def capacity_bytes(device: str) -> int:
    """Memory that arrays may take on a device, in bytes: none of a CPU's, where the arrays are already.

    Args:
        device: `"cpu"` or `"gpu"`.
    """
    if device == "cpu":
        return 0
    memory = backends.device_memory()
    return UNKNOWN_BYTES if memory is None else math.floor(SHARE * memory)
