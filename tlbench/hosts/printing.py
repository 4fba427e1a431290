"""Prints a run with pytest's terminal reporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError, SinkError, StoreError


if TYPE_CHECKING:
    import pytest

    from tlbench.report.content import Report
    from tlbench.report.records import ClaimRecord
    from tlbench.run.run import Run

COLOURS = {"supported": {"green": True}, "refuted": {"red": True}, "inconclusive": {"yellow": True}}


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


def shown(config: pytest.Config, show: frozenset[str] | None) -> frozenset[str]:
    """The parts of a report that the terminal shows beside the answer.

    Args:
        config: Configuration of the session.
        show: Parts that the user asked for; None for all with `-v` and none without.
    """
    from tlbench.report.answer import PARTS

    if show is not None:
        return show
    return frozenset(PARTS) if config.get_verbosity() > 0 else frozenset()


def print_report(reporter: pytest.TerminalReporter, report: Report, show: frozenset[str]) -> None:
    """Print the parts that are asked for, then the answer: a line for each claim, and the next steps.

    Args:
        reporter: pytest's reporter.
        report: Report of the run.
        show: Parts beside the answer.
    """
    from tlbench.report import answer, terminal

    width = reporter._tw.fullwidth  # noqa: SLF001 - pytest shows no other way to what it measures.
    # A section does not end the line of dots before it, and the first line written would stand in its place.
    reporter.ensure_newline()
    _print_parts(reporter, report, show, width)
    reporter.section(f"tlbench: {answer.title(report)}" if report.claims else "tlbench")
    claims = () if "verdicts" in show else answer.in_order(report.claims)
    if claims:
        reporter.write_line(terminal.answer_headings(claims, width))
    for record in claims:
        _print_claim(reporter, record, terminal.answer(record, width))
    for step in answer.next_steps(report):
        reporter.write_line(terminal.wrapped(step, width))
    for note in () if "notes" in show else report.notes:  # In full in the report.
        reporter.write_line(terminal.cut_to_width(f"Note: {note}", width))


def _print_claim(reporter: pytest.TerminalReporter, record: ClaimRecord, text: str) -> None:
    from tlbench.report import terminal

    reporter.write(f"{record.outcome:{terminal.INDENT}}", **COLOURS[record.outcome])
    reporter.write_line(text)


def _print_parts(reporter: pytest.TerminalReporter, report: Report, show: frozenset[str], width: int) -> None:
    from tlbench.report import formats, terminal

    for filled in report.tables if "tables" in show else ():
        reporter.section(terminal.wrapped(f"{filled.name}: {filled.title}", width - 10).partition("\n")[0])
        reporter.write_line(terminal.table(filled, width))
    if report.tables and "tables" in show:
        reporter.write_line(terminal.wrapped(f"({formats.ABOUT_TABLES})", width))
    for drawn in report.figures if "figures" in show else ():
        reporter.section(terminal.wrapped(f"{drawn.name}: {drawn.title}", width - 10).partition("\n")[0])
        reporter.write_line(terminal.figure(drawn, width))
    if report.claims and "verdicts" in show:
        reporter.section("tlbench verdicts")
        for record in report.claims:
            _print_claim(reporter, record, terminal.claim(record, width))
    for note in report.notes if "notes" in show else ():
        reporter.write_line(terminal.wrapped(f"Note: {note}", width))
    for number, line in enumerate(terminal.slowest(report, width) if "trials" in show else ()):
        if not number:
            reporter.write_line("The slowest trials:")
        reporter.write_line(line)


def print_tally(reporter: pytest.TerminalReporter, report: Report) -> None:
    """Print how many claims are supported, in a line, as `-q` asks for."""
    from tlbench.report import answer

    reporter.ensure_newline()
    if report.claims:
        reporter.write_line(f"tlbench: {answer.title(report)}")


def write_report(reporter: pytest.TerminalReporter, run: Run, report: Report, *, silent: bool = False) -> bool:
    """Write the files of a report, and send it to trackers.

    Args:
        reporter: pytest's reporter.
        run: Run of the report.
        report: The report.
        silent: Whether only problems are told.

    Returns:
        Whether the files were written; a tracker that cannot be reached is a warning only.
    """
    from tlbench.report import files, sinks
    from tlbench.report.answer import write_job_summary
    from tlbench.run.assembly import near
    from tlbench.store.folders import keep_report

    problem: ConfigurationError | StoreError | None = None
    try:
        keep_report(run.assembly.store.folder, report.text())
    except StoreError as error:
        problem = error
    page = near(run.options.report / files.PAGE)
    try:
        files.write(report, run.options.report)
        if not silent:
            reporter.write_line(f"The report is {page}")
    except ConfigurationError as error:
        problem = error
    try:
        write_job_summary(report, page)
    except OSError as error:
        reporter.write_line(f"Warning: the job summary cannot be written. Received: {error}", yellow=True)
    if problem is not None:
        reporter.write_line(str(problem), red=True)
    folder = run.options.tensorboard
    try:
        for line in sinks.send(report, {"mlflow": run.options.mlflow, "tensorboard": str(folder) if folder else None}):
            if not silent:
                reporter.write_line(line)
    except SinkError as error:
        reporter.write_line(f"Warning: {error}", yellow=True)
    return problem is None
