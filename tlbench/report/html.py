"""A report as one page of HTML that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench.report.names import file_name


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tlbench.report.content import Report
    from tlbench.report.drawing import Picture
    from tlbench.report.figures import Drawn


def page(report: Report, figures: Sequence[Drawn], pictures: Mapping[str, Picture]) -> str:
    """The whole report.

    Args:
        report: What it says.
        figures: All of its figures, in order.
        pictures: What they look like, by name.
    """
    return "".join(f"<!-- {file_name(figure.name)} -->" for figure in figures) + "<!doctype html>"
