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
import statistics

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from tabulate import tabulate

from tlbench.judging import LEVEL
from tlbench.report import content
from tlbench.statistics import holm, p_value


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench.report.content import ClaimRecord, SeedScore


# Of twenty seeds there are 184,756 choices of ten.
MOST_CHOICES = 200


@dataclass(frozen=True)
class Power:
    """What runs of so many seeds decide.

    Attributes:
        seeds: How many each of them has.
        decided: Number of claims that they decide, in the mean.
        supported: Share of them that supports a claim, by its name.
        refuted: Share that refutes it.
    """

    seeds: int
    decided: float
    supported: dict[str, float]
    refuted: dict[str, float]


def powers(claims: Sequence[ClaimRecord]) -> list[Power]:
    """For each number of seeds from two to all.

    Args:
        claims: Of one run, without a trial that diverged, all with the same seeds.

    Raises:
        ValueError: They are not.
    """
    seeds = {tuple(score.seed for score in claim.seeds) for claim in claims}
    if len(seeds) != 1 or any(math.isnan(_difference(score)) for claim in claims for score in claim.seeds):
        msg = f"Claims must have the same seeds, and no trial that diverged. Received: seeds {sorted(seeds)}"
        raise ValueError(msg)
    if len(next(iter(seeds))) == 1:
        msg = f"There must be two seeds or more. Received: seeds {sorted(seeds)}"
        raise ValueError(msg)
    return [_power(claims, count) for count in range(2, len(seeds.pop()) + 1)]


def _power(claims: Sequence[ClaimRecord], count: int) -> Power:
    decided: dict[str, Counter[str]] = {"greater": Counter(), "less": Counter()}
    choices = _choices(len(claims[0].seeds), count)
    for choice in choices:
        for alternative, names in decided.items():
            names.update(_decided(claims, choice, alternative))
    greater, less = ({claim.name: names[claim.name] / len(choices) for claim in claims} for names in decided.values())
    return Power(count, sum(greater.values()) + sum(less.values()), greater, less)


def _choices(seeds: int, count: int) -> list[tuple[int, ...]]:
    if math.comb(seeds, count) <= MOST_CHOICES:
        return list(itertools.combinations(range(seeds), count))
    generator = random.Random(0)  # noqa: S311 - no secret.
    return [tuple(generator.sample(range(seeds), count)) for _ in range(MOST_CHOICES)]


def _decided(
    claims: Sequence[ClaimRecord], choice: Sequence[int], alternative: Literal["greater", "less"]
) -> list[str]:
    samples = [[_difference(claim.seeds[index]) for index in choice] for claim in claims]
    p_values = [p_value(sample, claim.threshold, alternative) for sample, claim in zip(samples, claims, strict=True)]
    return [claim.name for claim, p in zip(claims, holm(p_values), strict=True) if p <= LEVEL]


def table(found: Sequence[Power], claims: Sequence[ClaimRecord]) -> str:
    """As Markdown: claims below each other, numbers of seeds beside each other; refuting choices have a minus sign."""
    rows = []
    for claim in claims:
        differences = [_difference(score) for score in claim.seeds]
        clear = _ratio(statistics.fmean(differences) - claim.threshold, statistics.stdev(differences))
        shares = [power.supported[claim.name] - power.refuted[claim.name] for power in found]
        rows.append([claim.name.removeprefix("test_"), clear, *(f"{share:.0%}" for share in shares)])
    rows.append(["decided, in the mean", "", *(f"{power.decided:.1f}" for power in found)])
    headings = ["claim", "above threshold, in standard deviations", *(f"{power.seeds} seeds" for power in found)]
    align = ("left", *("right",) * (len(headings) - 1))
    return tabulate(rows, headings, tablefmt="github", colalign=align, disable_numparse=True)


def _difference(score: SeedScore) -> float:
    return math.nan if score.difference is None else score.difference


def _ratio(difference: float, deviation: float) -> str:
    return f"{difference / deviation:+.1f}" if deviation else "-"


@click.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(results: Path) -> None:
    """Say what fewer of the seeds of the run in RESULTS, a results.json, would have decided."""
    claims = content.load(results).claims
    try:
        click.echo(table(powers(claims), claims))
    except ValueError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
