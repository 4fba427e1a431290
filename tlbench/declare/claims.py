"""Claims about arms: metrics, quantities made of them, and margins."""

from __future__ import annotations

import math

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from tlbench.declare.evaluations import Evaluation, TestImages, evaluations_of
from tlbench.errors import ConfigurationError
from tlbench.scores.extras import ALL_EXTRAS, NO_EXTRAS, VALIDATION
from tlbench.scores.listed import ACCURACY, HUNDREDTHS, Metric, Scored, Unit


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tlbench.declare.evaluations import Images, Work
    from tlbench.declare.readouts import Readout
    from tlbench.declare.trials import Arm, Trial


@dataclass(frozen=True)
class Reading:
    """A number read off a trial that is no listed metric, such as the F1 of one label.

    Attributes:
        name: Name in tables and sentences.
        of: Function that computes the number from a result; a function of a module or a `functools.partial` of one.
        unit: Unit of the number. `"percent"` is a share from 0 to 1, whose differences are shown in points; `"points"`
            is a difference of shares.
        highest: Highest possible value; None where there is none.
        extras: Extra predictions that the function reads, see `tlbench.scores.extras`; all unless given.
    """

    name: str
    of: Callable[[Scored], float]
    unit: Unit = "number"
    highest: float | None = None
    extras: frozenset[str] = ALL_EXTRAS

    def value(self, scored: Scored) -> float:
        """Value for a trial."""
        return self.of(scored)


def _f1(result: Scored, *, label: str) -> float:
    # A readout that predicts nothing has no F1.
    return result.f1[label] if result.f1 else math.nan


def _f1_lead(result: Scored, *, label: str) -> float:
    if not result.f1:
        return math.nan
    return result.f1[label] - max(score for other, score in result.f1.items() if other != label)


def _validation_accuracy(result: Scored, *, epoch: int) -> float:
    if not result.validation_accuracy:  # An evaluation has no history, and not every trial validates.
        return math.nan
    return result.validation_accuracy[epoch - 1 if epoch > 0 else epoch]


_share = partial(Reading, unit="percent", highest=1.0, extras=NO_EXTRAS)


def f1(label: str) -> Reading:
    """F1 of one label."""
    return _share(f"F1 of {label}", partial(_f1, label=label))


def f1_lead(label: str) -> Reading:
    """F1 of one label less the highest F1 among the others."""
    return _share(f"lead in F1 of {label}", partial(_f1_lead, label=label), unit="points")


def validation_accuracy(epoch: int) -> Reading:
    """Validation accuracy after an epoch, counted from 1, or from the last with -1."""
    name = "validation accuracy after the last epoch" if epoch == -1 else f"validation accuracy after epoch {epoch}"
    return _share(name, partial(_validation_accuracy, epoch=epoch), extras=frozenset({VALIDATION}))


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
class Term:
    """A weighted score of an arm.

    Attributes:
        factor: Weight of the score in the sum.
        arm: Arm whose trials are scored.
        metric: Score.
        images: Images that the trained networks are evaluated on; None for the test images that each trial predicts
            itself when its training ends.
        readout: Readout that predicts in place of the networks' heads; None for the heads.
    """

    factor: float
    arm: Arm
    metric: Metric | Reading
    images: Images | None = None
    readout: Readout | None = None

    @property
    def scores(self) -> tuple[Term, ...]:
        """The term itself."""
        return (self,)

    def work(self, seed: int) -> Work:
        """The trial, or the evaluation of the trial, that is scored."""
        trial = self.arm.trial(seed)
        if self.images is None and self.readout is None:
            return trial
        return Evaluation(trial, self.images or TestImages(), self.readout)

    def value(self, result: Callable[[Work], Scored], seed: int) -> float:
        """Weighted score for one seed; NaN where the trial diverged or lacks the score."""
        trial, work = self.arm.trial(seed), self.work(seed)
        scored = result(work)
        diverged = scored.diverged or (work is not trial and result(trial).diverged)
        return self.factor * (math.nan if diverged else self.metric.value(scored))

    def __str__(self) -> str:
        """Name the score as verdicts do, without its sign."""
        weight = "" if abs(self.factor) == 1 else f"{abs(self.factor):g} of "
        by = "" if self.readout is None else f" by {self.readout.name}"
        on = "" if self.images is None else f" on {self.images.name}"
        return f"{weight}{self.metric.name} of [{self.arm.label}]{by}{on}"


