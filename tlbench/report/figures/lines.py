"""A score over a number, such as the learning rate, or over places in an order, such as the cuts of a network."""

from __future__ import annotations

import itertools

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tlbench.report.figures import marks
from tlbench.report.figures.measured import OfQuantities
from tlbench.report.tables import Cell
from tlbench.scores.listed import Unit


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import matplotlib.figure

    from tlbench.declare.claims import Quantity
    from tlbench.store.results import ResultOf

# Characters of a series and of who published in the legend, and of both for two to stand side by side.
NAMED, PUBLISHED, IN_COLUMN = 36, 16, 26


@dataclass(frozen=True)
class Point:
    """A quantity at a number.

    Attributes:
        x: The number; positive on a logarithmic axis.
        quantity: What is measured there.
        published: What the study printed; None where nothing was.
        tick: Name of the place at the axis; None for the number itself.
    """

    x: float
    quantity: Quantity
    published: str | None = None
    tick: str | None = None


@dataclass(frozen=True)
class Lines(OfQuantities):
    """A score over a number, a line for each series.

    Attributes:
        name: For instance `"Learning rates"`.
        title: What it shows.
        x_label: What the numbers are.
        y_label: What is measured.
        series: Label and points of each line, in order.
        unit: Unit of the quantities.
        published_by: Who printed what is published.
        axis: Scale of the numbers.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: tuple[tuple[str, tuple[Point, ...]], ...]
    unit: Unit = "percent"
    published_by: str = "published"
    axis: Literal["log", "linear"] = "log"

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities of all points."""
        return tuple(point.quantity for _, points in self.series for point in points)

    def trace(self, result: ResultOf, seeds: Sequence[int]) -> DrawnLines:
        """The lines of the results there are."""
        return DrawnLines(
            kind="lines",
            name=self.name,
            title=self.title,
            x_label=self.x_label,
            y_label=self.y_label,
            unit=self.unit,
            published_by=self.published_by,
            axis=self.axis,
            points=tuple(
                DrawnPoint(label, point.x, Cell.of(point.quantity, result, seeds, point.published), point.tick)
                for label, points in self.series
                for point in points
            ),
        )


@dataclass(frozen=True)
class DrawnPoint:
    """A point with its values.

    Attributes:
        series: Label of its line.
        x: Number of the point.
        cell: What was measured.
        tick: Name of the place at the axis; None for the number itself.
    """

    series: str
    x: float
    cell: Cell
    tick: str | None = None

    @property
    def place(self) -> str:
        """Name of the place, or the number."""
        return self.tick if self.tick is not None else f"{self.x:g}"


@dataclass(frozen=True)
class DrawnLines:
    """`Lines` with its values.

    Attributes:
        kind: Tells it from other figures.
        name: Name of the figure.
        title: Subject of the figure.
        x_label: Label of the axis of numbers.
        y_label: Label of the axis of values.
        unit: Unit of the values.
        published_by: Author of the published values.
        points: Points of all lines, in order.
        axis: Scale of the numbers.
    """

    kind: Literal["lines"]
    name: str
    title: str
    x_label: str
    y_label: str
    unit: Unit
    published_by: str
    points: tuple[DrawnPoint, ...]
    axis: Literal["log", "linear"] = "log"

    @property
    def series(self) -> dict[str, list[DrawnPoint]]:
        """Points by line, from the smallest number to the largest."""
        grouped = marks.by_series(self.points)
        return {label: sorted(points, key=lambda point: point.x) for label, points in grouped.items()}

    @property
    def caption(self) -> str:
        """The meaning of the marks."""
        text = f"{marks.MEANING}."
        if any(point.cell.published_number is not None for point in self.points):
            text += f" Hollow marks are what the {self.published_by} printed."
        if any(point.cell.published is not None and point.cell.published_number is None for point in self.points):
            text += " A figure that was printed with a remark is not drawn."
        return text

    def text(self) -> str:
        """Every point in words."""
        return "\n".join(
            marks.told(f"{label}, {self.x_label} {point.place}", point.cell, self.unit, self.published_by)
            for label, points in self.series.items()
            for point in points
        )

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each point and seed."""
        for point in self.points:
            place = {} if point.tick is None else {"place": point.tick}
            yield from marks.lines(self.name, point.cell, series=point.series, x=point.x, **place)

    def _shifted(self, x: float, beside: float) -> float:
        if self.axis == "log":
            return float(x * 1.06**beside)
        return x + 0.05 * beside * self._step

    @property
    def _step(self) -> float:
        """Smallest distance between two numbers."""
        numbers = sorted({point.x for point in self.points})
        return min((after - before for before, after in itertools.pairwise(numbers)), default=1.0)

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw all lines on one pair of axes."""
        axes = canvas.subplots()
        scale = marks.scale(self.unit)
        for number, (name, points) in enumerate(self.series.items()):
            label, (colour, marker, style) = marks.label(name, NAMED), marks.style(number)
            # Side by side, as intervals would hide each other.
            beside = number - (len(self.series) - 1) / 2
            drawn = [(self._shifted(point.x, beside), point) for point in points if point.cell.mean is not None]
            line = [scale * (point.cell.mean or 0) for _, point in drawn]
            axes.plot([x for x, _ in drawn], line, color=colour, linestyle=style)
            for index, (x, point) in enumerate(drawn):
                marks.measured(axes, x, point.cell, self.unit, colour, marker, label=None if index else label)
            printed = [point for point in points if point.cell.published_number is not None]
            if printed:
                axes.plot(
                    [self._shifted(point.x, beside) for point in printed],
                    [scale * (point.cell.published_number or 0) for point in printed],
                    linestyle="none",
                    marker=marker,
                    markersize=10,
                    markerfacecolor="none",
                    markeredgewidth=1.8,
                    color=colour,
                    label=f"{label} ({marks.label(self.published_by, PUBLISHED)})",
                )
        if any(point.cell.mean is not None for point in self.points):
            axes.set_xscale(self.axis)
            marks.places(axes, self.points)
            if any(point.tick is not None for point in self.points):
                axes.tick_params("x", rotation=20)
            columns = 2 if all(len(label) + len(self.published_by) < IN_COLUMN for label in self.series) else 1
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, fontsize=12, borderaxespad=0)
        else:
            marks.nothing(axes)
        axes.set(xlabel=marks.label(self.x_label, marks.BESIDE_X), ylabel=marks.axis_label(self.y_label, self.unit))
