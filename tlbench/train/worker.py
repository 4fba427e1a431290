"""Trains single trials, and evaluates trained networks, on any machine: no store, no file system that is shared.

An executor sends a worker a trial or an evaluation and, as bytes, the weights that it starts from. The worker sends
back messages of progress and an `Answer`: the result as bytes, a trial's with its last weights, or the error. The
executor publishes them (`tlbench.store.store.Store.save_packed`). Workers that share the store with the run may use it
instead, which saves copies: see `tlbench.train.runner.LocalTraining`.
"""

from __future__ import annotations

import pickle
import traceback

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from tlbench.declare.evaluations import Evaluation
from tlbench.declare.trials import Random, Trial
from tlbench.errors import ConfigurationError, TrainingError, WeightsError
from tlbench.machine import backends
from tlbench.store import files


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.evaluations import Work
    from tlbench.declare.trials import DataReference
    from tlbench.machine.environment import Environment
    from tlbench.store.results import EvaluationResult, Result, Weights
    from tlbench.train.evaluating import Evaluator


class Listener(Protocol):
    """Receives the progress of training."""

    def trial_started(self, trial: Trial) -> None:
        """A trial begins."""

    def epoch_ended(self, trial: Trial, epoch: int, accuracy: float) -> None:
        """Some epochs of a trial are done; the accuracy is that of training, as Keras reports it."""

    def trial_ended(self, trial: Trial, result: Result) -> None:
        """A trial is in the store."""

    def evaluation_ended(self, evaluation: Evaluation, result: EvaluationResult) -> None:
        """An evaluation is in the store."""


class Trainer(Protocol):
    """Trains one trial; see `tlbench.train.training.Trainer`."""

    def train(
        self, trial: Trial, dataset: Dataset, source: Weights | None, on_epoch: Callable[[int, float], None]
    ) -> tuple[Result, Weights]:
        """The result and the last weights of a trial."""


@dataclass(frozen=True)
class Setup:
    """Everything that a worker needs; it can be pickled if its parts can.

    Attributes:
        environment: Environment of the worker.
        datasets: Datasets that trials may name, by digest.
        weights: File of the weights that trials start from; None for published weights in Keras' cache.
        make_trainer: Makes the trainer, when the first trial is trained.
    """

    environment: Environment
    datasets: Mapping[str, Dataset]
    weights: Path | None
    make_trainer: Callable[[], Trainer]


@dataclass(frozen=True)
class Answer:
    """The answer of a worker to a trial or an evaluation.

    Attributes:
        packed: Result as bytes, a trial's with its last weights, see `tlbench.store.files.pack`; None after an error.
        failure: Error; None where there was none.
        peak_memory_bytes: Peak memory of the worker's process; None where nothing was trained.
    """

    packed: bytes | None
    failure: Exception | None
    peak_memory_bytes: int | None


