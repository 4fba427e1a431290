"""Tables as LaTeX, for a paper; they need the package booktabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from tlbench.report import formats
from tlbench.report.escaping import latex as escaped
from tlbench.report.escaping import one_line
from tlbench.report.names import file_name


if TYPE_CHECKING:
    from tlbench.report.tables import FilledTable


def table(filled: FilledTable, data: str) -> str:
    """A table as a float, with its caption and a label, without every seed.

    Args:
        filled: The table.
        data: What the caption says of the images.
    """
    headings, rows = formats.grid(filled, every_seed=False)
    body = tabulate(
        [[one_line(cell) for cell in row] for row in rows],
        [one_line(heading) for heading in headings],
        tablefmt="latex_booktabs",  # Which escapes what stands in its cells.
        disable_numparse=True,
        stralign="left",
    )
    caption = escaped(" ".join([f"{filled.title}.", *formats.notes(filled), data, formats.ABOUT_TABLES]))
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_signs(caption)}}}",
            rf"\label{{tab:{file_name(filled.name)}}}",
            _signs(body),
            r"\end{table}",
            "",
        ]
    )


def _signs(text: str) -> str:
    # Not every font and encoding has it.
    return text.replace("±", r"$\pm$")
