"""Fingerprints as they are kept, and how far two of them are apart."""

from __future__ import annotations

import json
import math

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tlbench.errors import StoreError
from tlbench.machine.environment import Environment


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

# 2: the largest value of tensors, reasons for what is absent, gradients of every magnitude for optimizers.
SCHEMA_VERSION = 2

SEED = 20260101

# Random signs that a tensor is projected on; the norm of a difference is known to within a quarter (1/sqrt(2 x 16),
# Achlioptas 2003, J. Comput. Syst. Sci. 66:671).
PROJECTIONS = 16

# Stages of what is said of a test.
REPORTED = "reported test"

OWN = "tlbench's own test"


@dataclass(frozen=True)
class Sketch:
    """A summary of a tensor that tells the distance to another tensor.

    Attributes:
        shape: Shape of the tensor.
        rms: Root of its mean square; 0 where a value is no finite number.
        largest: Largest absolute value; 0 where a value is no finite number.
        projections: Products with fixed random signs, divided by the root of the size; None where a value is no
            finite number.
    """

    shape: tuple[int, ...]
    rms: float
    largest: float
    projections: tuple[float, ...] | None

    def distance(self, other: Sketch) -> float:
        """Estimate of the root mean square of the difference, relative to the larger of the tensors' own.

        Infinite where the shapes differ, or one of them has a value that is no finite number and the other has not.
        """
        if self.shape != other.shape or (self.projections is None) != (other.projections is None):
            return math.inf
        if self.projections is None or other.projections is None:
            return 0.0
        difference = math.sqrt(float(np.mean(np.square(np.subtract(self.projections, other.projections)))))
        return difference / max(self.rms, other.rms) if difference else 0.0


def sketch(tensor: NDArray[Any]) -> Sketch:
    """Summarise a tensor.

    Args:
        tensor: Tensor of any shape.
    """
    values = np.asarray(tensor, dtype=np.float64).ravel()
    if not np.isfinite(values).all():
        return Sketch(tensor.shape, 0.0, 0.0, None)
    projections = _signs(values.size) @ values / math.sqrt(values.size)
    rms, largest = float(np.sqrt(np.mean(values**2))), float(np.abs(values).max())
    return Sketch(tensor.shape, rms, largest, tuple(map(float, projections)))


@lru_cache(maxsize=64)
def _signs(size: int) -> NDArray[np.int8]:
    return np.random.default_rng([SEED, size]).choice(np.array([-1, 1], np.int8), (PROJECTIONS, size))


@dataclass(frozen=True)
class FingerprintEntry:
    """One thing that is computed.

    Attributes:
        stage: Stage of the computation, for instance `"inference"` or `"gradient"`.
        name: Name of the layer, the weight or the optimizer.
        value: What came out; None where it is absent.
        tolerance: How far another's value may be, relative to its root mean square.
        absent: Why this version of the framework has no such thing; None where it has.
    """

    stage: str
    name: str
    value: Sketch | None
    tolerance: float
    absent: str | None = None

    @property
    def key(self) -> str:
        """The name of the quantity, with its stage."""
        return f"{self.stage} of {self.name}"


@dataclass(frozen=True)
class Fingerprint:
    """All that the fixed network did, in the order of its graph.

    Attributes:
        environment: Where.
        quantities: In the order in which they are computed.
    """

    environment: Environment
    quantities: tuple[FingerprintEntry, ...]

    @property
    def reported(self) -> dict[str, float]:
        """The metrics that the framework reports of a test less those of `tlbench.scores.metrics`; NaN where one is."""
        return {name: _scalar(theirs) - _scalar(ours) for name, theirs, ours in self._tested}

    @property
    def disagreements(self) -> tuple[Difference, ...]:
        """Metrics that the framework reports otherwise than `tlbench.scores.metrics` computes them."""
        found = []
        for name, theirs, ours in self._tested:
            if theirs.value is None or ours.value is None:
                continue
            distance, tolerance = ours.value.distance(theirs.value), max(ours.tolerance, theirs.tolerance)
            if distance > tolerance:
                found.append(Difference(f"reported {name} beside tlbench's own", distance, tolerance))
        return tuple(found)

    @property
    def _tested(self) -> list[tuple[str, FingerprintEntry, FingerprintEntry]]:
        own = {quantity.name: quantity for quantity in self.quantities if quantity.stage == OWN}
        reported = [quantity for quantity in self.quantities if quantity.stage == REPORTED]
        return [(theirs.name, theirs, own[theirs.name]) for theirs in reported if theirs.value and theirs.name in own]

    def content(self) -> dict[str, Any]:
        """The fingerprint as values of JSON."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def _scalar(quantity: FingerprintEntry) -> float:
    # Of a metric, which is never negative.
    return math.nan if quantity.value is None or quantity.value.projections is None else quantity.value.rms


def read(content: Mapping[str, Any], source: str = "a saved run") -> Fingerprint:
    """A fingerprint of values of JSON.

    Args:
        content: Values of JSON, from `Fingerprint.content`.
        source: Where they come from, for the message of an error.

    Raises:
        StoreError: They are damaged, lack something, or are of another schema.
    """
    version = content.get("schema_version")
    if not isinstance(version, int) or version < 1:
        msg = f"The fingerprint of {source} does not say its schema_version; take it again. Received: {version!r}"
        raise StoreError(msg)
    if version != SCHEMA_VERSION:
        age, remedy = ("a newer", "Upgrade tlbench, or take") if version > SCHEMA_VERSION else ("an older", "Take")
        msg = (
            f"The fingerprint of {source} was written by {age} tlbench: this one reads schema_version "
            f"{SCHEMA_VERSION}. Received: {version!r}. {remedy} it again."
        )
        raise StoreError(msg)
    try:
        return Fingerprint(
            environment=Environment(**content["environment"]),
            quantities=tuple(_quantity(quantity) for quantity in content["quantities"]),
        )
    except KeyError as error:
        msg = f"The fingerprint of {source} lacks {error.args[0]!r}; take it again."
        raise StoreError(msg) from error
    except (TypeError, ValueError, AttributeError) as error:
        msg = f"The fingerprint of {source} is damaged; take it again. Received: {error!r}"
        raise StoreError(msg) from error


def read_file(path: Path) -> Fingerprint:
    """A fingerprint of a file, or of a saved run that has one.

    Raises:
        StoreError: It cannot be read, or has none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"The fingerprint {path} cannot be read; take it again. Received: {error}"
        raise StoreError(msg) from error
    if isinstance(content, dict) and isinstance(content.get("fingerprint"), dict):
        content = content["fingerprint"]
    if not isinstance(content, dict) or "quantities" not in content:
        msg = f"{path} is no fingerprint, nor a saved run that has one."
        raise StoreError(msg)
    return read(content, str(path))


