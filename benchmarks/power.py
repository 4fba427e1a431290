"""How many of a run's claims fewer of its seeds would have decided: how many a study needs.

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
import numpy as np

from tabulate import tabulate

from tlbench import StoreError
from tlbench.judge.judging import LEVEL, estimates
from tlbench.report import content
from tlbench.scores.statistics import holm


if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tlbench.report.records import ClaimRecord


# Of twenty seeds there are 184,756 choices of ten.
MOST_CHOICES = 200


@dataclass(frozen=True)
class Power:
    """What runs of so many seeds decide.

    Attributes:
        seeds: How many each of them has.
        supported: Share of them that supports a claim, by its name.
        refuted: Share that refutes it.
    """

    seeds: int
    supported: dict[str, float]
    refuted: dict[str, float]

    @property
    def decided(self) -> float:
        """Number of claims that they decide, in the mean."""
        return sum(self.supported.values()) + sum(self.refuted.values())


def powers(claims: Sequence[ClaimRecord]) -> list[Power]:
    """For each number of seeds from two to all.

    Args:
        claims: Of one run, without a trial that diverged, all with the same seeds.

    Raises:
        ValueError: They are not.
    """
    differences = _differences(claims)
    seeds = differences.shape[1]
    return [
        Power(count, *(_shares(claims, differences, _choices(seeds, count), side) for side in ("greater", "less")))
        for count in range(2, seeds + 1)
    ]


def table(claims: Sequence[ClaimRecord]) -> str:
    """As Markdown: claims below each other, numbers of seeds beside each other; refuting choices have a minus sign."""
    found = powers(claims)
    rows = []
    for claim, differences in zip(claims, _differences(claims), strict=True):
        distance, deviation = differences.mean() - claim.threshold, differences.std(ddof=1)
        shares = [power.supported[claim.name] - power.refuted[claim.name] for power in found]
        rows.append(
            [
                claim.name.removeprefix("test_"),
                f"{distance / deviation:+.1f}" if deviation else "-",
                *(f"{share:.0%}" for share in shares),
            ]
        )
    rows.append(["decided, in the mean", "", *(f"{power.decided:.1f}" for power in found)])
    headings = ["claim", "above threshold, in standard deviations", *(f"{power.seeds} seeds" for power in found)]
    align = ("left", *("right",) * (len(headings) - 1))
    return tabulate(rows, headings, tablefmt="github", colalign=align, disable_numparse=True)


def _differences(claims: Sequence[ClaimRecord]) -> NDArray[np.float64]:
    """Of shape (claims, seeds)."""
    seeds = {tuple(score.seed for score in claim.seeds) for claim in claims}
    if len(seeds) != 1 or any(score.difference is None for claim in claims for score in claim.seeds):
        msg = f"Claims must have the same seeds, and no trial that diverged. Received: seeds {sorted(seeds)}"
        raise ValueError(msg)
    differences = np.array([[score.difference for score in claim.seeds] for claim in claims], np.float64)
    if differences.shape[1] == 1:
        msg = f"There must be two seeds or more. Received: seeds {sorted(seeds)}"
        raise ValueError(msg)
    return differences


def _choices(seeds: int, count: int) -> list[tuple[int, ...]]:
    if math.comb(seeds, count) <= MOST_CHOICES:
        return list(itertools.combinations(range(seeds), count))
    generator = random.Random(0)  # noqa: S311 - no secret.
    return [tuple(generator.sample(range(seeds), count)) for _ in range(MOST_CHOICES)]


def _shares(
    claims: Sequence[ClaimRecord],
    differences: NDArray[np.float64],
    choices: Sequence[tuple[int, ...]],
    side: Literal["greater", "less"],
) -> dict[str, float]:
    decided: Counter[str] = Counter()
    for choice in choices:
        found = zip(claims, estimates(differences[:, choice].tolist()), strict=True)
        adjusted = holm([estimate.p(claim.threshold, side) for claim, estimate in found])
        decided.update(claim.name for claim, p in zip(claims, adjusted, strict=True) if p <= LEVEL)
    return {claim.name: decided[claim.name] / len(choices) for claim in claims}


@click.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(results: Path) -> None:
    """Say what fewer of the seeds of the run in RESULTS, a results.json, would have decided."""
    try:
        click.echo(table(content.load(results).claims))
    except (StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
