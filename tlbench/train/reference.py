"""Trains one trial as a plain Keras script does: a fresh network and one `Model.fit`, nothing shared, nothing kept.

What `tlbench.train.training` makes faster is held against this, for speed and for
truth: the same weights to start from and the same order of the images, so that
on a CPU, with as many threads, a trial without a frozen prefix ends in the same
weights, bit for bit. Probabilities may differ in their last bits, since the two
paths predict in batches of other sizes.
"""

from __future__ import annotations

import math
import time

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tlbench.declare import tasks
from tlbench.machine import backends
from tlbench.networks import flows
from tlbench.store.results import Result
from tlbench.train import transfer


if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.tasks import Examples
    from tlbench.declare.trials import Trial
    from tlbench.machine.environment import Environment
    from tlbench.store.results import Weights

PREDICTION_BATCH = 256


class ReferenceTrainer:
    """Trains trials, each as if it were the only one.

    Args:
        environment: Where it runs.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def train(
        self,
        trial: Trial,
        dataset: Dataset,
        source: Weights | None,
        on_epoch: Callable[[int, float], None] = lambda _epoch, _accuracy: None,
    ) -> tuple[Result, Weights]:
        """Train one trial; see `tlbench.train.training.Trainer.train`.

        Networks with random layers of their own, such as dropout, draw other numbers than there. All extra predictions
        are made, as a plain script validates after every epoch.
        """
        started = time.perf_counter()
        parts = dataset.parts(trial.split)
        training, validation, test = (
            tasks.examples(dataset, indices, trial.task) for indices in (parts.training, parts.validation, parts.test)
        )
        label_names = trial.task.labels_of(dataset.class_names)

        with backends.device_scope(self._environment.device):
            keras.utils.set_random_seed(trial.seed)
            model = trial.network.build(len(label_names), trial.recipe.precision)
            names = trial.network.flow_ends if trial.transferred is None else trial.transferred
            copied, frozen = flows.layers_of(model, trial.network, names, trial.frozen)
            if source is not None:
                transfer.write(model, transfer.transfer(source, transfer.read(model), transfer.paths(copied)))
            for layer in frozen:
                layer.trainable = False
            model.compile(
                keras.optimizers.get(trial.recipe.optimizer),
                "sparse_categorical_crossentropy",
                metrics=["accuracy"],
                **backends.compile_options(self._environment.device),
            )

            batches = _Batches(training, min(trial.recipe.batch_size, len(training)), trial.seed)
            epochs = _Epochs(batches, validation, on_epoch)
            rate = keras.callbacks.LearningRateScheduler(lambda epoch, _rate: trial.recipe.rate(epoch))
            history: dict[str, list[float]] = {"loss": [], "accuracy": []}
            if trial.recipe.epochs:  # `fit` of no epochs leaves a history without its entries.
                history = model.fit(
                    batches, epochs=trial.recipe.epochs, shuffle=False, callbacks=[rate, epochs], verbose=0
                ).history
            probabilities = model.predict(test.take(), batch_size=PREDICTION_BATCH, verbose=0)
            weights = transfer.read(model)
            seconds = time.perf_counter() - started
            with_batch_statistics = _predict_with_batch_statistics(model, test)

        steps = len(batches) if trial.recipe.epochs else 0
        diverged = epochs.diverged or not np.isfinite(probabilities).all()
        result = Result(
            status="diverged" if diverged else "finished",
            label_names=label_names,
            labels=test.labels,
            probabilities=probabilities,
            validation_labels=validation.labels,
            validation_probabilities=np.array(epochs.probabilities, np.float32).reshape(
                len(epochs.probabilities), len(validation), len(label_names)
            ),
            batch_statistics_probabilities=with_batch_statistics,
            training_loss=tuple(map(float, history["loss"])),
            training_accuracy=tuple(map(float, history["accuracy"])),
            epoch_seconds=tuple(epochs.seconds),
            epoch_steps=steps,
            epoch_images=steps * batches.batch_size,
            seconds=seconds,
            environment=self._environment,
        )
        return result, weights


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Whole batches, in the order that a recipe prescribes for each epoch."""

    def __init__(self, examples: Examples, batch_size: int, seed: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self._images = examples.take()
        self._labels = examples.labels
        self._seed = seed
        self._order = np.arange(len(examples))

    def __len__(self) -> int:
        return len(self._order) // self.batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[Any], ...]:
        batch = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        return self._images[batch], self._labels[batch]

    def begin(self, epoch: int) -> None:
        """Shuffle for an epoch; Keras' own `on_epoch_end` is also called once before the first, but not always."""
        self._order = np.random.default_rng([self._seed, epoch]).permutation(len(self._labels))


class _Epochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Shuffles before each epoch, times it, predicts after it, and stops where the loss or a weight is no number."""

    def __init__(self, batches: _Batches, validation: Examples, on_epoch: Callable[[int, float], None]) -> None:
        super().__init__()
        self._batches = batches
        self.diverged = False
        self.seconds: list[float] = []
        self.probabilities: list[NDArray[np.float32]] = []
        self._validation = validation.take()
        self._on_epoch = on_epoch
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Part of Keras' interface, as the next."""
        self._batches.begin(epoch)
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.seconds.append(time.perf_counter() - self._started)
        self.probabilities.append(self.model.predict(self._validation, batch_size=PREDICTION_BATCH, verbose=0))
        weights = (keras.ops.convert_to_numpy(variable) for variable in self.model.trainable_variables)
        loss = (logs or {}).get("loss", math.nan)
        # XLA's ReLU makes 0 of what is no number, and the loss is one again.
        if not (math.isfinite(loss) and all(np.isfinite(weight).all() for weight in weights)):
            self.diverged = self.model.stop_training = True
        self._on_epoch(epoch + 1, (logs or {}).get("accuracy", math.nan))


def _predict_with_batch_statistics(model: keras.Model, test: Examples) -> NDArray[np.float32]:
    # Uncompiled, and after the weights have been read: this moves the statistics that they hold.
    order = np.random.default_rng(0).permutation(len(test))
    images = test.take()[order]
    batches = np.split(images, range(PREDICTION_BATCH, len(images), PREDICTION_BATCH))
    outputs = [keras.ops.convert_to_numpy(model(batch, training=True)) for batch in batches]
    probabilities = np.empty((len(test), model.output.shape[-1]), np.float32)
    probabilities[order] = np.concatenate(outputs)
    return probabilities
