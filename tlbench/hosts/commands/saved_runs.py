"""Commands on saved runs: compare, power, list and show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tabulate import tabulate

from tlbench.errors import ConfigurationError, TlbenchError
from tlbench.hosts.commands.shared import (
    STATUS,
    baselines_option,
    fail_option,
    findings_between_two,
    store_option,
)
from tlbench.judge.comparison import compare
from tlbench.judge.power import POWER, noises
from tlbench.judge.wording import shown_p, shown_with_unit
from tlbench.report import comparisons
from tlbench.report.formats import told_metrics
from tlbench.report.gathering import comparison_record
from tlbench.scores.listed import HUNDREDTHS
from tlbench.store import baselines, places


if TYPE_CHECKING:
    from pathlib import Path

    from tlbench.scores.listed import Unit
    from tlbench.store.baselines import SavedRun


@click.command("compare")
@click.argument("old")
@click.argument("new")
@store_option
@baselines_option
@fail_option
@click.pass_context
def compare_command(
    ctx: click.Context, old: str, new: str, store: Path, baselines_place: str | None, fail: str
) -> None:
    """Compare two saved runs, each a NAME, a NUMBER or a PATH; trains nothing.

    Exit status: 0 where nothing fails, 1 where something has regressed, 2 where they cannot be compared, 3 where
    results are held against themselves.
    """
    fail_on = findings_between_two(fail)
    comparison = compare(_named(old, store, baselines_place), _named(new, store, baselines_place))
    click.echo(comparisons.describe(comparison_record(comparison, fail_on)))
    ctx.exit(STATUS[comparison.outcome(fail_on)])


def _named(reference: str, store: Path, place: str | None) -> SavedRun:
    folder = places.of_store(place, store).pull()
    # Whichever machine's: both are named by the user.
    found = baselines.find(reference, folder, "")
    if found is None:
        names = ", ".join(path.stem for path in baselines.saved_runs(folder)) or "none"
        msg = f"No saved run is called so in {folder}; there are: {names}. Received: {reference!r}"
        raise ConfigurationError(msg)
    return baselines.load(found.path)


def _numbers(_ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) <= 0:
        msg = f"{parameter.opts[0]} takes positive numbers, separated by commas. Received: {text!r}"
        raise ConfigurationError(msg)
    return found


@click.command("power")
@click.argument("run")
@store_option
@baselines_option
@click.option(
    "--effect",
    "effects",
    default="1,2,5",
    show_default=True,
    metavar="A,B,...",
    callback=_numbers,
    help="Distances from a claim's threshold: in points of claims about shares, in thousandths of others.",
)
@click.option("--seeds", default="3,4,5,8,12", show_default=True, metavar="A,B,...", callback=_numbers)
@click.option("--power", type=click.FloatRange(0.06, 0.99), default=POWER, show_default=True, help="Chance to decide.")
def power_command(
    run: str,
    store: Path,
    baselines_place: str | None,
    effects: tuple[float, ...],
    seeds: tuple[float, ...],
    power: float,
) -> None:
    """Say how many seeds decide which difference, from the noise of RUN: a saved NAME, a NUMBER or a PATH.

    Each claim is planned among all claims of the run, at the level of Holm's first step. The noise is an estimate from
    the run's own few seeds: a guide to plan with, no promise.
    """
    claims = _named(run, store, baselines_place).claims
    found = noises(claims)
    counts = [int(count) for count in seeds if count >= 2]
    if len(counts) < len(seeds):
        msg = f"--seeds takes numbers from 2. Received: {', '.join(f'{count:g}' for count in seeds)}"
        raise ConfigurationError(msg)
    rows = []
    for noise in found:
        scale = 100 if noise.unit in HUNDREDTHS else 1000
        needed = [noise.seeds_for(effect / scale, power) for effect in effects]
        rows.append(
            (
                noise.name.removeprefix("test_"),
                f"{scale * noise.deviation:.1f}",
                *(f"{scale * noise.smallest_difference(count, power):.1f}" for count in counts),
                *(str(count or "over 1000") for count in needed),
            )
        )
    headings = ("claim", "sd between seeds", *(f"{count} seeds" for count in counts), *(f"for {e:g}" for e in effects))
    align = ("left", *("right",) * (len(headings) - 1))
    click.echo(tabulate(rows, headings, disable_numparse=True, colalign=align))
    click.echo(
        f"\nUnder a number of seeds, the smallest distance from the threshold that they decide with a chance of "
        f"{power:.0%} among {len(claims)} claims; under a distance, how many seeds it takes. In points for claims "
        "about shares, in thousandths for others."
    )


@click.command("list")
@store_option
@baselines_option
def list_command(store: Path, baselines_place: str | None) -> None:
    """List saved runs, and how many trials the store has of each environment."""
    lines = []
    for path in baselines.saved_runs(places.of_store(baselines_place, store).pull()):
        try:
            run = baselines.load(path)
        except TlbenchError as error:
            lines.append((path.stem, "", "", "", f"cannot be read: {str(error)[:60]}"))
            continue
        trials = sum(len(arm.trials) for arm in run.arms)
        verdicts = ", ".join(
            f"{count} {outcome}"
            for outcome in ("supported", "refuted", "inconclusive")
            if (count := sum(claim.outcome == outcome for claim in run.claims))
        )
        if run.failed:
            verdicts = ", ".join(filter(None, (verdicts, "failed its comparison")))
        here = run.surroundings.environment
        lines.append((path.stem, run.created[:16], str(here), f"{len(run.arms)} arms, {trials} trials", verdicts))
    click.echo(tabulate(lines, ("saved run", "at (UTC)", "environment", "", "verdicts")) if lines else "No saved runs.")
    results = store / "results"
    counts = [
        (place.name, len(list(place.glob("*/result.json"))))
        for place in (sorted(results.iterdir()) if results.is_dir() else [])
    ]
    click.echo()
    click.echo(tabulate(counts, ("environment", "stored trials")) if counts else f"No trials are stored in {results}.")


@click.command("show")
@click.argument("run")
@store_option
@baselines_option
def show_command(run: str, store: Path, baselines_place: str | None) -> None:
    """Show a saved run: what it ran on, its verdicts and what its arms scored."""
    saved = _named(run, store, baselines_place)
    around = saved.surroundings
    facts = {
        "run": f"{saved.name}, {saved.created}",
        **saved.header,
        "machine": f"{around.processor}, {around.cores} cores, {', '.join(around.gpus) or 'no GPU'}",
        "commit": str(saved.commit or "none"),
    }
    click.echo(tabulate(list(facts.items()), tablefmt="plain"))
    claims = [
        (
            claim.name,
            claim.outcome,
            _mean(list(claim.differences.values()), claim.unit),
            _p(claim.adjusted_p),
        )
        for claim in saved.claims
    ]
    click.echo()
    click.echo(tabulate(claims, ("claim", "verdict", "difference", "p"), disable_numparse=True))
    found = {key for arm in saved.arms for trial in arm.trials.values() for key in trial.scores}
    told = {metric.key: metric.name for metric in told_metrics(found)}
    arms = []
    for arm in saved.arms:
        values = [[trial.scores[key] for trial in arm.trials.values() if key in trial.scores] for key in told]
        means = [f"{sum(each) / len(each):.3f}" if each else "" for each in values]
        arms.append((arm.labels[0], len(arm.trials), *means))
    click.echo()
    click.echo(tabulate(arms, ("arm", "seeds", *told.values()), disable_numparse=True))


def _mean(values: list[float], unit: Unit) -> str:
    return shown_with_unit(sum(values) / len(values), unit) if values else ""


def _p(value: float | None) -> str:
    return "" if value is None else shown_p(value)


COMMANDS = (compare_command, power_command, list_command, show_command)
