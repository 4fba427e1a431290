"""A difference for each pair of tasks, as a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tlbench.judge.judging import LEVEL, judge
from tlbench.report import formats
from tlbench.report.figures import marks
from tlbench.report.figures.measured import OfQuantities
from tlbench.report.tables import Cell


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import matplotlib.figure

    from matplotlib.axes import Axes

    from tlbench.declare.claims import Quantity
    from tlbench.judge.decisions import Outcome
    from tlbench.store.results import ResultOf


Sign = Literal["above zero", "below zero", "undecided"]

SIGNS: dict[Outcome, Sign] = {"supported": "above zero", "refuted": "below zero", "inconclusive": "undecided"}

MARKS: dict[Sign | None, str] = {
    "above zero": "\N{BLACK UP-POINTING TRIANGLE}",
    "below zero": "\N{BLACK DOWN-POINTING TRIANGLE}",
}

# Columns of all matrices of a figure that are square at the width of the figure.
DENSE = 6


@dataclass(frozen=True)
class Pair:
    """A difference for a row and a column.

    Attributes:
        panel: Heading of the matrix it stands in.
        row: Heading of the row.
        column: Heading of the column.
        quantity: A difference, as a share: 0.05 is shown as 5 points.
        published: The same by what the study printed; None where nothing was.
    """

    panel: str
    row: str
    column: str
    quantity: Quantity
    published: str | None = None


@dataclass(frozen=True)
class Matrix(OfQuantities):
    """Differences by row and column, in one matrix or several beside each other.

    Attributes:
        name: For instance `"Gains"`.
        title: What it shows.
        row_label: What the rows are.
        column_label: What the columns are.
        value_label: What is measured, in points.
        pairs: Those there are, in any order; the rest is left blank.
        published_by: Who printed what is published.
        judged: Whether each difference is judged to be above zero, below zero or undecided, all of them together.
    """

    name: str
    title: str
    row_label: str
    column_label: str
    value_label: str
    pairs: tuple[Pair, ...]
    published_by: str = "published"
    judged: bool = False

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities of all pairs."""
        return tuple(pair.quantity for pair in self.pairs)

    def trace(self, result: ResultOf, seeds: Sequence[int]) -> DrawnMatrix:
        """The matrix of the results there are."""
        signs = self._signs(result, seeds)
        return DrawnMatrix(
            kind="matrix",
            name=self.name,
            title=self.title,
            row_label=self.row_label,
            column_label=self.column_label,
            value_label=self.value_label,
            published_by=self.published_by,
            pairs=tuple(
                DrawnPair(
                    pair.panel, pair.row, pair.column, Cell.of(pair.quantity, result, seeds, pair.published), sign
                )
                for pair, sign in zip(self.pairs, signs, strict=True)
            ),
        )

    def _signs(self, result: ResultOf, seeds: Sequence[int]) -> list[Sign | None]:
        """The sign of each difference, by the rule of `tlbench.judge.judging.judge` over all pairs; None unjudged."""
        unjudged: list[Sign | None] = [None for _ in self.pairs]
        if not self.judged:
            return unjudged
        found = {work.digest: result(work) for pair in self.quantities for seed in seeds for work in pair.work(seed)}
        found |= {trial.digest: result(trial) for trial in self.trials(seeds)}
        scored = {digest: each for digest, each in found.items() if each is not None}
        if len(scored) < len(found):
            return unjudged
        claims = [quantity.is_positive() for quantity in self.quantities]
        verdicts = judge(claims, lambda work: scored[work.digest], [len(seeds)], beside=())
        # A difference that is zero under every seed is not above zero, and so refuted, but not below either.
        return [SIGNS[each.outcome] if any(each.differences.values()) else "undecided" for each in verdicts]


@dataclass(frozen=True)
class DrawnPair:
    """A pair with its values.

    Attributes:
        panel: Heading of the matrix.
        row: Heading of the row.
        column: Heading of the column.
        cell: What was measured.
        sign: Sign of the difference, all pairs judged together; None where they are not judged.
    """

    panel: str
    row: str
    column: str
    cell: Cell
    sign: Sign | None = None


