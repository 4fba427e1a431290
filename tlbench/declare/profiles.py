"""Profiles: named sets of sizes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from tlbench.datasets.dataset import Split
from tlbench.declare.trials import Recipe
from tlbench.networks.applications import Application
from tlbench.networks.xception import Xception


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.trials import Network


@dataclass(frozen=True)
class Profile:
    """The sizes of a study.

    Attributes:
        name: What `--tlbench-profile` calls it.
        images: Where the images come from unless the user gives some; a function gets the size in pixels.
        source: Where *transferred* weights come from unless the user says otherwise: `"imagenet"`, Keras' published
            weights; `"photographs"`, weights that tlbench ships; or a network trained on drawn images, `"formula"`, or
            on the images that a function returns.
        network: The architecture.
        recipe: How arms are trained.
        split: How the images are divided, unless they have a split of their own; then only parts that are missing.
        source_recipe: How the source network is trained, where it is.
        source_split: How its images are divided.
        seeds: How many there are unless the user says otherwise.
        datasets: Further datasets of the study by name, see `tlbench.Study.dataset`; each function gets the size in
            pixels. They are divided as the images are, unless they have a split of their own.
    """

    name: str
    images: Literal["miniature", "natural-images"] | Callable[[int], Dataset]
    source: Literal["photographs", "formula", "imagenet"] | Callable[[int], Dataset]
    network: Network
    recipe: Recipe
    split: Split
    source_recipe: Recipe
    source_split: Split = field(default_factory=lambda: Split(validation=0.05, test=0.05))
    seeds: int = 3
    datasets: Mapping[str, Callable[[int], Dataset]] = field(default_factory=dict, hash=False)


# An eighth of the width and two middle modules: two cores train it in seconds. A stride of 1 leaves the middle flow
# 4 x 4 pixels. BatchNorm's momentum is 0.8, since training on cat/dog takes some 40 steps. On the miniature, with 0.9,
# a network that fits 98 % of its cats and dogs tests at 55 %, and at 68 % with the statistics of the test batches; with
# 0.8 at 68 % either way (means of four seeds). A falling learning rate lets the statistics settle: at a constant 1e-2
# scores jump by ten points between epochs.
SMALL = Xception(image_size=32, width=1 / 8, middle_modules=2, stem_stride=1, batchnorm_momentum=0.8)

# The source learns at a higher rate than the arms: its weights are larger for it, and outlast an arm's rate of 1e-2.
SMALL_SOURCE = Recipe(learning_rate=3e-3, schedule="cosine", batch_size=32, epochs=8)

# A third middle module, since with two that keep their weights a network loses little: the fewer the modules, the more
# the exit flow can make up for.
MINIATURE = Profile(
    name="miniature",
    images="miniature",
    source="formula",
    network=replace(SMALL, middle_modules=3),
    recipe=Recipe(learning_rate=1e-3, schedule="cosine", batch_size=32, epochs=5),
    # Of 3,200 images, 960 to train on and 1,440 to test on: the more there are, the less noise in a difference.
    split=Split(validation=0.1, test=0.45, training_images=960),
    source_recipe=SMALL_SOURCE.at(batch_size=64, epochs=6),
    seeds=4,
)

# More seeds rather than more epochs: with eight seeds each, 6 epochs and 10 leave the differences that claims are about
# as clear of the noise between seeds, and five seeds of 6 take about as long as three of 10 (docs/performance.md).
THUMBNAIL = Profile(
    name="thumbnail",
    images="natural-images",
    source="photographs",
    network=SMALL,
    recipe=Recipe(learning_rate=1e-3, schedule="cosine", batch_size=32, epochs=6),
    split=Split(validation=0.1, test=0.2, training_images=800),
    source_recipe=SMALL_SOURCE,
    seeds=5,
)

# Published ImageNet weights that two cores can use: 0.2 million parameters. With Keras' momentum of 0.99, the 150 steps
# of a trial would not forget BatchNorm's first statistics. Recipe, test images and seeds were chosen by noise: in
# a run of seeds 100 to 103, a falling rate and 2,759 test images left standard deviations of a claim's difference
# between seeds of 0.6 to 3.1 points for ten claims of twelve (7 and 15 for the others), so that eight seeds decide,
# four times of five, a distance from the threshold of one and a quarter of these. 8 epochs left no less noise.
# The pilot's page also showed the effects of seeds 0 to 3, which the profile uses; they decided nothing of this.
POCKET = Profile(
    name="pocket",
    images="natural-images",
    source="imagenet",
    network=Application("MobileNet", 96, (("alpha", 0.25),), batchnorm_momentum=0.9),
    recipe=Recipe(learning_rate=1e-3, schedule="cosine", batch_size=32, epochs=6),
    split=Split(validation=0.1, test=0.4, training_images=800),
    source_recipe=SMALL_SOURCE,
    seeds=8,
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

PROFILES = (MINIATURE, THUMBNAIL, POCKET, POSTER)
