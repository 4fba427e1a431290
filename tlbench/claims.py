"""Claims about arms, and the verdicts that results give on them."""

from __future__ import annotations

import math

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

from tlbench.statistics import mean_interval, p_value, sample_size


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tlbench.results import Result
    from tlbench.statistics import Interval
    from tlbench.trials import Arm, Trial

# Each end of a 90 % interval is a one-sided test at 5 %.
CONFIDENCE = 0.90


@dataclass(frozen=True)
class Metric:
    """A number that a result holds.

    Attributes:
        name: What tables call it.
        of: Computes it; a function of a module or a `functools.partial` of one.
    """

    name: str
    of: Callable[[Result], float]


def _accuracy(result: Result) -> float:
    return result.accuracy


def _loss(result: Result) -> float:
    return result.loss


def _macro_f1(result: Result) -> float:
    return result.macro_f1


def _batch_statistics_accuracy(result: Result) -> float:
    return result.batch_statistics_accuracy


def _f1(result: Result, *, label: str) -> float:
    return result.f1[label]


def _f1_lead(result: Result, *, label: str) -> float:
    return result.f1[label] - max(score for other, score in result.f1.items() if other != label)


def _validation_accuracy(result: Result, *, epoch: int) -> float:
    return result.validation_accuracy[epoch - 1 if epoch > 0 else epoch]


ACCURACY = Metric("accuracy", _accuracy)
LOSS = Metric("loss", _loss)
MACRO_F1 = Metric("macro-F1", _macro_f1)
BATCH_STATISTICS_ACCURACY = Metric("accuracy with batch statistics", _batch_statistics_accuracy)


def f1(label: str) -> Metric:
    """F1 of one label."""
    return Metric(f"F1 of {label}", partial(_f1, label=label))


def f1_lead(label: str) -> Metric:
    """F1 of one label less the highest F1 among the others."""
    return Metric(f"lead in F1 of {label}", partial(_f1_lead, label=label))


def validation_accuracy(epoch: int) -> Metric:
    """Validation accuracy after an epoch, counted from 1, or from the last with -1."""
    name = "validation accuracy after the last epoch" if epoch == -1 else f"validation accuracy after epoch {epoch}"
    return Metric(name, partial(_validation_accuracy, epoch=epoch))


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
    def arms(self) -> tuple[Arm, ...]:
        """Of its terms."""
        return tuple(arm for _, arm, _ in self.terms)

    def trials(self, seed: int) -> tuple[Trial, ...]:
        """What it needs to be known for one seed."""
        return tuple(arm.trial(seed) for _, arm, _ in self.terms)

    def value(self, result: Callable[[Trial], Result], seed: int) -> float:
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

    def judge(self, result: Callable[[Trial], Result], seeds: Sequence[int]) -> Verdict:
        """The verdict of some seeds.

        The difference is taken within each seed: arms of equal seed share the
        split, the order of the images and the head they start from. Its mean's
        interval decides: all above the threshold supports the claim, all below
        refutes it.

        Args:
            result: Gives the result of a trial.
            seeds: At least one.
        """
        left = {seed: self.left.value(result, seed) for seed in seeds}
        right = {seed: self.right.value(result, seed) for seed in seeds}
        differences = {seed: left[seed] - right[seed] for seed in seeds}
        diverged = [seed for seed, difference in differences.items() if math.isnan(difference)]
        if diverged:
            reason = f"a run diverged under seed {', '.join(map(str, diverged))}"
            return Verdict(self, "inconclusive", reason, differences, left, right, None)
        interval = mean_interval(list(differences.values()), CONFIDENCE)
        if interval.low > self.threshold:
            outcome, reason = "supported", "the whole interval lies above the threshold"
        elif interval.high <= self.threshold:
            outcome, reason = "refuted", "the whole interval lies at or below the threshold"
        elif len(differences) == 1:
            outcome, reason = "inconclusive", "one seed says nothing of the noise between seeds"
        else:
            outcome, reason = "inconclusive", "the interval holds the threshold"
        return Verdict(self, outcome, reason, differences, left, right, interval)  # type: ignore[arg-type]


@dataclass(frozen=True, repr=False)
class Verdict:
    """What results say of a claim.

    Attributes:
        claim: What was judged.
        outcome: Supported, refuted, or neither.
        reason: Why, in a phrase.
        differences: By seed; NaN where a run diverged.
        left: The claim's left side by seed.
        right: Its right side by seed.
        interval: Of the mean difference; None where a run diverged.
    """

    claim: Claim
    outcome: Literal["supported", "refuted", "inconclusive"]
    reason: str
    differences: Mapping[int, float]
    left: Mapping[int, float]
    right: Mapping[int, float]
    interval: Interval | None

    @property
    def supported(self) -> bool:
        """Whether the claim holds."""
        return self.outcome == "supported"

    @property
    def inconclusive(self) -> bool:
        """Whether the results do not tell."""
        return self.outcome == "inconclusive"

    @cached_property
    def p(self) -> float | None:
        """One-sided, that the difference does not exceed the threshold; None for one seed or where a run diverged."""
        if self.interval is None or len(self.differences) == 1:
            return None
        return p_value(list(self.differences.values()), self.claim.threshold)

    @cached_property
    def seeds_needed(self) -> int | None:
        """How many seeds would decide what is inconclusive, in four of five cases, if all is what it looks like.

        None where it is decided, where there is no `p`, or above 1,000.
        """
        if self.p is None or not self.inconclusive:
            return None
        return sample_size(list(self.differences.values()), self.claim.threshold)

    @property
    def detail(self) -> str:
        """What the verdict rests on, in a line."""
        seeds = ", ".join(f"{seed}: {difference:+.3f}" for seed, difference in self.differences.items())
        effect = self.reason
        if self.interval:
            effect = (
                f"difference {self.interval.mean:+.3f}, {self.interval.confidence:.0%} interval "
                f"{self.interval.low:+.3f} to {self.interval.high:+.3f}"
            )
        effect += f"; should exceed {self.claim.threshold:+.3f}"
        if self.p is not None:
            effect += f", p = {self.p:.3f}" if self.p >= 0.0005 else ", p < 0.001"
            if self.inconclusive:
                effect += f"; may need {self.seeds_needed or 'over 1000'} seeds"
        return f"{effect}; by seed {seeds}"

    def __repr__(self) -> str:
        """The verdict with what it rests on, as `assert verdict.supported, verdict` shows it."""
        return f"{self.outcome}, {self.reason}: {self.detail} ({self.claim.left} against {self.claim.right})"
