"""Commands on series of saved runs: history, accept and prune."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlbench.errors import ConfigurationError, StoreError
from tlbench.hosts.commands.shared import REGRESSED, SAFE, baselines_option, store_option
from tlbench.store import baselines, places, series


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench.store.baselines import SavedRun

_machine_option = click.option(
    "--machine", metavar="FOLDER", help="Folder of the machine's runs: the one that saved last, unless given."
)


@click.command("history")
@click.argument("name", default="*")
@store_option
@baselines_option
@_machine_option
@click.option(
    "--reference", metavar="NAME|NNNN", help="Run to hold every night against: the accepted one, or else the oldest."
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of history.html, history.md and history.csv: history in the store, unless given.",
)
@click.pass_context
def history_command(
    ctx: click.Context,
    name: str,
    store: Path,
    baselines_place: str | None,
    machine: str | None,
    reference: str | None,
    folder: Path | None,
) -> None:
    """Follow arms, claims and speed through the saved runs of a NAME; trains nothing.

    NAME is the name of the runs, where * and ? stand for any characters; all runs of the machine unless given.

    Exit status: 0 where nothing has become worse than the accepted run, 1 where something has, or where scores have
    changed while nothing recorded has, 2 where there is no series.
    """
    from tlbench.judge.history import history
    from tlbench.report import history as pages

    paths = _series(places.of_store(baselines_place, store).pull(), name, machine)
    position = series.reference(paths) if reference is None else _position(paths, reference)
    read, runs = [], []
    for path in paths:
        try:
            runs.append(baselines.load(path))
            read.append(path)
        except StoreError as error:
            click.echo(f"Warning: left out: {error}", err=True)
    if paths[position] not in read:
        msg = f"The reference {paths[position].stem} cannot be read; accept another run with `tlbench accept`."
        raise StoreError(msg)
    found = history(runs, read.index(paths[position]), [path.stem for path in read])
    folder = folder or store / "history"
    pages.write(found, folder, "all runs" if name == "*" else name, paths[0].parent.name)
    click.echo(pages.describe(found))
    click.echo(f"\nThe page is {folder / pages.PAGE}; {folder / pages.TEXT} is the same for a job summary.")
    if found.alarming:
        number = paths[-1].stem.partition("_")[0]
        what = "drift" if found.alarms else "change"
        click.echo(f"To accept the {what}: tlbench accept {number} --store {store}")
    ctx.exit(REGRESSED if found.alarming else SAFE)


@click.command("accept")
@click.argument("run")
@store_option
@baselines_option
@_machine_option
def accept_command(run: str, store: Path, baselines_place: str | None, machine: str | None) -> None:
    """Make a saved RUN, a NAME or a NUMBER, the reference of its series: drift is measured from it on."""
    where = places.of_store(baselines_place, store)
    paths = _series(where.pull(), "*", machine)
    path = paths[_position(paths, run)]
    where.accept(path)
    click.echo(f"Accepted: {path}")


@click.command("prune")
@click.argument("name")
@store_option
@baselines_option
@_machine_option
@click.option(
    "--nightly-days",
    type=int,
    default=series.Policy.nightly_days,
    show_default=True,
    help="Days, back from the last night, of which every night is kept.",
)
@click.option(
    "--weekly-weeks",
    type=int,
    default=series.Policy.weekly_weeks,
    show_default=True,
    help="Weeks before these days, of which one night each is kept.",
)
@click.option("--delete", is_flag=True, help="Delete the runs; without this option, they are listed.")
def prune_command(
    name: str,
    store: Path,
    baselines_place: str | None,
    machine: str | None,
    nightly_days: int,
    weekly_weeks: int,
    *,
    delete: bool,
) -> None:
    """List, or delete, the saved runs of a NAME that the policy does not keep.

    Kept are every night of the last days, then one a week, then one a month. The accepted run with the nights of the
    reference, the first night of each environment and the last night are always kept.
    """
    policy = series.Policy(nightly_days, weekly_weeks)
    where = places.of_store(baselines_place, store)
    paths = _series(where.pull(), name, machine)
    # A run that cannot be read stops here: what is to be deleted has to be known.
    runs: list[SavedRun] = [baselines.load(path) for path in paths]
    surplus = [paths[position] for position in policy.surplus(runs, series.reference(paths))]
    for path in surplus:
        click.echo(path.stem)
    if delete:
        where.remove(surplus)
    click.echo(
        f"{'Deleted' if delete else 'To delete'}: {len(surplus)} of {len(paths)} runs. Kept: {policy}."
        + ("" if delete or not surplus else " Add --delete to delete them.")
    )


def _series(folder: Path, name: str, machine: str | None) -> list[Path]:
    """Files of a series, one or more."""
    known = series.machines(folder, name)
    if not known or (machine is not None and machine not in known):
        names = ", ".join(dict.fromkeys(series.name_of(path) for path in baselines.saved_runs(folder))) or "none"
        where = f"{folder}" if machine is None else f"{folder / machine}"
        msg = f"No saved run is called so in {where}; there are: {names}. Received: {name!r}"
        raise ConfigurationError(msg)
    return series.series(folder, machine or known[-1], name)


def _position(paths: Sequence[Path], reference: str) -> int:
    """Position of the latest run of a name, or of the run of a number."""
    for position in range(len(paths) - 1, -1, -1):
        number = paths[position].stem.partition("_")[0]
        same = int(number) == int(reference) if reference.isdigit() else series.name_of(paths[position]) == reference
        if same or paths[position].stem == reference:
            return position
    msg = f"The series in {paths[0].parent} has no run of this name or number. Received: {reference!r}"
    raise ConfigurationError(msg)


COMMANDS = (history_command, accept_command, prune_command)
