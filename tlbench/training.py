"""Trains one trial with Keras.

Data flow of a trial: fresh weights under its seed → its source's weights in the
body → the frozen prefix, where there is one, turned into features once → epochs
of `fit` over the rest → predictions → checks of what had to stay and to change.
"""

from __future__ import annotations

import math
import random
import time

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tlbench import backends, tasks, transfer
from tlbench.networks import flows, imagenet
from tlbench.results import Result


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tlbench.datasets.dataset import Dataset
    from tlbench.environment import Environment
    from tlbench.tasks import Examples
    from tlbench.transfer import Weights
    from tlbench.trials import Network, Recipe, Trial

# Above this, the output of a frozen prefix is not kept: its network is trained whole, with the prefix frozen.
PREFIX_BYTES = 2 * 1024**3

PREDICTION_BATCH = 256

IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class Shape:
    """What two trials must share to share a compiled network.

    Attributes:
        images: Number of images whose features a frozen prefix may have to keep; 0 where nothing is frozen.
    """

    network: Network
    labels: int
    frozen: frozenset[str]
    optimizer: str
    precision: str
    images: int


class Trainer:
    """Trains trials one after the other, keeping compiled networks for those that follow.

    A compiled network is set back wholly before each trial, its weights, its
    optimizer and its random state, so that what ran before leaves no trace.

    Args:
        environment: Where it runs.
        capacity: Number of compiled networks kept; the one unused for longest goes first.
    """

    def __init__(self, environment: Environment, capacity: int = 8) -> None:
        self._environment = environment
        self._capacity = capacity
        self._graphs: OrderedDict[Shape, _Graph] = OrderedDict()

    def train(
        self,
        trial: Trial,
        dataset: Dataset,
        source: Weights | None,
        on_epoch: Callable[[int], None] = lambda _epoch: None,
    ) -> tuple[Result, Weights]:
        """Train one trial.

        Args:
            trial: What to train.
            dataset: The dataset of `trial.data`.
            source: Weights of its source, None where it starts from random ones.
            on_epoch: Called with the number of epochs done after each.

        Returns:
            The result and the last weights.

        Raises:
            DataError: The dataset lacks a class of the task, or has too few images.
            WeightsError: The source's weights do not fit.
            TrainingError: Training changed what is frozen, or nothing at all.
        """
        started = time.perf_counter()
        parts = dataset.parts(trial.data.split)
        training, validation, test = (
            tasks.examples(dataset, indices, trial.task) for indices in (parts.training, parts.validation, parts.test)
        )
        label_names = trial.task.labels_of(dataset.class_names)

        with backends.device_scope(self._environment.device):
            graph = self._graph(trial, len(label_names), len(dataset.images))
            before = graph.reset(trial, source)
            run = graph.run(trial.recipe, trial.seed, training, validation, test, on_epoch)
            after = transfer.read(graph.model)

        transfer.check_frozen(before, after, graph.frozen)
        if not run.diverged:
            transfer.check_trained(before, after, frozenset(before) - graph.frozen)
        result = Result(
            status="diverged" if run.diverged else "finished",
            label_names=label_names,
            labels=test.labels,
            probabilities=run.probabilities,
            validation_labels=validation.labels,
            validation_probabilities=np.stack(run.validation_probabilities),
            batch_statistics_probabilities=run.batch_statistics_probabilities,
            training_loss=tuple(run.loss),
            training_accuracy=tuple(run.accuracy),
            epoch_seconds=tuple(run.epoch_seconds),
            epoch_steps=run.epoch_steps,
            epoch_images=run.epoch_steps * min(trial.recipe.batch_size, len(training)),
            seconds=time.perf_counter() - started,
            environment=self._environment,
        )
        return result, after

    def _graph(self, trial: Trial, labels: int, images: int) -> _Graph:
        shape = Shape(
            network=trial.network,
            labels=labels,
            frozen=trial.frozen,
            optimizer=trial.recipe.optimizer,
            precision=trial.recipe.precision,
            images=images if trial.frozen else 0,
        )
        if shape not in self._graphs:
            if len(self._graphs) >= self._capacity:
                self._graphs.popitem(last=False)
                backends.release_memory()
            self._graphs[shape] = _Graph(shape, backends.compile_options(self._environment.device))
        self._graphs.move_to_end(shape)
        return self._graphs[shape]


