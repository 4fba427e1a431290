"""Calibration: the trust that a network's probabilities deserve."""

from __future__ import annotations

import statistics

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from tlbench.report.figures import marks
from tlbench.scores import metrics
from tlbench.scores.extras import NO_EXTRAS


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import matplotlib.figure

    from tlbench.declare.trials import Arm, Trial
    from tlbench.store.results import ResultOf

BINS = 10

# Fewer images have a share right whose standard error is up to 16 points (half of 1/sqrt(10)): one image alone would
# put a bin at 0 or 100 %.
LEAST_IMAGES = 10

# Seeds whose errors the legend has room for, beside so many characters of the name.
MOST_LISTED, NAMED = 3, 32


@dataclass(frozen=True)
class Calibration:
    """A reliability diagram (Guo et al. 2017, arXiv:1706.04599, section 2) of some arms.

    Attributes:
        name: For instance `"Calibration"`.
        title: What it shows.
        arms: Whose probabilities.
    """

    extras: ClassVar[frozenset[str]] = NO_EXTRAS

    name: str
    title: str
    arms: tuple[Arm, ...]

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """The trials that the figure needs."""
        return tuple(arm.trial(seed) for arm in self.arms for seed in seeds)

    def trace(self, result: ResultOf, seeds: Sequence[int]) -> DrawnCalibration:
        """The diagram of the results there are."""
        series = []
        for arm in self.arms:
            outcomes = {seed: result(arm.trial(seed)) for seed in seeds}
            found = {seed: out for seed, out in outcomes.items() if out is not None and not out.diverged}
            labels = [out.labels for out in found.values()]
            probabilities = [out.probabilities for out in found.values()]
            bins = metrics.reliability(np.concatenate(labels), np.concatenate(probabilities), BINS) if found else ()
            series.append(
                CalibrationSeries(
                    arm.label,
                    tuple(Bin(*each) for each in bins),
                    {
                        str(seed): metrics.expected_calibration_error(out.labels, out.probabilities, BINS)
                        for seed, out in found.items()
                    },
                )
            )
        return DrawnCalibration("calibration", self.name, self.title, tuple(series))


@dataclass(frozen=True)
class Bin:
    """The test images whose predicted class has a probability in some range.

    Attributes:
        confidence: Mean of those probabilities.
        accuracy: Share of the images that are predicted rightly.
        images: Their number, of all seeds.
    """

    confidence: float
    accuracy: float
    images: int


@dataclass(frozen=True)
class CalibrationSeries:
    """The calibration of an arm's probabilities.

    Attributes:
        arm: Label of the arm.
        bins: Those that hold images, of all seeds together.
        errors: Expected calibration error by seed; diverged and missing ones are left out.
    """

    arm: str
    bins: tuple[Bin, ...]
    errors: dict[str, float]


@dataclass(frozen=True)
class DrawnCalibration:
    """`Calibration` with its values.

    Attributes:
        kind: Tells it from other figures.
        name: Name of the figure.
        title: Subject of the figure.
        series: One for each arm.
    """

    kind: Literal["calibration"]
    name: str
    title: str
    series: tuple[CalibrationSeries, ...]

    @property
    def height_inches(self) -> float:
        """Room for the shares, and for the numbers of images below."""
        return 5.6

    @property
    def caption(self) -> str:
        """The meaning of the marks, the line and the bars."""
        return (
            f"Test images of all seeds in {BINS} bins of equal width by the probability of their predicted class. On "
            "the dotted diagonal probabilities are what they say. Below, the number of images in each bin; a bin of "
            f"fewer than {LEAST_IMAGES} images has a bar, but no mark above. ECE: expected calibration error (Guo et "
            "al. 2017), mean over seeds."
        )

    def text(self) -> str:
        """The expected calibration error of each arm, and its bins."""
        lines = []
        for series in self.series:
            if not series.errors:
                lines.append(f"{series.arm}: no finished trials")
                continue
            by_seed = " ".join(f"{error:.3f}" for error in series.errors.values())
            bins = ", ".join(f"{each.confidence:.2f}: {each.accuracy:.2f} ({each.images})" for each in series.bins)
            mean = statistics.fmean(series.errors.values())
            lines.append(
                f"{series.arm}: expected calibration error {mean:.3f}, by seed {by_seed}; share right by confidence "
                f"(images) {bins}"
            )
        return "\n".join(lines)

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each arm and bin."""
        for series in self.series:
            for each in series.bins:
                yield {
                    "figure": self.name,
                    "arm": series.arm,
                    "confidence": each.confidence,
                    "accuracy": each.accuracy,
                    "images": each.images,
                }

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw all arms on one pair of axes, and the number of images in each bin below."""
        axes, counts = canvas.subplots(2, height_ratios=(3, 1), sharex=True)
        axes.plot([0, 100], [0, 100], color="#8a8a8a", linestyle=":", linewidth=1.5)
        shown = [series for series in self.series if series.bins]
        for number, series in enumerate(shown):
            colour, style = f"C{number % 6}", ("-", "--", "-.", ":")[number % 4]
            drawn = [each for each in series.bins if each.images >= LEAST_IMAGES]
            axes.plot(
                [100 * each.confidence for each in drawn],
                [100 * each.accuracy for each in drawn],
                f"{'osD^vP'[number % 6]}{style}",
                color=colour,
                linewidth=1.5,
                markersize=7,
                label=_legend(series),
            )
            # Side by side within the bin, of which they leave a tenth on either side.
            width = 80 / BINS / len(shown)
            left = [100 / BINS * (_number(each) + 0.1) + width * number for each in series.bins]
            counts.bar(left, [each.images for each in series.bins], width, align="edge", color=colour)
        axes.set(ylabel="share right (%)", xlim=(0, 102), ylim=(0, 102))
        counts.set(xlabel="confidence (%)", ylabel="images")
        if shown:
            counts.set_yscale("log")
            counts.set_ylim(bottom=0.5)
            counts.minorticks_off()
            most = max(each.images for series in shown for each in series.bins)
            ticks = [10**power for power in range(len(str(most)))]
            counts.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, fontsize=12)
        else:
            axes.text(0.5, 0.3, "no finished trials", ha="center", transform=axes.transAxes)


def _number(each: Bin) -> int:
    """The number of a bin, counted from 0; a bin holds its upper end, as `tlbench.scores.metrics.reliability` does."""
    return min(max(int(np.ceil(each.confidence * BINS)) - 1, 0), BINS - 1)


def _legend(series: CalibrationSeries) -> str:
    errors = [100 * error for error in series.errors.values()]
    by_seed = ", ".join(f"{error:.1f}" for error in errors)
    if len(errors) > MOST_LISTED:
        by_seed = f"{min(errors):.1f} to {max(errors):.1f}"
    return f"{marks.label(series.arm, NAMED)}: ECE {statistics.fmean(errors):.1f} % (by seed {by_seed})"
