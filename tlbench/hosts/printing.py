"""Prints a run with pytest's terminal reporter."""

from __future__ import annotations

import contextlib

from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError, SinkError, StoreError


if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tlbench.report.content import Report
    from tlbench.run.run import Run

COLOURS = {"supported": {"green": True}, "refuted": {"red": True}, "inconclusive": {"yellow": True}}


def progress_line(config: pytest.Config, *, silent: bool) -> Callable[[str, bool], None]:
    """Make a function that shows lines of progress.

    Args:
        config: Configuration of the session.
        silent: Whether no line is shown, as in a process of pytest-xdist.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or silent or config.get_verbosity() < 0:
        return lambda _line, _passing: None

    from tlbench.report import terminal

    capture = config.pluginmanager.get_plugin("capturemanager")

    def tell(line: str, passing: bool) -> None:
        # Fixtures run while their output is captured, which these lines are no part of.
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            if not passing:
                reporter.ensure_newline()
                reporter.write_line(f"  {line}")
            elif reporter.isatty:
                # A line that is too long would be broken, and the next line could not replace it.
                reporter.rewrite(terminal.cut_to_width(f"  {line}", reporter._tw.fullwidth - 1), erase=True)  # noqa: SLF001

    return tell


def print_plan(reporter: pytest.TerminalReporter, run: Run) -> None:
    """Print the plan of a run, and its forecast."""
    from tlbench.declare.evaluations import evaluations_of, trials_of
    from tlbench.report.plans import describe, describe_evaluations, describe_forecast

    reporter.section("tlbench plan")
    if not run.trials:
        reporter.write_line("No test that was collected declares a claim, a table or a figure.")
        return
    missing = run.missing
    forecast = run.forecast(missing)
    reporter.write_line(
        describe(run.trials, run.labels.of_trials, lambda trial: trial not in missing, run.assembly.graph, forecast)
    )
    if evaluations := evaluations_of(run.planned):
        reporter.write_line("")
        reporter.write_line(describe_evaluations(evaluations, run.trials, lambda each: each not in missing))
    for work in missing:
        if reason := run.assembly.store.damage(work):
            reporter.write_line(f"Damaged, and to be computed again: {work.digest[:12]} ({reason})")
    if trials := trials_of(missing):
        reporter.write_line(describe_forecast(forecast, run.assembly.peak_memory(trials)))


def print_outcome(reporter: pytest.TerminalReporter, run: Run) -> None:
    """Print the time that training took, beside its forecast."""
    from tlbench.report.plans import describe_outcome

    if run.trained is not None:
        seconds, trials = run.trained
        reporter.write_line(describe_outcome(seconds, run.forecast(trials)))


def print_report(reporter: pytest.TerminalReporter, report: Report) -> None:
    """Print tables, figures, verdicts and notes."""
    from tlbench.report import formats, terminal

    width = reporter._tw.fullwidth  # noqa: SLF001 - pytest shows no other way to what it measures.
    # A section does not end the line of dots before it, and the first line written would stand in its place.
    reporter.ensure_newline()
    for filled in report.tables:
        reporter.section(terminal.wrapped(f"{filled.name}: {filled.title}", width - 10).partition("\n")[0])
        reporter.write_line(terminal.table(filled, width))
    if report.tables:
        reporter.write_line(terminal.wrapped(f"({formats.ABOUT_TABLES})", width))
    for drawn in report.figures:
        reporter.section(terminal.wrapped(f"{drawn.name}: {drawn.title}", width - 10).partition("\n")[0])
        reporter.write_line(terminal.figure(drawn, width))
    reporter.section("tlbench verdicts" if report.claims else "tlbench")
    for record in report.claims:
        reporter.write(f"{record.outcome:{terminal.INDENT}}", **COLOURS[record.outcome])
        reporter.write_line(terminal.claim(record, width))
    for note in report.notes:
        reporter.write_line(terminal.wrapped(f"Note: {note}", width))
    for number, line in enumerate(terminal.slowest(report, width)):
        if not number:
            reporter.write_line("The slowest trials:")
        reporter.write_line(line)


def write_report(reporter: pytest.TerminalReporter, run: Run, report: Report) -> bool:
    """Write the files of a report, and send it to trackers.

    Returns:
        Whether the files were written; a tracker that cannot be reached is a warning only.
    """
    from tlbench.report import files, sinks
    from tlbench.run.assembly import near
    from tlbench.store.folders import keep_report

    problem: ConfigurationError | StoreError | None = None
    try:
        keep_report(run.assembly.store.folder, report.text())
    except StoreError as error:
        problem = error
    try:
        files.write(report, run.options.report)
        reporter.write_line(f"The report is {near(run.options.report / files.PAGE)}")
    except ConfigurationError as error:
        problem = error
    if problem is not None:
        reporter.write_line(str(problem), red=True)
    folder = run.options.tensorboard
    try:
        for line in sinks.send(report, {"mlflow": run.options.mlflow, "tensorboard": str(folder) if folder else None}):
            reporter.write_line(line)
    except SinkError as error:
        reporter.write_line(f"Warning: {error}", yellow=True)
    return problem is None
