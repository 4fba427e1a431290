"""Profiles: named sets of sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tlbench.datasets.dataset import Split
from tlbench.networks.xception import Xception
from tlbench.trials import Recipe


if TYPE_CHECKING:
    from collections.abc import Callable

    from tlbench.datasets.dataset import Dataset
    from tlbench.trials import Network


@dataclass(frozen=True)
class Profile:
    """The sizes of a study.

    Attributes:
        name: What `--tlbench-profile` calls it.
        images: Where the images come from unless the user gives some; a function gets the size in pixels.
        source: Where *transferred* weights come from unless the user says otherwise: ImageNet, or a network trained on
            the embedded source images or on those that a function returns.
        network: The architecture.
        recipe: How arms are trained.
        split: How the images are divided.
        source_recipe: How the source network is trained, where it is.
        source_split: How its images are divided.
        seeds: How many there are unless the user says otherwise.
    """

    name: str
    images: Literal["miniature", "natural-images"] | Callable[[int], Dataset]
    source: Literal["embedded", "imagenet"] | Callable[[int], Dataset]
    network: Network
    recipe: Recipe
    split: Split
    source_recipe: Recipe
    source_split: Split = field(default_factory=lambda: Split(validation=0.05, test=0.05))
    seeds: int = 3


# An eighth of the width and two middle modules: two cores train it in seconds. A stride of 1 leaves the middle flow
# 4 x 4 pixels. BatchNorm's momentum is 0.9, since training takes some 200 steps: with 0.99 the moving statistics would
# still hold their initial values. A falling rate lets them settle: at a constant 1e-2 scores jump by ten points between
# epochs.
SMALL = Xception(image_size=32, width=1 / 8, middle_modules=2, stem_stride=1, batchnorm_momentum=0.9)

# The source learns at a higher rate than the arms: its weights are larger for it, and outlast an arm's rate of 1e-2.
SMALL_SOURCE = Recipe(learning_rate=3e-3, schedule="cosine", batch_size=32, epochs=8)

MINIATURE = Profile(
    name="miniature",
    images="miniature",
    source="embedded",
    network=SMALL,
    recipe=Recipe(learning_rate=1e-3, schedule="cosine", batch_size=32, epochs=5),
    # 1,280 images to train on, 768 to test on.
    split=Split(validation=0.2, test=0.3),
    source_recipe=SMALL_SOURCE,
    seeds=4,
)

THUMBNAIL = Profile(
    name="thumbnail",
    images="natural-images",
    source="embedded",
    network=SMALL,
    recipe=Recipe(learning_rate=1e-3, schedule="cosine", batch_size=32, epochs=10),
    split=Split(validation=0.1, test=0.2, training_images=800),
    source_recipe=SMALL_SOURCE,
)

POSTER = Profile(
    name="poster",
    images="natural-images",
    source="imagenet",
    network=Xception(),
    recipe=Recipe(learning_rate=1e-3, batch_size=32, epochs=20),
    split=Split(validation=0.1, test=0.2),
    source_recipe=Recipe(learning_rate=1e-3, batch_size=64, epochs=10),
)

PROFILES = (MINIATURE, THUMBNAIL, POSTER)
