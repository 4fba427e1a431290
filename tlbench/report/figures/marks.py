"""Marks that kinds of figures share: a cell's mean, interval, seeds and published value, drawn and told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tlbench.report import formats
from tlbench.report.escaping import one_line
from tlbench.scores.listed import HUNDREDTHS


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.axes import Axes

    from tlbench.report.tables import Cell
    from tlbench.scores.listed import Unit

# Between seeds that would hide each other, in units of the axis.
SPREAD = 0.04

# Characters that there is room for; longer names would leave none to what is drawn, and matplotlib would warn. The
# whole names are in each figure's text and records.
IN_LEGEND, BESIDE_X, BESIDE_Y, AT_TICK = 56, 50, 26, 20

# Shapes of marks and styles of lines, in the order of series.
MARKERS, LINES = "osD^vP", ("-", "--", "-.", ":")

MEANING = "Dots are seeds, the mean has its 90 % interval over seeds (Student's t)"


class InSeries(Protocol):
    """A point of a series."""

    @property
    def series(self) -> str:
        """Label of the series."""


class Placed(Protocol):
    """A point at a named place of an axis."""

    @property
    def x(self) -> float:
        """Number of the place."""

    @property
    def place(self) -> str:
        """Name of the place."""


_Point = TypeVar("_Point", bound=InSeries)


def scale(unit: Unit) -> float:
    """The factor by which a value is multiplied to be drawn."""
    return 100.0 if unit in HUNDREDTHS else 1.0


def label(name: str, most: int = IN_LEGEND) -> str:
    """A name as it is drawn: on one line, without what no SVG file can hold, and shortened where it is long.

    Args:
        name: Name given by the user.
        most: Characters that there is room for.
    """
    text = one_line(name).strip()
    if len(text) > most:
        # In the middle: arms of a study begin alike, and what tells them apart comes last.
        text = f"{text[: (most - 3) // 2]}...{text[-((most - 2) // 2) :]}"
    # Matplotlib leaves out of legends what is empty or begins with an underscore.
    return f" {text}" if not text or text.startswith("_") else text


def axis_label(name: str, unit: Unit, most: int = BESIDE_Y) -> str:
    """A name with its unit.

    Args:
        name: Name of the quantity.
        unit: Unit of the quantity.
        most: Characters that there is room for.
    """
    return f"{label(name, most)}{formats.IN_HEADINGS[unit]}"


def style(number: int) -> tuple[str, str, str]:
    """Colour, shape of the marks and style of the line of a series.

    Args:
        number: Position of the series.
    """
    return f"C{number % 6}", MARKERS[number % len(MARKERS)], LINES[number % len(LINES)]


def by_series(points: Iterable[_Point]) -> dict[str, list[_Point]]:
    """Points by their series, both in the order of the points."""
    found: dict[str, list[_Point]] = {}
    for point in points:
        found.setdefault(point.series, []).append(point)
    return found


def measured(
    axes: Axes, position: float, cell: Cell, unit: Unit, colour: str, marker: str, label: str | None = None
) -> None:
    """The seeds of a cell as dots at one place, and the mean with its interval; arguments as of `mean`."""
    numbers = [scale(unit) * number for number in cell.numbers]
    axes.scatter([position] * len(numbers), numbers, s=14, color=colour, alpha=0.6, zorder=3)
    mean(axes, position, cell, unit, colour, marker, label=label)


def places(axes: Axes, points: Iterable[Placed]) -> None:
    """Ticks at the places of some points, by their names: plain figures are no powers, and dollar signs no formula."""
    ticks = {point.x: label(point.place, AT_TICK) for point in points}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.minorticks_off()


# Places of a name beside its mark, the best first: offset in points, and the side of the name that is there.
_BESIDE = (
    *((0, 9, "center", "bottom"), (0, -9, "center", "top"), (9, 0, "left", "center"), (-9, 0, "right", "center")),
    *((8, 8, "left", "bottom"), (8, -8, "left", "top"), (-8, 8, "right", "bottom"), (-8, -8, "right", "top")),
    *((0, 24, "center", "bottom"), (0, -24, "center", "top"), (-16, 24, "right", "bottom"), (-16, -24, "right", "top")),
    *((16, 24, "left", "bottom"), (16, -24, "left", "top")),
)

# A name that is farther away, in points, has a line to its mark.
_NEAR = 12


def names(axes: Axes, named: Sequence[tuple[float, float, float, str]]) -> None:
    """Write names beside marks: each at the first place where it covers no mark and no other name, or covers least.

    Args:
        axes: Axes with all marks, and with their final limits.
        named: Position of each mark on both axes, half the height of its interval, and its name.
    """
    from matplotlib.transforms import Bbox

    canvas: Any = axes.figure
    canvas.draw_without_rendering()  # Sizes of texts and positions of marks follow from the layout.
    radius = 6 * canvas.dpi / 72
    ends = [axes.transData.transform([(x, y - half), (x, y + half)]) for x, y, half, _ in named]
    taken = [Bbox([low - radius, high + radius]) for low, high in ends]

    def covered(box: Bbox) -> float:
        common = [Bbox.intersection(box, other) for other in taken]
        inside = Bbox.intersection(box, axes.bbox)
        beyond = box.width * box.height - (inside.width * inside.height if inside else 0.0)
        return beyond + sum(shared.width * shared.height for shared in common if shared)

    for x, y, _, name in named:
        text: Any = axes.annotate(name, (x, y), (0, 0), textcoords="offset points", fontsize=11)

        def place(number: int, text: Any = text) -> Bbox:
            *text.xyann, across, up = _BESIDE[number]
            text.set(ha=across, va=up)
            return text.get_window_extent().padded(2)  # type: ignore[no-any-return]

        best = min(range(len(_BESIDE)), key=lambda number: (covered(place(number)), number))
        taken.append(place(best))
        if max(map(abs, text.xyann)) > _NEAR:
            line = {"arrowstyle": "-", "linewidth": 0.6, "color": text.get_color(), "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (x, y), text.xyann, textcoords="offset points", arrowprops=line)


def seeds(axes: Axes, position: float, cell: Cell, unit: Unit, colour: str, spread: float = SPREAD) -> None:
    """Every seed as a dot, beside each other.

    Args:
        axes: Where to.
        position: On the other axis.
        cell: Whose seeds.
        unit: Unit of the cell.
        colour: Colour of the dots.
        spread: From one to the next.
    """
    numbers = cell.numbers
    offsets = [position + spread * (index - (len(numbers) - 1) / 2) for index in range(len(numbers))]
    axes.scatter(offsets, [scale(unit) * number for number in numbers], s=16, color=colour, alpha=0.65, zorder=3)


def mean(
    axes: Axes, position: float, cell: Cell, unit: Unit, colour: str, marker: str, label: str | None = None
) -> None:
    """The mean and its interval.

    Args:
        axes: Where to.
        position: On the other axis.
        cell: Whose mean; nothing is drawn where it has none.
        unit: Unit of the cell.
        colour: Colour of the mark.
        marker: Shape of the mark.
        label: In the legend; None to leave it out.
    """
    if cell.mean is None:
        return
    axes.errorbar(
        [position],
        [scale(unit) * cell.mean],
        yerr=None if cell.half_width is None else [scale(unit) * cell.half_width],
        fmt=marker,
        color=colour,
        markersize=8,
        capsize=5,
        linewidth=2,
        zorder=4,
        label=label,
    )


def published(axes: Axes, x: float, y: float, label: str | None = None) -> None:
    """A published value: hollow, as in every figure.

    Args:
        axes: Where to.
        x: Place of the mark.
        y: Place of the mark.
        label: In the legend; None to leave it out.
    """
    axes.plot(
        [x],
        [y],
        "D",
        color="C1",
        markerfacecolor="none",
        markeredgewidth=1.8,
        markersize=8,
        linestyle="none",
        label=label,
    )


def ink(colour: Sequence[float]) -> str:
    """Black or white, whichever is read better on a colour, whatever stands around the figure.

    Args:
        colour: Red, green and blue from 0 to 1; what follows is left out.

    Returns:
        The one of the greater contrast (WCAG 2.2), which is at least 4.5 to 1 on any colour.
    """
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


def nothing(axes: Axes) -> None:
    """Say that there is nothing to draw."""
    axes.text(0.5, 0.5, "no finished trials", ha="center", va="center", transform=axes.transAxes)


def told(label: str, cell: Cell, unit: Unit, published_by: str) -> str:
    """A cell in words."""
    text = f"{label}: {formats.summary(cell, unit)}"
    if len(cell.values) > 1:
        text += f", by seed {formats.by_seed(cell, unit)}"
    if cell.published is not None:
        text += f"; {published_by} {cell.published}"
        if cell.published_number is None:
            text += ", which is not drawn"
    return text


def lines(figure: str, cell: Cell, **place: Any) -> Iterator[dict[str, Any]]:
    """A cell as lines of a data frame.

    Args:
        figure: Name of the figure.
        cell: Cell with its values.
        place: What tells it from other cells of the figure, by heading.
    """
    for value in cell.values:
        yield {
            "figure": figure,
            **place,
            "seed": value.seed,
            "value": value.number,
            "status": value.status,
            "published": cell.published,
        }