@dataclass(frozen=True)
class DrawnMatrix:
    """`Matrix` with its values.

    Attributes:
        kind: Tells it from other figures.
        name: Name of the figure.
        title: Subject of the figure.
        row_label: Label of the rows.
        column_label: Label of the columns.
        value_label: Label of the values, in points.
        published_by: Author of the published values.
        pairs: Pairs with their values.
    """

    kind: Literal["matrix"]
    name: str
    title: str
    row_label: str
    column_label: str
    value_label: str
    published_by: str
    pairs: tuple[DrawnPair, ...]

    @property
    def height_inches(self) -> float:
        """Cells of few columns are square, those of many as high as their text; pairs in a list have a line each."""
        if self._listed:
            return 1.0 + 0.5 * len(self._routes)
        return 2.3 + 0.65 * len(self._headings[0]) if self._dense else 3.9

    @property
    def _dense(self) -> bool:
        """True of so many columns that square cells would be smaller than their text."""
        return len(self._headings[1]) * len(self.panels) > DENSE

    @property
    def _routes(self) -> dict[tuple[str, str], None]:
        return dict.fromkeys((pair.row, pair.column) for pair in self.pairs)

    @property
    def _headings(self) -> tuple[list[str], list[str]]:
        # In one order, so that what is both stands on the diagonal.
        names = dict.fromkeys([pair.column for pair in self.pairs] + [pair.row for pair in self.pairs])
        rows = [name for name in names if any(pair.row == name for pair in self.pairs)]
        return rows, [name for name in names if any(pair.column == name for pair in self.pairs)]

    @property
    def _listed(self) -> bool:
        """True where pairs fill less than half of a matrix, which would be drawn mostly empty."""
        rows, columns = self._headings
        return 2 * len(self._routes) < len(rows) * len(columns)

    @property
    def panels(self) -> tuple[str, ...]:
        """Headings of the matrices."""
        return tuple(dict.fromkeys(pair.panel for pair in self.pairs))

    @property
    def caption(self) -> str:
        """The meaning of the numbers."""
        text = f"{self.value_label}, in points: mean over seeds ± half of its 90 % interval (Student's t)."
        if any(pair.cell.published_number is not None for pair in self.pairs):
            text += f" In brackets what follows from what the {self.published_by} printed."
        signs = [pair.sign for pair in self.pairs if pair.sign is not None]
        if signs:
            counts = ", ".join(f"{signs.count(sign)} {sign}" for sign in SIGNS.values())
            text += (
                f" Triangles point up above zero and down below zero, by one-sided t tests; in each direction, the "
                f"chance of any wrong triangle is at most {LEVEL:.0%} (Holm, {len(signs)} pairs): {counts}."
            )
        rows, columns = self._headings
        if not self._listed and len(self._routes) < len(rows) * len(columns):
            text += " An empty cell is a pair that the study does not have."
        return f"{text[:1].upper()}{text[1:]}"

    def text(self) -> str:
        """Every pair in words."""
        return "\n".join(
            marks.told(f"{pair.row} -> {pair.column}, {pair.panel}", pair.cell, "points", self.published_by)
            + (f"; {pair.sign}" if pair.sign else "")
            for pair in self.pairs
        )

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each pair and seed."""
        for pair in self.pairs:
            place = {"panel": pair.panel, "row": pair.row, "column": pair.column}
            judged = {} if pair.sign is None else {"sign": pair.sign}
            yield from marks.lines(self.name, pair.cell, **place, **judged)

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw the matrices beside each other, or a list of the few pairs there are, on one scale of colours."""
        import matplotlib as mpl

        largest = max((abs(pair.cell.mean or 0) for pair in self.pairs), default=0) * 100 or 1
        shades = mpl.cm.ScalarMappable(mpl.colors.Normalize(-largest, largest), "PuOr")
        if self._listed and self.pairs:
            self._draw_list(canvas.subplots(), shades)
            return
        panels = canvas.subplots(1, len(self.panels) or 1, squeeze=False, sharey=True)[0]
        rows, columns = self._headings
        for axes, panel in zip(panels, self.panels, strict=False):
            axes.set(title=marks.label(panel, marks.AT_TICK), xlabel=marks.label(self.column_label, marks.AT_TICK))
            axes.set_aspect("auto" if self._dense else "equal")
            axes.set_xlim(-0.5, len(columns) - 0.5)
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_xticks(range(len(columns)), [marks.label(name, marks.AT_TICK) for name in columns], fontsize=12)
            slanted = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if self._dense else {"rotation": 20}
            axes.set_xticks(axes.get_xticks(), axes.get_xticklabels(), **slanted)
            axes.set_yticks(range(len(rows)), [marks.label(name, marks.AT_TICK) for name in rows], fontsize=12)
            axes.grid(visible=False)
            for pair in self.pairs:
                if pair.panel == panel:
                    _draw_pair(axes, columns.index(pair.column), rows.index(pair.row), pair, shades)
        if self.pairs:
            panels[0].set_ylabel(marks.label(self.row_label, marks.BESIDE_Y))
            named = f"{marks.label(self.value_label, marks.AT_TICK)} (points)"
            canvas.colorbar(shades, ax=list(panels), label=named, shrink=0.8)
        else:
            marks.nothing(panels[0])

    def _draw_list(self, axes: Axes, shades: Any) -> None:
        routes, panels = list(self._routes), list(self.panels)
        for pair in self.pairs:
            _draw_pair(axes, panels.index(pair.panel), routes.index((pair.row, pair.column)), pair, shades, "  ")
        axes.set_xlim(-0.5, len(panels) - 0.5)
        axes.set_ylim(len(routes) - 0.5, -0.5)
        axes.set_xticks(range(len(panels)), [marks.label(name, marks.AT_TICK) for name in panels])
        axes.xaxis.tick_top()
        named = [" \N{RIGHTWARDS ARROW} ".join(marks.label(name, marks.AT_TICK) for name in route) for route in routes]
        axes.set_yticks(range(len(routes)), named)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_xlabel(f"{marks.label(self.value_label, marks.BESIDE_X)} (points)")


def _draw_pair(axes: Axes, column: int, row: int, pair: DrawnPair, shades: Any, between: str = "\n") -> None:
    from matplotlib.patches import Rectangle

    cell = pair.cell
    if cell.mean is None:
        axes.text(column, row, formats.summary(cell, "points"), ha="center", va="center", fontsize=11)
        return
    colour = shades.to_rgba(100 * cell.mean)
    axes.add_patch(Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=colour, edgecolor="none"))
    lines = [*MARKS.get(pair.sign, ()), formats.shown(cell.mean, "points")]
    if cell.half_width is not None:
        lines.append(f"±{100 * cell.half_width:.1f}")
    if cell.published_number is not None:
        lines.append(f"({formats.shown(cell.published_number, 'points')})")
    axes.text(column, row, between.join(lines), ha="center", va="center", fontsize=11, color=marks.ink(colour))
