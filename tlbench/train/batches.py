"""Batches of images or features, for training and for prediction."""

from __future__ import annotations

import math

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray


# The most images that are predicted at once; not fewer than half of it unless there are fewer.
PREDICTION_BATCH = 256


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of an array, read batch by batch.

    Attributes:
        array: With one image, its features, or the number of either, in each row.
        indices: Numbers of the rows, in order.
    """

    array: NDArray[Any]
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """A copy of the rows at some positions among these."""
        return self.array[self.indices[positions]]

    def batches(self, order: Iterable[NDArray[np.int64]]) -> Iterator[NDArray[Any]]:
        """Copies of the rows at some positions, batch after batch."""
        return map(self.take, order)


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Whole batches of rows in a given order; the remainder is left out.

    Args:
        rows: Inputs.
        order: Positions among the rows, batch after batch.
        batch_size: Number of rows of a batch.
        labels: Label of each row.
    """

    def __init__(self, rows: Rows, order: NDArray[np.int64], batch_size: int, labels: NDArray[np.int64]) -> None:
        super().__init__()
        self._rows = rows
        self._order = order
        self._batch_size = batch_size
        self._labels = labels

    def __len__(self) -> int:
        return len(self._order) // self._batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[Any], ...]:
        batch = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self._rows.take(batch), self._labels[batch]


def prediction_batch(*sizes: int) -> int:
    """The batch size that a trial predicts with: one, so that a backend that compiles for each shape compiles once.

    Args:
        sizes: Numbers of images that are predicted, each as often as they are.

    Returns:
        Between half of `PREDICTION_BATCH` and all of it, such that the fewest rows are added to fill the last batches;
        fewer where there are fewer images.
    """
    largest = min(PREDICTION_BATCH, max(sizes))
    candidates = range(largest, max(largest // 2, 1) - 1, -1)
    return min(candidates, key=lambda batch: sum(math.ceil(size / batch) * batch for size in sizes))


def predict(model: keras.Model, rows: Rows, batch_size: int) -> NDArray[Any]:
    """Outputs of a model for some rows, shape (N, ...).

    Args:
        model: A compiled model.
        rows: Inputs.
        batch_size: Number of rows that are predicted at once.
    """
    # Padded to whole batches, so that a backend that compiles for each shape compiles once.
    padded = np.resize(np.arange(len(rows)), math.ceil(len(rows) / batch_size) * batch_size)
    # Batch by batch, since `predict` sets up an input pipeline for each call: 0.1 s.
    outputs = [model.predict_on_batch(batch) for batch in rows.batches(padded.reshape(-1, batch_size))]
    return np.concatenate(outputs)[: len(rows)]