@dataclass
class _Run:
    """What a run has produced so far."""

    loss: list[float]
    accuracy: list[float]
    epoch_seconds: list[float]
    validation_probabilities: list[NDArray[np.float32]]
    probabilities: NDArray[np.float32]
    batch_statistics_probabilities: NDArray[np.float32]
    epoch_steps: int = 0
    diverged: bool = False


class _Graph:
    """A compiled network.

    Attributes:
        model: The whole network.
        prefix: Its frozen beginning, from images to features; None where there is none.
        trained: What is trained: all that follows the prefix, sharing the model's variables.
        frozen: Paths of the frozen weights.
        body: Paths of all weights but the head's.
    """

    def __init__(self, shape: Shape, compile_options: dict[str, Any]) -> None:
        self._shape = shape
        self.model = shape.network.build(shape.labels, shape.precision)
        layers = flows.flows(self.model, shape.network.flow_ends)
        self.body = transfer.paths(layer for name in shape.network.flow_ends for layer in layers[name])
        self.frozen = transfer.paths(layer for name in shape.frozen for layer in layers[name])
        for name in shape.frozen:
            for layer in layers[name]:
                layer.trainable = False

        self.prefix, self.trained = None, self.model
        if end := self._prefix_end():
            self.prefix, self.trained = flows.cut(self.model, end)

        self.trained.compile(
            keras.optimizers.get(shape.optimizer),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            **compile_options,
        )
        self._with_batch_statistics = _WithBatchStatistics(self.trained)
        self._with_batch_statistics.compile(**compile_options)
        # A step whose variables exist is traced once, not twice.
        self.trained.optimizer.build(self.trained.trainable_variables)
        self._optimizer_start = [np.array(keras.ops.convert_to_numpy(v)) for v in self.trained.optimizer.variables]

    def _prefix_end(self) -> str | None:
        last = None
        for name, end in self._shape.network.flow_ends.items():
            if name not in self._shape.frozen:
                break
            last = end
        if last is None:
            return None
        size = math.prod(self.model.get_layer(last).output.shape[1:])
        return last if size * 4 * self._shape.images <= PREFIX_BYTES else None

    def reset(self, trial: Trial, source: Weights | None) -> Weights:
        """Set weights, optimizer and random state to where the trial starts; returns the weights."""
        weights = fresh_weights(trial.network, self._shape.labels, trial.recipe.precision, trial.seed)
        if source is not None:
            # The published ImageNet weights keep Keras' own head out; so does every transfer.
            weights = transfer.transfer(source, weights, self.body)
        transfer.write(self.model, weights)
        if source is not None:
            transfer.check_transferred(self.model, source, self.body)

        optimizer = self.trained.optimizer
        for variable, value in zip(optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(value)

        is_weight = {variable.path for variable in self.model.weights}
        for variable in self.model.variables:
            if variable.path not in is_weight:  # The state of a random layer.
                state = np.zeros(variable.shape)
                state.flat[0] = trial.seed
                variable.assign(state)
        return weights

    def run(
        self,
        recipe: Recipe,
        seed: int,
        training: Examples,
        validation: Examples,
        test: Examples,
        on_epoch: Callable[[int], None],
    ) -> _Run:
        """Train for all epochs and predict."""
        x, x_validation, x_test = (self._inputs(examples) for examples in (training, validation, test))
        run = _Run([], [], [], [], *(np.empty((0, self._shape.labels), np.float32),) * 2)
        for epoch in range(recipe.epochs):
            order = np.random.default_rng([seed, epoch]).permutation(len(training))
            batches = Batches(x, order, min(recipe.batch_size, len(training)), training.labels)
            run.epoch_steps = len(batches)
            self.trained.optimizer.learning_rate = recipe.rate(epoch)
            started = time.perf_counter()
            history = self.trained.fit(backends.input_of_fit(batches), epochs=1, shuffle=False, verbose=0).history
            run.epoch_seconds.append(time.perf_counter() - started)
            run.loss.append(float(history["loss"][0]))
            run.accuracy.append(float(history["accuracy"][0]))
            run.validation_probabilities.append(self._predict(x_validation))
            # XLA's ReLU makes 0 of what is no number, and the loss is one again.
            run.diverged = not (math.isfinite(run.loss[-1]) and self._weights_are_numbers())
            on_epoch(epoch + 1)
            if run.diverged:
                break

        run.probabilities = self._predict(x_test)
        run.diverged = run.diverged or not np.isfinite(run.probabilities).all()
        run.batch_statistics_probabilities = self._predict_with_batch_statistics(x_test)
        return run

    def _weights_are_numbers(self) -> bool:
        weights = self.trained.trainable_variables
        return all(np.isfinite(keras.ops.convert_to_numpy(variable)).all() for variable in weights)

    def _inputs(self, examples: Examples) -> Rows:
        rows = Rows(examples.images, examples.indices)
        if self.prefix is None:
            return rows
        features = _predict(self.prefix, rows)
        return Rows(features, np.arange(len(features)))

    def _predict(self, rows: Rows) -> NDArray[np.float32]:
        return _predict(self.trained, rows).astype(np.float32)

    def _predict_with_batch_statistics(self, rows: Rows) -> NDArray[np.float32]:
        statistics = [variable for variable in self.trained.non_trainable_variables if variable.path not in self.frozen]
        if not statistics:
            return self._predict(rows)
        kept = [np.array(keras.ops.convert_to_numpy(variable)) for variable in statistics]
        # In a random order, since batches sorted by class have other statistics than those of training.
        order = np.random.default_rng(0).permutation(len(rows))
        shuffled = _predict(self._with_batch_statistics, Rows(rows.array, rows.indices[order]))
        for variable, value in zip(statistics, kept, strict=True):
            variable.assign(value)
        probabilities = np.empty((len(rows), self._shape.labels), np.float32)
        probabilities[order] = shuffled
        return probabilities


class _WithBatchStatistics(keras.Model):  # type: ignore[misc]
    """A network that normalises by the statistics of each batch, also where it only predicts."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="with_batch_statistics")
        self.network = network

    def call(self, x: Any) -> Any:
        return self.network(x, training=True)


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of an array, read batch by batch.

    Attributes:
        array: With one image, or its features, in each row.
        indices: Which rows, in order.
    """

    array: NDArray[Any]
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """A copy of the rows at some positions among these."""
        return self.array[self.indices[positions]]


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Whole batches of rows in a given order; the remainder is left out.

    Args:
        rows: Inputs.
        order: Positions among the rows, batch after batch.
        batch_size: Number of rows of a batch.
        labels: Of each row.
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


@lru_cache(maxsize=8)
def fresh_weights(network: Network, labels: int, precision: str, seed: int) -> Weights:
    """The weights that Keras gives a network under a seed; not to be written to.

    Args:
        network: The architecture.
        labels: Number of its outputs.
        precision: Keras dtype policy.
        seed: Of Python's `random`, which Keras' initialisers draw their own seeds from. The weights are those of
            `keras.utils.set_random_seed`, which also makes TensorFlow prepare every compiled function anew: 2 s for
            each network.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        return transfer.read(network.build(labels, precision))
    finally:
        random.setstate(state)


def imagenet_weights(network: Network, path: Path) -> Weights:
    """Keras' published ImageNet weights, as a source for a network's body.

    Args:
        network: The architecture the weights are for.
        path: The published file.

    Raises:
        WeightsError: The file's weights are not this network's.
    """
    model = network.build(IMAGENET_CLASSES)
    imagenet.load_weights(model, path)
    return transfer.read(model)


def _predict(model: keras.Model, rows: Rows) -> NDArray[Any]:
    # Padded to whole batches, so that a backend that compiles for each shape compiles once.
    batch_size = min(PREDICTION_BATCH, len(rows))
    padded = np.resize(np.arange(len(rows)), math.ceil(len(rows) / batch_size) * batch_size)
    # Batch by batch, since `predict` sets up an input pipeline for each call: 0.1 s.
    outputs = [model.predict_on_batch(rows.take(batch)) for batch in padded.reshape(-1, batch_size)]
    return np.concatenate(outputs)[: len(rows)]
