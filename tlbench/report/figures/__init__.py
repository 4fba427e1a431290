"""Figures: declared on arms, filled with values, drawn with matplotlib; a module for each kind.

A kind of figure is two frozen dataclasses. The first is declared in a test, knows its arms, and is traced
to the second, which holds plain values only, so that `results.json` can keep it, and draws itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tlbench.report.figures.bars import Bar, Bars, DrawnBars
from tlbench.report.figures.calibration import Calibration, DrawnCalibration
from tlbench.report.figures.changes import Changes
from tlbench.report.figures.confusion import Confusion, DrawnConfusion
from tlbench.report.figures.curves import Curves, DrawnCurves
from tlbench.report.figures.forest import Forest
from tlbench.report.figures.learning_curves import DrawnLearningCurves, LearningCurves
from tlbench.report.figures.lines import DrawnLines, Lines, Point
from tlbench.report.figures.matrix import DrawnMatrix, Matrix, Pair
from tlbench.report.figures.scatter import DrawnScatter, Scatter, ScatterPoint


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import matplotlib.figure

    from tlbench.declare.trials import Arm, Trial
    from tlbench.store.results import ResultOf

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
    "LearningCurves",
    "Lines",
    "Matrix",
    "Pair",
    "Point",
    "Scatter",
    "ScatterPoint",
]

# All kinds that a report can hold: a new one is a new module and a line here.
AnyFigure = (
    DrawnCurves
    | DrawnLines
    | DrawnBars
    | DrawnMatrix
    | DrawnConfusion
    | DrawnCalibration
    | DrawnLearningCurves
    | DrawnScatter
)


class Figure(Protocol):
    """A figure as a test declares it.

    A figure that shows quantities on other images than the trials' own also has a property `quantities`, a tuple of
    `tlbench.Quantity`: their evaluations are planned with the trials. A figure that reads no validation accuracy
    of its trials says so with `extras`, see `tlbench.scores.extras`; without it all extra predictions are made.
    """

    @property
    def name(self) -> str:
        """For instance `"Figure 1"`; unlike that of any other figure of the report."""

    @property
    def title(self) -> str:
        """The subject of the figure, in a line."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms whose results the figure shows."""

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """The trials that the figure needs."""

    def trace(self, result: ResultOf, seeds: Sequence[int]) -> Drawn:
        """The figure with its values, as far as there are results.

        Args:
            result: Gives the result of a trial or an evaluation, or None where there is none.
            seeds: Seeds of the values.
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
        """The meaning of marks, bands and bars, in sentences; the report adds the subject and the data."""

    def text(self) -> str:
        """The figure in lines of text, which say what it shows to whoever cannot see it."""

    def records(self) -> Iterable[dict[str, Any]]:
        """The drawn values, as rows of a data frame."""

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw it with matplotlib, at the canvas's own size, under the style that the caller has set."""
