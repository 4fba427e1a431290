"""Trials and arms: what is trained, as frozen values with a digest."""

from __future__ import annotations

import copy
import hashlib
import json
import math

from collections.abc import Hashable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from tlbench.declare import revisions
from tlbench.errors import ConfigurationError
from tlbench.networks import parts
from tlbench.scores.extras import ALL_EXTRAS, NO_EXTRAS


if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from tlbench.datasets.dataset import Split
    from tlbench.declare.tasks import Task


# In the metadata of a field that a later version of tlbench has added to a value of a trial: its default stands in no
# digest, so that what is as it was keeps the digest that it had.
ADDED = "added"


class Network(Hashable, Protocol):
    """An architecture at one size; a frozen dataclass, since its fields are part of a trial's digest.

    So is the code of its class and of the class's bases, see `tlbench.declare.revisions.of_class`.
    """

    @property
    def image_size(self) -> int:
        """Height and width of the images it takes, in pixels."""

    @property
    def flow_ends(self) -> Mapping[str, str]:
        """Name of the last layer of each part, in the order of the graph; the head follows the last part.

        Two properties are optional: `cuts`, which names finer ends in the same way (every part ends where a cut does),
        and `pretrained`, the network's `tlbench.networks.published.Published` weights.
        """

    def build(self, classes: int, dtype: str = "float32") -> keras.Model:
        """A functional model from uint8 images (batch, H, W, 3) to probabilities (batch, classes)."""


@dataclass(frozen=True)
class Recipe:
    """Optimizer, learning rate, batch size, epochs and precision of training.

    Each epoch visits the training images in a new order and leaves out the
    last incomplete batch.

    Attributes:
        learning_rate: Step size of the optimizer, in the first epoch.
        schedule: `"constant"`, or `"cosine"`: from epoch to epoch it falls towards zero along half a cosine
            (Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts).
        optimizer: Keras' name of the optimizer; its other parameters are Keras' defaults.
        batch_size: Images per step.
        epochs: Passes over the training images; none leaves a network as it starts, with an untrained head.
        precision: Keras dtype policy, for instance `"float32"` or `"mixed_bfloat16"`.
    """

    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    optimizer: Literal["adam", "rmsprop", "sgd"] = "adam"
    batch_size: int = 32
    epochs: int = 10
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name in ("learning_rate", "batch_size"):
            if not getattr(self, name) > 0:
                msg = f"A recipe's {name} must be positive. Received: {name}={getattr(self, name)!r}"
                raise ConfigurationError(msg)
        if not self.epochs >= 0:
            msg = f"A recipe's epochs must not be negative; 0 trains nothing. Received: epochs={self.epochs!r}"
            raise ConfigurationError(msg)

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0."""
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2

    def at(self, **changes: Any) -> Recipe:
        """The same recipe but for these attributes."""
        return replace(self, **changes)


@dataclass(frozen=True)
class DataReference:
    """A dataset and its split, by digest.

    Attributes:
        name: What tables call the dataset; not part of a trial's digest.
        digest: The dataset's digest.
        split: How it is divided.
    """

    name: str = field(compare=False)
    digest: str
    split: Split


@dataclass(frozen=True)
class Random:
    """Start from fresh weights."""

    name: ClassVar[str] = "random weights"

    @property
    def code(self) -> tuple[revisions.Revision, ...]:
        """Revisions of the code that brings about these weights beside the trainer's: none."""
        return ()


@dataclass(frozen=True)
class ImageNet:
    """Start from Keras' published ImageNet weights.

    Attributes:
        md5: Hash of the weights file.
    """

    name: ClassVar[str] = "ImageNet weights"
    md5: str

    @property
    def code(self) -> tuple[revisions.Revision, ...]:
        """Revisions of the code that loads these weights."""
        return (revisions.IMAGENET,)


@dataclass(frozen=True)
class SavedWeights:
    """Start from a weights file of the user, or from weights that tlbench ships; see `tlbench.networks.saved`.

    Attributes:
        name: Name of the weights in tables; not part of a trial's digest.
        sha256: Hash of the weights file.
    """

    name: str = field(compare=False)
    sha256: str

    @property
    def code(self) -> tuple[revisions.Revision, ...]:
        """Revisions of the code that loads these weights."""
        return (revisions.SAVED,)


