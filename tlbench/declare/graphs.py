"""The key under which trials share a compiled network."""

from __future__ import annotations

import json

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlbench.declare.trials import Trial


@dataclass(frozen=True)
class Graph:
    """The key under which trials share a compiled network, in values that JSON can hold.

    Attributes:
        network: Architecture, as JSON text.
        labels: Number of outputs.
        frozen: Names of the parts and cuts that training leaves alone.
        optimizer: Keras' name of the optimizer.
        precision: Keras dtype policy.
    """

    network: str
    labels: int
    frozen: frozenset[str]
    optimizer: str
    precision: str

    @classmethod
    def of(cls, trial: Trial, labels: int) -> Graph:
        """The key of a trial.

        Args:
            trial: A trial.
            labels: Number of labels of its task.
        """
        return cls.read(trial.description, labels)

    @classmethod
    def read(cls, description: Mapping[str, Any], labels: int) -> Graph:
        """The key of a stored trial.

        Args:
            description: Trial as JSON, as `Trial.description` gives it.
            labels: Number of labels of its task.

        Raises:
            LookupError: The description lacks an entry.
            TypeError: An entry has another type.
        """
        recipe = description["recipe"]["Recipe"]
        return cls(
            network=json.dumps(description["network"], sort_keys=True),
            labels=labels,
            frozen=frozenset(map(_text, description["frozen"])),
            optimizer=_text(recipe["optimizer"]),
            precision=_text(recipe["precision"]),
        )

    @property
    def content(self) -> dict[str, Any]:
        """The key as values of JSON."""
        return {
            "network": self.network,
            "labels": self.labels,
            "frozen": sorted(self.frozen),
            "optimizer": self.optimizer,
            "precision": self.precision,
        }

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> Graph:
        """The key of values of JSON, as `content` gives them.

        Raises:
            LookupError: The values lack an entry.
            TypeError: An entry has another type.
        """
        return cls(
            network=_text(content["network"]),
            labels=content["labels"],
            frozen=frozenset(map(_text, content["frozen"])),
            optimizer=_text(content["optimizer"]),
            precision=_text(content["precision"]),
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        msg = f"not a text: {value!r}"
        raise TypeError(msg)
    return value
