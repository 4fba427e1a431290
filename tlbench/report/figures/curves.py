"""Accuracy over epochs, of two arms."""

from __future__ import annotations

import statistics

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tlbench.report.figures import marks
from tlbench.scores.extras import VALIDATION
from tlbench.scores.statistics import epochs_to_match


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import matplotlib.figure

    from tlbench.declare.trials import Arm, Trial
    from tlbench.store.results import ResultOf


# Of each arm: more would be one grey area, and take long to draw.
MOST_CURVES = 30

# Characters of an arm in the legend, which says beside it what of the arm is drawn.
NAMED = 44


@dataclass(frozen=True)
class Curves:
    """Accuracy over epochs, of two arms.

    Attributes:
        name: For instance `"Figure 1"`.
        title: What it shows.
        arm: The arm that should be faster.
        reference: The arm whose last epoch it is held against.
    """

    extras: ClassVar[frozenset[str]] = frozenset({VALIDATION})

    name: str
    title: str
    arm: Arm
    reference: Arm

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Of its curves."""
        return self.arm, self.reference

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """The trials that the figure needs."""
        return tuple(arm.trial(seed) for arm in self.arms for seed in seeds)

    def trace(self, result: ResultOf, seeds: Sequence[int]) -> DrawnCurves:
        """The curves of the results there are."""
        found = [(arm.label, seed, result(arm.trial(seed))) for arm in self.arms for seed in seeds]
        return DrawnCurves(
            kind="curves",
            name=self.name,
            title=self.title,
            arm=self.arm.label,
            reference=self.reference.label,
            curves=tuple(
                Curve(label, seed, outcome.training_accuracy, outcome.validation_accuracy)
                for label, seed, outcome in found
                if outcome is not None and not outcome.diverged and outcome.validation_accuracy
            ),
        )


@dataclass(frozen=True)
class Curve:
    """One trial's accuracy after each epoch.

    Attributes:
        arm: Label of its arm.
        seed: Seed of the trial.
        training: Training accuracy, from Keras while training.
        validation: On the validation images.
    """

    arm: str
    seed: int
    training: tuple[float, ...]
    validation: tuple[float, ...]


@dataclass(frozen=True)
class DrawnCurves:
    """`Curves` with its values.

    Attributes:
        kind: Tells it from other figures.
        name: Name of the figure.
        title: Subject of the figure.
        arm: Label of the arm.
        reference: Label of the reference.
        curves: Curves of both arms; missing and diverged trials are left out, and those of no epochs.
    """

    kind: Literal["curves"]
    name: str
    title: str
    arm: str
    reference: str
    curves: tuple[Curve, ...]

    def of(self, arm: str) -> dict[int, Curve]:
        """The curves of an arm, by seed."""
        return {curve.seed: curve for curve in self.curves if curve.arm == arm}

    @property
    def epochs_to_match(self) -> dict[int, int | None]:
        """By seed: the first epoch at which the arm's validation accuracy is the reference's last; None if never."""
        reference = self.of(self.reference)
        return {
            seed: epochs_to_match(curve.validation, reference[seed].validation[-1])
            for seed, curve in self.of(self.arm).items()
            if seed in reference
        }

    @property
    def caption(self) -> str:
        """The meaning of the lines."""
        text = (
            f"Thin lines are seeds, thick ones their mean: {self.arm} solid and {self.reference} dashed on validation "
            "images, which are no test images; dotted on training images, as Keras reports it."
        )
        if any(len(self.of(arm)) > MOST_CURVES for arm in (self.arm, self.reference)):
            text += f" Of each arm the first {MOST_CURVES} seeds are drawn; the mean is of all."
        if not self.mean(self.arm) or not self.mean(self.reference):
            return text
        if self.crossing is None:
            return f"{text} The mean of {self.arm} does not reach the last one of {self.reference}."
        text += f" The level line is where the mean of {self.reference} ends."
        return f"{text} The star is where the mean of {self.arm} reaches the last one of {self.reference}."

    def text(self) -> str:
        """Validation accuracy by epoch, and the epochs it took to match."""
        lines = []
        for arm in (self.arm, self.reference):
            told = " ".join(f"{accuracy:.1%}" for accuracy in self.mean(arm))
            lines.append(f"{arm}: {told or 'not run, or diverged under every seed'}")
        lines.append("(validation accuracy after each epoch, mean over seeds)")
        lines += [
            f"{arm}, training: " + " ".join(f"{accuracy:.1%}" for accuracy in training)
            for arm in (self.arm, self.reference)
            if (training := self.training_mean(arm))
        ]
        if self.mean(self.arm) and self.mean(self.reference):
            reached = "never" if self.crossing is None else f"epoch {self.crossing}"
            lines.append(f"The mean of [{self.arm}] reaches the last one of [{self.reference}]: {reached}")
        matched = ", ".join(f"seed {seed}: {epoch or 'never'}" for seed, epoch in self.epochs_to_match.items())
        lines.append(
            f"Epochs [{self.arm}] took to match the last epoch of [{self.reference}]: {matched or 'not known'}"
        )
        return "\n".join(lines)

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each arm, seed and epoch."""
        for curve in self.curves:
            for epoch, (training, validation) in enumerate(zip(curve.training, curve.validation, strict=True), start=1):
                yield {
                    "figure": self.name,
                    "arm": curve.arm,
                    "seed": curve.seed,
                    "epoch": epoch,
                    "training_accuracy_reported": training,
                    "validation_accuracy": validation,
                }

    def mean(self, arm: str) -> tuple[float, ...]:
        """Mean validation accuracy of an arm after each epoch; empty where no trial has finished."""
        return _by_epoch([curve.validation for curve in self.of(arm).values()])

    def training_mean(self, arm: str) -> tuple[float, ...]:
        """Likewise, of training accuracy as Keras reports it."""
        return _by_epoch([curve.training for curve in self.of(arm).values()])

    @property
    def crossing(self) -> int | None:
        """The first epoch at which the arm's mean is the reference's last mean; None if never."""
        arm, reference = self.mean(self.arm), self.mean(self.reference)
        return epochs_to_match(arm, reference[-1]) if arm and reference else None

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw both arms' curves, the level that the reference ends at, and where the arm's mean reaches it."""
        from matplotlib.ticker import MaxNLocator

        axes = canvas.subplots()
        for colour, style, arm in (("C0", "-", self.arm), ("C1", "--", self.reference)):
            for curve in list(self.of(arm).values())[:MOST_CURVES]:
                epochs = range(1, len(curve.validation) + 1)
                axes.plot(epochs, _percent(curve.validation), style, color=colour, alpha=0.35, linewidth=0.9)
                axes.plot(epochs, _percent(curve.training), ":", color=colour, alpha=0.35, linewidth=0.9)
            if mean := self.mean(arm):
                name = marks.label(arm, NAMED)
                epochs = range(1, len(mean) + 1)
                training = _percent(self.training_mean(arm))
                axes.plot(epochs, _percent(mean), style, color=colour, linewidth=2.8, label=f"{name}, validation")
                axes.plot(epochs, training, ":", color=colour, linewidth=2.4, label=f"{name}, training")
        axes.set(xlabel="epoch", ylabel="accuracy (%)")
        if not self.curves:
            marks.nothing(axes)
            return
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if self.crossing is not None:
            level = 100 * self.mean(self.reference)[-1]
            axes.axhline(level, color="#8a8a8a", linewidth=1.2, linestyle=(0, (6, 3)))
            reached = 100 * self.mean(self.arm)[self.crossing - 1]
            axes.plot([self.crossing], [reached], "*", color="C0", markersize=17)
            low, high = axes.get_ylim()
            below = reached > (low + 3 * high) / 4
            axes.annotate(
                f"epoch {self.crossing}",
                (self.crossing, reached),
                (0, -13 if below else 13),
                textcoords="offset points",
                ha="center",
                va="top" if below else "bottom",
                fontsize=12,
            )
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, fontsize=12)


def _by_epoch(curves: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(statistics.fmean(epoch) for epoch in zip(*curves, strict=True))


def _percent(values: Sequence[float]) -> list[float]:
    return [100 * value for value in values]