class Worker:
    """Trains single trials, and evaluates trained networks, in this process.

    Args:
        setup: Everything that training needs.
        listener: Receives the progress of training.
    """

    def __init__(self, setup: Setup, listener: Listener) -> None:
        self.listener = listener
        self._setup = setup
        self._trainer: Trainer | None = None
        self._evaluator: Evaluator | None = None
        # Those of the last evaluation, by digest: evaluations of one trial follow each other.
        self._unpacked: tuple[str, Weights] | None = None

    @property
    def peak_memory_bytes(self) -> int | None:
        """Peak memory of this process; None where nothing was trained."""
        return backends.peak_memory(self._setup.environment.device) if self._trainer is not None else None

    def answer(self, work: Work, source: bytes | None) -> Answer:
        """Train a trial or compute an evaluation for a run on another machine; errors are part of the answer.

        Args:
            work: Trial to train, or evaluation to compute.
            source: Weights of the trial's source, or of the evaluated trial, see
                `tlbench.store.store.Store.packed_weights`; None where the trial starts from no trial.
        """

        def weights(trial: Trial) -> Weights | None:
            return files.unpack_weights(source) if source is not None else self.from_file(trial)

        try:
            if isinstance(work, Evaluation):
                packed = files.pack(work, self.evaluate(work, source))
            else:
                packed = files.pack(work, *self.train(work, partial(weights, work)))
        except Exception as error:  # noqa: BLE001 - raised where this result is asked for.
            return Answer(None, portable(error), self.peak_memory_bytes)
        return Answer(packed, None, self.peak_memory_bytes)

    def train(self, trial: Trial, source: Callable[[], Weights | None]) -> tuple[Result, Weights]:
        """Train a trial.

        Args:
            trial: Trial to train.
            source: Gives the weights of the trial's source, or None where it starts from random weights.

        Returns:
            The result and the last weights.

        Raises:
            ConfigurationError: The trial names a dataset that the setup lacks.
            TlbenchError: Training failed, see `tlbench.train.training.Trainer.train`.
        """
        dataset = self._dataset(trial.data)
        self.listener.trial_started(trial)
        if self._trainer is None:
            self._trainer = self._setup.make_trainer()
        return self._trainer.train(trial, dataset, source(), partial(self.listener.epoch_ended, trial))

    def evaluate(self, evaluation: Evaluation, weights: bytes | None) -> EvaluationResult:
        """Compute an evaluation.

        Args:
            evaluation: Evaluation to compute.
            weights: Weights that its trial ended with, see `tlbench.store.store.Store.packed_weights`.

        Raises:
            ConfigurationError: The evaluation names a dataset that the setup lacks.
            WeightsError: The weights are missing, or not those of the trial's network.
            TlbenchError: The evaluation failed, see `tlbench.train.evaluating.Evaluator.evaluate`.
        """
        # Imported here: whoever only trains a stub, or reads a store, needs no backend.
        from tlbench.train.evaluating import Evaluator

        if weights is None:
            msg = f"An evaluation needs the weights of its trial. Received: none, for {evaluation.digest[:12]}"
            raise WeightsError(msg)
        for data in (evaluation.trial.data, evaluation.data):
            self._dataset(data)
        if self._evaluator is None:
            self._evaluator = Evaluator(self._setup.environment)
        digest = files.packed_digest(weights)
        if self._unpacked is None or self._unpacked[0] != digest:
            self._unpacked = (digest, files.unpack_weights(weights))
        result = self._evaluator.evaluate(evaluation, self._setup.datasets, self._unpacked[1])
        return replace(result, weights=digest)

    def _dataset(self, data: DataReference) -> Dataset:
        if (dataset := self._setup.datasets.get(data.digest)) is None:
            msg = f"No dataset has the digest that a trial on {data.name!r} names. Received: {data.digest}"
            raise ConfigurationError(msg)
        return dataset

    def from_file(self, trial: Trial) -> Weights | None:
        """The weights of the file that a trial starts from; None where it starts from random weights.

        Raises:
            WeightsError: The trial starts from another trial, or the file cannot be used.
        """
        if isinstance(trial.initialisation, Random):
            return None
        if isinstance(trial.initialisation, Trial):
            msg = f"A trial that starts from another needs that one's weights. Received: none, for {trial.digest[:12]}"
            raise WeightsError(msg)
        from tlbench.train.starts import weights_of

        return weights_of(trial.network, trial.initialisation, self._setup.weights)


class Messages:
    """Passes the progress of training on as values: a listener on the worker's side.

    Args:
        send: Sends a message, a name and a value that can be pickled, to the executor.
    """

    def __init__(self, send: Callable[[tuple[str, object]], None]) -> None:
        self._send = send

    def trial_started(self, _trial: Trial) -> None:
        """Send that a trial has begun."""
        self._send(("started", None))

    def epoch_ended(self, _trial: Trial, epoch: int, accuracy: float) -> None:
        """Send the number of epochs that are done, and the training accuracy."""
        self._send(("epoch", (epoch, accuracy)))

    def trial_ended(self, _trial: Trial, result: Result) -> None:
        """Send a result that is in the store."""
        self._send(("ended", result))

    def evaluation_ended(self, _evaluation: Evaluation, result: EvaluationResult) -> None:
        """Send the result of an evaluation that is in the store."""
        self._send(("evaluated", result))


def tell(listener: Listener, work: Work, message: str, content: Any) -> bool:
    """Tell a listener on the executor's side of a worker's message.

    Args:
        listener: Receives the progress of training.
        work: Trial or evaluation of the worker.
        message: Name of the message, see `Messages`.
        content: Value of the message.

    Returns:
        Whether it was such a message.
    """
    if isinstance(work, Evaluation):
        if message != "evaluated":
            return False
        listener.evaluation_ended(work, content)
    elif message == "started":
        listener.trial_started(work)
    elif message == "epoch":
        listener.epoch_ended(work, *content)
    elif message == "ended":
        listener.trial_ended(work, content)
    else:
        return False
    return True


def portable(error: Exception) -> Exception:
    """An error that can be pickled, with the trace of this process in its notes."""
    # Traces do not travel, and not every exception does.
    error.add_note(f"In the process that trained it:\n{traceback.format_exc()}")
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own.
    except Exception:  # noqa: BLE001 - whatever a constructor may raise.
        return TrainingError(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
    return error
