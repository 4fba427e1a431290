"""Evaluates trained networks on images: stored weights in, predictions out; nothing is trained."""

from __future__ import annotations

import time

from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tlbench.declare.evaluations import TestImages
from tlbench.declare.readouts import ReadoutResult, Views
from tlbench.errors import DataError
from tlbench.machine import backends
from tlbench.networks import parts
from tlbench.store.results import EvaluationResult
from tlbench.train import prefixes, transfer
from tlbench.train.batches import Rows, predict, prediction_batch
from tlbench.train.views import Kept, NotFiniteError, Reader, SeenImages, rows_key


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Future

    import keras

    from numpy.typing import NDArray

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.evaluations import Evaluation, Images
    from tlbench.declare.readouts import Readout
    from tlbench.declare.tasks import Examples
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
        self._kept = Kept()

    def evaluate(self, evaluation: Evaluation, datasets: Mapping[str, Dataset], weights: Weights) -> EvaluationResult:
        """Predict the images of an evaluation by the whole network in inference mode, or by the evaluation's readout.

        Args:
            evaluation: Trial and images.
            datasets: Datasets by digest.
            weights: Weights that the trial ended with.

        Returns:
            The result, which does not say yet of which file of weights it is.

        Raises:
            DataError: The images do not serve the trial's task, or are altered to another shape or type.
            WeightsError: The weights are not those of the trial's network.
            TrainingError: Something that the readout fits cannot be fitted.
        """
        started = time.perf_counter()
        trial, images = evaluation.trial, evaluation.images
        examples = evaluation.examples(datasets)
        class_names = datasets[trial.data.digest].class_names
        with backends.device_scope(self._environment.device):
            built = self._network(trial.network, len(trial.task.labels_of(class_names)), trial.recipe.precision)
            built.take(weights)
            if evaluation.readout is None:
                rows = _Altered(examples.images, examples.indices, images)
                probabilities = predict(built.model, rows, prediction_batch(len(rows))).astype(np.float32)
                outcome = ReadoutResult(examples.labels, probabilities)
            else:
                outcome = self._read(evaluation, evaluation.readout, built, examples, datasets, weights)
        predicted = outcome.probabilities
        finite = predicted is None or np.isfinite(predicted).all()
        return EvaluationResult(
            status="finished" if finite else "diverged",
            label_names=evaluation.task.labels_of(class_names),
            labels=outcome.labels,
            probabilities=np.empty((len(outcome.labels), 0), np.float32) if predicted is None else predicted,
            weights="",
            seconds=time.perf_counter() - started,
            environment=self._environment,
            arrays=outcome.arrays,
        )

    def _read(
        self,
        evaluation: Evaluation,
        readout: Readout,
        built: _Built,
        examples: Examples,
        datasets: Mapping[str, Dataset],
        weights: Weights,
    ) -> ReadoutResult:
        trial = evaluation.trial
        training, validation = evaluation.training(datasets[trial.data.digest])
        largest = max(map(len, (training, validation, examples)))
        ends = parts.cuts(trial.network)
        layer = {**trial.network.flow_ends, **ends}[readout.cut]
        reader = built.reader(tuple(ends.values()))
        if reader.row_bytes * largest > self._kept.capacity_bytes // 4:
            reader = built.reader((layer,))
        # What is computed for one cut and task serves the others.
        network = reader, prefixes.digest(weights)

        def seen(of: Examples, images: Images, data: str) -> SeenImages:
            rows = _Altered(of.images, of.indices, images)
            key = network, images, data, rows_key(rows)
            return SeenImages(of.labels, reader, layer, lambda: self._kept.get(key, partial(reader.read, rows)))

        views = Views(
            training=seen(training, TestImages(), trial.data.digest),
            validation=seen(validation, TestImages(), trial.data.digest),
            images=seen(examples, evaluation.images, evaluation.data.digest),
            label_names=evaluation.task.labels_of(datasets[trial.data.digest].class_names),
        )
        try:
            return readout.read(views)
        except NotFiniteError:
            return ReadoutResult(examples.labels, np.full((len(examples), len(views.label_names)), np.nan, np.float32))

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
    """A built network, the weights that it holds, and the readers that share its variables.

    Args:
        model: The network.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._held: Weights = {}
        self._readers: dict[tuple[str, ...], Reader] = {}

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

    def reader(self, layers: tuple[str, ...]) -> Reader:
        """The reader of some layers, made once."""
        if layers not in self._readers:
            self._readers[layers] = Reader(self.model, layers)
        return self._readers[layers]


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
