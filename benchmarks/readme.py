"""Puts the report of a run into the README and beside it, so that nothing of it is written by hand.

python -m benchmarks.readme RUN/results.json docs/real-images
"""

from __future__ import annotations

import os
import re

from pathlib import Path

import click

from tlbench.report import content, files, markdown
from tlbench.report.gallery import all_figures, caption
from tlbench.report.names import file_name


README = Path(__file__).resolve().parents[1] / "README.md"

BEGIN, END = "<!-- report: begin (python -m benchmarks.readme) -->", "<!-- report: end -->"


def section(report: content.Report, folder: str) -> str:
    """Figures, tables and verdicts of a report, as Markdown.

    Args:
        report: Report of the run.
        folder: Folder of its files, relative to the README.
    """
    parts = []
    for drawn in all_figures(report):
        title = f"{drawn.name}: {drawn.title}"
        parts.append(f"**{title}**\n\n![{title}]({folder}/{file_name(drawn.name)}.png)\n\n{caption(drawn, report)}")
    parts += [f"**{table.name}: {table.title}**\n\n{markdown.table(table)}" for table in report.tables]
    parts.append(f"**Verdicts**\n\n{markdown.claims(report.claims)}")
    return "\n\n".join(parts)


def replaced(text: str, new: str) -> str:
    """A README whose marked part is another.

    Args:
        text: The README.
        new: What stands between the marks.

    Raises:
        click.ClickException: It has no marks.
    """
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        msg = f"The README has no part between {BEGIN!r} and {END!r}."
        raise click.ClickException(msg)
    return pattern.sub(lambda _match: f"{BEGIN}\n\n{new}\n\n{END}", text)


@click.command()
@click.argument("results", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(results: Path, folder: Path) -> None:
    """Write the report RESULTS to FOLDER, and what of it a reader sees first into the README."""
    report = content.load(results)
    files.write(report, folder)
    relative = Path(os.path.relpath(folder, README.parent)).as_posix()
    README.write_text(replaced(README.read_text(encoding="utf-8"), section(report, relative)), encoding="utf-8")
    click.echo(f"Written: {folder} and {README}")


if __name__ == "__main__":
    main()
