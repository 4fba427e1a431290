"""Puts the reports of runs into the README and beside it, so that nothing of them is written by hand.

    python -m benchmarks.readme RUN/results.json docs/real-images

The README marks a part for each folder, and says there what the part shows: all figures, tables or verdicts, or a
table or a figure by the name of its file.

    <!-- report: begin docs/real-images figures tables verdicts -->
    <!-- report: begin docs/pocket all-claims table-1 -->
"""

from __future__ import annotations

import re

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlbench.report import content, escaping, files, formats, markdown
from tlbench.report.gallery import all_figures
from tlbench.report.names import file_name


if TYPE_CHECKING:
    from collections.abc import Callable

    from tlbench.report.figures import Drawn
    from tlbench.report.tables import FilledTable


README = Path(__file__).resolve().parents[1] / "README.md"

PART = re.compile(
    r"<!-- report: begin (?P<folder>\S+)(?P<shown>[a-z0-9 -]*?) -->\n.*?<!-- report: end -->\n", re.DOTALL
)


@dataclass(frozen=True)
class Part:
    """A part of the README.

    Attributes:
        folder: Folder of the report's files, relative to the README.
        shown: Names of the things that the part shows, in order: keys of `SHOWN`, and names of the files of tables and
            figures.
    """

    folder: str
    shown: tuple[str, ...]

    def text(self, report: content.Report) -> str:
        """The part with its marks, as Markdown.

        Args:
            report: Report of the run.

        Raises:
            click.ClickException: The mark names a thing that no report has.
        """
        known = SHOWN | {
            **{file_name(table.name): partial(_table, table) for table in report.tables},
            **{file_name(drawn.name): partial(_figure, drawn) for drawn in all_figures(report)},
        }
        if unknown := set(self.shown) - known.keys():
            msg = f"A part of the README shows {', '.join(known)}. Received: {', '.join(sorted(unknown))}"
            raise click.ClickException(msg)
        content_ = "\n\n".join(known[name](report, self.folder) for name in self.shown)
        return f"<!-- report: begin {' '.join((self.folder, *self.shown))} -->\n\n{content_}\n\n<!-- report: end -->\n"


def _figure(drawn: Drawn, _report: content.Report, folder: str) -> str:
    return markdown.figure(drawn, f"{folder}/")


def _figures(report: content.Report, folder: str) -> str:
    return "\n\n".join(_figure(drawn, report, folder) for drawn in all_figures(report))


def _table(table: FilledTable, _report: content.Report, _folder: str) -> str:
    """A table without every seed, and its notes."""
    grid = markdown.grid(*formats.grid(table, every_seed=False))
    return "\n\n".join([f"**{table.name}: {table.title}**", grid, *map(escaping.markdown, formats.notes(table))])


def _tables(report: content.Report, _folder: str) -> str:
    return "\n\n".join(f"**{table.name}: {table.title}**\n\n{markdown.table(table)}" for table in report.tables)


def _verdicts(report: content.Report, _folder: str) -> str:
    return f"**Verdicts**\n\n{markdown.claims(report.claims)}"


SHOWN: dict[str, Callable[[content.Report, str], str]] = {
    "figures": _figures,
    "tables": _tables,
    "verdicts": _verdicts,
}


def parts(text: str) -> list[Part]:
    """The marked parts of a README, in order."""
    return [Part(found["folder"], tuple(found["shown"].split())) for found in PART.finditer(text)]


def replaced(text: str, report: content.Report, folder: str) -> str:
    """A README whose part of a folder shows another report.

    Args:
        text: The README.
        report: Report of the run.
        folder: Folder of its files, relative to the README.

    Raises:
        click.ClickException: The README has no part of that folder.
    """
    if folder not in (known := [part.folder for part in parts(text)]):
        msg = f"The README has no part for that folder; its parts: {', '.join(known) or 'none'}. Received: {folder}"
        raise click.ClickException(msg)

    def new(found: re.Match[str]) -> str:
        part = Part(found["folder"], tuple(found["shown"].split()))
        return part.text(report) if part.folder == folder else found[0]

    return PART.sub(new, text)


@click.command(help=__doc__)
@click.argument("results", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(results: Path, folder: Path) -> None:
    """Write a report to its folder, and its part of the README."""
    report = content.load(results)
    relative = folder.resolve().relative_to(README.parent).as_posix()
    text = replaced(README.read_text(encoding="utf-8"), report, relative)
    files.write(report, folder)
    README.write_text(text, encoding="utf-8")
    click.echo(f"Written: {folder} and {README}")


if __name__ == "__main__":
    main()
