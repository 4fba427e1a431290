"""Accuracy over the number of training images, with fitted power laws, and the images that transfer is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tlbench.report.figures import marks
from tlbench.report.figures.lines import NAMED, DrawnPoint, Point
from tlbench.report.figures.measured import OfQuantities
from tlbench.report.tables import Cell
from tlbench.scores.learning_curves import PowerLaw, Reach, fit_power_law, interval_of_reach, size_to_reach


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import matplotlib.figure

    from tlbench.declare.claims import Quantity
    from tlbench.store.results import ResultOf


@dataclass(frozen=True)
class LearningCurves(OfQuantities):
    """A share, such as accuracy, over the number of training images, a curve for each series.

    Attributes:
        name: Name of the figure, for instance `"Few images"`.
        title: Subject of the figure.
        x_label: Label of the axis of numbers.
        y_label: Label of the axis of shares.
        series: Label and points of each curve, in order; each point's `x` is a number of images.
        reference: Label of the series that the others are measured by: the number of its images that each of their
            points is worth. None for no measure.
        note: Sentence of the caption on how the networks were trained.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: tuple[tuple[str, tuple[Point, ...]], ...]
    reference: str | None = None
    note: str = ""

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities of all points."""
        return tuple(point.quantity for _, points in self.series for point in points)

    def trace(self, result: ResultOf, seeds: Sequence[int]) -> DrawnLearningCurves:
        """The curves of the results there are."""
        traced = {
            label: tuple(
                DrawnPoint(label, point.x, Cell.of(point.quantity, result, seeds, point.published), point.tick)
                for point in sorted(points, key=lambda point: point.x)
            )
            for label, points in self.series
        }
        fits = [DrawnFit.of(label, points) for label, points in traced.items()]
        return DrawnLearningCurves(
            kind="learning_curves",
            name=self.name,
            title=self.title,
            x_label=self.x_label,
            y_label=self.y_label,
            points=tuple(point for points in traced.values() for point in points),
            fits=tuple(fit for fit in fits if fit is not None),
            reference=self.reference,
            worths=tuple(_worths(traced, self.reference)),
            note=self.note,
        )


@dataclass(frozen=True)
class DrawnFit:
    """The power law of a series: an error of `scale * images ** -exponent + asymptote`.

    Attributes:
        series: Label of the curve.
        law: Fitted law of one less the share.
    """

    series: str
    law: PowerLaw

    @classmethod
    def of(cls, label: str, points: Sequence[DrawnPoint]) -> DrawnFit | None:
        """The law of a curve's means; None where they determine none."""
        known = [(point.x, point.cell.mean) for point in points if point.cell.mean is not None]
        if len({x for x, _ in known}) < 3:
            return None
        law = fit_power_law([x for x, _ in known], [max(1 - mean, 0.0) for _, mean in known])
        return None if law is None else cls(label, law)


@dataclass(frozen=True)
class DrawnWorth:
    """The number of the reference's images that a point is worth.

    Attributes:
        series: Label of the point's curve.
        x: Number of images of the point.
        images: Number of images with which the reference's mean reaches the point's mean.
        low: Lower end of the number's 90 % interval; None for less than two seeds.
        high: Upper end of the interval.
    """

    series: str
    x: float
    images: Reach
    low: Reach | None
    high: Reach | None

    def told(self, reference: str) -> str:
        """Say the number, with its interval where that holds more than the same bound.

        Args:
            reference: Label of the series whose images are counted.
        """
        text = f"{self.series} with {self.x:g} images is worth {self.images} of {reference}"
        return text if self.low == self.high else f"{text} (90 % interval {self.low} to {self.high})"


def _worths(traced: Mapping[str, Sequence[DrawnPoint]], reference: str | None) -> Iterator[DrawnWorth]:
    if reference is None or any(not point.cell.numbers for point in traced[reference]):
        return
    curve = traced[reference]
    sizes = [point.x for point in curve]
    for label, points in traced.items():
        for point in points if label != reference else ():
            # Seeds under which every run has ended well.
            by_seed = zip(*([value.number for value in each.cell.values] for each in (*curve, point)), strict=True)
            complete = [numbers for numbers in by_seed if None not in numbers]
            if not complete:
                continue
            scores = np.array(complete, np.float64)
            images = size_to_reach(sizes, scores[:, :-1].mean(axis=0).tolist(), float(scores[:, -1].mean()))
            ends = interval_of_reach(sizes, scores[:, :-1], scores[:, -1]) or (None, None)
            yield DrawnWorth(label, point.x, images, *ends)


