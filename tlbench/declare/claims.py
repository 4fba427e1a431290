"""Claims about arms: metrics, quantities made of them, and margins."""

from __future__ import annotations

import math

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tlbench.scores.listed import (
    ACCURACY,
    Metric,
    Scored,
    Unit,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tlbench.declare.trials import Arm, Trial


@dataclass(frozen=True)
class Reading:
    """A number read off a trial that is no listed metric, such as the F1 of one label.

    Attributes:
        name: Name in tables and sentences.
        of: Function that computes the number from a result; a function of a module or a `functools.partial` of one.
        unit: Unit of the number. `"percent"` is a share from 0 to 1, whose differences are shown in points.
        highest: Highest possible value; None where there is none.
    """

    name: str
    of: Callable[[Scored], float]
    unit: Unit = "number"
    highest: float | None = None

    def value(self, scored: Scored) -> float:
        """Value for a trial."""
        return self.of(scored)


def _f1(result: Scored, *, label: str) -> float:
    return result.f1[label]


def _f1_lead(result: Scored, *, label: str) -> float:
    return result.f1[label] - max(score for other, score in result.f1.items() if other != label)


def _validation_accuracy(result: Scored, *, epoch: int) -> float:
    return result.validation_accuracy[epoch - 1 if epoch > 0 else epoch]


_share = partial(Reading, unit="percent", highest=1.0)


def f1(label: str) -> Reading:
    """F1 of one label."""
    return _share(f"F1 of {label}", partial(_f1, label=label))


def f1_lead(label: str) -> Reading:
    """F1 of one label less the highest F1 among the others."""
    return _share(f"lead in F1 of {label}", partial(_f1_lead, label=label))


def validation_accuracy(epoch: int) -> Reading:
    """Validation accuracy after an epoch, counted from 1, or from the last with -1."""
    name = "validation accuracy after the last epoch" if epoch == -1 else f"validation accuracy after epoch {epoch}"
    return _share(name, partial(_validation_accuracy, epoch=epoch))


@dataclass(frozen=True)
class Margin:
    """The least difference that a claim asks for.

    Attributes:
        value: Least difference in the metric's own unit; accuracy and F1 count from 0 to 1.
        reason: Reason for the value.
    """

    value: float
    reason: str


ANY = Margin(0.0, "any difference that is more than the noise between seeds, which the interval holds")


@dataclass(frozen=True)
class Quantity:
    """A sum of scores, which claims compare.

    Attributes:
        terms: Factor, arm and metric of each score.
    """

    terms: tuple[tuple[float, Arm, Metric | Reading], ...]

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.terms + other.terms)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.terms + tuple((-factor, arm, metric) for factor, arm, metric in other.terms))

    def __truediv__(self, divisor: float) -> Quantity:
        return Quantity(tuple((factor / divisor, arm, metric) for factor, arm, metric in self.terms))

    def beats(self, other: Quantity, by: Margin = ANY) -> Claim:
        """The claim that this is greater than another by more than a margin."""
        return Claim(self, other, by.value, by)

    def is_at_least(self, other: Quantity, within: Margin) -> Claim:
        """The claim that this is not worse than another by a margin or more (non-inferiority)."""
        return Claim(self, other, -within.value, within)

    def is_positive(self, by: Margin = ANY) -> Claim:
        """The claim that this is greater than zero by more than a margin."""
        return Claim(self, Quantity(()), by.value, by)

    @property
    def unit(self) -> Unit:
        """Unit of all terms; `"number"` where they differ, `"percent"` without terms."""
        units = {metric.unit for _, _, metric in self.terms} or {"percent"}
        return units.pop() if len(units) == 1 else "number"

    @property
    def scale(self) -> float:
        """Variance of the sum in units of one score's, if the scores of all arms were equally noisy and independent."""
        factors: dict[tuple[Arm, Metric | Reading], float] = {}
        for factor, arm, metric in self.terms:
            factors[arm, metric] = factors.get((arm, metric), 0.0) + factor
        return sum(factor**2 for factor in factors.values())

    @property
    def highest(self) -> float | None:
        """Highest possible value; None for a sum, and where the metric has no such bound."""
        match self.terms:
            case ((1.0, _, metric),):
                return metric.highest
        return None

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Arms of the terms."""
        return tuple(arm for _, arm, _ in self.terms)

    def trials(self, seed: int) -> tuple[Trial, ...]:
        """Trials that its value for one seed rests on."""
        return tuple(arm.trial(seed) for _, arm, _ in self.terms)

    def value(self, result: Callable[[Trial], Scored], seed: int) -> float:
        """Value for one seed; NaN where a trial diverged or lacks the score."""
        total = 0.0
        for factor, arm, metric in self.terms:
            outcome = result(arm.trial(seed))
            total += factor * (math.nan if outcome.diverged else metric.value(outcome))
        return total

    def __str__(self) -> str:
        """Name the terms as verdicts do."""
        text = ""
        for factor, arm, metric in self.terms:
            sign = "- " if factor < 0 else "+ " if text else ""
            weight = "" if abs(factor) == 1 else f"{abs(factor):g} of "
            text += f"{' ' if text else ''}{sign}{weight}{metric.name} of [{arm.label}]"
        return text or "0"


def score(arm: Arm, metric: Metric | Reading = ACCURACY) -> Quantity:
    """A metric of an arm, to be compared or subtracted."""
    return Quantity(((1.0, arm, metric),))


@dataclass(frozen=True)
class Claim:
    """A comparison that should hold.

    Attributes:
        left: Quantity that should be greater.
        right: Quantity that it is compared with.
        threshold: Value that the difference left - right should exceed.
        margin: The margin that the threshold comes from.
        name: Name in reports.
        statement: The claim in a sentence.
    """

    left: Quantity
    right: Quantity
    threshold: float
    margin: Margin
    name: str = ""
    statement: str = ""

    def named(self, name: str, statement: str) -> Claim:
        """The same claim under a name."""
        return replace(self, name=name, statement=statement)

    @property
    def difference(self) -> Quantity:
        """The quantity that is judged: left less right."""
        return self.left - self.right

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Arms of both sides."""
        return self.difference.arms

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """Trials that the claim rests on."""
        return tuple(trial for seed in seeds for trial in self.difference.trials(seed))

    def on(self, metric: Metric) -> Claim | None:
        """The claim on another metric, with the same margin; None where it is not about accuracy alone."""
        if any(term != ACCURACY for _, _, term in self.difference.terms):
            return None

        def exchanged(quantity: Quantity) -> Quantity:
            return Quantity(tuple((factor, arm, metric) for factor, arm, _ in quantity.terms))

        return replace(self, left=exchanged(self.left), right=exchanged(self.right))
