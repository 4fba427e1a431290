"""Claims about arms, and the verdicts that results give on them."""

from __future__ import annotations

import math

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal, Protocol

from tlbench.statistics import mean_interval, p_value, sample_size


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tlbench.statistics import Interval
    from tlbench.trials import Arm, Trial

# Each end of a 90 % interval is a one-sided test at 5 %.
CONFIDENCE = 0.90

Outcome = Literal["supported", "refuted", "inconclusive"]

# How a number is shown: 0.5 as 50.0 %, or as 0.50.
Unit = Literal["percent", "number"]


class Scored(Protocol):
    """What metrics read: a result, or the scores that a saved run keeps of one."""

    @property
    def diverged(self) -> bool:
        """Whether its loss is no number; nothing else is asked of it then."""

    @property
    def accuracy(self) -> float:
        """On the test images."""

    @property
    def loss(self) -> float:
        """In nats."""

    @property
    def macro_f1(self) -> float:
        """Unweighted mean over the labels."""

    @property
    def f1(self) -> Mapping[str, float]:
        """By label."""

    @property
    def batch_statistics_accuracy(self) -> float:
        """With BatchNorm's statistics re-estimated."""

    @property
    def validation_accuracy(self) -> Sequence[float]:
        """After each epoch."""


@dataclass(frozen=True)
class Metric:
    """A number that a result holds.

    Attributes:
        name: What tables call it.
        of: Computes it; a function of a module or a `functools.partial` of one.
        unit: `"percent"` of what counts from 0 to 1, whose differences are shown in points.
        highest: What it can reach; None where there is no such bound.
    """

    name: str
    of: Callable[[Scored], float]
    unit: Unit = "number"
    highest: float | None = None


def _accuracy(result: Scored) -> float:
    return result.accuracy


def _loss(result: Scored) -> float:
    return result.loss


def _macro_f1(result: Scored) -> float:
    return result.macro_f1


def _batch_statistics_accuracy(result: Scored) -> float:
    return result.batch_statistics_accuracy


def _f1(result: Scored, *, label: str) -> float:
    return result.f1[label]


def _f1_lead(result: Scored, *, label: str) -> float:
    return result.f1[label] - max(score for other, score in result.f1.items() if other != label)


def _validation_accuracy(result: Scored, *, epoch: int) -> float:
    return result.validation_accuracy[epoch - 1 if epoch > 0 else epoch]


_share = partial(Metric, unit="percent", highest=1.0)

ACCURACY = _share("accuracy", _accuracy)
LOSS = Metric("loss", _loss)
MACRO_F1 = _share("macro-F1", _macro_f1)
BATCH_STATISTICS_ACCURACY = _share("accuracy with batch statistics", _batch_statistics_accuracy)


def f1(label: str) -> Metric:
    """F1 of one label."""
    return _share(f"F1 of {label}", partial(_f1, label=label))


def f1_lead(label: str) -> Metric:
    """F1 of one label less the highest F1 among the others."""
    return _share(f"lead in F1 of {label}", partial(_f1_lead, label=label))


def validation_accuracy(epoch: int) -> Metric:
    """Validation accuracy after an epoch, counted from 1, or from the last with -1."""
    name = "validation accuracy after the last epoch" if epoch == -1 else f"validation accuracy after epoch {epoch}"
    return _share(name, partial(_validation_accuracy, epoch=epoch))


@dataclass(frozen=True)
class Margin:
    """How much a difference must amount to.

    Attributes:
        value: In the metric's own unit; accuracy and F1 count from 0 to 1.
        reason: Why this much.
    """

    value: float
    reason: str


ANY = Margin(0.0, "any difference that is more than the noise between seeds, which the interval holds")


