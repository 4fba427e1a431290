"""Few images: how many there are to train on, the arms, and the images that transfer is worth."""

from __future__ import annotations

import math

from functools import partial
from typing import TYPE_CHECKING

from tlbench import combined, mean, score
from tlbench.scores.learning_curves import size_to_reach

from ..poster import EIGHT_CLASSES


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench import Arm, Quantity, Study

# Images per class, beside all that the profile trains on.
PER_CLASS = (5, 10, 25, 50, 100)


def number(study: Study, per_class: int | str) -> int:
    """Number of training images: so many for each class on average, or `"all"`."""
    every = study.training_images or 0
    return every if per_class == "all" else min(int(per_class) * len(study.class_names), every)


def sizes(study: Study) -> tuple[int, ...]:
    """Numbers of training images, from the smallest to all; less than a quarter from all would say the same as all."""
    every = number(study, "all")
    return *(count for each in PER_CLASS if (count := number(study, each)) < 0.75 * every), every


def trained(study: Study, weights: str, count: int) -> Arm:
    """An arm on so many images, by about as many steps as on all: `weights` is `"random"` or `"transferred"`."""
    every, recipe = number(study, "all"), study.recipe
    steps = recipe.epochs * max(every // recipe.batch_size, 1)
    batch = min(recipe.batch_size, count)
    data = study.data if count == every else study.fewer_images(count)
    # All images take the study's own recipe, and are the poster's trial.
    changed = recipe if count == every else recipe.at(batch_size=batch, epochs=round(steps / (count // batch)))
    make = study.random if weights == "random" else study.transferred
    return make(f"{weights}, {count} images", task=EIGHT_CLASSES, recipe=changed, data=data)


def lead(study: Study, count: int) -> Quantity:
    """Accuracy of transferred weights less that of random ones, on so many images."""
    return score(trained(study, "transferred", count)) - score(trained(study, "random", count))


def mean_lead(study: Study, counts: tuple[int, ...]) -> Quantity:
    """Mean of the leads on several numbers of images."""
    return mean(lead(study, count) for count in counts)


def _worth(scores: Sequence[float], counts: tuple[int, ...]) -> float:
    *curve, target = scores
    return size_to_reach(counts, curve, target).size


def _doublings(scores: Sequence[float], counts: tuple[int, ...], count: int) -> float:
    return math.log2(_worth(scores, counts) / count)


def worth(study: Study, count: int) -> Quantity:
    """Images with which random weights reach what transferred ones reach with so many; at most all there are."""
    name = f"images that random weights need for as much as transferred with {count}, at most {sizes(study)[-1]}"
    of = partial(_worth, counts=sizes(study))
    return combined(name, of, *_curve(study), score(trained(study, "transferred", count)), highest=sizes(study)[-1])


def doublings(study: Study, count: int) -> Quantity:
    """The same as doublings of the images; a score beyond all images counts as reached with all, which is too few."""
    of = partial(_doublings, counts=sizes(study), count=count)
    name = f"doublings of the images that transferred weights with {count} are worth"
    return combined(name, of, *_curve(study), score(trained(study, "transferred", count)))


def _curve(study: Study) -> tuple[Quantity, ...]:
    return tuple(score(trained(study, "random", count)) for count in sizes(study))
