"""The command upgrade: a study before and after a change of versions or settings."""

from __future__ import annotations

import functools

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from tlbench.errors import ConfigurationError, EnvironmentFailure, TlbenchError
from tlbench.hosts.answers import Answer, of_comparison
from tlbench.hosts.commands.shared import COULD_NOT_RUN, NOT_MEASURED, SAFE, STATUS, fail_option, findings_between_two
from tlbench.hosts.commands.studies import ending_on_sigterm, study_options
from tlbench.hosts.sides import SideOptions, of_locks, of_requirements
from tlbench.hosts.upgrade import upgrade
from tlbench.machine.flags import FLAGS
from tlbench.machine.installed import BACKENDS
from tlbench.report import comparisons
from tlbench.report.gathering import comparison_record


if TYPE_CHECKING:
    from collections.abc import Callable

    from tlbench.hosts.answers import UpgradeVerdict
    from tlbench.hosts.commands.studies import StudyCommand
    from tlbench.hosts.sides import Sides

_FILE = click.Path(path_type=Path, dir_okay=False)


def _side_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of both sides; the command gets them as `both`, a pair of `SideOptions`."""

    @functools.wraps(command)
    def with_sides(**given: Any) -> None:
        both = tuple(
            SideOptions(*(given.pop(f"{side}_{name}") for name in ("backend", "python", "env", "flag")))
            for side in ("from", "to")
        )
        command(both=both, **given)

    decorated: Callable[..., None] = with_sides
    for side, age in (("to", "newer"), ("from", "older")):
        for option in (
            click.option(
                f"--{side}-flag",
                multiple=True,
                type=click.Choice(list(FLAGS)),
                help=f"Precision or determinism of the {age} side.",
            ),
            click.option(
                f"--{side}-env", multiple=True, metavar="NAME=VALUE", help=f"Environment variable of the {age} side."
            ),
            click.option(f"--{side}-python", metavar="VERSION", help=f"Python of the {age} side, for instance 3.12."),
            click.option(f"--{side}-backend", type=click.Choice(BACKENDS), help=f"Keras' backend of the {age} side."),
        ):
            decorated = option(decorated)
    return decorated


@click.command("upgrade")
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.option("--from", "old_lock", type=_FILE, help="Lock file of the older side, in place of OLD.")
@click.option("--to", "new_lock", type=_FILE, help="Lock file of the newer side, in place of NEW.")
@study_options
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    help="Keras' backend of both sides (default: the first of these that both sides name, else the one here).",
)
@_side_options
@fail_option
@click.option("--format", "style", type=click.Choice(("simple", "github")), default="simple", help="Of the tables.")
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the page, upgrade.json and comment.md to this folder.",
)
@click.pass_context
def upgrade_command(
    ctx: click.Context,
    old: str | None,
    new: str | None,
    old_lock: Path | None,
    new_lock: Path | None,
    study: StudyCommand,
    backend: str | None,
    both: tuple[SideOptions, SideOptions],
    fail: str,
    style: Literal["simple", "github"],
    folder: Path | None,
) -> None:
    """Run the study under OLD and under NEW requirements, and compare.

    Each is a set of requirements in quotes, for instance "keras==3.12.4" or "tensorflow==2.19.1 keras==3.10". With
    --from and --to, each is a uv.lock, requirements.txt, poetry.lock, pylock.toml or environment.yml; versions of all
    packages that can move a score or a time are taken from it. Two environments are made with uv; finished trials are
    kept, so that an interrupted upgrade goes on where it was.

    Exit status: 0 where it is safe or nothing that matters differs, 1 where something has regressed, 2 where one side
    could not be installed or run, or where it was interrupted, 3 where both sides are the same measurements.
    """
    fail_on = findings_between_two(fail)
    names, file = (str(old_lock or old), str(new_lock or new)), str(new_lock or "")
    try:
        if old_lock is not None and new_lock is not None:
            # Without OLD and NEW, the first words are arguments of pytest.
            suite = study.suite(*filter(None, (old, new)))
            sides = of_locks(old_lock, new_lock, study.extra, backend, both)
        elif old is not None and new is not None and old_lock is new_lock is None:
            suite = study.suite()
            sides = of_requirements(old, new, study.extra, backend, both)
        else:
            received = _given(OLD=old, NEW=new, **{"--from": old_lock, "--to": new_lock})
            msg = f"Name both sides, as OLD and NEW or with --from and --to. Received: {received}"
            raise ConfigurationError(msg)
        names = sides.names
        if not sides.changed or sides.old is None or sides.new is None:
            ctx.exit(_without_a_run(sides, file, folder))
        with ending_on_sigterm():
            upgraded = upgrade(sides.old, sides.new, suite)
    except TlbenchError as error:
        if folder is not None:
            Answer("could-not-run", *names, output=str(error), file=file).write(folder)
        if not isinstance(error, EnvironmentFailure):
            raise
        click.echo(f"could not run: {error}")
        ctx.exit(COULD_NOT_RUN)
    record = comparison_record(upgraded.comparison, fail_on)
    click.echo("\n\n".join([comparisons.describe(record, style), *sides.not_compared, *sides.notes]))
    if folder is not None:
        of_comparison(record, names, file, *sides.not_compared, *sides.notes).write(folder, upgraded.report)
    ctx.exit(STATUS[record.outcome])


def _given(**values: object) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None) or "nothing"


def _without_a_run(sides: Sides, file: str, folder: Path | None) -> int:
    """Tell of sides that have nothing to be measured apart; returns the exit status."""
    verdict: UpgradeVerdict = "not-measured" if sides.not_compared else "unchanged"
    told = f"Nothing that can move a score or a time differs, so nothing was run: {sides.names[1]}"
    reasons = (sides.not_compared or (told,)) + sides.notes
    for reason in reasons:
        click.echo(reason)
    if folder is not None:
        Answer(verdict, *sides.names, reasons, file=file).write(folder)
    return NOT_MEASURED if sides.not_compared else SAFE


COMMANDS = (upgrade_command,)
