"""All claims of a run: effects with their intervals."""

from __future__ import annotations

import textwrap

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlbench.report.escaping import one_line
from tlbench.report.figures import marks


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import matplotlib.figure

    from matplotlib.axes import Axes

    from tlbench.report.records import ClaimRecord
    from tlbench.scores.listed import Unit

# More would make a figure that no page holds.
MOST_CLAIMS = 60

# Labels of the axes of differences.
AXES: dict[Unit, str] = {
    "percent": "difference (points)",
    "points": "difference (points)",
    "nats": "difference (nats)",
    "number": "difference",
}

# Told apart by colour and by shape.
MARKS = {"supported": ("C2", "o"), "refuted": ("C1", "X"), "inconclusive": ("C0", "D")}


@dataclass(frozen=True)
class Forest:
    """A forest plot of claims.

    Attributes:
        claims: In the order of the tests.
        name: Name of the figure, unlike that of any other.
    """

    claims: tuple[ClaimRecord, ...]
    name: str = "All claims"

    @property
    def kind(self) -> str:
        """It is made of claims, which results hold already, and stands in none."""
        return "forest"

    @property
    def title(self) -> str:
        """Title of the figure."""
        return "differences with the intervals that decide"

    @property
    def height_inches(self) -> float:
        """Two lines for each claim, and an axis for each unit."""
        return 0.8 + 0.8 * len(self._groups) + 0.55 * min(len(self.claims), MOST_CLAIMS)

    @property
    def _groups(self) -> dict[Unit, list[ClaimRecord]]:
        # What is drawn, by unit; no claims are one group.
        claims = self.claims[:MOST_CLAIMS]
        groups = {unit: [claim for claim in claims if claim.unit == unit] for unit in AXES}
        return {unit: group for unit, group in groups.items() if group} or {"percent": []}

    @property
    def caption(self) -> str:
        """Meaning of the marks."""
        text = (
            "Each claim's mean difference over seeds with the interval that decides, among all claims; the upright "
            "stroke is what it must exceed. Circles are supported, diamonds inconclusive, crosses refuted, all claims "
            "judged together. Differences of shares, such as accuracy and F1, are in points."
        )
        if len(self.claims) > MOST_CLAIMS:
            text += f" Only the first {MOST_CLAIMS} of {len(self.claims)} are drawn."
        return text

    def text(self) -> str:
        """Every claim in words."""
        return "\n".join(f"{claim.outcome}: {claim.name}: {claim.sentence}" for claim in self.claims)

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each claim."""
        for claim in self.claims:
            yield {
                "figure": self.name,
                "claim": claim.name,
                "outcome": claim.outcome,
                "unit": claim.unit,
                "difference": claim.effect,
                "low": claim.low,
                "high": claim.high,
                "own_low": claim.own_low,
                "own_high": claim.own_high,
                "threshold": claim.threshold,
                "p": claim.p,
                "adjusted_p": claim.adjusted_p,
            }

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw the claims below each other, those of another unit on axes of their own."""
        groups = self._groups
        heights = [max(len(group), 1) for group in groups.values()]
        panels = canvas.subplots(len(groups), squeeze=False, height_ratios=heights)[:, 0]
        for axes, (unit, group) in zip(panels, groups.items(), strict=True):
            _draw_group(axes, group, marks.scale(unit))
            axes.set_xlabel(AXES[unit])
        found = {claim.outcome for group in groups.values() for claim in group}
        outcomes = [outcome for outcome in MARKS if outcome in found]
        for outcome in outcomes:
            colour, marker = MARKS[outcome]
            panels[0].plot([], [], marker, color=colour, markersize=8, label=outcome)
        if outcomes:
            panels[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=12, borderaxespad=0)


def _draw_group(axes: Axes, claims: Sequence[ClaimRecord], scale: float) -> None:
    for position, claim in enumerate(claims):
        _draw_claim(axes, position, claim, scale)
    axes.axvline(0, color="#8a8a8a", linewidth=1)
    axes.set_yticks(range(len(claims)), [_label(claim.name) for claim in claims], fontsize=12)
    axes.set_ylim(len(claims) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _draw_claim(axes: Axes, position: int, claim: ClaimRecord, scale: float) -> None:
    axes.plot([scale * claim.threshold] * 2, [position - 0.28, position + 0.28], color="#8a8a8a", linewidth=2.5)
    if claim.effect is None:
        axes.text(scale * claim.threshold, position, "  no score", va="center", fontsize=12)
        return
    colour, marker = MARKS[claim.outcome]
    if claim.low is not None and claim.high is not None:
        axes.plot([scale * claim.low, scale * claim.high], [position] * 2, color=colour, linewidth=2)
    axes.plot([scale * claim.effect], [position], marker, color=colour, markersize=8)


def _label(name: str) -> str:
    words = one_line(name).removeprefix("test_").replace("_", " ")
    return "\n".join(textwrap.wrap(words, 36, max_lines=2, placeholder="..."))
