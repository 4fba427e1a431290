"""Commands on versions: fingerprint, upgrade and bisect."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import threading

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from tlbench.errors import ConfigurationError, EnvironmentFailure
from tlbench.hosts.commands.shared import (
    COULD_NOT_RUN,
    REGRESSED,
    SAFE,
    STATUS,
    backend_option,
    fail_option,
    findings_between_two,
    like,
    store_option,
)
from tlbench.hosts.isolation import Requirements, released_versions
from tlbench.hosts.upgrade import Question, Suite, find_first_change, upgrade
from tlbench.machine import environment
from tlbench.report import comparisons
from tlbench.report.gathering import comparison_record
from tlbench.store import fingerprints
from tlbench.train import fingerprint


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


@contextlib.contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end a study as Ctrl-C does, with all processes that it has started, and exit status 2."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    # Python lets its main thread alone choose what a signal does.
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, interrupt) if in_main else None
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Interrupted; finished trials are kept, and the same command goes on from there.", err=True)
        raise click.exceptions.Exit(COULD_NOT_RUN) from None
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _suite_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command that runs a study; the command gets them as a suite."""

    @functools.wraps(command)
    def with_suite(
        *,
        pytest_arguments: tuple[str, ...],
        expression: str | None,
        profile: str | None,
        seeds: int | None,
        store: Path,
        fresh: bool,
        **others: Any,
    ) -> None:
        arguments = list(pytest_arguments)
        if not arguments and Path("benchmarks").is_dir():
            arguments = ["benchmarks"]
        for option, value in (("-k", expression), ("--tlbench-profile", profile), ("--tlbench-seeds", seeds)):
            if value is not None:
                arguments += [option, str(value)]
        arguments += ["--tlbench-fresh"] if fresh else []
        command(suite=Suite(tuple(arguments), store, lambda line: click.echo(line, err=True)), **others)

    decorated: Callable[..., None] = with_suite
    for option in reversed(
        (
            click.option("-k", "expression", metavar="EXPRESSION", help="Which tests, as pytest's -k."),
            like("--tlbench-profile"),
            like("--tlbench-seeds", type=click.IntRange(min=1)),
            like("--tlbench-fresh"),
            click.option(
                "--with", "extra", multiple=True, metavar="REQUIREMENT", help="Also installed, on every side."
            ),
            backend_option,
            store_option,
            click.argument("pytest_arguments", nargs=-1, metavar="[-- PYTEST ARGUMENTS]"),
        )
    ):
        decorated = option(decorated)
    return decorated


@click.command("upgrade")
@click.argument("old")
@click.argument("new")
@_suite_options
@fail_option
@click.option("--format", "style", type=click.Choice(("simple", "github")), default="simple", help="Of the tables.")
@click.pass_context
def upgrade_command(
    ctx: click.Context,
    old: str,
    new: str,
    suite: Suite,
    extra: tuple[str, ...],
    backend: str,
    fail: str,
    style: Literal["simple", "github"],
) -> None:
    """Run the study under OLD and under NEW requirements, and compare.

    Each is a set of requirements in quotes, for instance "keras==3.12.4" or "tensorflow==2.19.1 keras==3.10". Two
    environments are made with uv; finished trials are kept, so that an interrupted upgrade goes on where it was.

    Exit status: 0 where it is safe, 1 where something has regressed, 2 where one side could not be installed or run, or
    where it was interrupted, 3 where both sides are the same measurements.
    """
    fail_on = findings_between_two(fail)
    sides = Requirements.parse(old, backend, extra), Requirements.parse(new, backend, extra)
    try:
        with _ending_on_sigterm():
            comparison = upgrade(*sides, suite)
    except EnvironmentFailure as failure:
        click.echo(f"could not run: {failure}")
        ctx.exit(COULD_NOT_RUN)
    click.echo(comparisons.describe(comparison_record(comparison, fail_on), style))
    ctx.exit(STATUS[comparison.outcome(fail_on)])


@click.command("bisect")
@click.argument("package")
@click.argument("first")
@click.argument("last")
@_suite_options
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
    suite: Suite,
    extra: tuple[str, ...],
    backend: str,
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

    def requirements(version: str) -> Requirements:
        return Requirements((f"{package}=={version}",), backend, extra)

    try:
        with _ending_on_sigterm():
            found = find_first_change(listed, requirements, suite, question)
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


COMMANDS = (fingerprint_command, upgrade_command, bisect_command)