@dataclass(frozen=True)
class Quantity:
    """A sum of scores: what a claim is about.

    Attributes:
        terms: Factor, arm and metric of each score.
    """

    terms: tuple[tuple[float, Arm, Metric], ...]

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
        """How it is shown: as a number, unless every term is a share."""
        return "percent" if all(metric.unit == "percent" for _, _, metric in self.terms) else "number"

    @property
    def scale(self) -> float:
        """What the variance of a score is multiplied by, were scores of all arms equally noisy and independent."""
        factors: dict[tuple[Arm, Metric], float] = {}
        for factor, arm, metric in self.terms:
            factors[arm, metric] = factors.get((arm, metric), 0.0) + factor
        return sum(factor**2 for factor in factors.values())

    @property
    def highest(self) -> float | None:
        """What it can reach; None of a sum, and where the metric has no such bound."""
        match self.terms:
            case ((1.0, _, metric),):
                return metric.highest
        return None

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Of its terms."""
        return tuple(arm for _, arm, _ in self.terms)

    def trials(self, seed: int) -> tuple[Trial, ...]:
        """What it needs to be known for one seed."""
        return tuple(arm.trial(seed) for _, arm, _ in self.terms)

    def value(self, result: Callable[[Trial], Scored], seed: int) -> float:
        """Its value for one seed; NaN if one of the trials diverged."""
        total = 0.0
        for factor, arm, metric in self.terms:
            outcome = result(arm.trial(seed))
            total += factor * (math.nan if outcome.diverged else metric.of(outcome))
        return total

    def __str__(self) -> str:
        """Its terms, as a verdict names them."""
        text = ""
        for factor, arm, metric in self.terms:
            sign = "- " if factor < 0 else "+ " if text else ""
            weight = "" if abs(factor) == 1 else f"{abs(factor):g} of "
            text += f"{' ' if text else ''}{sign}{weight}{metric.name} of [{arm.label}]"
        return text or "0"


def score(arm: Arm, metric: Metric = ACCURACY) -> Quantity:
    """A metric of an arm, to be compared or subtracted."""
    return Quantity(((1.0, arm, metric),))


@dataclass(frozen=True)
class Claim:
    """A comparison that should hold.

    Attributes:
        left: What should be greater.
        right: What it is compared with.
        threshold: What the difference left - right should exceed.
        margin: The margin that the threshold comes from.
        name: What reports call it.
        statement: In a sentence.
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
        """What is judged."""
        return self.left - self.right

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Of both sides."""
        return self.difference.arms

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """What has to be trained to judge it."""
        return tuple(trial for seed in seeds for trial in self.difference.trials(seed))

    def on(self, metric: Metric) -> Claim | None:
        """The same claim about another metric than accuracy; None where it is about something else than accuracy."""
        if any(term != ACCURACY for _, _, term in self.difference.terms):
            return None

        def exchanged(quantity: Quantity) -> Quantity:
            return Quantity(tuple((factor, arm, metric) for factor, arm, _ in quantity.terms))

        return replace(self, left=exchanged(self.left), right=exchanged(self.right))

    def evidence(self, result: Callable[[Trial], Scored], seeds: Sequence[int]) -> Evidence:
        """What some seeds say.

        The difference is taken within each seed: arms of equal seed share the
        split, the order of the images and the head they start from.

        Args:
            result: Gives the result of a trial.
            seeds: At least one.
        """
        return Evidence(
            self,
            {seed: self.left.value(result, seed) for seed in seeds},
            {seed: self.right.value(result, seed) for seed in seeds},
        )


@dataclass(frozen=True)
class Evidence:
    """The scores that a claim is judged by.

    Attributes:
        claim: What is judged.
        left: The claim's left side by seed; NaN where a run diverged.
        right: Its right side by seed.
    """

    claim: Claim
    left: Mapping[int, float]
    right: Mapping[int, float]

    @cached_property
    def differences(self) -> Mapping[int, float]:
        """Left less right, by seed."""
        return {seed: self.left[seed] - self.right[seed] for seed in self.left}

    @property
    def diverged(self) -> tuple[int, ...]:
        """Seeds under which a run diverged."""
        return tuple(seed for seed, difference in self.differences.items() if math.isnan(difference))

    @cached_property
    def interval(self) -> Interval | None:
        """Of the mean difference by itself, at 90 %; None where a run diverged."""
        return None if self.diverged else mean_interval(list(self.differences.values()), CONFIDENCE)

    @property
    def estimable(self) -> bool:
        """Whether it says how noisy the difference is: two seeds or more, of which none diverged."""
        return not self.diverged and len(self.differences) > 1

    @cached_property
    def p(self) -> float | None:
        """One-sided, by itself: that the difference exceeds the threshold by chance; None where it is not estimable."""
        return self._p("greater")

    @cached_property
    def p_refuting(self) -> float | None:
        """Likewise, that it is at most the threshold by chance."""
        return self._p("less")

    def _p(self, alternative: Literal["greater", "less"]) -> float | None:
        if not self.estimable:
            return None
        return p_value(list(self.differences.values()), self.claim.threshold, alternative)


@dataclass(frozen=True)
class Decision:
    """How a verdict was come to, among other claims and other looks at growing numbers of seeds.

    Attributes:
        p: Of the outcome's test, or of the nearer one where it is inconclusive, after Holm's correction; None where
            there is none.
        level: What it must not exceed at this look.
        claims: Number of claims judged together.
        looks: Number of seeds at each look, as planned.
        interval: Of the mean difference, each end at the level that Holm's procedure left to its test: wholly above the
            threshold exactly where the claim is supported, not above it exactly where it is refuted. None where a run
            diverged.
        test_level: What the nearer test's own p-value was held against; `level` of a single claim.
        against: Whether the nearer test is the one that refutes.
    """

    p: float | None
    level: float
    claims: int
    looks: tuple[int, ...]
    interval: Interval | None = None
    test_level: float | None = None
    against: bool = False


@dataclass(frozen=True, repr=False)
class Verdict:
    """What results say of a claim.

    Attributes:
        claim: What was judged.
        outcome: Supported, refuted, or neither.
        reason: Why, in a phrase.
        evidence: The scores it rests on.
        decision: The level that was asked for.
        also: The verdict on the same claim about macro-F1, where it is one about accuracy; no outcome rests on it.
    """

    claim: Claim
    outcome: Outcome
    reason: str
    evidence: Evidence
    decision: Decision
    also: Verdict | None = None

    @property
    def supported(self) -> bool:
        """Whether the claim holds."""
        return self.outcome == "supported"

    @property
    def inconclusive(self) -> bool:
        """Whether the results do not tell."""
        return self.outcome == "inconclusive"

    @property
    def differences(self) -> Mapping[int, float]:
        """By seed; NaN where a run diverged."""
        return self.evidence.differences

    @property
    def interval(self) -> Interval | None:
        """That decides, see `Decision.interval`; None where a run diverged."""
        return self.decision.interval

    @property
    def p(self) -> float | None:
        """That decides: one-sided, in favour of the outcome, after Holm's correction."""
        return self.decision.p

    @cached_property
    def seeds_needed(self) -> int | None:
        """How many seeds would decide what is inconclusive, in four of five cases, if all is what it looks like.

        None where it is decided, where there is no `p`, or above 1,000.
        """
        if self.decision.test_level is None or not self.inconclusive or not self.evidence.estimable:
            return None
        return sample_size(list(self.differences.values()), self.claim.threshold, self.decision.test_level)

    @property
    def detail(self) -> str:
        """What the verdict rests on, in a line."""
        unit = self.claim.difference.unit
        seeds = ", ".join(f"{seed}: {shown_difference(value, unit)}" for seed, value in self.differences.items())
        return f"{self.effect}; by seed {seeds}"

    @property
    def effect(self) -> str:
        """Difference, interval, threshold and p."""
        claim = self.claim
        words = in_words(self.decision, self.outcome, claim.threshold, claim.difference.unit, self.seeds_needed)
        return f"{self.reason}; {words}" if self.interval is None else words

    def __repr__(self) -> str:
        """The verdict with what it rests on, as `assert verdict.supported, verdict` shows it."""
        return f"{self.outcome}, {self.reason}: {self.detail} ({self.claim.left} against {self.claim.right})"


