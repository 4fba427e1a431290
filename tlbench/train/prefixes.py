"""Outputs of frozen prefixes, computed once for each image and kept for the trials that follow."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ml_dtypes  # noqa: F401 - teaches NumPy the type bfloat16.
import numpy as np

from tlbench.errors import UnwritableError


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tlbench.datasets.dataset import Split
    from tlbench.declare.trials import Network
    from tlbench.store.results import Weights

# Outputs are computed in blocks of images that lie beside each other in a split or a dataset, whichever of them a
# trial needs: the same image is always computed in the same batch, so that its output does not depend on what ran
# before.
BLOCK = 256


@dataclass(frozen=True)
class Prefix:
    """The key of a frozen prefix's output: equal prefixes have equal outputs.

    Attributes:
        network: The architecture.
        end: Name of the prefix's last layer.
        precision: Keras dtype policy.
        weights: SHA-256 of its weights, BatchNorm's moving statistics included, as hexadecimal digits.
        data: The dataset's digest.
        split: Whose images outputs are kept of; None for all of the dataset's.
    """

    network: Network
    end: str
    precision: str
    weights: str
    data: str
    split: Split | None


class Features:
    """The output of one prefix for the images of one split, or of a whole dataset.

    Attributes:
        array: Shape (N, ...), a row for each of these images; only rows that were asked for hold anything.
        blocks: Number of blocks of rows that hold something.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self._known = np.zeros(math.ceil(len(array) / BLOCK), bool)

    @property
    def blocks(self) -> int:  # noqa: D102 - documented above.
        return int(self._known.sum())

    def compute(
        self,
        rows: NDArray[np.int64],
        images: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
        prefix: Callable[[NDArray[np.uint8]], NDArray[Any]],
    ) -> None:
        """Make sure that some rows are there.

        Args:
            rows: Numbers of the rows, shape (M,).
            images: From rows to images, shape (N, H, W, 3).
            prefix: From `BLOCK` images to their outputs.
        """
        blocks = np.unique(rows // BLOCK)
        for block in blocks[~self._known[blocks]]:
            wanted = np.arange(block * BLOCK, (block + 1) * BLOCK)
            # The last block begins again from the first row: a backend that compiles for each shape compiles once.
            outputs = prefix(images(wanted % len(self.array)))
            present = wanted[wanted < len(self.array)]
            self.array[present] = outputs[: len(present)]
            self._known[block] = True


class PrefixCache:
    """Keeps the outputs of frozen prefixes, in memory first and on disk where they do not fit.

    Args:
        memory_bytes: The most that is kept in memory.
        disk_bytes: The most that is kept on disk.
        folder: Where on disk, in files that are gone when the process ends; None for nowhere.
    """

    def __init__(
        self, memory_bytes: int = 2 * 1024**3, disk_bytes: int = 16 * 1024**3, folder: Path | None = None
    ) -> None:
        self._bytes = {"memory": memory_bytes, "disk": 0}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._bytes["disk"] = min(disk_bytes, shutil.disk_usage(folder).free // 2)
        self._folder = folder
        self._kept: dict[str, OrderedDict[Prefix, Features]] = {"memory": OrderedDict(), "disk": OrderedDict()}

    @property
    def largest_bytes(self) -> int:
        """The most bytes that the outputs of one prefix may take."""
        return max(self._bytes.values())

    def features(self, prefix: Prefix, shape: tuple[int, ...], dtype: str) -> Features:
        """The outputs of a prefix, those known so far in place; others make room for new ones.

        Args:
            prefix: Prefix of the outputs.
            shape: (N, ...), of all its outputs.
            dtype: Name of their type.
        """
        bytes_ = size(shape, dtype)
        place = "memory" if bytes_ <= self._bytes["memory"] else "disk"
        kept = self._kept[place]
        if prefix not in kept:
            while kept and sum(other.array.nbytes for other in kept.values()) + bytes_ > self._bytes[place]:
                kept.popitem(last=False)
            kept[prefix] = Features(self._array(place, shape, dtype))
        kept.move_to_end(prefix)
        return kept[prefix]

    def _array(self, place: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        # Memory that nobody has written to takes none.
        if place == "memory":
            return np.empty(shape, dtype)
        # A file without a name: the system lets go of it with the process, however that ends.
        with tempfile.TemporaryFile(dir=self._folder) as file:
            try:
                if hasattr(os, "posix_fallocate"):  # Writing to a mapped file on a full disk kills the process.
                    os.posix_fallocate(file.fileno(), 0, size(shape, dtype))
                return np.memmap(file, dtype, "w+", shape=shape)
            except OSError as error:
                msg = (
                    f"The output of a frozen prefix, {size(shape, dtype)} bytes, cannot be kept in {self._folder}: "
                    f"{error}. Make room, choose another folder with --tlbench-store, or add --tlbench-no-prefix-cache."
                )
                raise UnwritableError(msg) from error


def size(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of an array.

    Args:
        shape: Shape of the array.
        dtype: Name of its type, for instance `"bfloat16"`.
    """
    return math.prod(shape) * np.dtype(dtype).itemsize


def digest(weights: Weights) -> str:
    """SHA-256 of weights and their names, as hexadecimal digits."""
    sha256 = hashlib.sha256()
    for path in sorted(weights):
        sha256.update(f"{path} {weights[path].dtype} {weights[path].shape}".encode())
        sha256.update(weights[path].tobytes())
    return sha256.hexdigest()
