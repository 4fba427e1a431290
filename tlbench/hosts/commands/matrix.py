"""The commands matrix and agree: a study in several settings, or under several backends, and its claims over all."""

from __future__ import annotations

import itertools
import shlex

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tabulate import tabulate

from tlbench.errors import ConfigurationError
from tlbench.hosts.commands.shared import COULD_NOT_RUN, REGRESSED, SAFE, like
from tlbench.hosts.commands.studies import ending_on_sigterm
from tlbench.hosts.matrix import cells, costs, measure, under
from tlbench.hosts.upgrade import Suite
from tlbench.judge.agreement import agreement
from tlbench.judge.generality import generality
from tlbench.machine.installed import BACKENDS
from tlbench.report import agreements
from tlbench.report import generality as reports
from tlbench.report.plans import duration
from tlbench.run.option_list import AXES


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tlbench.hosts.matrix import Cost

_FOLDER = click.Path(path_type=Path, file_okay=False)


_store = like(
    "--tlbench-store",
    ("--tlbench-store", "store"),
    type=_FOLDER,
    default=Path(".tlbench"),
    help="Folder of results, saved runs and environments, which all share.",
)


def _axes(command: Callable[..., None]) -> Callable[..., None]:
    for name in reversed(AXES):
        command = like(name, name, multiple=True, default=None, show_default=False)(command)
    return command


@click.command("matrix", context_settings={"ignore_unknown_options": True})
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGUMENTS]")
@_axes
@click.option(
    "--cell",
    "further",
    multiple=True,
    metavar="[NAME:] OPTIONS",
    help='A cell that is not on the grid: "pocket: --tlbench-profile pocket --tlbench-data photographs.zip".',
)
@click.option("--plan", is_flag=True, help="Show the trials of each cell, stored, shared and to train; train nothing.")
@_store
@like(
    "--tlbench-report",
    ("--tlbench-report", "folder"),
    type=_FOLDER,
    help="Folder of matrix.html and the cells' own reports (default: matrix in the store).",
)
@click.pass_context
def matrix_command(
    ctx: click.Context,
    /,
    pytest_arguments: tuple[str, ...],
    further: tuple[str, ...],
    plan: bool,
    store: Path,
    folder: Path | None,
    **axes: tuple[str, ...],
) -> None:
    """Run the study in each cell of a matrix, and combine the verdicts.

    An option of a profile, network, data set, source or split that is given more than once is an axis, and each
    combination of values is a cell; any other option is shared. --tlbench-data miniature names the drawn images. Each
    cell is a session of pytest in a process of its own. Cells share the store: a trial that several need is trained
    once, and an interrupted matrix goes on where it was.

    Exit status: 0 where all cells ran, whatever their verdicts, 2 where a cell could not be run.
    """
    every = cells({name: axes[name.removeprefix("--").replace("-", "_")] for name in AXES}, further)
    folder = (folder or store / "matrix").resolve()
    suite = Suite(pytest_arguments, store, lambda line: click.echo(line, err=True))
    with ending_on_sigterm():
        if plan:
            click.echo(_told(costs(every, suite, folder / "cells")))
            ctx.exit(SAFE)
        found = generality(measure(every, suite, folder / "cells"))
    reports.write(found, folder)
    click.echo(reports.describe(found))
    click.echo(f"\nThe matrix is {folder / reports.PAGE}")
    ctx.exit(COULD_NOT_RUN if any(cell.problem for cell in found.cells) else SAFE)


def _told(every: Sequence[Cost]) -> str:
    """The trials and the time of each cell, and of all."""
    headings = ("cell", "claims", "trials", "stored", "shared", "to train", "time")
    rows = [
        (cost.title, len(cost.claims), cost.trials, cost.stored, cost.shared, cost.to_train, _time(cost))
        for cost in every
    ]
    to_train, unknown = (sum(getattr(cost, name) for cost in every) for name in ("to_train", "unknown"))
    seconds = sum(cost.seconds or 0.0 for cost in every)
    total = f"{to_train} trials to train in {len(every)} cells"
    total += f", about {duration(seconds)}" if to_train > unknown else ""
    total += f", and {unknown} of them of a kind never timed" if unknown else ""
    parts = [f"{tabulate(rows, headings)}\n{total}."]
    counts = Counter(name for cost in every for name in cost.claims)
    if partial := [f"{name}: {count} of {len(every)} cells" for name, count in counts.items() if count < len(every)]:
        parts.append("\n".join(["Claims that some images do not serve:", *partial]))
    return "\n\n".join(parts)


def _time(cost: Cost) -> str:
    if cost.seconds is None:
        return "unknown"
    return duration(cost.seconds) + (f" and {cost.unknown} unknown" if cost.unknown else "")


@click.command("agree", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="BACKEND BACKEND... [PYTEST ARGUMENTS]")
@_store
@like(
    "--tlbench-report",
    ("--tlbench-report", "folder"),
    type=_FOLDER,
    help="Folder of agreement.md, agreement.json and the backends' own reports (default: agreement in the store).",
)
@click.pass_context
def agree_command(ctx: click.Context, arguments: tuple[str, ...], store: Path, folder: Path | None) -> None:
    """Run the study under each BACKEND, and compare the verdicts.

    A BACKEND is tensorflow, jax or torch; all that follows them goes to pytest. A backend that is not installed here
    runs in an environment of its own, which is made with uv.

    Exit status: 0 where no verdict has changed, 1 where one has, 2 where a backend could not be run.
    """
    names = tuple(dict.fromkeys(itertools.takewhile(BACKENDS.__contains__, arguments)))
    if len(names) < 2:
        msg = f"Name two or more of {', '.join(BACKENDS)} first. Received: {shlex.join(arguments)!r}"
        raise ConfigurationError(msg)
    rest = tuple(itertools.dropwhile(BACKENDS.__contains__, arguments))
    folder = (folder or store / "agreement").resolve()
    suite = Suite(rest, store, lambda line: click.echo(line, err=True))
    with ending_on_sigterm():
        found = agreement([under(name, suite, folder / "backends") for name in names])
    agreements.write(found, folder)
    click.echo(agreements.describe(found))
    ctx.exit(COULD_NOT_RUN if any(found.problems) else REGRESSED if found.changed else SAFE)


COMMANDS = (matrix_command, agree_command)
