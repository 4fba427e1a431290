"""Old against new accuracy of each trial, where two runs are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Iterator

    import matplotlib.figure

    from tlbench.report.content import ComparisonRecord, TrialChange

# More names would hide each other.
MOST_NAMED = 5


@dataclass(frozen=True)
class Changes:
    """Accuracy of each trial of two runs.

    Attributes:
        comparison: Of the runs.
    """

    comparison: ComparisonRecord

    @property
    def kind(self) -> str:
        """It is made of a comparison, which results hold already, and stands in none."""
        return "changes"

    @property
    def name(self) -> str:
        """Of the figure."""
        return "Old and new"

    @property
    def title(self) -> str:
        """What it shows."""
        return "accuracy of each trial in both runs"

    @property
    def caption(self) -> str:
        """What the marks are."""
        return (
            f"Each mark is a trial; on the diagonal it scores the same. Old: {self.comparison.old}. "
            f"New: {self.comparison.new}. Crosses are of arms that regressed, triangles of arms that improved."
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
        moved = [change.label for change in self.comparison.arms if change.status == "regressed"]
        named = [trial for arm in moved for trial in self.comparison.trials if trial.arm == arm]
        firsts = {trial.arm: trial for trial in reversed(named)}
        for trial in list(firsts.values())[:MOST_NAMED]:
            axes.annotate(
                f" {trial.arm}", (100 * trial.old, 100 * trial.new), fontsize=10, va="top", annotation_clip=True
            )
        axes.set(xlabel="old accuracy (%)", ylabel="new accuracy (%)", aspect="equal")
        values = [100 * value for trial in self.comparison.trials for value in (trial.old, trial.new)]
        low, high = min(values, default=0) - 3, max(values, default=100) + 3
        axes.set(xlim=(low, high), ylim=(low, high))
        if values:
            axes.legend(title="trials", loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0, fontsize=12)
