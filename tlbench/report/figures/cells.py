"""Claims over the cells of a matrix: the effect in each cell, and the mean over cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlbench.report.escaping import one_line
from tlbench.report.figures import marks
from tlbench.report.figures.forest import AXES, MARKS


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import matplotlib.figure

    from matplotlib.axes import Axes

    from tlbench.judge.generality import CellVerdict, GeneralClaim
    from tlbench.scores.listed import Unit

# Lines that a page holds: one for each claim, its cells and its mean.
MOST_LINES = 240

# Of a line, in inches.
_LINE = 0.235

# Half the height of a diamond, in lines.
_HALF = 0.32

_GREY = "#8a8a8a"


@dataclass(frozen=True)
class CellsForest:
    """A forest plot of claims over cells, with a diamond for each mean.

    Attributes:
        cells: Titles of the cells.
        claims: Claims, in the order of the tests.
        name: Name of the figure.
    """

    cells: tuple[str, ...]
    claims: tuple[GeneralClaim, ...]
    name: str = "Matrix"

    @property
    def kind(self) -> str:
        """The kind of figure: it is made of verdicts that results hold already."""
        return "cells"

    @property
    def title(self) -> str:
        """Title of the figure."""
        return "differences that the claims are about, in each cell and over all"

    @property
    def caption(self) -> str:
        """Meaning of the marks."""
        text = (
            "Each claim's mean difference over seeds in each cell, with the interval that decides among the claims of "
            "the cell: circles are supported, diamonds inconclusive, crosses refuted. The wide diamond is the mean "
            "over cells with the interval that decides among all means, the thin line a 90 % interval for a further "
            "cell; both are cut where they leave the axis, which is as wide as the cells need. The upright stroke is "
            "the value that the claim must exceed. Differences of shares are in points."
        )
        if len(self._drawn) < len(self.claims):
            text += f" Only the first {len(self._drawn)} of {len(self.claims)} claims are drawn."
        return text

    @property
    def height_inches(self) -> float:
        """A line for each claim, cell and mean, and an axis for each unit."""
        return 0.6 + 0.7 * len(self._groups) + _LINE * sum(map(self._lines, self._drawn))

    @property
    def _drawn(self) -> tuple[GeneralClaim, ...]:
        return self.claims[: max(1, MOST_LINES // (len(self.cells) + 2))]

    @property
    def _groups(self) -> dict[Unit, list[GeneralClaim]]:
        groups = {unit: [claim for claim in self._drawn if claim.unit == unit] for unit in AXES}
        return {unit: group for unit, group in groups.items() if group} or {"percent": []}

    @staticmethod
    def _lines(claim: GeneralClaim) -> int:
        return len(claim.cells) + 1 + (claim.low is not None)

    def text(self) -> str:
        """Every claim in words."""
        lines = []
        for claim in self.claims:
            lines.append(f"{claim.name}: {claim.supported} of {claim.judged} cells support it; mean {claim.outcome}")
            lines += [f"  {cell}: {verdict.status}" for cell, verdict in zip(self.cells, claim.cells, strict=True)]
        return "\n".join(lines)

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each claim and cell, and one for each mean, whose cell is empty."""
        for claim in self.claims:
            of_claim = {"claim": claim.name, "unit": claim.unit, "threshold": claim.threshold}
            for cell, verdict in zip(self.cells, claim.cells, strict=True):
                yield {
                    **of_claim,
                    "cell": cell,
                    "outcome": verdict.status,
                    "difference": verdict.effect,
                    "low": verdict.low,
                    "high": verdict.high,
                    "standard_error": verdict.standard_error,
                    "p": verdict.p,
                    "reason": verdict.reason,
                }
            yield {
                **of_claim,
                "cell": "",
                "outcome": claim.outcome,
                "difference": claim.mean,
                "low": claim.low,
                "high": claim.high,
                "standard_error": None,
                "p": claim.p,
                "reason": claim.reason,
            }

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw the claims below each other, those of another unit on axes of their own."""
        groups = self._groups
        heights = [sum(map(self._lines, group)) or 1 for group in groups.values()]
        panels = canvas.subplots(len(groups), squeeze=False, height_ratios=heights)[:, 0]
        for axes, (unit, group) in zip(panels, groups.items(), strict=True):
            self._draw_group(axes, group, marks.scale(unit))
            axes.set_xlabel(AXES[unit])

    def _draw_group(self, axes: Axes, claims: Sequence[GeneralClaim], scale: float) -> None:
        line, ticks, headings = 0, [], []
        for claim in claims:
            headings.append(line)
            ticks.append(marks.label(_words(claim.name), 44))
            threshold = scale * claim.threshold
            axes.plot([threshold] * 2, [line + 0.5, line + self._lines(claim) - 0.5], color=_GREY, linewidth=1.6)
            for offset, (cell, verdict) in enumerate(zip(self.cells, claim.cells, strict=True), start=1):
                ticks.append(marks.label(cell, 40))
                _draw_verdict(axes, line + offset, verdict, scale, threshold)
            if claim.low is not None:
                ticks.append("mean over cells")
                _draw_mean(axes, line + len(claim.cells) + 1, claim, scale)
            line += self._lines(claim)
        axes.set_yticks(range(len(ticks)), ticks, fontsize=9)
        for at, label in enumerate(axes.get_yticklabels()):
            label.set_fontweight("bold" if at in headings else "normal")
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(max(line, 1) - 0.3, -0.7)
        axes.set_xlim(*_limits(claims, scale))
        axes.grid(visible=False, axis="y")


def _limits(claims: Sequence[GeneralClaim], scale: float) -> tuple[float, float]:
    """Ends of the axis: a mean of two cells may have an interval a hundred times as wide as theirs."""
    verdicts = [verdict for claim in claims for verdict in claim.cells]
    ends = [end for verdict in verdicts for end in (verdict.effect, verdict.low, verdict.high) if end is not None]
    values = [0.0, *ends, *(claim.threshold for claim in claims), *(claim.mean or 0.0 for claim in claims)]
    margin = 0.15 * (max(values) - min(values)) or 0.01
    return scale * (min(values) - margin), scale * (max(values) + margin)


def _words(name: str) -> str:
    return one_line(name).removeprefix("test_").replace("_", " ")


def _draw_verdict(axes: Axes, line: float, verdict: CellVerdict, scale: float, threshold: float) -> None:
    if verdict.effect is None:
        axes.text(threshold, line, f"  {verdict.status}", va="center", fontsize=9)
        return
    colour, marker = MARKS[verdict.status]
    if verdict.low is not None and verdict.high is not None:
        axes.plot([scale * verdict.low, scale * verdict.high], [line] * 2, color=colour, linewidth=1.5)
    axes.plot([scale * verdict.effect], [line], marker, color=colour, markersize=5)


def _draw_mean(axes: Axes, line: float, claim: GeneralClaim, scale: float) -> None:
    low, mean, high = (scale * (value or 0.0) for value in (claim.low, claim.mean, claim.high))
    colour, _ = MARKS[claim.outcome]
    if claim.prediction is not None:
        axes.plot([scale * end for end in claim.prediction], [line] * 2, color=colour, linewidth=1)
    axes.fill([low, mean, high, mean], [line, line - _HALF, line, line + _HALF], color=colour)