@dataclass(frozen=True)
class Combination:
    """A weighted number that is computed from several quantities of one seed, such as a rank correlation.

    Attributes:
        factor: Weight of the number in the sum.
        metric: Name, unit and highest value of the number.
        of: Function of the quantities' values, in order; a function of a module or a `functools.partial` of one. The
            values are finite: under a seed that lacks one, the number is NaN.
        quantities: Quantities that the number is computed from.
    """

    factor: float
    metric: Combined
    of: Callable[[Sequence[float]], float]
    quantities: tuple[Quantity, ...]

    @property
    def scores(self) -> tuple[Term, ...]:
        """Scores that the number is computed from."""
        return tuple(term for quantity in self.quantities for term in quantity.scores)

    def value(self, result: Callable[[Work], Scored], seed: int) -> float:
        """Weighted number for one seed; NaN where a quantity has no finite value, or the function finds no number."""
        values = [quantity.value(result, seed) for quantity in self.quantities]
        return self.factor * self.of(values) if all(map(math.isfinite, values)) else math.nan

    def __str__(self) -> str:
        """Name the number as verdicts do, without its sign."""
        weight = "" if abs(self.factor) == 1 else f"{abs(self.factor):g} of "
        return f"{weight}{self.metric.name}"


@dataclass(frozen=True)
class Combined:
    """Name and unit of a number that is computed from several quantities.

    Attributes:
        name: Name in tables and sentences.
        unit: Unit of the number. `"percent"` is a share from 0 to 1, whose differences are shown in points.
        highest: Highest possible value; None where there is none.
    """

    name: str
    unit: Unit = "number"
    highest: float | None = None


