"""Judges the claims of a stored run anew, and says what moves: after a change of the judge, nothing has to be trained.

    python -m benchmarks.rejudge RUN

RUN is a results.json, of this or of an earlier schema, or the file of a saved run. Its differences by seed are judged
at one look, whatever looks the run had.
"""

from __future__ import annotations

import json

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tabulate import tabulate

from tlbench import StoreError
from tlbench.judge.judging import LEVEL, REASONS, agreeing, estimates
from tlbench.judge.wording import shown_difference, shown_interval, shown_p
from tlbench.scores.statistics import holm, holm_levels


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from tlbench.judge.decisions import Outcome
    from tlbench.scores.listed import Unit


@dataclass(frozen=True)
class Stored:
    """A claim as a file has it.

    Attributes:
        name: Name of the claim.
        threshold: Value that the difference should exceed.
        unit: Unit of the difference.
        differences: Differences by seed; empty where a run diverged.
        outcome: Outcome in the file.
        p: P-value in the file that decided the claim, or came nearest to it.
    """

    name: str
    threshold: float
    unit: Unit
    differences: tuple[float, ...]
    outcome: Outcome
    p: float | None


def stored(path: Path) -> list[Stored]:
    """The claims of a results.json or of a saved run.

    Raises:
        StoreError: The file is neither.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [_stored(claim) for claim in content["claims"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} is neither a results.json nor a saved run; name one of them. Received: {error!r}"
        raise StoreError(msg) from error


def _stored(claim: dict[str, Any]) -> Stored:
    # Of a saved run by seed; of results a list, in which a run that diverged has no difference.
    values = claim["differences"].values() if "differences" in claim else [s["difference"] for s in claim["seeds"]]
    known = tuple(value for value in values if value is not None)
    return Stored(
        claim["name"],
        claim["threshold"],
        claim.get("unit", "percent"),
        known if len(known) == len(values) else (),
        claim["outcome"],
        claim["adjusted_p"],
    )


def rejudged(claims: Sequence[Stored]) -> Iterable[tuple[str, str, str, str, str]]:
    """For each claim: name, verdict and p in the file, verdict, p and interval now, and why.

    Args:
        claims: All of one run; those that cannot be judged count.
    """
    testable = [number for number, claim in enumerate(claims) if len(claim.differences) > 1]
    found = dict(zip(testable, estimates([claims[number].differences for number in testable]), strict=True))
    p_values = [
        [found[n].p(claim.threshold, side) if n in found else 1.0 for n, claim in enumerate(claims)]
        for side in ("greater", "less")
    ]
    adjusted, levels = [holm(p) for p in p_values], [holm_levels(p, LEVEL) for p in p_values]
    for number, claim in enumerate(claims):
        name = claim.name.removeprefix("test_")
        before = f"{claim.outcome}{'' if claim.p is None else f', p {shown_p(claim.p, LEVEL)}'}"
        if number not in found:
            yield name, before, "", "inconclusive", "a run diverged, or there is one seed"
            continue
        supporting, refuting = (float(p[number]) for p in adjusted)
        outcome: Outcome = "supported" if supporting <= LEVEL else "refuted" if refuting <= LEVEL else "inconclusive"
        interval = agreeing(
            found[number].interval(*(float(level[number]) for level in levels)), claim.threshold, outcome
        )
        low, high, bound = shown_interval(interval.low, interval.high, claim.threshold, claim.unit)
        p = shown_p(min(supporting, refuting), LEVEL)
        yield (
            name,
            before,
            shown_difference(interval.mean, claim.unit),
            f"{outcome}, p {p}, {low} to {high}, should exceed {bound}",
            REASONS[outcome] if outcome == claim.outcome else f"MOVED: {REASONS[outcome]}",
        )


def table(claims: Sequence[Stored]) -> str:
    """As Markdown."""
    headings = ("claim", "in the file", "difference", "judged now", "why")
    return tabulate(list(rejudged(claims)), headings, tablefmt="github", disable_numparse=True)


@click.command()
@click.argument("run", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(run: Path) -> None:
    """Judge the claims of RUN, a results.json or the file of a saved run, anew; differences of shares are in points."""
    try:
        click.echo(table(stored(run)))
    except StoreError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
