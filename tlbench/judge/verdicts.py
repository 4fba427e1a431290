"""The evidence on claims, and verdicts."""

from __future__ import annotations

import math

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tlbench.judge.wording import in_words, shown_difference
from tlbench.scores.statistics import CONFIDENCE, mean_interval, p_value, sample_size
from tlbench.store.baselines import SavedClaim


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tlbench.declare.claims import Claim, Scored
    from tlbench.declare.trials import Trial
    from tlbench.judge.decisions import Decision, Outcome
    from tlbench.scores.statistics import Interval
    from tlbench.store.results import Result


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

    @classmethod
    def of(cls, claim: Claim, result: Callable[[Trial], Scored], seeds: Sequence[int]) -> Evidence:
        """The evidence of some seeds.

        The difference is taken within each seed: arms of equal seed share the
        split, the order of the images and the head they start from.

        Args:
            claim: The claim to judge.
            result: Gives the result of a trial.
            seeds: At least one.
        """
        return cls(
            claim,
            {seed: claim.left.value(result, seed) for seed in seeds},
            {seed: claim.right.value(result, seed) for seed in seeds},
        )

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


def saved_claim(verdict: Verdict, result: Callable[[Trial], Result | None] | None = None) -> SavedClaim:
    """What is kept of a verdict.

    Args:
        verdict: On a claim.
        result: Gives the result of a trial that the verdict rests on; None where nobody asks for measurements.
    """
    diverged = verdict.evidence.diverged

    def measurement(trial: Trial) -> str:
        outcome = result(trial) if result is not None else None
        return f"{trial.digest}@{outcome.run if outcome else ''}"

    return SavedClaim(
        name=verdict.claim.name,
        statement=verdict.claim.statement,
        threshold=verdict.claim.threshold,
        outcome=verdict.outcome,
        differences={seed: value for seed, value in verdict.differences.items() if seed not in diverged},
        p=verdict.evidence.p,
        adjusted_p=verdict.decision.p,
        seeds_needed=verdict.seeds_needed,
        on_macro_f1=saved_claim(verdict.also, result) if verdict.also else None,
        measurements={
            seed: tuple(map(measurement, verdict.claim.difference.trials(seed)))
            for seed in verdict.differences
            if result is not None
        },
        unit=verdict.claim.difference.unit,
        scale=verdict.claim.difference.scale,
    )
