"""The number of a run's claims that fewer of its seeds would have decided, to plan the seeds of a study.

    pytest benchmarks --tlbench-seeds 8
    python -m benchmarks.power .tlbench/report/results.json

Every choice of so many of the run's seeds, or some of them where there are many, is judged as a run of its own, at
one look. Choices share seeds, and none is without the run's luck: a guide to how many seeds to plan with, no test.
"""

from __future__ import annotations

import itertools
import math
import random

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from tabulate import tabulate

from tlbench import StoreError, read
from tlbench.judge.judging import LEVEL, estimates
from tlbench.scores.statistics import holm


if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from numpy.typing import NDArray

    from tlbench import Frames


# Of twenty seeds there are 184,756 choices of ten.
MOST_CHOICES = 200

SIDES: tuple[Literal["greater", "less"], ...] = ("greater", "less")


@dataclass(frozen=True)
class Power:
    """The decisions of runs of some number of seeds.

    Attributes:
        seeds: Number of seeds of each run.
        supported: Share of the runs that support a claim, by its name.
        refuted: Share of the runs that refute a claim, by its name.
    """

    seeds: int
    supported: dict[str, float]
    refuted: dict[str, float]

    @property
    def decided(self) -> float:
        """Mean number of claims that a run decides."""
        return sum(self.supported.values()) + sum(self.refuted.values())


def powers(run: Frames) -> list[Power]:
    """Judge every number of seeds from two to all.

    Args:
        run: A run without a trial that diverged, whose claims all have the same seeds.

    Raises:
        ValueError: A trial of the run diverged, or its claims have other seeds, or one.
    """
    differences = _differences(run)
    return [
        Power(count, *(_shares(run, differences, _choices(differences.shape[1], count), side) for side in SIDES))
        for count in range(2, differences.shape[1] + 1)
    ]


def table(run: Frames) -> str:
    """As Markdown: claims below each other, numbers of seeds beside each other; refuting choices have a minus sign."""
    found = powers(run)
    rows = []
    for name, threshold, differences in zip(run.claims.name, run.claims.threshold, _differences(run), strict=True):
        distance, deviation = differences.mean() - threshold, differences.std(ddof=1)
        shares = [power.supported[name] - power.refuted[name] for power in found]
        rows.append(
            [
                name.removeprefix("test_"),
                f"{distance / deviation:+.1f}" if deviation else "-",
                *(f"{share:.0%}" for share in shares),
            ]
        )
    rows.append(["decided, in the mean", "", *(f"{power.decided:.1f}" for power in found)])
    headings = ["claim", "above threshold, in standard deviations", *(f"{power.seeds} seeds" for power in found)]
    align = ("left", *("right",) * (len(headings) - 1))
    return tabulate(rows, headings, tablefmt="github", colalign=align, disable_numparse=True)


def _differences(run: Frames) -> NDArray[np.float64]:
    """Differences of shape (claims, seeds), in the order of the claims."""
    by_seed = run.differences.pivot_table(index="claim", columns="seed", values="difference", dropna=False)
    seeds = list(by_seed.columns)
    if by_seed.isna().any(axis=None):
        msg = f"Claims must have the same seeds, and no trial that diverged. Received: seeds {seeds}"
        raise ValueError(msg)
    if len(seeds) < 2:
        msg = f"There must be two seeds or more. Received: seeds {seeds}"
        raise ValueError(msg)
    return by_seed.loc[run.claims.name].to_numpy()


def _choices(seeds: int, count: int) -> list[tuple[int, ...]]:
    if math.comb(seeds, count) <= MOST_CHOICES:
        return list(itertools.combinations(range(seeds), count))
    generator = random.Random(0)  # noqa: S311 - no secret.
    return [tuple(generator.sample(range(seeds), count)) for _ in range(MOST_CHOICES)]


def _shares(
    run: Frames, differences: NDArray[np.float64], choices: Sequence[tuple[int, ...]], side: Literal["greater", "less"]
) -> dict[str, float]:
    decided: Counter[str] = Counter()
    for choice in choices:
        found = zip(run.claims.threshold, estimates(differences[:, choice].tolist()), strict=True)
        adjusted = holm([estimate.p(threshold, side) for threshold, estimate in found])
        decided.update(name for name, p in zip(run.claims.name, adjusted, strict=True) if p <= LEVEL)
    return {name: decided[name] / len(choices) for name in run.claims.name}


@click.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(results: Path) -> None:
    """Say what fewer of the seeds of the run in RESULTS, a results.json, would have decided."""
    try:
        click.echo(table(read(results)))
    except (StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
