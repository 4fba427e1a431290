"""Confusion of classes, and F1 by class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from tlbench.declare.claims import f1, score
from tlbench.report.figures import marks
from tlbench.report.tables import Cell
from tlbench.scores import metrics
from tlbench.scores.extras import NO_EXTRAS


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import matplotlib.figure

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tlbench.declare.trials import Arm, Trial
    from tlbench.store.results import ResultOf

# From here on numbers in the cells would hide each other.
MOST_NUMBERED = 12


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix of an arm, and F1 of each class beside what was published.

    Attributes:
        name: For instance `"Confusion"`.
        title: What it shows.
        arm: Whose predictions.
        labels: Labels of the arm's task, in order.
        published: F1 as printed, by label.
        published_by: Who printed it.
    """

    extras: ClassVar[frozenset[str]] = NO_EXTRAS

    name: str
    title: str
    arm: Arm
    labels: tuple[str, ...]
    published: Mapping[str, str] = field(default_factory=dict, hash=False)
    published_by: str = "published"

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The one."""
        return (self.arm,)

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """The trials that the figure needs."""
        return tuple(self.arm.trial(seed) for seed in seeds)

    def trace(self, result: ResultOf, seeds: Sequence[int]) -> DrawnConfusion:
        """The matrix of the results there are."""
        counts = np.zeros((len(self.labels),) * 2, np.int64)
        for trial in self.trials(seeds):
            outcome = result(trial)
            if outcome is not None and not outcome.diverged:
                counts += metrics.confusion(outcome.labels, outcome.probabilities)
        return DrawnConfusion(
            kind="confusion",
            name=self.name,
            title=self.title,
            labels=self.labels,
            counts=tuple(tuple(map(int, row)) for row in counts),
            f1=tuple(
                Cell.of(score(self.arm, f1(label)), result, seeds, self.published.get(label)) for label in self.labels
            ),
            published_by=self.published_by,
        )


@dataclass(frozen=True)
class DrawnConfusion:
    """`Confusion` with its values.

    Attributes:
        kind: Tells it from other figures.
        name: Name of the figure.
        title: Subject of the figure.
        labels: Labels of the task, in order.
        counts: Test images of all seeds, by true label and by predicted one.
        f1: F1 of each label.
        published_by: Author of the published values.
    """

    kind: Literal["confusion"]
    name: str
    title: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    f1: tuple[Cell, ...]
    published_by: str

    @property
    def height_inches(self) -> float:
        """Enough for every label."""
        return max(4.4, 0.3 * len(self.labels))

    @property
    def _shares(self) -> NDArray[np.float64]:
        counts = np.array(self.counts, np.float64).reshape((len(self.labels),) * 2)
        return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))

    @property
    def caption(self) -> str:
        """The meaning of the shades, numbers and marks."""
        text = (
            "Left: share of a class's test images (%), summed over seeds, by what they are predicted as. Right: F1 of "
            f"each class (%). {marks.MEANING}."
        )
        if any(cell.published_number is not None for cell in self.f1):
            text += f" Hollow diamonds are what the {self.published_by} printed."
        return text

    def text(self) -> str:
        """Of each class what it is taken for, and its F1."""
        lines = []
        for label, row, cell in zip(self.labels, self._shares, self.f1, strict=True):
            taken = [f"{other} {share:.0%}" for other, share in zip(self.labels, row, strict=True) if share >= 0.005]
            f1_told = marks.told("F1", cell, "percent", self.published_by)
            lines.append(f"{label} is taken for {', '.join(taken) or '- (no finished trials)'}; {f1_told}")
        return "\n".join(lines)

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each pair of labels."""
        for label, row in zip(self.labels, self.counts, strict=True):
            for other, count in zip(self.labels, row, strict=True):
                yield {"figure": self.name, "label": label, "predicted": other, "images": count}

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw the matrix, and F1 beside it."""
        matrix, f1_axes = canvas.subplots(1, 2, width_ratios=(1.25, 1), sharey=True)
        positions = range(len(self.labels))
        self._draw_matrix(matrix)
        for position, cell in enumerate(self.f1):
            numbers = [100 * number for number in cell.numbers]
            f1_axes.scatter(numbers, [position] * len(numbers), s=16, color="C0", alpha=0.65, zorder=3)
            if cell.mean is not None:
                error = None if cell.half_width is None else [100 * cell.half_width]
                f1_axes.errorbar(
                    [100 * cell.mean], [position], xerr=error, fmt="o", color="C0", markersize=7, capsize=4
                )
            if (printed := cell.published_number) is not None:
                first = not any(other.published_number is not None for other in self.f1[:position])
                named = marks.label(self.published_by, marks.AT_TICK) if first else None
                marks.published(f1_axes, 100 * printed, position, named)
        f1_axes.set(xlabel="F1 (%)", xlim=(-5, 105))
        f1_axes.set_xticks((0, 50, 100))
        f1_axes.set_yticks(positions, [marks.label(name, marks.AT_TICK) for name in self.labels])
        if any(cell.published_number is not None for cell in self.f1):
            f1_axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, fontsize=12)

    def _draw_matrix(self, axes: Axes) -> None:
        shares = 100 * self._shares
        count = len(self.labels)
        axes.grid(visible=False)
        finished = any(map(any, self.counts))
        if finished:
            image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        else:
            # No cells: a share of 0 would be one that was measured, and the shade would hide the words on a dark page.
            axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5))
            marks.nothing(axes)
        names = [marks.label(name, marks.AT_TICK) for name in self.labels]
        axes.set_xticks(range(count), names, rotation=60, fontsize=11, ha="right", rotation_mode="anchor")
        axes.tick_params("y", labelsize=11)
        axes.set(xlabel="predicted", ylabel="true class")
        if finished and count <= MOST_NUMBERED:
            for row in range(count):
                for column in range(count):
                    share = shares[row, column]
                    colour = marks.ink(tuple(image.to_rgba(share)))
                    axes.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=10, color=colour)