@dataclass(frozen=True)
class Quantity:
    """A sum of scores, which claims compare.

    Attributes:
        terms: Weighted scores, and weighted numbers that are computed from several quantities.
    """

    terms: tuple[Term | Combination, ...]

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.terms + other.terms)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.terms + tuple(replace(term, factor=-term.factor) for term in other.terms))

    def __truediv__(self, divisor: float) -> Quantity:
        return Quantity(tuple(replace(term, factor=term.factor / divisor) for term in self.terms))

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
        """Unit of all terms, `"percent"` for shares and differences of shares.

        `"number"` where the terms' units differ, `"percent"` without terms.
        """
        units: set[Unit] = {"percent" if term.metric.unit in HUNDREDTHS else term.metric.unit for term in self.terms}
        return "percent" if not units else units.pop() if len(units) == 1 else "number"

    @property
    def shown_unit(self) -> Unit:
        """Unit that the value is shown in: `"points"` for a difference of shares, such as a gain, otherwise `unit`."""
        shares = [term for term in self.terms if term.metric.unit == "percent"]
        differs = bool(self.terms) and abs(sum(term.factor for term in shares)) < 1e-9
        return "points" if self.unit == "percent" and differs else self.unit

    @property
    def scale(self) -> float:
        """Variance of the sum in units of one score's, if the scores of all arms were equally noisy and independent."""
        factors: dict[Term | Combination, float] = {}
        for term in self.terms:
            score_ = replace(term, factor=1.0)
            factors[score_] = factors.get(score_, 0.0) + term.factor
        return sum(factor**2 for factor in factors.values())

    @property
    def highest(self) -> float | None:
        """Highest possible value; None for a sum, and where the metric has no such bound."""
        match self.terms:
            case (Term(factor=1.0, metric=metric) | Combination(factor=1.0, metric=metric),):
                return metric.highest
        return None

    @property
    def scores(self) -> tuple[Term, ...]:
        """Scores that its value is computed from, those of combinations among them."""
        return tuple(score_ for term in self.terms for score_ in term.scores)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Arms of the scores."""
        return tuple(score_.arm for score_ in self.scores)

    def trials(self, seed: int) -> tuple[Trial, ...]:
        """Trials that its value for one seed rests on."""
        return tuple(score_.arm.trial(seed) for score_ in self.scores)

    def work(self, seed: int) -> tuple[Work, ...]:
        """Trials, and evaluations of trials, that its value for one seed is computed from."""
        return tuple(score_.work(seed) for score_ in self.scores)

    def value(self, result: Callable[[Work], Scored], seed: int) -> float:
        """Value for one seed; NaN where a trial diverged or lacks the score."""
        total = 0.0
        for term in self.terms:  # Not `sum`, which adds otherwise since Python 3.12.
            total += term.value(result, seed)
        return total

    def __str__(self) -> str:
        """Name the terms as verdicts do."""
        text = ""
        for term in self.terms:
            sign = "- " if term.factor < 0 else "+ " if text else ""
            text += f"{' ' if text else ''}{sign}{term}"
        return text or "0"


def score(
    arm: Arm, metric: Metric | Reading = ACCURACY, *, on: Images | None = None, by: Readout | None = None
) -> Quantity:
    """A metric of an arm, to be compared or subtracted.

    Args:
        arm: Arm whose trials are scored.
        metric: Score.
        on: Images that the trained networks are evaluated on, for instance `Mirrored()`; nothing is trained for that.
            The test images that each trial predicts itself unless given.
        by: Readout that predicts in place of the networks' heads, for instance `LinearProbe("block4")`.
    """
    return Quantity((Term(1.0, arm, metric, on, by),))


def mean(quantities: Iterable[Quantity]) -> Quantity:
    """The mean of several quantities, such as the scores of an arm on several images.

    Args:
        quantities: Quantities, at least one.

    Raises:
        ConfigurationError: There are no quantities.
    """
    each = tuple(quantities)
    if not each:
        msg = "A mean needs quantities to be computed from. Received: none"
        raise ConfigurationError(msg)
    return Quantity(tuple(term for quantity in each for term in quantity.terms)) / len(each)


def combined(
    name: str,
    of: Callable[[Sequence[float]], float],
    *quantities: Quantity,
    unit: Unit = "number",
    highest: float | None = None,
) -> Quantity:
    """A number that is computed, seed by seed, from several quantities, to be compared or subtracted.

    Args:
        name: Name in tables and sentences.
        of: Function of the quantities' values, in order; a function of a module or a `functools.partial` of one.
        quantities: Quantities that the number is computed from, at least one.
        unit: Unit of the number. `"percent"` is a share from 0 to 1, whose differences are shown in points.
        highest: Highest possible value; None where there is none.

    Raises:
        ConfigurationError: There are no quantities.
    """
    if not quantities:
        msg = f"A combined number needs quantities to be computed from. Received: none, for {name!r}"
        raise ConfigurationError(msg)
    return Quantity((Combination(1.0, Combined(name, unit, highest), of, quantities),))


def evaluations(quantities: Iterable[Quantity], seeds: Sequence[int]) -> tuple[Evaluation, ...]:
    """Evaluations that some quantities are computed from, in order; a quantity of trials' own scores has none.

    Args:
        quantities: Quantities of a claim, a table or a figure.
        seeds: Seeds of the trials.
    """
    work = (each for quantity in quantities for seed in seeds for each in quantity.work(seed))
    return evaluations_of(work)


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

    # Beside those of the quantities' metrics.
    extras: ClassVar[frozenset[str]] = NO_EXTRAS

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
    def quantities(self) -> tuple[Quantity, ...]:
        """The quantities of the claim: the difference that is judged."""
        return (self.difference,)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Arms of both sides."""
        return self.difference.arms

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """Trials that the claim rests on."""
        return tuple(trial for seed in seeds for trial in self.difference.trials(seed))

    def work(self, seeds: Sequence[int]) -> tuple[Work, ...]:
        """Trials, and evaluations of trials, that the claim is judged by."""
        return tuple(work for seed in seeds for work in self.difference.work(seed))

    def on(self, metric: Metric) -> Claim | None:
        """The claim on another metric, with the same margin; None where it is not about accuracy alone."""
        if any(not isinstance(term, Term) or term.metric != ACCURACY for term in self.difference.terms):
            return None

        def exchanged(quantity: Quantity) -> Quantity:
            return Quantity(tuple(replace(score_, metric=metric) for score_ in quantity.scores))

        return replace(self, left=exchanged(self.left), right=exchanged(self.right))
