"""One quantity against another, a mark for each pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tlbench.report.figures import marks
from tlbench.report.figures.measured import OfQuantities
from tlbench.report.tables import Cell
from tlbench.scores.listed import Unit


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import matplotlib.figure

    from matplotlib.axes import Axes

    from tlbench.declare.claims import Quantity
    from tlbench.store.results import ResultOf


@dataclass(frozen=True)
class ScatterPoint:
    """A pair of quantities.

    Attributes:
        series: Group of the pair, which has a colour and a marker of its own.
        label: Name of the pair within its group, beside the mark.
        x: Quantity on the horizontal axis.
        y: Quantity on the vertical axis.
    """

    series: str
    label: str
    x: Quantity
    y: Quantity


@dataclass(frozen=True)
class Scatter(OfQuantities):
    """One quantity against another, a mark for each pair, for instance a score against the accuracy that it foretells.

    Attributes:
        name: For instance `"Scores"`.
        title: Subject of the figure.
        x_label: Label of the horizontal axis.
        y_label: Label of the vertical axis.
        points: Pairs of quantities, in order.
        x_unit: Unit on the horizontal axis.
        y_unit: Unit on the vertical axis.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    points: tuple[ScatterPoint, ...]
    x_unit: Unit = "number"
    y_unit: Unit = "percent"

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities of all pairs."""
        return tuple(quantity for point in self.points for quantity in (point.x, point.y))

    def trace(self, result: ResultOf, seeds: Sequence[int]) -> DrawnScatter:
        """The marks of the results there are."""
        return DrawnScatter(
            kind="scatter",
            name=self.name,
            title=self.title,
            x_label=self.x_label,
            y_label=self.y_label,
            points=tuple(
                DrawnScatterPoint(
                    point.series, point.label, Cell.of(point.x, result, seeds), Cell.of(point.y, result, seeds)
                )
                for point in self.points
            ),
            x_unit=self.x_unit,
            y_unit=self.y_unit,
        )


@dataclass(frozen=True)
class DrawnScatterPoint:
    """A pair with its values.

    Attributes:
        series: Group of the pair.
        label: Name of the pair within its group.
        x: Values on the horizontal axis.
        y: Values on the vertical axis.
    """

    series: str
    label: str
    x: Cell
    y: Cell

    @property
    def filled(self) -> bool:
        """True where every seed of both quantities has been run."""
        return self.x.filled and self.y.filled

    @property
    def mean_x(self) -> float:
        """Mean on the horizontal axis over the seeds that have both values; there has to be such a seed."""
        return sum(x for _, x, _ in self.by_seed) / len(self.by_seed)

    @property
    def by_seed(self) -> tuple[tuple[int, float, float], ...]:
        """Seed and both values, for the seeds that have both."""
        return tuple(
            (x.seed, x.number, y.number)
            for x, y in zip(self.x.values, self.y.values, strict=True)
            if x.number is not None and y.number is not None
        )


@dataclass(frozen=True)
class DrawnScatter:
    """`Scatter` with its values.

    Attributes:
        kind: Tells it from other figures.
        name: Name of the figure.
        title: Subject of the figure.
        x_label: Label of the horizontal axis.
        y_label: Label of the vertical axis.
        points: Pairs with their values, in order.
        x_unit: Unit on the horizontal axis.
        y_unit: Unit on the vertical axis.
    """

    kind: Literal["scatter"]
    name: str
    title: str
    x_label: str
    y_label: str
    points: tuple[DrawnScatterPoint, ...]
    x_unit: Unit
    y_unit: Unit

    @property
    def series(self) -> dict[str, list[DrawnScatterPoint]]:
        """Pairs by group, in order."""
        return marks.by_series(self.points)

    @property
    def caption(self) -> str:
        """The meaning of the marks."""
        return (
            "Large marks are means over seeds with the 90 % interval of the vertical one (Student's t); dots are seeds."
        )

    def text(self) -> str:
        """Every pair in words."""
        return "\n".join(
            f"{marks.told(f'{point.label}, {point.series}: {self.x_label}', point.x, self.x_unit, '')}; "
            f"{marks.told(self.y_label, point.y, self.y_unit, '')}"
            for point in self.points
        )

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each pair and seed that has both values."""
        for point in self.points:
            for seed, x, y in point.by_seed:
                yield {
                    "figure": self.name,
                    "series": point.series,
                    "label": point.label,
                    "seed": seed,
                    "x": x,
                    "y": y,
                }

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw all pairs on one pair of axes."""
        axes = canvas.subplots()
        for number, (name, points) in enumerate(self.series.items()):
            self._draw_series(axes, number, name, points)
        if any(point.by_seed for point in self.points):
            # Room for the names of the marks.
            axes.margins(x=0.1, y=0.15)
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=12, borderaxespad=0)
        else:
            marks.nothing(axes)
        axes.set(
            xlabel=marks.axis_label(self.x_label, self.x_unit, marks.BESIDE_X),
            ylabel=marks.axis_label(self.y_label, self.y_unit),
        )
        marks.names(axes, self._named())

    def _draw_series(self, axes: Axes, number: int, name: str, points: Sequence[DrawnScatterPoint]) -> None:
        colour, marker, _ = marks.style(number)
        across, up = marks.scale(self.x_unit), marks.scale(self.y_unit)
        for index, point in enumerate(point for point in points if point.by_seed):
            xs, ys = ([values[place] for values in point.by_seed] for place in (1, 2))
            axes.scatter([across * x for x in xs], [up * y for y in ys], s=14, color=colour, alpha=0.5, zorder=3)
            label = None if index else marks.label(name, 26)
            marks.mean(axes, across * point.mean_x, point.y, self.y_unit, colour, marker, label=label)

    def _named(self) -> list[tuple[float, float, float, str]]:
        """Place of each mark, half the height of its interval, and its name."""
        across, up = marks.scale(self.x_unit), marks.scale(self.y_unit)
        return [
            (
                across * point.mean_x,
                up * (point.y.mean or 0),
                up * (point.y.half_width or 0),
                marks.label(point.label, marks.AT_TICK),
            )
            for point in self.points
            if point.by_seed
        ]