@dataclass(frozen=True)
class Trial:
    """One training run, wholly specified; equal trials are the same run.

    Attributes:
        data: The images, and how they are split.
        task: Their labelling.
        network: The architecture.
        initialisation: Where the first weights come from; a trial is the source that they are copied from.
            The head is always fresh.
        frozen: Names of the parts and cuts that training leaves alone, their BatchNorm in inference mode.
        recipe: How it is trained.
        seed: Seeds fresh weights, the order of the images, and the split where each seed draws a split.
        transferred: Names of the parts and cuts whose weights are copied from the source; the others are drawn anew.
            None for all parts.
        extras: Extra predictions that the result must have, see `tlbench.scores.extras`. They move no weight, and are
            no part of the digest: trials that differ here alone are equal.
    """

    data: DataReference
    task: Task
    network: Network
    initialisation: Random | ImageNet | SavedWeights | Trial
    frozen: frozenset[str]
    recipe: Recipe
    seed: int
    transferred: frozenset[str] | None = field(default=None, metadata={ADDED: True})
    extras: frozenset[str] = field(default=ALL_EXTRAS, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Trials that mean the same are the same, however their parts and cuts are spelled.
        object.__setattr__(self, "frozen", parts.canonical(self.network, self.frozen))
        if self.transferred is None:
            return
        names = parts.canonical(self.network, self.transferred)
        if not names or isinstance(self.initialisation, Random):
            msg = (
                "A trial transfers at least one part, from a source; start from random weights to transfer none. "
                f"Received: transferred={sorted(names)}, initialisation={type(self.initialisation).__name__}"
            )
            raise ConfigurationError(msg)
        object.__setattr__(self, "transferred", None if names == set(self.network.flow_ends) else names)

    @property
    def split(self) -> Split:
        """The split of the images under this trial's seed."""
        return self.data.split.under(self.seed)

    @cached_property
    def source(self) -> Trial | None:
        """The trial whose weights this one starts from, if it starts from one; its weights are enough."""
        return self.initialisation.with_extras(NO_EXTRAS) if isinstance(self.initialisation, Trial) else None

    def with_extras(self, extras: frozenset[str]) -> Trial:
        """The same trial, whose result must have these extra predictions."""
        if extras == self.extras:
            return self
        same = copy.copy(self)  # Digests that are known stay known.
        object.__setattr__(same, "extras", extras)
        return same

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that can move a score, as hexadecimal digits."""
        content = {"trial": self.description, "code": self._code}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def _code(self) -> dict[str, int | str]:
        start = self.initialisation
        used = [revisions.TRAINER, revisions.LOADER, *(() if isinstance(start, Trial) else start.code)]
        return {revision.name: revision.number for revision in used} | revisions.of_class(type(self.network))

    @cached_property
    def arm_digest(self) -> str:
        """SHA-256 over everything that the trials of an arm share, as hexadecimal digits.

        The digest leaves out tlbench's own code, so that runs of different versions can be compared.
        """
        return hashlib.sha256(json.dumps(self.arm_description, sort_keys=True).encode()).hexdigest()

    @cached_property
    def arm_description(self) -> dict[str, Any]:
        """The trial but for its seed, as JSON; a source stands there likewise."""
        description = {name: value for name, value in self.description.items() if name != "seed"}
        if self.source is not None:
            description["initialisation"] = self.source.arm_description
        return description

    @cached_property
    def description(self) -> dict[str, Any]:
        """The trial as JSON; a source stands there by its digest."""
        return _fields(self)


@dataclass(frozen=True)
class Arm:
    """A trial for every seed: one side of a comparison.

    Attributes:
        label: What tables and verdicts call it; not part of a trial's digest.
        data: Images and their split.
        task: Labelling of the images.
        network: Architecture.
        initialisation: An arm is a source that shares the seed of each trial, a trial one that all seeds share.
        frozen: Names of the parts and cuts that training leaves alone.
        recipe: Recipe of training.
        transferred: Names of the parts and cuts whose weights are copied from the source; None for all parts.
    """

    label: str = field(compare=False)
    data: DataReference
    task: Task
    network: Network
    initialisation: Random | ImageNet | SavedWeights | Trial | Arm
    frozen: frozenset[str]
    recipe: Recipe
    transferred: frozenset[str] | None = None

    def trial(self, seed: int) -> Trial:
        """The trial of this arm under one seed."""
        # Made once: tables, figures and claims ask for the same trials, and their digests take time.
        if seed not in self._trials:
            source = self.initialisation
            self._trials[seed] = Trial(
                data=self.data,
                task=self.task,
                network=self.network,
                initialisation=source.trial(seed) if isinstance(source, Arm) else source,
                frozen=self.frozen,
                recipe=self.recipe,
                seed=seed,
                transferred=self.transferred,
            )
        return self._trials[seed]

    @cached_property
    def _trials(self) -> dict[int, Trial]:
        return {}


def _fields(value: Any) -> dict[str, Any]:
    return {
        field_.name: as_json(getattr(value, field_.name))
        for field_ in fields(value)
        if field_.compare and not (ADDED in field_.metadata and getattr(value, field_.name) == field_.default)
    }


def as_json(value: Any) -> Any:
    """A value of a trial as JSON, from which digests are computed; a trial stands there by its digest.

    Args:
        value: A trial, a frozen dataclass, a frozen set or a tuple of such values, or a value of JSON.
    """
    if isinstance(value, Trial):
        return {"trial": value.digest}
    if is_dataclass(value):
        # What does not tell values apart, such as a name, does not move a score either.
        return {type(value).__name__: _fields(value)}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [as_json(item) for item in value]
    return value
