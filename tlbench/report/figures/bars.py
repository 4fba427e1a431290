"""A score of several arms, a bar from the lowest to the highest seed for each."""

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

    from tlbench.declare.claims import Quantity
    from tlbench.store.results import ResultOf


# Bars whose names stand level, and the characters that they share; more names are slanted.
MOST_LEVEL, LEVEL_CHARACTERS = 5, 50


@dataclass(frozen=True)
class Bar:
    """A quantity that a bar shows.

    Attributes:
        label: Below it.
        quantity: What is measured.
        published: What the study printed; None where nothing was.
    """

    label: str
    quantity: Quantity
    published: str | None = None


@dataclass(frozen=True)
class Bars(OfQuantities):
    """A score of several arms, for each a bar from the lowest to the highest seed and the mean with its interval.

    Bars that began at 0 would hide differences of a few points; the axis is fitted to the values instead.

    Attributes:
        name: For instance `"Frozen flows"`.
        title: What it shows.
        x_label: What the bars are.
        y_label: What is measured.
        bars: In order.
        unit: Unit of the quantities.
        published_by: Who printed what is published.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    bars: tuple[Bar, ...]
    unit: Unit = "percent"
    published_by: str = "published"

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities of all bars."""
        return tuple(bar.quantity for bar in self.bars)

    def trace(self, result: ResultOf, seeds: Sequence[int]) -> DrawnBars:
        """The bars of the results there are."""
        return DrawnBars(
            kind="bars",
            name=self.name,
            title=self.title,
            x_label=self.x_label,
            y_label=self.y_label,
            unit=self.unit,
            published_by=self.published_by,
            bars=tuple(DrawnBar(bar.label, Cell.of(bar.quantity, result, seeds, bar.published)) for bar in self.bars),
        )


@dataclass(frozen=True)
class DrawnBar:
    """A bar with its values.

    Attributes:
        label: Below it.
        cell: What was measured.
    """

    label: str
    cell: Cell


@dataclass(frozen=True)
class DrawnBars:
    """`Bars` with its values.

    Attributes:
        kind: Tells it from other figures.
        name: Name of the figure.
        title: Subject of the figure.
        x_label: Label of the axis below the bars.
        y_label: Label of the axis of values.
        unit: Unit of the values.
        published_by: Author of the published values.
        bars: Bars with their values, in order.
    """

    kind: Literal["bars"]
    name: str
    title: str
    x_label: str
    y_label: str
    unit: Unit
    published_by: str
    bars: tuple[DrawnBar, ...]

    @property
    def caption(self) -> str:
        """The meaning of the marks."""
        text = f"Bars span the seeds. {marks.MEANING}. The axis does not begin at 0."
        if any(bar.cell.published_number is not None for bar in self.bars):
            text += f" Hollow diamonds are what the {self.published_by} printed."
        return text

    def text(self) -> str:
        """Every bar in words."""
        return "\n".join(marks.told(bar.label, bar.cell, self.unit, self.published_by) for bar in self.bars)

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each bar and seed."""
        for bar in self.bars:
            yield from marks.lines(self.name, bar.cell, bar=bar.label)

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw all bars side by side."""
        axes = canvas.subplots()
        scale = marks.scale(self.unit)
        for position, bar in enumerate(self.bars):
            if len(bar.cell.numbers) > 1:
                low, high = (scale * end(bar.cell.numbers) for end in (min, max))
                axes.bar([position], [high - low], width=0.6, bottom=low, color="C0", alpha=0.25, linewidth=0)
            marks.seeds(axes, position - 0.13, bar.cell, self.unit, "C0")
            marks.mean(axes, position + 0.14, bar.cell, self.unit, "C0", "o")
            if (printed := bar.cell.published_number) is not None:
                first = not any(other.cell.published_number is not None for other in self.bars[:position])
                named = marks.label(self.published_by) if first else None
                marks.published(axes, position + 0.38, scale * printed, named)
        if len(self.bars) > MOST_LEVEL:
            names = [marks.label(bar.label, marks.AT_TICK) for bar in self.bars]
            axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
        else:
            names = [marks.label(bar.label, LEVEL_CHARACTERS // len(self.bars)) for bar in self.bars]
            axes.set_xticks(range(len(names)), names)
        axes.grid(visible=False, axis="x")
        axes.use_sticky_edges = False
        axes.margins(y=0.1)
        axes.set_xlim(-0.6, max(len(self.bars), 1) - 0.4)
        axes.set(xlabel=marks.label(self.x_label, marks.BESIDE_X), ylabel=marks.axis_label(self.y_label, self.unit))
        if not any(bar.cell.numbers for bar in self.bars):
            marks.nothing(axes)
        if any(bar.cell.published_number is not None for bar in self.bars):
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
