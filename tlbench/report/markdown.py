"""A report as Markdown, for a job summary or a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from tlbench.report import comparisons, formats
from tlbench.report.escaping import markdown as escaped
from tlbench.report.names import file_name


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tlbench.report.content import Report
    from tlbench.report.figures import Drawn
    from tlbench.report.records import ClaimRecord
    from tlbench.report.tables import FilledTable


def page(report: Report, figures: Iterable[Drawn]) -> str:
    """The whole report.

    Args:
        report: The report.
        figures: All of its figures, each of which lies beside the page as a PNG.
    """
    facts = [f"- {escaped(name)}: {escaped(value)}" for name, value in report.header.items()]
    facts += [f"- commit: {report.commit}"] if report.commit else []
    parts = ["# Report", "\n".join(facts), escaped(report.data), *map(escaped, report.notes)]
    if report.claims:
        parts.append(f"## Verdicts\n\n{claims(report.claims)}")
    parts += [f"## {escaped(f'{filled.name}: {filled.title}')}\n\n{table(filled)}" for filled in report.tables]
    if report.tables:
        parts.append(formats.ABOUT_TABLES)
    for drawn in figures:
        parts.append(f"## {escaped(drawn.name)}\n\n{figure(drawn)}")
    if report.comparison:
        parts.append(f"## Comparison\n\n{comparisons.describe(report.comparison, 'github')}")
    return "\n\n".join(parts) + "\n"


def figure(drawn: Drawn, folder: str = "") -> str:
    """The picture of a figure, which has its title and its data in it, and the meaning of its marks.

    Args:
        drawn: With its values.
        folder: Folder of the picture, relative to the page, with a slash at its end.
    """
    title = escaped(f"{drawn.name}: {drawn.title}")
    return f"![{title}]({folder}{file_name(drawn.name)}.png)\n\n{escaped(drawn.caption)}"


def table(filled: FilledTable) -> str:
    """A table and its notes."""
    body = grid(*formats.grid(filled, every_seed=True))
    return "\n\n".join([body, *map(escaped, formats.notes(filled))])


def claims(records: Iterable[ClaimRecord]) -> str:
    """Verdicts as a table."""
    records = tuple(records)
    beside = formats.metrics_beside(records)
    headings = (
        "claim", "verdict", "difference", "interval", "must exceed", "p", *(f"on {metric.name}" for metric in beside),
    )  # fmt: skip
    rows = [
        (
            record.name,
            record.outcome,
            formats.with_unit(record.effect, record.unit),
            *formats.interval(record.low, record.high, record.threshold, record.unit),
            formats.p_value(record.adjusted_p, record.level),
            *(record.also[metric.key].outcome if metric.key in record.also else "" for metric in beside),
        )
        for record in records
    ]
    return f"{grid(headings, rows)}\n\n{formats.ABOUT_CLAIMS}"


def grid(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of GitHub's Markdown, whatever stands in its cells."""
    return tabulate(
        [[escaped(cell) for cell in row] for row in rows],
        [escaped(heading) for heading in headings],
        tablefmt="github",
        disable_numparse=True,
        stralign="left",
    )
