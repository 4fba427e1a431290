"""Runs a plan: what the store has is read, the rest is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import filelock

from tlbench.errors import ConfigurationError
from tlbench.trials import ImageNet, Random


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from tlbench.datasets.dataset import Dataset
    from tlbench.environment import Environment
    from tlbench.results import Result
    from tlbench.store import Store
    from tlbench.training import Trainer
    from tlbench.transfer import Weights
    from tlbench.trials import Trial


class Listener(Protocol):
    """Is told what is being trained."""

    def trial_started(self, trial: Trial) -> None:
        """A trial begins."""

    def epoch_ended(self, trial: Trial, epoch: int) -> None:
        """So many epochs are done."""

    def trial_ended(self, trial: Trial, result: Result) -> None:
        """A trial is in the store."""


class Runner:
    """Brings about the results that are asked for.

    Args:
        store: Where results are kept.
        environment: What this process trains on.
        datasets: By digest, those that trials may name.
        listener: Is told what happens.
        imagenet: Finds the file with ImageNet's weights.
    """

    def __init__(
        self,
        store: Store,
        environment: Environment,
        datasets: Mapping[str, Dataset],
        listener: Listener,
        imagenet: Callable[[], Path],
    ) -> None:
        self._store = store
        self._environment = environment
        self._datasets = datasets
        self._listener = listener
        self._imagenet = imagenet
        self._trainer: Trainer | None = None
        # The one source whose weights were last used: the arms of a study share few.
        self._source: tuple[Trial | ImageNet, Weights] | None = None

    @property
    def has_trained(self) -> bool:
        """Whether anything had to be trained in this process."""
        return self._trainer is not None

    def result(self, trial: Trial) -> Result:
        """The result of a trial, which is trained, after its source, if the store lacks it."""
        self.train(trial)
        return self._store.load(trial)

    def train(self, trial: Trial) -> None:
        """Make sure that the store has a trial."""
        if trial in self._store:
            return
        if trial.source is not None:
            self.train(trial.source)
        with self._store.lock(trial):
            if trial not in self._store:  # Another process may have trained it meanwhile.
                self._train(trial)

    def train_all(self, trials: Iterable[Trial]) -> None:
        """Make sure that the store has some trials, in their order; one that another process trains comes last."""
        waiting = list(dict.fromkeys(trials))
        while waiting:
            busy = [trial for trial in waiting if not self._trained_here(trial)]
            if len(busy) == len(waiting):
                self.train(busy.pop(0))
            waiting = busy

    def _trained_here(self, trial: Trial) -> bool:
        # False where another process is at it.
        if trial in self._store:
            return True
        if trial.source is not None and not self._trained_here(trial.source):
            return False
        try:
            with self._store.lock(trial).acquire(blocking=False):
                if trial not in self._store:
                    self._train(trial)
        except filelock.Timeout:
            return False
        return True

    def _train(self, trial: Trial) -> None:
        dataset = self._datasets.get(trial.data.digest)
        if dataset is None:
            msg = f"No dataset has the digest that a trial on {trial.data.name!r} names. Received: {trial.data.digest}"
            raise ConfigurationError(msg)

        self._listener.trial_started(trial)
        if self._trainer is None:
            # Imported here: what is stored already is judged without a backend.
            from tlbench.training import Trainer

            self._trainer = Trainer(self._environment)
        result, weights = self._trainer.train(
            trial, dataset, self._source_weights(trial), lambda epoch: self._listener.epoch_ended(trial, epoch)
        )
        self._store.save(trial, result, weights)
        self._listener.trial_ended(trial, result)

    def _source_weights(self, trial: Trial) -> Weights | None:
        source = trial.initialisation
        if isinstance(source, Random):
            return None
        if self._source is None or self._source[0] != source:
            if isinstance(source, ImageNet):
                from tlbench.training import imagenet_weights

                weights = imagenet_weights(trial.network, self._imagenet())
            else:
                weights = self._store.load_weights(source)
            self._source = (source, weights)
        return self._source[1]
