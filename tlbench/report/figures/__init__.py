"""Figures: declared on arms, filled with values, drawn with matplotlib; a module for each kind.

A kind of figure is two frozen dataclasses. The first is declared in a test, knows its arms, and is traced
to the second, which holds plain values only, so that `results.json` can keep it, and draws itself.
"""

from __future__ import annotations

import itertools

from typing import TYPE_CHECKING, Any, Protocol

from tlbench.report.figures.bars import Bar, Bars, DrawnBars
from tlbench.report.figures.calibration import Calibration, DrawnCalibration
from tlbench.report.figures.changes import Changes
from tlbench.report.figures.confusion import Confusion, DrawnConfusion
from tlbench.report.figures.curves import Curves, DrawnCurves
from tlbench.report.figures.forest import Forest
from tlbench.report.figures.lines import DrawnLines, Lines, Point
from tlbench.report.figures.matrix import DrawnMatrix, Matrix, Pair
from tlbench.report.names import file_name


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import matplotlib.figure

    from tlbench.report.content import Report
    from tlbench.results import Result
    from tlbench.trials import Arm, Trial

__all__ = [
    "AnyFigure",
    "Bar",
    "Bars",
    "Calibration",
    "Changes",
    "Confusion",
    "Curves",
    "Drawn",
    "Figure",
    "Forest",
    "Lines",
    "Matrix",
    "Pair",
    "Point",
    "all_figures",
    "caption",
]

# All kinds that a report can hold: a new one is a new module and a line here.
AnyFigure = DrawnCurves | DrawnLines | DrawnBars | DrawnMatrix | DrawnConfusion | DrawnCalibration


class Figure(Protocol):
    """A figure as a test declares it."""

    @property
    def name(self) -> str:
        """For instance `"Figure 1"`; unlike that of any other figure of the report."""

    @property
    def title(self) -> str:
        """What it shows, in a line."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Whose results it shows."""

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """What has to be trained to draw it."""

    def trace(self, result: Callable[[Trial], Result | None], seeds: Sequence[int]) -> Drawn:
        """The figure with its values, as far as there are results.

        Args:
            result: Gives a trial's result, or None where there is none.
            seeds: Of the values.
        """


class Drawn(Protocol):
    """A figure with its values: a frozen dataclass of what JSON can hold, with a literal `kind` first."""

    @property
    def kind(self) -> str:
        """Tells its class from the others in `results.json`."""

    @property
    def name(self) -> str:
        """See `Figure`."""

    @property
    def title(self) -> str:
        """See `Figure`."""

    @property
    def caption(self) -> str:
        """What the marks, bands and bars are, in sentences; what it shows and of which data is added by the report."""

    def text(self) -> str:
        """The figure in lines of text, which say what it shows to whoever cannot see it."""

    def records(self) -> Iterable[dict[str, Any]]:
        """What is drawn, as lines of a data frame."""

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw it with matplotlib, at the canvas's own size, under the style that the caller has set."""


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


def caption(drawn: Drawn, report: Report) -> str:
    """What stands below a figure: what it shows, what the marks are, and of which data."""
    return f"{drawn.title[:1].upper()}{drawn.title[1:]}. {drawn.caption} {report.data}"
