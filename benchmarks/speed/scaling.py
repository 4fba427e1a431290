"""The time of a study with more seeds, and with more images: Table 1 of the miniature.

    python -m benchmarks.speed.scaling /tmp/scaling

Lines are fitted by least squares: the slope says how much a run grows relative
to its own first step, and the intercept what it takes before it trains.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import numpy as np

from tabulate import tabulate

from benchmarks.speed.study import run
from tlbench.datasets import miniature
from tlbench.declare.profiles import MINIATURE


SEEDS = (1, 2, 4, 8)
TIMES_IMAGES = (1, 2, 4)


def pytest_tlbench_profiles():
    """The miniature with half, all and twice its images: this module is a plugin of the runs that it starts."""
    half = miniature.IMAGES_PER_CLASS // 2
    return [
        replace(
            MINIATURE,
            name=f"miniature-{times}x",
            images=partial(_images, times * half),
            split=replace(MINIATURE.split, training_images=times * MINIATURE.split.training_images // 2),
        )
        for times in TIMES_IMAGES
    ]


def _images(per_class: int, size: int):
    return miniature.load_miniature(per_class, image_size=size)


def describe(sizes: tuple[int, ...], seconds: list[float], what: str) -> str:
    """A table of times, and the line through them.

    Args:
        sizes: Relative to the first.
        seconds: For each.
        what: They count.
    """
    slope, intercept = np.polyfit(sizes, seconds, 1)
    lines = [
        (size, f"{took:.1f}", f"{took / seconds[0]:.2f}", f"{took / seconds[0] / (size / sizes[0]):.2f}")
        for size, took in zip(sizes, seconds, strict=True)
    ]
    exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    table = tabulate(lines, [what, "seconds", "of the first", "of as many times it"], tablefmt="github")
    return (
        f"{table}\n\n{intercept:.0f} s and {slope:.1f} s for each ({what}); on logarithmic axes the slope is "
        f"{exponent:.2f}."
    )


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Time runs of Table 1, with stores, reports and output in FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    table = ("-k", "test_table_1")
    seeds = [run(folder, f"seeds-{count}", (*table, "--tlbench-seeds", str(count))).seconds for count in SEEDS]
    images = [
        run(
            folder,
            f"images-{times}",
            (*table, "--tlbench-seeds", "1", "--tlbench-profile", f"miniature-{times}x"),
            plugin="benchmarks.speed.scaling",
        ).seconds
        for times in TIMES_IMAGES
    ]
    click.echo(describe(SEEDS, seeds, "seeds"))
    click.echo()
    click.echo(describe(TIMES_IMAGES, images, "times the images"))


if __name__ == "__main__":
    main()
