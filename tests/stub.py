"""A trainer that learns nothing and takes no time, for tests of what happens to results."""

from __future__ import annotations

import hashlib
import os
import time

import numpy as np

from tlbench.scores.extras import BATCH_STATISTICS, VALIDATION
from tlbench.store.results import Result


class StubTrainer:
    """Draws predictions and weights from the trial's digest and the weights that it starts from.

    Args:
        environment: That results are said to be of.
    """

    def __init__(self, environment):
        self._environment = environment

    def train(self, trial, dataset, source, on_epoch):
        """As `tlbench.train.training.Trainer.train`."""
        time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
        sha256 = hashlib.sha256(trial.digest.encode())
        for path in sorted(source or ()):
            sha256.update(source[path].tobytes())
        generator = np.random.default_rng(list(sha256.digest()))
        label_names = trial.task.labels_of(dataset.class_names)
        labels, epochs = np.arange(12) % len(label_names), trial.recipe.epochs

        def probabilities(*shape):
            values = generator.random((*shape, len(label_names)), np.float32)
            return values / values.sum(axis=-1, keepdims=True)

        for epoch in range(epochs):
            on_epoch(epoch + 1, 0.5)
        result = Result(
            status="finished",
            label_names=label_names,
            labels=labels,
            probabilities=probabilities(len(labels)),
            validation_labels=labels[:5],
            validation_probabilities=probabilities(epochs, 5) if VALIDATION in trial.extras else None,
            batch_statistics_probabilities=probabilities(len(labels)) if BATCH_STATISTICS in trial.extras else None,
            training_loss=(0.5,) * epochs,
            training_accuracy=(0.5,) * epochs,
            epoch_seconds=(0.25,) * epochs,
            epoch_steps=5,
            epoch_images=40,
            seconds=1.0,
            environment=self._environment,
        )
        return result, {"dense/kernel": generator.normal(size=(8, 3)), "dense/bias": np.zeros(3)}


def make_trainer(environment, _folder=None):
    """In place of `tlbench.run.training._make_trainer`."""
    return StubTrainer(environment)


class Log:
    """Remembers which trials were trained, and what was warned of."""

    def __init__(self):
        self.started, self.warnings = [], []

    def trial_started(self, trial):
        """Part of the listener's protocol, as the others."""
        self.started.append(trial)

    def epoch_ended(self, _trial, _epoch, _accuracy):
        """Of no interest."""

    def trial_ended(self, _trial, _result):
        """Its result is in the store."""
