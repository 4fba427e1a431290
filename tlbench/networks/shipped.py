"""Weights that tlbench ships: a small Xception for 32 px, trained on photographs by `benchmarks/source.py`."""

from __future__ import annotations

import json

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tlbench.networks import listed


FOLDER = Path(__file__).parent / "weights"
PHOTOGRAPHS = "xception-32px-photographs"


@dataclass(frozen=True)
class Shipped:
    """Weights with their provenance.

    Attributes:
        path: The weights, a `.weights.h5` file of Keras.
        provenance: Data, recipe, seed, environment, accuracy on test images of the same data, and the file's SHA-256.
    """

    path: Path
    provenance: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the weights in tables, for instance "photographs of CIFAR-10"."""
        return str(self.provenance["name"])

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, as hexadecimal digits."""
        return str(self.provenance["sha256"])

    @property
    def note(self) -> str:
        """The sentences that a reader of a report must know."""
        data = self.provenance["data"]
        return (
            f"Transferred weights are those that tlbench ships: trained on {data['training images']:,} photographs of "
            f"{data['name']} ({data['citation']}), they name {self.provenance['accuracy']:.1%} of "
            f"{data['test images']:,} others right. Their classes: {', '.join(data['classes'])}."
        )

    def fit(self, network: object) -> bool:
        """True where the weights are those of a network."""
        return bool(network == listed.parse(self.provenance["network"]))


@cache
def photographs() -> Shipped:
    """The weights that the profile `thumbnail` transfers."""
    provenance = json.loads((FOLDER / f"{PHOTOGRAPHS}.json").read_text(encoding="utf-8"))
    return Shipped(FOLDER / f"{PHOTOGRAPHS}.weights.h5", provenance)
