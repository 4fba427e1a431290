"""Old against new accuracy of each trial, where two runs are compared."""

from __future__ import annotations

import math

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlbench.report.figures import marks


if TYPE_CHECKING:
    from collections.abc import Iterator

    import matplotlib.figure

    from matplotlib.axes import Axes

    from tlbench.report.content import ComparisonRecord, TrialChange

# Arms of a kind: more names would hide each other.
MOST_NAMED = 5

# Characters of a name; a character's width, and from one line to the next, as shares of an axis.
NAMED, CHARACTER, LINE = 28, 0.025, 0.055


@dataclass(frozen=True)
class Changes:
    """Accuracy of each trial of two runs.

    Attributes:
        comparison: Of the runs.
        name: Of the figure, unlike that of any other.
    """

    comparison: ComparisonRecord
    name: str = "Old and new"

    @property
    def kind(self) -> str:
        """It is made of a comparison, which results hold already, and stands in none."""
        return "changes"

    @property
    def title(self) -> str:
        """What it shows."""
        return "accuracy of each trial in both runs"

    @property
    def caption(self) -> str:
        """What the marks are."""
        return (
            f"Each mark is a trial; on the diagonal it scores the same. Old: {self.comparison.old}. "
            f"New: {self.comparison.new}. Crosses are of arms that regressed, triangles of arms that improved; "
            f"up to {MOST_NAMED} of either are named, each at its first seed."
        )

    def _status(self, arm: str) -> str:
        return next((change.status for change in self.comparison.arms if change.label == arm), "not judged")

    @property
    def _groups(self) -> dict[str, list[TrialChange]]:
        groups: dict[str, list[TrialChange]] = {"same": [], "improved": [], "regressed": []}
        for trial in self.comparison.trials:
            status = self._status(trial.arm)
            groups[status if status in groups else "same"].append(trial)
        return groups

    def text(self) -> str:
        """How many trials moved, and those of arms that regressed or improved."""
        trials = self.comparison.trials
        equal = sum(trial.old == trial.new for trial in trials)
        lines = [f"{len(trials)} trials are in both runs; {equal} score the same."]
        lines += [
            f"{trial.arm} ({status}), seed {trial.seed}: {trial.old:.1%} -> {trial.new:.1%}"
            for status, group in self._groups.items()
            if status != "same"
            for trial in group
        ]
        return "\n".join(lines)

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each trial."""
        for trial in self.comparison.trials:
            yield {"arm": trial.arm, "seed": trial.seed, "old": trial.old, "new": trial.new}

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw all trials on one pair of axes."""
        axes = canvas.subplots()
        axes.plot([0, 100], [0, 100], color="#8a8a8a", linestyle=":", linewidth=1.5)
        looks = {"same": ("C0", "o"), "improved": ("C2", "^"), "regressed": ("C1", "X")}
        for status, group in self._groups.items():
            colour, marker = looks[status]
            if group:
                axes.scatter(
                    [100 * trial.old for trial in group],
                    [100 * trial.new for trial in group],
                    color=colour,
                    marker=marker,
                    s=45,
                    alpha=0.7,
                    label=f"{'others' if status == 'same' else status}: {len(group)}",
                )
        axes.set(xlabel="old accuracy (%)", ylabel="new accuracy (%)", aspect="equal")
        values = [100 * value for trial in self.comparison.trials for value in (trial.old, trial.new)]
        low, high = min(values, default=0) - 3, max(values, default=100) + 3
        axes.set(xlim=(low, high), ylim=(low, high))
        self._name_arms(axes, low, high - low)
        if not values:
            marks.nothing(axes)
        else:
            axes.legend(title="trials", loc="lower left", bbox_to_anchor=(1.02, 0), borderaxespad=0, fontsize=12)

    def _name_arms(self, axes: Axes, low: float, extent: float) -> None:
        """Name arms at their first trials: improved ones above the diagonal, regressed ones below, none on another."""
        for status, sign in (("regressed", 1), ("improved", -1)):
            firsts = {trial.arm: trial for trial in reversed(self._groups[status])}
            height = math.inf
            for trial in sorted(list(firsts.values())[::-1][:MOST_NAMED], key=lambda trial: -sign * trial.new):
                old, new = 100 * trial.old, 100 * trial.new
                name = marks.label(trial.arm, NAMED)
                beside = old + sign * 0.06 * extent
                height = min(sign * new - 0.04 * extent, height - LINE * extent)
                if status == "improved":
                    # On the left the axis stands in the way, as the legend does not on the right.
                    beside = max(beside, low + CHARACTER * len(name) * extent)
                    height = min(height, -beside - LINE * extent)
                axes.annotate(
                    name,
                    (old, new),
                    (beside, sign * height),
                    fontsize=11,
                    ha="left" if sign > 0 else "right",
                    va="center",
                    arrowprops={"arrowstyle": "-", "color": "#8a8a8a", "linewidth": 0.8, "shrinkB": 4},
                )
