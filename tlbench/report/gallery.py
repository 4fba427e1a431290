"""All figures of a report."""

from __future__ import annotations

import itertools

from typing import TYPE_CHECKING

from tlbench.report.figures import Changes, Forest
from tlbench.report.names import file_name


if TYPE_CHECKING:
    from tlbench.report.content import Report
    from tlbench.report.figures import Drawn


def all_figures(report: Report) -> tuple[Drawn, ...]:
    """A report's figures: those that tests declare, one of all claims, and one of a comparison."""
    found: list[Drawn] = list(report.figures)
    taken = {file_name(one.name) for one in (*report.figures, *report.tables)}
    if report.claims:
        found.append(Forest(report.claims, _free("All claims", taken)))
    if report.comparison and report.comparison.trials:
        found.append(Changes(report.comparison, _free("Old and new", taken)))
    return tuple(found)


def _free(name: str, taken: set[str]) -> str:
    """A name whose files are no other's: this one, or with a number that no test has given a figure or a table."""
    numbered = (name if number == 1 else f"{name} {number}" for number in itertools.count(1))
    return next(one for one in numbered if file_name(one) not in taken)
