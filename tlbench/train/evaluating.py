"""Evaluates trained networks on images: stored weights in, predictions out; nothing is trained."""

from __future__ import annotations

import time

from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tlbench.errors import DataError
from tlbench.machine import backends
from tlbench.store.results import EvaluationResult
from tlbench.train import transfer
from tlbench.train.batches import Rows, predict, prediction_batch


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Future

    import keras

    from numpy.typing import NDArray

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.evaluations import Evaluation, Images
    from tlbench.declare.trials import Network
    from tlbench.machine.environment import Environment
    from tlbench.store.results import Weights


class Evaluator:
    """Evaluates networks one after the other, keeping built networks for the evaluations that follow.

    Args:
        environment: Environment of this process.
        capacity: Number of networks kept; the network unused for longest goes first.
    """

    def __init__(self, environment: Environment, capacity: int = 4) -> None:
        self._environment = environment
        self._capacity = capacity
        self._built: OrderedDict[tuple[Network, int, str], _Built] = OrderedDict()

    def evaluate(self, evaluation: Evaluation, datasets: Mapping[str, Dataset], weights: Weights) -> EvaluationResult:
        """Predict the images of an evaluation by the whole network in inference mode.

        Args:
            evaluation: Trial and images.
            datasets: Datasets by digest.
            weights: Weights that the trial ended with.

        Returns:
            The result, which does not say yet of which file of weights it is.

        Raises:
            DataError: The images do not serve the trial's task, or are altered to another shape or type.
            WeightsError: The weights are not those of the trial's network.
        """
        started = time.perf_counter()
        trial, images = evaluation.trial, evaluation.images
        examples = evaluation.examples(datasets)
        label_names = trial.task.labels_of(datasets[trial.data.digest].class_names)
        with backends.device_scope(self._environment.device):
            built = self._network(trial.network, len(label_names), trial.recipe.precision)
            built.take(weights)
            rows = _Altered(examples.images, examples.indices, images)
            probabilities = predict(built.model, rows, prediction_batch(len(rows))).astype(np.float32)
        return EvaluationResult(
            status="finished" if np.isfinite(probabilities).all() else "diverged",
            label_names=label_names,
            labels=examples.labels,
            probabilities=probabilities,
            weights="",
            seconds=time.perf_counter() - started,
            environment=self._environment,
        )

    def _network(self, network: Network, labels: int, precision: str) -> _Built:
        key = network, labels, precision
        if key not in self._built:
            if len(self._built) >= self._capacity:
                self._built.popitem(last=False)
                backends.release_memory()
            self._built[key] = _Built(network.build(labels, precision))
        self._built.move_to_end(key)
        return self._built[key]


class _Built:
    """A built network, and the weights that it holds.

    Args:
        model: The network.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._held: Weights = {}

    def take(self, weights: Weights) -> None:
        """Set every weight, unless the network holds these weights already: comparing is faster than setting.

        Raises:
            WeightsError: The weights are not those of the network.
        """
        same = weights.keys() == self._held.keys() and all(
            np.array_equal(value, self._held[path]) for path, value in weights.items()
        )
        if not same:
            self._held = {}
            transfer.write(self.model, weights)
            self._held = weights


@dataclass(frozen=True, eq=False)
class _Altered(Rows):
    """Rows of images that are altered when they are read, so that no altered copy of a dataset is held."""

    images: Images

    def take(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        numbers = self.indices[positions]
        taken = self.array[numbers]
        altered = np.ascontiguousarray(self.images.altered(taken, numbers))
        if altered.shape != taken.shape or altered.dtype != np.uint8:
            msg = (
                f"The images {self.images.name!r} must stay uint8 of shape {taken.shape}. "
                f"Received: {altered.dtype} of shape {altered.shape} from {type(self.images).__qualname__}.altered"
            )
            raise DataError(msg)
        return altered

    def batches(self, order: Iterable[NDArray[np.int64]]) -> Iterator[NDArray[Any]]:
        """The rows at some positions, batch after batch; the next batch is altered while one is predicted."""
        with ThreadPoolExecutor(max_workers=1) as executor:
            ahead: deque[Future[NDArray[Any]]] = deque()
            for positions in order:
                ahead.append(executor.submit(self.take, positions))
                if len(ahead) > 1:
                    yield ahead.popleft().result()
            yield from (batch.result() for batch in ahead)
