"""A study: what its arms have in common."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tlbench.declare.tasks import EVERY_CLASS
from tlbench.declare.trials import Arm, Random
from tlbench.errors import ConfigurationError
from tlbench.networks import parts


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tlbench.declare.tasks import Task
    from tlbench.declare.trials import DataReference, ImageNet, Network, Recipe, SavedWeights, Trial


@dataclass(frozen=True)
class Study:
    """Data, network, recipe and seeds that the arms of a run have in common.

    Attributes:
        profile: Name of the profile the sizes come from.
        data: The images that arms train and are tested on.
        class_names: The dataset's classes.
        network: The architecture.
        recipe: How arms are trained unless they say otherwise.
        pretrained: Where *transferred* weights come from.
        pretrained_name: What tables call that source.
        seeds: One trial of each arm for each.
        datasets: Further datasets by name, see `dataset`.
        training_images: Number of images that arms train on, under each seed; None where they are not counted.
    """

    profile: str
    data: DataReference
    class_names: tuple[str, ...]
    network: Network
    recipe: Recipe
    pretrained: ImageNet | SavedWeights | Trial
    pretrained_name: str
    seeds: tuple[int, ...]
    datasets: Mapping[str, DataReference] = field(default_factory=dict, hash=False)
    training_images: int | None = None

    def random(
        self,
        label: str,
        *,
        task: Task = EVERY_CLASS,
        frozen: Iterable[str] = (),
        recipe: Recipe | None = None,
        data: DataReference | None = None,
    ) -> Arm:
        """An arm that starts from fresh weights.

        Args:
            label: What tables and verdicts call it.
            task: What it learns.
            frozen: Flows that training leaves alone.
            recipe: How it is trained; the study's unless given.
            data: Images that it trains and is tested on, see `dataset`; the study's unless given.
        """
        return Arm(
            label=label,
            data=data or self.data,
            task=task,
            network=self.network,
            initialisation=Random(),
            frozen=frozenset(frozen),
            recipe=recipe or self.recipe,
        )

    def transferred(
        self,
        label: str,
        *,
        source: Arm | None = None,
        task: Task = EVERY_CLASS,
        frozen: Iterable[str] = (),
        recipe: Recipe | None = None,
        transferred: Iterable[str] | None = None,
        data: DataReference | None = None,
    ) -> Arm:
        """An arm that starts from the weights of another network, but for its head.

        Args:
            label: What tables and verdicts call it.
            source: Another arm, seed by seed; the study's pretrained network unless given.
            task: What it learns.
            frozen: Flows that training leaves alone.
            recipe: How it is trained; the study's unless given.
            transferred: Parts and cuts whose weights are copied; the others are drawn anew. All parts unless given.
            data: Images that it trains and is tested on, see `dataset`; the study's unless given.
        """
        arm = self.random(label, task=task, frozen=frozen, recipe=recipe, data=data)
        copied = None if transferred is None else frozenset(transferred)
        return replace(arm, initialisation=source or self.pretrained, transferred=copied)

    def dataset(self, name: str) -> DataReference:
        """A further dataset of the study, to train arms on or to evaluate them on.

        Args:
            name: Name of the dataset in `Profile.datasets`.

        Raises:
            ConfigurationError: The study has no further dataset of that name.
        """
        if name not in self.datasets:
            msg = (
                f"The study has no further dataset of that name; add it to the `datasets` of profile {self.profile!r}, "
                f"which has: {', '.join(self.datasets) or 'none'}. Received: {name!r}"
            )
            raise ConfigurationError(msg)
        return self.datasets[name]

    def fewer_images(self, count: int) -> DataReference:
        """The study's images with fewer of them to train on, for an arm's `data`.

        Validation and test images stay the same ones, and so do the training images of a smaller number among those of
        a larger one. Classes keep their proportions, with at least one image of each.

        Args:
            count: Number of training images.

        Raises:
            ConfigurationError: The study trains on fewer images, or the number is not positive.
        """
        if self.training_images is not None and count > self.training_images:
            msg = f"The study trains on {self.training_images} images; ask for no more. Received: count={count!r}"
            raise ConfigurationError(msg)
        return replace(self.data, split=replace(self.data.split, training_images=count))

    def up_to(self, name: str) -> tuple[str, ...]:
        """Names of all parts from the input to the end of a part or a cut, to freeze or to transfer.

        Args:
            name: Name of a part, for instance `"entry"`, or of a cut, for instance `"block7"`.

        Raises:
            ConfigurationError: The network has no part and no cut of that name.
        """
        return parts.up_to(self.network, name)

    @property
    def cuts(self) -> tuple[str, ...]:
        """Names of all cuts in the order of the graph, for `up_to`; those of the parts for a network without cuts."""
        return tuple(parts.cuts(self.network))

    @property
    def flows(self) -> tuple[str, ...]:
        """All flows but the head: frozen, they leave only the head to train."""
        return tuple(self.network.flow_ends)
