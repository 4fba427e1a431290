"""Figures: curves of arms over epochs."""

from __future__ import annotations

import statistics

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlbench.statistics import epochs_to_match


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tlbench.results import Result
    from tlbench.trials import Arm, Trial


@dataclass(frozen=True)
class Figure:
    """Accuracy over epochs, of two arms.

    Attributes:
        name: For instance `"Figure 1"`.
        title: What it shows.
        arm: The arm that should be faster.
        reference: The arm whose last epoch it is held against.
    """

    name: str
    title: str
    arm: Arm
    reference: Arm

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Of its curves."""
        return self.arm, self.reference

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """What has to be trained to draw it."""
        return tuple(arm.trial(seed) for arm in self.arms for seed in seeds)


@dataclass(frozen=True)
class DrawnFigure:
    """A figure with its curves.

    Attributes:
        figure: Whose curves they are.
        curves: Results by arm label and seed; diverged and missing ones are left out.
    """

    figure: Figure
    curves: Mapping[str, Mapping[int, Result]]

    @property
    def epochs_to_match(self) -> dict[int, int | None]:
        """By seed: the first epoch at which the arm's validation accuracy is the reference's last; None if never."""
        reference = self.curves[self.figure.reference.label]
        return {
            seed: epochs_to_match(result.validation_accuracy, reference[seed].validation_accuracy[-1])
            for seed, result in self.curves[self.figure.arm.label].items()
            if seed in reference
        }

    def text(self) -> str:
        """The figure in lines: validation accuracy by epoch, and the epochs it took to match."""
        lines = []
        for label, results in self.curves.items():
            if results:
                by_epoch = zip(*(result.validation_accuracy for result in results.values()), strict=True)
                lines.append(f"{label}: " + " ".join(f"{statistics.fmean(epoch):.1%}" for epoch in by_epoch))
            else:
                lines.append(f"{label}: not run, or diverged under every seed")
        lines.append("(validation accuracy after each epoch, mean over seeds)")
        matched = ", ".join(f"seed {seed}: {epoch or 'never'}" for seed, epoch in self.epochs_to_match.items())
        lines.append(
            f"Epochs [{self.figure.arm.label}] took to match the last epoch of [{self.figure.reference.label}]: "
            f"{matched or 'not known'}"
        )
        return "\n".join(lines)

    def records(self) -> list[dict[str, Any]]:
        """One value for each arm, seed and epoch."""
        return [
            {
                "figure": self.figure.name,
                "arm": label,
                "seed": seed,
                "epoch": epoch,
                "training_accuracy_reported": training,
                "validation_accuracy": validation,
            }
            for label, results in self.curves.items()
            for seed, result in results.items()
            for epoch, (training, validation) in enumerate(
                zip(result.training_accuracy, result.validation_accuracy, strict=True), start=1
            )
        ]

    def draw(self, path: Path) -> None:
        """Write the figure as an image; the format is that of the path's suffix."""
        # Without pyplot: no window system is looked for and no figure is left open.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas

        canvas = Canvas(figsize=(7, 4.5), layout="constrained")
        FigureCanvasAgg(canvas)
        axes = canvas.subplots()
        for colour, (label, results) in zip(("C0", "C1"), self.curves.items(), strict=True):
            for number, result in enumerate(results.values()):
                epochs = range(1, len(result.validation_accuracy) + 1)
                # A label that starts with an underscore stays out of the legend.
                named = "_" if number else label
                axes.plot(epochs, result.validation_accuracy, color=colour, alpha=0.7, label=named)
                axes.plot(epochs, result.training_accuracy, color=colour, alpha=0.5, linestyle=":")
        axes.set(title=self.figure.title, xlabel="epoch", ylabel="accuracy (dotted: training, as reported)")
        if any(self.curves.values()):
            axes.legend()
        canvas.savefig(path, dpi=150)


def trace(figure: Figure, result: Callable[[Trial], Result | None], seeds: Sequence[int]) -> DrawnFigure:
    """Collect a figure's curves from the results there are.

    Args:
        figure: What to draw.
        result: Gives a trial's result, or None where there is none.
        seeds: Of the curves.
    """
    curves: dict[str, dict[int, Result]] = {}
    for arm in (figure.arm, figure.reference):
        outcomes = {seed: result(arm.trial(seed)) for seed in seeds}
        curves[arm.label] = {seed: out for seed, out in outcomes.items() if out is not None and not out.diverged}
    return DrawnFigure(figure, curves)
