"""Commands on stores: report and doctor."""

from __future__ import annotations

from pathlib import Path

import click

from tabulate import tabulate

from tlbench.hosts.commands.shared import REGRESSED, SAFE, like, store_option
from tlbench.report import content, files, sinks
from tlbench.store import doctor


@click.command("report")
@click.argument("results", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the report: report in the store, or that of results.json, unless given.",
)
@like("--tlbench-mlflow")
@like("--tlbench-tensorboard", type=click.Path(file_okay=False))
def report_command(results: Path, folder: Path | None, mlflow: str | None, tensorboard: str | None) -> None:
    """Make a report again, of a store's last run or of a results.json; trains nothing.

    RESULTS is a store, such as .tlbench, or a results.json.
    """
    if results.is_dir():
        folder = folder or results / "report"
        results = files.results_of(results)
    folder = folder or results.parent
    report = content.load(results)
    files.write(report, folder)
    click.echo(f"The report is {folder / files.PAGE}")
    for line in sinks.send(report, {"mlflow": mlflow, "tensorboard": tensorboard}):
        click.echo(line)


@click.command("doctor")
@store_option
@click.option(
    "--repair", is_flag=True, help="Set damaged results aside and remove leftovers; no result is ever deleted."
)
@click.pass_context
def doctor_command(ctx: click.Context, store: Path, *, repair: bool) -> None:
    """Check a whole store: every result of every environment, saved runs, and what interrupted runs have left.

    Exit status: 0 where all is well, 1 where something was found, repaired or not, 2 where it could not look.
    """
    examination = doctor.examine(store, repair=repair)
    if examination.findings:
        rows = [(str(found.path), found.problem, found.outcome) for found in examination.findings]
        click.echo(tabulate(rows, ("where", "what", "done" if repair else "remedy"), disable_numparse=True))
        click.echo()
    click.echo(examination.summary)
    ctx.exit(REGRESSED if examination.findings else SAFE)


COMMANDS = (report_command, doctor_command)
