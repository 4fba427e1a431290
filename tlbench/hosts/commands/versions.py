"""Commands on versions: fingerprint and bisect."""

from __future__ import annotations

import json

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlbench.errors import ConfigurationError, EnvironmentFailure
from tlbench.hosts.commands.shared import COULD_NOT_RUN, REGRESSED, SAFE, backend_option
from tlbench.hosts.commands.studies import ending_on_sigterm, study_options
from tlbench.hosts.isolation import released_versions
from tlbench.hosts.requirements import Requirements
from tlbench.hosts.sides import default_backend
from tlbench.hosts.upgrade import Question, find_first_change
from tlbench.machine import environment
from tlbench.store import fingerprints
from tlbench.train import fingerprint


if TYPE_CHECKING:
    from tlbench.hosts.commands.studies import StudyCommand


@click.command("fingerprint")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file.")
@click.option(
    "--compare",
    "other",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Hold it against that of this file, or of this saved run.",
)
@click.option("--gpu", is_flag=True, help="On a GPU, in bfloat16 too.")
@click.pass_context
def fingerprint_command(ctx: click.Context, save: Path | None, other: Path | None, *, gpu: bool) -> None:
    """Compute what one fixed network does here, in seconds, and name what first differs from another's.

    Exit status: 0, or 1 where it differs.
    """
    expected = fingerprints.read_file(other) if other else None
    taken = fingerprint.take(environment.current(gpu=gpu))
    if save:
        save.write_text(json.dumps(taken.content(), allow_nan=False) + "\n", encoding="utf-8")
    click.echo(f"{taken.environment}: {len(taken.quantities)} quantities")
    for name, difference in taken.reported.items():
        click.echo(f"reported {name}: {difference:+.1e} beside tlbench's own")
    if expected is not None:
        agreement = fingerprints.compare(expected, taken)
        click.echo(f"{expected.environment} -> here: {agreement}")
        ctx.exit(SAFE if agreement.same else REGRESSED)


@click.command("bisect")
@click.argument("package")
@click.argument("first")
@click.argument("last")
@study_options
@backend_option
@click.option("--claim", metavar="NAME", help="Find where the verdict on this claim changes.")
@click.option(
    "--metric",
    type=click.Choice(("accuracy", "speed", "fingerprint")),
    help="Find where an arm moves (accuracy), steps take longer (speed) or numerics differ (fingerprint, no training).",
)
@click.option("--versions", metavar="A,B,...", help="Which versions, oldest first, instead of all released ones.")
@click.option("--ratio", default=1.2, show_default=True, help="How many times as long, with --metric speed.")
@click.pass_context
def bisect_command(
    ctx: click.Context,
    package: str,
    first: str,
    last: str,
    study: StudyCommand,
    backend: str | None,
    claim: str | None,
    metric: str | None,
    versions: str | None,
    ratio: float,
) -> None:
    """Find the first version of PACKAGE, between FIRST and LAST, where a claim or a metric is another than at FIRST.

    Runs stay in the store, so that no version is run twice.

    Exit status: 0 where nothing changes, 1 where the version was found, 2 where the ends could not be run, or where it
    was interrupted.
    """
    if (claim is None) == (metric is None):
        msg = f"Give either --claim or --metric. Received: --claim {claim}, --metric {metric}"
        raise ConfigurationError(msg)
    listed = tuple(versions.split(",")) if versions else released_versions(package, first, last)
    question = Question(claim, metric, ratio)
    chosen = backend or default_backend([package])

    def requirements(version: str) -> Requirements:
        return Requirements((f"{package}=={version}",), chosen, study.extra)

    try:
        with ending_on_sigterm():
            found = find_first_change(listed, requirements, study.suite(), question)
    except EnvironmentFailure as failure:
        click.echo(f"could not run: {failure}")
        ctx.exit(COULD_NOT_RUN)
    if found is None:
        click.echo(f"{question} is at {package} {listed[-1]} as it is at {listed[0]}.")
        ctx.exit(SAFE)
    click.echo(f"{question} changes in {package} {found.first_changed}; {found.last_same} is the last as {listed[0]}.")
    if found.untested:
        click.echo(f"Could not be run, in between: {', '.join(found.untested)}.")
    click.echo(f"{found.tested} of {len(listed)} versions were run. What changes: {found.difference}")
    ctx.exit(REGRESSED)


COMMANDS = (fingerprint_command, bisect_command)
