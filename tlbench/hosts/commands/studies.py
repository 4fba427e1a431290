"""Options of commands that run a study in isolated environments, and their end."""

from __future__ import annotations

import contextlib
import functools
import signal
import threading

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlbench.hosts.commands.shared import COULD_NOT_RUN, like, store_option
from tlbench.hosts.upgrade import Suite


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def ending_on_sigterm() -> Iterator[None]:
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


@dataclass(frozen=True)
class StudyCommand:
    """The study of a command line.

    Attributes:
        pytest_arguments: Files and options of pytest.
        expression: Expression that chooses tests, as pytest's `-k`; None for all tests.
        profile: Name of the profile; None for pytest's own choice.
        seeds: Number of seeds; None for the profile's.
        store: Folder of results, saved runs and environments.
        fresh: Whether to train all trials again.
        extra: Requirements that are installed on every side as well.
    """

    pytest_arguments: tuple[str, ...]
    expression: str | None
    profile: str | None
    seeds: int | None
    store: Path
    fresh: bool
    extra: tuple[str, ...]

    def suite(self, *further: str) -> Suite:
        """The study as pytest runs it; a folder `benchmarks` is the default of its files.

        Args:
            further: Further files and options of pytest.
        """
        arguments = [*further, *self.pytest_arguments]
        if not arguments and Path("benchmarks").is_dir():
            arguments = ["benchmarks"]
        chosen = (("-k", self.expression), ("--tlbench-profile", self.profile), ("--tlbench-seeds", self.seeds))
        for option, value in chosen:
            if value is not None:
                arguments += [option, str(value)]
        arguments += ["--tlbench-fresh"] if self.fresh else []
        return Suite(tuple(arguments), self.store, lambda line: click.echo(line, err=True))


def study_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command that runs a study; the command gets them as a `StudyCommand`."""

    @functools.wraps(command)
    def with_study(
        *,
        pytest_arguments: tuple[str, ...],
        expression: str | None,
        profile: str | None,
        seeds: int | None,
        store: Path,
        fresh: bool,
        extra: tuple[str, ...],
        **others: Any,
    ) -> None:
        command(study=StudyCommand(pytest_arguments, expression, profile, seeds, store, fresh, extra), **others)

    decorated: Callable[..., None] = with_study
    for option in reversed(
        (
            click.option("-k", "expression", metavar="EXPRESSION", help="Which tests, as pytest's -k."),
            like("--tlbench-profile"),
            like("--tlbench-seeds", type=click.IntRange(min=1)),
            like("--tlbench-fresh"),
            click.option(
                "--with", "extra", multiple=True, metavar="REQUIREMENT", help="Also installed, on every side."
            ),
            store_option,
            click.argument("pytest_arguments", nargs=-1, metavar="[-- PYTEST ARGUMENTS]"),
        )
    ):
        decorated = option(decorated)
    return decorated