@dataclass(frozen=True)
class DrawnLearningCurves:
    """`LearningCurves` with its values.

    Attributes:
        kind: Tells it from other figures.
        name: Name of the figure.
        title: Subject of the figure.
        x_label: Label of the axis of numbers.
        y_label: Label of the axis of shares.
        points: Points of all curves, in order.
        fits: Laws of the curves that determine one.
        reference: Label of the series that the others are measured by; None for no measure.
        worths: Number of the reference's images that each point of another series is worth.
        note: Sentence of the caption on how the networks were trained.
    """

    kind: Literal["learning_curves"]
    name: str
    title: str
    x_label: str
    y_label: str
    points: tuple[DrawnPoint, ...]
    fits: tuple[DrawnFit, ...]
    reference: str | None
    worths: tuple[DrawnWorth, ...]
    note: str = ""

    @property
    def series(self) -> dict[str, list[DrawnPoint]]:
        """Points by curve, from the smallest number to the largest."""
        return marks.by_series(self.points)

    @property
    def caption(self) -> str:
        """The meaning of the marks."""
        fitted = {fit.series for fit in self.fits}
        text = f"{marks.MEANING}."
        if fitted:
            text += (
                " Curves are power laws with an asymptote, fitted to the means by least squares, within the measured "
                "numbers."
            )
        if unfitted := [label for label in self.series if label not in fitted]:
            text += f" The means of {', '.join(unfitted)} determine no such curve, and are joined by lines."
        if self.worths:
            text += (
                f" The number of images that {self.reference} needs for as much is read off its means, joined over the "
                "logarithm; its interval is a bootstrap over seeds, too narrow where there are few of them."
            )
        return f"{text} {self.note}".strip()

    def text(self) -> str:
        """Every point in words, the fitted laws, and the images that points are worth."""
        lines = [
            marks.told(f"{label}, {self.x_label} {point.place}", point.cell, "percent", "published")
            for label, points in self.series.items()
            for point in points
        ]
        lines += [
            f"{fit.series}: error = {fit.law.scale:.3g} x images^-{fit.law.exponent:.3g} + {fit.law.asymptote:.3g}"
            for fit in self.fits
        ]
        return "\n".join([*lines, *(worth.told(str(self.reference)) for worth in self.worths)])

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each point and seed."""
        for point in self.points:
            yield from marks.lines(self.name, point.cell, series=point.series, x=point.x)

    def draw(self, canvas: matplotlib.figure.Figure) -> None:
        """Draw all curves on one pair of axes."""
        axes = canvas.subplots()
        laws = {fit.series: fit.law for fit in self.fits}
        for number, (name, points) in enumerate(self.series.items()):
            colour, marker, style = marks.style(number)
            known = [(point.x, point.cell.mean) for point in points if point.cell.mean is not None]
            if name in laws:
                x = np.geomspace(known[0][0], known[-1][0], 100)
                axes.plot(x, [100 * (1 - laws[name].error(each)) for each in x], color=colour, linestyle=style)
            else:
                axes.plot([x for x, _ in known], [100 * mean for _, mean in known], color=colour, linestyle=style)
            beside = 1.04 ** (number - (len(self.series) - 1) / 2)
            for index, point in enumerate(points):
                label = None if index else marks.label(name, NAMED)
                marks.measured(axes, point.x * beside, point.cell, "percent", colour, marker, label=label)
        if any(point.cell.mean is not None for point in self.points):
            axes.set_xscale("log")
            marks.places(axes, self.points)
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=12, borderaxespad=0)
        else:
            marks.nothing(axes)
        x_label, y_label = marks.label(self.x_label, marks.BESIDE_X), marks.axis_label(self.y_label, "percent")
        axes.set(xlabel=x_label, ylabel=y_label)
