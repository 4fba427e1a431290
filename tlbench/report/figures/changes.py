"""Old against new accuracy of each trial, where two runs are compared."""

from __future__ import annotations

import string

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlbench.report.figures import marks


if TYPE_CHECKING:
    from collections.abc import Iterator

    import matplotlib.figure

    from matplotlib.axes import Axes

    from tlbench.report.records import ComparisonRecord, TrialChange

# Arms of a kind: more names would hide each other.
MOST_NAMED = 5

# Characters of a name in the legend.
NAMED = 26

# Colour and marker of a trial by what became of its arm.
LOOKS = {"same": ("C0", "o"), "improved": ("C2", "^"), "regressed": ("C1", "X")}


@dataclass(frozen=True)
class Changes:
    """Accuracy of each trial of two runs.

    Attributes:
        comparison: Comparison of two runs.
        name: Name of the figure, which no other figure has.
    """

    comparison: ComparisonRecord
    name: str = "Old and new"

    @property
    def kind(self) -> str:
        """It is made of a comparison, which results hold already, and stands in none."""
        return "changes"

    @property
    def title(self) -> str:
        """The subject of the figure."""
        return "accuracy of each trial in both runs"

    @property
    def caption(self) -> str:
        """The meaning of the marks."""
        return (
            f"Each mark is a trial; on the diagonal it scores the same. Old: {self.comparison.old}. "
            f"New: {self.comparison.new}. Crosses are of arms that regressed, triangles of arms that improved; "
            f"up to {MOST_NAMED} of either have a letter at their first seed."
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
        """The number of trials that moved, and the trials of arms that regressed or improved."""
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
            yield {"figure": self.name, "arm": trial.arm, "seed": trial.seed, "old": trial.old, "new": trial.new}

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw all trials on one pair of axes."""
        axes = canvas.subplots()
        axes.plot([0, 100], [0, 100], color="#8a8a8a", linestyle=":", linewidth=1.5)
        for status, group in self._groups.items():
            colour, marker = LOOKS[status]
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
        self._name_arms(axes, 0.0005 * (high - low))
        if not values:
            marks.nothing(axes)
        else:
            canvas.legend(title="trials", loc="outside right upper", fontsize=11)

    def _name_arms(self, axes: Axes, near: float) -> None:
        """Put a letter at the first trial of arms that regressed or improved; the legend says whose it is.

        Args:
            axes: Where to.
            near: Marks no farther from each other share a place for their letters.
        """
        letters = iter(string.ascii_lowercase)
        for status, sign in (("regressed", 1), ("improved", -1)):
            places: dict[TrialChange, str] = {}
            firsts = {trial.arm: trial for trial in reversed(self._groups[status])}
            for trial in list(firsts.values())[::-1][:MOST_NAMED]:
                letter = next(letters)
                colour, marker = LOOKS[status]
                named = f"{letter}: {marks.label(trial.arm, NAMED)}"
                axes.plot([], [], marker, color=colour, linestyle="none", alpha=0.7, label=named)
                close = (one for one in places if max(abs(one.old - trial.old), abs(one.new - trial.new)) < near)
                place = next(close, trial)
                places[place] = places.get(place, "") + letter
            for place, text in places.items():
                axes.annotate(
                    text,
                    (100 * place.old, 100 * place.new),
                    (5 * sign, -4 * sign),
                    textcoords="offset points",
                    fontsize=12,
                    ha="left" if sign > 0 else "right",
                    va="top" if sign > 0 else "bottom",
                )