def in_words(decision: Decision, outcome: Outcome, threshold: float, unit: Unit, seeds_needed: int | None) -> str:
    """Difference, interval, threshold and p, in a line.

    Args:
        decision: How it was come to.
        outcome: Of it.
        threshold: What the difference should exceed.
        unit: Of the difference.
        seeds_needed: How many may decide what is inconclusive; None where nothing tells, or too many would.
    """
    points = " points" if unit == "percent" else ""
    if decision.interval is None:
        return f"should exceed {shown_difference(threshold, unit)}{points}"
    mean = f"difference {shown_difference(decision.interval.mean, unit)}{points}"
    if decision.p is None:
        return f"{mean}; should exceed {shown_difference(threshold, unit)}"
    low, high, bound = shown_interval(decision.interval.low, decision.interval.high, threshold, unit)
    p = shown_p(decision.p, decision.level)
    words = f"{mean}, interval {low} to {high}; should exceed {bound}, p {p if p.startswith('<') else f'= {p}'}"
    words += " against it" if decision.against else ""
    words += f" among {decision.claims} claims" if decision.claims > 1 else ""
    if outcome == "inconclusive":
        words += f"; may need {seeds_needed or 'over 1000'} seeds"
    return words


# Two numbers that are shown alike with so many decimals more than usual are alike.
MOST_DECIMALS = 6


def shown_difference(value: float, unit: Unit, more_decimals: int = 0) -> str:
    """A difference with its sign, in points where the unit is percent: `+1.2`, else for instance `+0.012`.

    What rounds to zero is `0.0` or `0.000`, without a sign.

    Args:
        value: In the scores' own unit.
        unit: Of the scores.
        more_decimals: How many more than usual.
    """
    scale, digits = (100, 1) if unit == "percent" else (1, 3)
    return shown_signed(scale * value, digits + more_decimals)


def shown_signed(value: float, decimals: int) -> str:
    """A number with its sign; without one where it rounds to zero."""
    text = f"{value:+.{decimals}f}"
    return text if float(text) else text[1:]


def shown_interval(low: float, high: float, threshold: float, unit: Unit) -> tuple[str, str, str]:
    """Both ends of an interval and the threshold that decides it, as `shown_difference` shows them.

    They have as many decimals as it takes to see on which side of the threshold each end is: an interval that begins
    just above does not seem to begin there.

    Args:
        low: Lower end; may be minus infinity.
        high: Upper end; may be infinity.
        threshold: Finite.
        unit: Of the scores.
    """
    values = low, high, threshold
    for more_decimals in range(MOST_DECIMALS + 1):
        texts = [shown_difference(value, unit, more_decimals) for value in values]
        rounded = [float(text) for text in texts]
        if [end > rounded[2] for end in rounded] == [end > threshold for end in values]:
            break
    return texts[0], texts[1], texts[2]


def shown_p(value: float, level: float | None = None) -> str:
    """A p-value as verdicts show it, for instance `0.012`, or `< 0.001`.

    Args:
        value: From 0 to 1.
        level: What it must not exceed; it has more decimals where rounding would move it over that.
    """
    if value < 0.0005:
        return "< 0.001"
    shown = (f"{value:.{decimals}f}" for decimals in range(3, 3 + MOST_DECIMALS))
    first = f"{value:.3f}"
    return first if level is None else next((text for text in shown if (float(text) > level) == (value > level)), first)
