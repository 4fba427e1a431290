"""Writes a report: a page, tables, figures, and all of it as JSON."""

from __future__ import annotations

import io

from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError
from tlbench.report import comparisons, html, latex, markdown, pictures
from tlbench.report.escaping import one_line
from tlbench.report.gallery import all_figures
from tlbench.report.names import file_name
from tlbench.store.folders import LAST_REPORT
from tlbench.store.publishing import publish


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Any

    from tlbench.report.content import Report

PAGE = "report.html"
RESULTS = "results.json"


def write(report: Report, folder: Path) -> None:
    """Write `report.html`, `report.md`, `results.json`, and files for each table and figure.

    Args:
        report: What it says.
        folder: Made if it isn't there; older files of the same names are replaced.

    Raises:
        ConfigurationError: It cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # First, so that the rest can be made again from it, whatever becomes of it.
        publish(folder / RESULTS, report.text())
        for table in report.tables:
            name = file_name(table.name)
            _write(folder / f"{name}.md", markdown.table(table) + "\n")
            _write(folder / f"{name}.tex", latex.table(table, report.data))
            _write(folder / f"{name}.csv", as_csv(table.records()))
        figures = all_figures(report)
        drawn = pictures.write(figures, folder, report.data)
        for figure in figures:
            name = file_name(figure.name)
            _write(folder / f"{name}.csv", as_csv(figure.records()))
        _write(folder / "report.md", markdown.page(report, figures))
        if report.comparison:
            _write(folder / "comparison.md", f"# Comparison\n\n{comparisons.describe(report.comparison, 'github')}\n")
        _write(folder / PAGE, html.page(report, figures, drawn))
    except OSError as error:
        msg = f"The report cannot be written; choose another folder with --tlbench-report. Received: {error}"
        raise ConfigurationError(msg) from error


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    unfinished.replace(path)


def as_csv(records: Iterable[Mapping[str, Any]]) -> str:
    """Records as CSV, the first one's keys as headings.

    Args:
        records: All of the same keys.
    """
    # Spreadsheets run what starts like a formula; defusedcsv puts an apostrophe before it.
    from defusedcsv import csv

    records = list(records)
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(records[0] if records else ())
    for record in records:
        writer.writerow(one_line(value).strip() if isinstance(value, str) else value for value in record.values())
    return file.getvalue()


def results_of(store: Path) -> Path:
    """The `results.json` of a store's last run; stores of older versions have it in the report's folder only.

    Args:
        store: Folder of the store.
    """
    kept = store / LAST_REPORT
    return kept if kept.is_file() else store / "report" / RESULTS
