"""Trains one trial with Keras.

Data flow of a trial: fresh weights under its seed → its source's weights in the
body → the frozen prefix, where there is one, turned into features once → images
or features moved to the device, where they fit → epochs of `fit` over the rest →
predictions, with those extra ones that are asked for → checks of what had to stay
and to change.
"""

from __future__ import annotations

import math
import time

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tlbench.declare import tasks
from tlbench.declare.graphs import Graph
from tlbench.machine import backends
from tlbench.networks import flows, parts
from tlbench.scores.extras import BATCH_STATISTICS, VALIDATION
from tlbench.store.results import Result
from tlbench.train import prefixes, transfer
from tlbench.train.batches import PREDICTION_BATCH, Batches, Rows, predict, prediction_batch
from tlbench.train.prefixes import Prefix, PrefixCache
from tlbench.train.starts import fresh_weights


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.tasks import Examples
    from tlbench.declare.trials import Network, Trial
    from tlbench.machine.environment import Environment
    from tlbench.store.results import Weights
    from tlbench.train.device_arrays import DeviceArrays, Lookup


class Trainer:
    """Trains trials one after the other, keeping compiled networks for those that follow.

    A compiled network is set back wholly before each trial, its weights, its
    optimizer and its random state, so that what ran before leaves no trace.

    Args:
        environment: Where it runs.
        prefix_cache: Keeps the outputs of frozen prefixes; None to train every network whole.
        device_arrays: Keeps images and features on the device; None to send every batch there.
        capacity: Number of compiled networks kept; the one unused for longest goes first.
    """

    def __init__(
        self,
        environment: Environment,
        prefix_cache: PrefixCache | None = None,
        device_arrays: DeviceArrays | None = None,
        capacity: int = 8,
    ) -> None:
        self._environment = environment
        self._prefix_cache = prefix_cache
        self._device_arrays = device_arrays
        self._capacity = capacity
        self._compiled: OrderedDict[tuple[Graph, Network, int, int], _Compiled] = OrderedDict()

    def train(
        self,
        trial: Trial,
        dataset: Dataset,
        source: Weights | None,
        on_epoch: Callable[[int, float], None] = lambda _epoch, _accuracy: None,
    ) -> tuple[Result, Weights]:
        """Train one trial.

        Args:
            trial: What to train.
            dataset: The dataset of `trial.data`.
            source: Weights of its source, None where it starts from random ones.
            on_epoch: Called after each epoch with the number of those done and the training accuracy, as Keras
                reports it.

        Returns:
            The result, with the trial's extra predictions, and the last weights.

        Raises:
            DataError: The dataset lacks a class of the task, or has too few images.
            WeightsError: The source's weights do not fit.
            TrainingError: Training changed what is frozen, or nothing at all.
        """
        started = time.perf_counter()
        parts = dataset.parts(trial.split)
        training, validation, test = (
            tasks.examples(dataset, indices, trial.task) for indices in (parts.training, parts.validation, parts.test)
        )
        label_names = trial.task.labels_of(dataset.class_names)

        with backends.device_scope(self._environment.device):
            # Images that features of a frozen prefix are kept of: other seeds need other ones where they draw splits.
            pool = np.sort(np.concatenate([parts.training, parts.validation, parts.test]))
            if trial.data.split.per_seed:
                pool = np.arange(len(dataset.images))
            compiled = self._compile(trial, len(label_names), len(dataset.images), len(pool))
            before = compiled.reset(trial, source)
            predicted = [test, validation] if VALIDATION in trial.extras else [test]
            rows = self._rows(compiled, trial, before, [training, *predicted], pool)
            # A shape of batches that is the same with and without extra predictions: another would move the last bits.
            batch_size = prediction_batch(*(len(validation) for _ in range(trial.recipe.epochs)), len(test))
            run = compiled.run(trial, rows[0], training.labels, rows[1], rows[2:], batch_size, on_epoch)
            after = transfer.read(compiled.model)

        transfer.check_frozen(before, after, compiled.frozen)
        if not run.diverged and trial.recipe.epochs:
            transfer.check_trained(before, after, frozenset(before) - compiled.frozen)
        result = Result(
            status="diverged" if run.diverged else "finished",
            label_names=label_names,
            labels=test.labels,
            probabilities=run.probabilities,
            validation_labels=validation.labels,
            validation_probabilities=self._stacked(run, len(validation)) if VALIDATION in trial.extras else None,
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

    @staticmethod
    def _stacked(run: _Run, images: int) -> NDArray[np.float32]:
        # A trial of no epochs has predictions after none of them.
        shape = (len(run.validation_probabilities), images, run.probabilities.shape[1])
        return np.array(run.validation_probabilities, np.float32).reshape(shape)

    def _compile(self, trial: Trial, labels: int, images: int, pool: int) -> _Compiled:
        # What a frozen prefix leaves for so many images may be too much to keep, and an array on the device has rows.
        counts = (images, pool) if trial.frozen or self._device_arrays else (0, 0)
        # The network beside its JSON: classes of one name, of two modules, are two networks.
        key = Graph.of(trial, labels), trial.network, *counts
        if key not in self._compiled:
            if len(self._compiled) >= self._capacity:
                self._compiled.popitem(last=False)
                backends.release_memory()
            kept_bytes = self._prefix_cache.largest_bytes // images if self._prefix_cache else 0
            options = backends.compile_options(self._environment.device)
            self._compiled[key] = _Compiled(trial, labels, kept_bytes, options, self._device_arrays, images, pool)
        self._compiled.move_to_end(key)
        return self._compiled[key]

    def _rows(
        self,
        compiled: _Compiled,
        trial: Trial,
        weights: Weights,
        examples: Sequence[Examples],
        pool: NDArray[np.int64],
    ) -> list[Rows]:
        if compiled.prefix is None or compiled.prefix_end is None or self._prefix_cache is None:
            return compiled.rows(examples[0].images, [each.indices for each in examples])
        prefix = Prefix(
            network=trial.network,
            end=compiled.prefix_end,
            precision=trial.recipe.precision,
            weights=prefixes.digest({variable.path: weights[variable.path] for variable in compiled.prefix.weights}),
            data=trial.data.digest,
            split=None if trial.data.split.per_seed else trial.data.split,
        )
        output = compiled.prefix.output
        features = self._prefix_cache.features(prefix, (len(pool), *output.shape[1:]), output.dtype)

        def images(rows: NDArray[np.int64]) -> Any:
            return examples[0].images[pool[rows]]  # All of the dataset's, whichever part they are of.

        found = [np.searchsorted(pool, each.indices) for each in examples]
        for rows in found:
            features.compute(rows, images, compiled.prefix.predict_on_batch)
        return compiled.rows(features.array, found, features.blocks)


@dataclass
class _Run:
    """The values that a run has produced so far."""

    loss: list[float]
    accuracy: list[float]
    epoch_seconds: list[float]
    validation_probabilities: list[NDArray[np.float32]]
    probabilities: NDArray[np.float32]
    batch_statistics_probabilities: NDArray[np.float32] | None = None
    epoch_steps: int = 0
    diverged: bool = False


class _Compiled:
    """A compiled network.

    Args:
        trial: One of the trials that share the network.
        labels: Number of outputs.
        kept_bytes: What the output of a frozen prefix may take for one image; if it takes more there is no prefix.
        compile_options: What the backend is told.
        device_arrays: Keep on the device what the network takes its inputs from; None to keep nothing there.
        images: Number of the dataset's images.
        pool: Number of those that features of a frozen prefix are kept of.

    Attributes:
        model: The whole network.
        prefix: Frozen beginning of the network, from images to features; None where there is none.
        prefix_end: Name of that beginning's last layer.
        lookup: Takes images or features from the device; None where they are sent there batch by batch.
        trained: What is trained: all that follows the prefix, sharing the model's variables.
        frozen: Paths of the frozen weights.
        body: Paths of all weights but the head's.
    """

    def __init__(
        self,
        trial: Trial,
        labels: int,
        kept_bytes: int,
        compile_options: dict[str, Any],
        device_arrays: DeviceArrays | None,
        images: int,
        pool: int,
    ) -> None:
        self._labels = labels
        self.model = trial.network.build(labels, trial.recipe.precision)
        body, frozen = flows.layers_of(self.model, trial.network, trial.network.flow_ends, trial.frozen)
        self.body, self.frozen = transfer.paths(body), transfer.paths(frozen)
        for layer in frozen:
            layer.trainable = False

        self.prefix, self.trained = None, self.model
        self.prefix_end = self._prefix_end(trial, kept_bytes)
        if self.prefix_end is not None:
            self.prefix, self.trained = flows.cut(self.model, self.prefix_end)
        self.lookup: Lookup | None = None
        if device_arrays is not None:
            entrance, count = (self.model.input, images) if self.prefix is None else (self.prefix.output, pool)
            self.lookup = device_arrays.lookup((count, *entrance.shape[1:]), entrance.dtype)
        if self.lookup is not None:
            self.trained = self.lookup.before(self.trained)

        self.trained.compile(
            keras.optimizers.get(trial.recipe.optimizer),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            **compile_options,
        )
        self._with_batch_statistics = _WithBatchStatistics(self.trained)
        self._with_batch_statistics.compile(**compile_options)
        # A step whose variables exist is traced once, not twice; metrics make theirs for the first outputs they see.
        self.trained.optimizer.build(self.trained.trainable_variables)
        outputs = np.full((1, labels), 1 / labels, np.float32)
        y, y_pred = (keras.ops.convert_to_tensor(array) for array in (np.zeros(1, np.int64), outputs))
        self.trained.compute_metrics(None, y, y_pred, sample_weight=None)
        self.trained.reset_metrics()
        self._optimizer_start = [np.array(keras.ops.convert_to_numpy(v)) for v in self.trained.optimizer.variables]

    def _prefix_end(self, trial: Trial, kept_bytes: int) -> str | None:
        last, frozen = None, parts.pieces(trial.network, trial.frozen)
        for name, end in parts.cuts(trial.network).items():
            if name not in frozen:
                break
            last = end
        if last is None:
            return None
        output = self.model.get_layer(last).output
        return last if prefixes.size(output.shape[1:], output.dtype) <= kept_bytes else None

    def reset(self, trial: Trial, source: Weights | None) -> Weights:
        """Set weights, optimizer and random state to where the trial starts; returns the weights."""
        weights = fresh = fresh_weights(trial.network, self._labels, trial.recipe.precision, trial.seed)
        copied = self._copied(trial)
        if source is not None:
            # The published ImageNet weights keep Keras' own head out; so does every transfer.
            weights = transfer.transfer(source, fresh, copied)
        transfer.write(self.model, weights)
        if source is not None:
            transfer.check_transferred(self.model, source, copied, fresh)

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

    def _copied(self, trial: Trial) -> frozenset[str]:
        if trial.transferred is None:
            return self.body
        (layers,) = flows.layers_of(self.model, trial.network, trial.transferred)
        return transfer.paths(layers)

    def rows(self, array: NDArray[Any], parts: Sequence[NDArray[np.int64]], version: int = 0) -> list[Rows]:
        """The inputs of the trained network for some parts of an array: its rows, or their numbers.

        Args:
            array: With one image, or its features, in each row.
            parts: Numbers of rows.
            version: Another number where the same array holds other values than before.
        """
        if self.lookup is not None:
            array = self.lookup.hold(array, version)
        return [Rows(array, part) for part in parts]

    def run(
        self,
        trial: Trial,
        training: Rows,
        labels: NDArray[np.int64],
        test: Rows,
        validation: Sequence[Rows],
        batch_size: int,
        on_epoch: Callable[[int, float], None],
    ) -> _Run:
        """Train for all epochs and predict; the validation images, where there are any, after each."""
        recipe = trial.recipe
        run = _Run([], [], [], [], np.empty((0, self._labels), np.float32))
        for epoch in range(recipe.epochs):
            order = np.random.default_rng([trial.seed, epoch]).permutation(len(training))
            batches = Batches(training, order, min(recipe.batch_size, len(training)), labels)
            run.epoch_steps = len(batches)
            self.trained.optimizer.learning_rate = recipe.rate(epoch)
            started = time.perf_counter()
            history = self.trained.fit(backends.input_of_fit(batches), epochs=1, shuffle=False, verbose=0).history
            run.epoch_seconds.append(time.perf_counter() - started)
            run.loss.append(float(history["loss"][0]))
            run.accuracy.append(float(history["accuracy"][0]))
            run.validation_probabilities += [self.predict(rows, batch_size) for rows in validation]
            # XLA's ReLU makes 0 of what is no number, and the loss is one again.
            run.diverged = not (math.isfinite(run.loss[-1]) and self._weights_are_numbers())
            on_epoch(epoch + 1, run.accuracy[-1])
            if run.diverged:
                break

        run.probabilities = self.predict(test, batch_size)
        run.diverged = run.diverged or not np.isfinite(run.probabilities).all()
        if BATCH_STATISTICS in trial.extras:
            run.batch_statistics_probabilities = self._predict_with_batch_statistics(test)
        return run

    def _weights_are_numbers(self) -> bool:
        weights = self.trained.trainable_variables
        return all(np.isfinite(keras.ops.convert_to_numpy(variable)).all() for variable in weights)

    def predict(self, rows: Rows, batch_size: int) -> NDArray[np.float32]:
        """Probabilities for some rows, shape (N, labels)."""
        return predict(self.trained, rows, batch_size).astype(np.float32)

    def _predict_with_batch_statistics(self, rows: Rows) -> NDArray[np.float32]:
        still = self.frozen | ({self.lookup.array.path} if self.lookup is not None else set())
        statistics = [variable for variable in self.trained.non_trainable_variables if variable.path not in still]
        # Large batches, since small ones' statistics say less of the whole.
        batch_size = min(PREDICTION_BATCH, len(rows))
        if not statistics:
            return self.predict(rows, batch_size)
        kept = [np.array(keras.ops.convert_to_numpy(variable)) for variable in statistics]
        # In a random order, since batches sorted by class have other statistics than those of training.
        order = np.random.default_rng(0).permutation(len(rows))
        shuffled = predict(self._with_batch_statistics, Rows(rows.array, rows.indices[order]), batch_size)
        for variable, value in zip(statistics, kept, strict=True):
            variable.assign(value)
        probabilities = np.empty((len(rows), self._labels), np.float32)
        probabilities[order] = shuffled
        return probabilities


class _WithBatchStatistics(keras.Model):  # type: ignore[misc]
    """A network that normalises by the statistics of each batch, also where it only predicts."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="with_batch_statistics")
        self.network = network

    def call(self, x: Any) -> Any:
        return self.network(x, training=True)
