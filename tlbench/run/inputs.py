"""The inputs of a run: its images, and the weights that *transferred* arms start from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.datasets import folder, formula, miniature, natural_images
from tlbench.declare.tasks import EVERY_CLASS
from tlbench.declare.trials import DataReference, ImageNet, Random, SavedWeights, Trial
from tlbench.errors import ConfigurationError
from tlbench.machine import hashes
from tlbench.networks import imagenet, published, saved, shipped


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tlbench.datasets.dataset import Dataset, Split
    from tlbench.declare.profiles import Profile
    from tlbench.run.options import Options


def images(profile: Profile, options: Options) -> Dataset:
    """Read, draw or download the images that arms train and are tested on.

    Args:
        profile: Sizes of the study.
        options: Options of the run.

    Raises:
        DataError: The images cannot be read.
    """
    size = profile.network.image_size
    if callable(profile.images):
        return profile.images(size)
    if profile.images == "miniature":
        return miniature.load_miniature(image_size=size)
    return _read(options.data or natural_images.download(), size, options, options.labels)


@dataclass(frozen=True)
class Start:
    """The weights that *transferred* arms start from.

    Attributes:
        weights: Start of these arms' trials.
        name: Name of the weights in tables.
        file: File of the weights; None where a trial trains them, and for ImageNet's in Keras' cache.
        dataset: Images that a trial trains them on; None where no trial does.
        notes: Sentences that a reader of the report must know.
    """

    weights: ImageNet | SavedWeights | Trial
    name: str
    file: Path | None = None
    dataset: Dataset | None = None
    notes: tuple[str, ...] = ()


def pretrained(profile: Profile, options: Options, precision: str, class_names: Sequence[str]) -> Start:
    """Find the weights that *transferred* arms start from; trains nothing.

    Args:
        profile: Sizes of the study.
        options: Options of the run.
        precision: Keras dtype policy of a trial that trains the weights.
        class_names: Classes of the images that arms train on, for a note.

    Raises:
        ConfigurationError: The network has no published weights, or is not that of the shipped weights.
        WeightsError: The published file is missing, cannot be downloaded, or is another one.
        DataError: The source's images cannot be read.
    """
    source = options.resolved_source
    if source == "imagenet":
        weights = published.of_network(profile.network)
        file = weights.find(options.weights)
        # A family may publish weights of its own, of other classes.
        notes = (imagenet.note(class_names),) if weights.name == published.IMAGENET else ()
        return Start(ImageNet(hashes.md5(file)), weights.name, options.weights, notes=notes)
    if source == "photographs":
        own = shipped.photographs()
        if not own.fit(profile.network):
            msg = (
                f"The photographic weights that tlbench ships are those of {own.provenance['network']}; choose that "
                f"network, or --tlbench-source formula. Received: {profile.network}"
            )
            raise ConfigurationError(msg)
        return Start(SavedWeights(f"weights of {own.name}", own.sha256), own.name, own.path, notes=(own.note,))
    if isinstance(source, str) and (path := Path(source)).suffix in saved.SUFFIXES and path.is_file():
        sha256 = hashes.sha256(path)
        name = f"{path.name}, SHA-256 {sha256[:12]}"
        return Start(SavedWeights(f"weights of {path.name}", sha256), name, path)

    data = _source_images(source, profile, options)
    trial = Trial(
        data=DataReference(data.name, data.digest, divided(profile.source_split, data)),
        task=EVERY_CLASS,
        network=profile.network,
        initialisation=Random(),
        frozen=frozenset(),
        recipe=profile.source_recipe.at(precision=precision),
        seed=0,
    )
    name = f"{data.name}, {len(data.images)} images in {len(data.class_names)} classes"
    return Start(trial, f"{name}, a stand-in (see the notes)" if data.stand_in else name, dataset=data)


def _source_images(source: str | Callable[[int], Dataset], profile: Profile, options: Options) -> Dataset:
    size = profile.network.image_size
    if callable(source):
        return source(size)
    return formula.load_formula(image_size=size) if source == "formula" else _read(Path(source), size, options)


def _read(path: Path, size: int, options: Options, labels: str | None = None) -> Dataset:
    return folder.read_images(path, size, skip_bad=options.skip_bad, labels=labels)


def divided(split: Split, dataset: Dataset) -> Split:
    """The split of a dataset: the dataset's own parts, where there are some, which no seed moves."""
    return replace(split, given=dataset.given, per_seed=False) if dataset.given else split