def _quantity(content: Mapping[str, Any]) -> FingerprintEntry:
    value = content["value"]
    if value is not None:
        projections = value["projections"]
        value = Sketch(
            shape=tuple(map(int, value["shape"])),
            rms=float(value["rms"]),
            largest=float(value["largest"]),
            projections=None if projections is None else tuple(map(float, projections)),
        )
    return FingerprintEntry(content["stage"], content["name"], value, float(content["tolerance"]), content["absent"])


@dataclass(frozen=True)
class Difference:
    """A quantity that two fingerprints do not agree on.

    Attributes:
        key: What it is called.
        distance: Between the two, relative to the larger's root mean square.
        tolerance: What it may be.
    """

    key: str
    distance: float
    tolerance: float

    def __str__(self) -> str:
        """In a line."""
        return f"{self.key} differs by {self.distance:.1e} of its size (tolerance {self.tolerance:.1e})"


@dataclass(frozen=True)
class Agreement:
    """The agreements and differences of two fingerprints.

    Attributes:
        compared: Number of quantities that both have.
        differences: In the order of the graph.
        lacking: Quantities that only one of them has, with the reason where one is known.
        disagreements: Metrics that a framework reports otherwise than `tlbench.scores.metrics` computes them, a
            sentence for each and its environment.
        nearest: The largest share of its tolerance that a quantity on which they agree takes up.
    """

    compared: int
    differences: tuple[Difference, ...]
    lacking: tuple[str, ...]
    disagreements: tuple[str, ...]
    nearest: float

    @property
    def same(self) -> bool:
        """True where there is no difference."""
        return not self.differences

    def __str__(self) -> str:
        """The first difference, how many there are, and what is to be known besides."""
        if self.same:
            found = f"the same in {self.compared} quantities"
        else:
            found = f"{self.differences[0]}; {len(self.differences)} of {self.compared} quantities differ"
        lacking = f"only one side has {', '.join(self.lacking)}" if self.lacking else ""
        return "; ".join(filter(None, (found, lacking, *self.disagreements)))


def compare(first: Fingerprint, second: Fingerprint) -> Agreement:
    """Hold one fingerprint against another; the first difference in the graph's order is where to look.

    What the framework reports of a test counts as well: where it differs from
    the other's, and `tlbench.scores.metrics` agrees on both, the report has changed
    and training has not. Where a report disagrees with `tlbench.scores.metrics` on both
    sides alike, nothing has changed, and it is said all the same.
    """
    others = {quantity.key: quantity for quantity in second.quantities}
    differences, lacking, nearest, compared = [], [], 0.0, 0
    for quantity in first.quantities:
        other = others.pop(quantity.key, None)
        if other is None:
            lacking.append(quantity.key)
        elif quantity.value is None or other.value is None:
            if quantity.value is not other.value:
                lacking.append(f"{quantity.key} ({quantity.absent or other.absent})")
        else:
            compared += 1
            distance, tolerance = quantity.value.distance(other.value), max(quantity.tolerance, other.tolerance)
            if distance > tolerance:
                differences.append(Difference(quantity.key, distance, tolerance))
            else:
                nearest = max(nearest, distance / tolerance)
    disagreements = tuple(f"{side.environment}: {found}" for side in (first, second) for found in side.disagreements)
    return Agreement(compared, tuple(differences), (*lacking, *others), disagreements, nearest)
