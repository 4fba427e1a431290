"""Evaluation on degraded images beside plain predictions of the images as they are.

    python -m benchmarks.speed.degraded

Both sides take turns in one process, on the networks of the profiles thumbnail and pocket. Plain predictions are one
`Model.predict` of Keras, over the same images. An evaluation degrades the images, sets the network's weights, those of
another trial each time, and predicts.
"""

from __future__ import annotations

import statistics
import time

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from tabulate import tabulate

from tlbench.declare.degraded import Degraded
from tlbench.declare.evaluations import Evaluation, TestImages
from tlbench.declare.profiles import POCKET, THUMBNAIL


if TYPE_CHECKING:
    from collections.abc import Callable

    from tlbench.declare.evaluations import Images
    from tlbench.declare.profiles import Profile

# A middle severity of each kind.
IMAGES: dict[str, Images] = {
    "as they are": TestImages(),
    **{
        kind: Degraded(kind, severity)
        for kind, severity in (
            ("Gaussian white noise", 60),
            ("Gaussian colour noise", 60),
            ("salt-and-pepper noise", 0.2),
            ("Gaussian blur", 0.02),
            ("motion blur", 0.1),
            ("JPEG compression", 10),
        )
    },
}


def _seconds(function: Callable[[], Any]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def measured(profile: Profile, rounds: int) -> tuple[int, dict[str, list[float]]]:
    """Time each kind of images of a profile, by turns.

    Args:
        profile: Network and recipe.
        rounds: Number of times of each.

    Returns:
        The number of images, and seconds by kind; those of plain predictions are under `"plain"`.
    """
    from tlbench.datasets import miniature
    from tlbench.declare.tasks import EVERY_CLASS
    from tlbench.declare.trials import DataReference, Random, Trial
    from tlbench.machine import environment
    from tlbench.train import transfer
    from tlbench.train.batches import PREDICTION_BATCH
    from tlbench.train.evaluating import Evaluator

    dataset = miniature.load_miniature(image_size=profile.network.image_size)
    split = replace(profile.split, test=0.4)
    data = DataReference(dataset.name, dataset.digest, split)
    trial = Trial(data, EVERY_CLASS, profile.network, Random(), frozenset(), profile.recipe, seed=0)
    model = profile.network.build(len(dataset.class_names))
    weights = transfer.read(model)
    others = {path: value * 1.001 for path, value in weights.items()}
    test = dataset.images[dataset.parts(split).test]
    evaluator, datasets = Evaluator(environment.current()), {dataset.digest: dataset}

    def plain() -> None:
        model.predict(test, batch_size=PREDICTION_BATCH, verbose=0)

    seconds: dict[str, list[float]] = {name: [] for name in ("plain", *IMAGES)}
    for number in range(rounds + 1):
        weights, others = others, weights
        seconds["plain"].append(_seconds(plain))
        for kind, images in IMAGES.items():
            evaluation = Evaluation(trial, images)
            weights, others = others, weights
            seconds[kind].append(_seconds(lambda: evaluator.evaluate(evaluation, datasets, weights)))  # noqa: B023
        if not number:  # The first builds, and traces.
            seconds = {name: [] for name in seconds}
    return len(test), seconds


@click.command()
@click.option("--rounds", default=5, show_default=True)
def main(rounds: int) -> None:
    """Compare evaluations with plain predictions."""
    for profile in (THUMBNAIL, POCKET):
        count, seconds = measured(profile, rounds)
        lines = []
        for kind, taken in seconds.items():
            ratio = statistics.median(one / plain for one, plain in zip(taken, seconds["plain"], strict=True))
            lines.append([kind, f"{1e3 * statistics.median(taken) / count:.3f}", f"{ratio:.2f}"])
        click.echo(f"\n{profile.network}, {count} images, medians of {rounds} rounds:\n")
        click.echo(tabulate(lines, ["images", "ms an image", "ratio to plain predictions"], tablefmt="github"))


if __name__ == "__main__":
    main()
