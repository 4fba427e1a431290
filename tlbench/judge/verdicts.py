"""The evidence on claims, and verdicts."""

from __future__ import annotations

import math

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tlbench.declare.evaluations import Evaluation
from tlbench.judge.wording import in_words, shown_difference
from tlbench.scores.statistics import CONFIDENCE, mean_interval, p_value, sample_size
from tlbench.store.baselines import SavedClaim


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tlbench.declare.claims import Claim
    from tlbench.declare.evaluations import Work
    from tlbench.declare.trials import Trial
    from tlbench.judge.decisions import Decision, Outcome
    from tlbench.scores.listed import Scored
    from tlbench.scores.statistics import Interval
    from tlbench.store.results import Result


@dataclass(frozen=True)
class Evidence:
    """The scores that a claim is judged by.

    Attributes:
        claim: The claim to judge.
        left: The claim's left side by seed; NaN where a run diverged or lacks the score.
        right: The claim's right side by seed.
        lacking: Seeds under which a trial lacks the score, though none diverged: the metric does not apply to its task.
    """

    claim: Claim
    left: Mapping[int, float]
    right: Mapping[int, float]
    lacking: tuple[int, ...] = ()

    @classmethod
    def of(cls, claim: Claim, result: Callable[[Work], Scored], seeds: Sequence[int]) -> Evidence:
        """The evidence of some seeds.

        The difference is taken within each seed: arms of equal seed share the
        split, the order of the images and the head they start from.

        Args:
            claim: The claim to judge.
            result: Function that gives the result of a trial or an evaluation.
            seeds: Seeds, at least one.
        """
        left, right = ({seed: side.value(result, seed) for seed in seeds} for side in (claim.left, claim.right))
        lacking = tuple(
            seed
            for seed in seeds
            if math.isnan(left[seed] - right[seed])
            and not any(result(trial).diverged for trial in claim.difference.trials(seed))
        )
        return cls(claim, left, right, lacking)

    @cached_property
    def differences(self) -> Mapping[int, float]:
        """Left less right, by seed."""
        return {seed: self.left[seed] - self.right[seed] for seed in self.left}

    @property
    def unknown(self) -> tuple[int, ...]:
        """Seeds without a difference: a run diverged under them, or lacks the score."""
        return tuple(seed for seed, difference in self.differences.items() if math.isnan(difference))

    @property
    def diverged(self) -> tuple[int, ...]:
        """Seeds under which a run diverged."""
        return tuple(seed for seed in self.unknown if seed not in self.lacking)

    @cached_property
    def interval(self) -> Interval | None:
        """90 % interval of the mean difference by itself; None where a seed has no difference."""
        return None if self.unknown else mean_interval(list(self.differences.values()), CONFIDENCE)

    @property
    def estimable(self) -> bool:
        """True of evidence that tells the noise of the difference: two seeds or more, each with a difference."""
        return not self.unknown and len(self.differences) > 1

    @cached_property
    def p(self) -> float | None:
        """One-sided, by itself: that the difference exceeds the threshold by chance; None where it is not estimable."""
        return self._p("greater")

    @cached_property
    def p_refuting(self) -> float | None:
        """One-sided p, by itself, that the difference is at most the threshold by chance; None as for `p`."""
        return self._p("less")

    def _p(self, alternative: Literal["greater", "less"]) -> float | None:
        if not self.estimable:
            return None
        return p_value(list(self.differences.values()), self.claim.threshold, alternative)


@dataclass(frozen=True, repr=False)
class Verdict:
    """The judgement of a claim by results.

    Attributes:
        claim: The claim that was judged.
        outcome: Supported, refuted or inconclusive.
        reason: Reason for the outcome, in a phrase.
        evidence: Scores that the outcome rests on.
        decision: Test, level and interval that led to the outcome.
        also: Verdicts on the same claim about other metrics, by `tlbench.scores.listed.Metric.key`; empty unless the
            claim is about accuracy. No outcome rests on them.
    """

    claim: Claim
    outcome: Outcome
    reason: str
    evidence: Evidence
    decision: Decision
    also: dict[str, Verdict]

    @property
    def supported(self) -> bool:
        """True where the claim holds."""
        return self.outcome == "supported"

    @property
    def inconclusive(self) -> bool:
        """True where the results do not decide the claim."""
        return self.outcome == "inconclusive"

    @property
    def differences(self) -> Mapping[int, float]:
        """Left less right by seed; NaN where a run diverged or lacks the score."""
        return self.evidence.differences

    @property
    def interval(self) -> Interval | None:
        """Interval that decides, see `Decision.interval`; None where a seed has no difference."""
        return self.decision.interval

    @property
    def p(self) -> float | None:
        """P-value that decides: one-sided, in favour of the outcome, after Holm's correction."""
        return self.decision.p

    @cached_property
    def seeds_needed(self) -> int | None:
        """Seeds that would decide an inconclusive claim in four of five cases, if effect and noise are as estimated.

        None where the claim is decided, where there is no `p`, or above 1,000.
        """
        if self.decision.test_level is None or not self.inconclusive or not self.evidence.estimable:
            return None
        return sample_size(list(self.differences.values()), self.claim.threshold, self.decision.test_level)

    @property
    def detail(self) -> str:
        """Difference, interval, threshold and p, and the difference under each seed, in a line."""
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
    """The part of a verdict that saved runs keep.

    Args:
        verdict: Verdict on a claim.
        result: Function that gives the result of a trial; None leaves out the measurements.
    """
    unknown = verdict.evidence.unknown
    ends = (verdict.interval.low, verdict.interval.high) if verdict.interval else (math.nan, math.nan)

    def measurement(work: Work) -> str:
        # An evaluation of the same trained network is the same measurement, whichever run has computed it.
        trial = work.trial if isinstance(work, Evaluation) else work
        outcome = result(trial) if result is not None else None
        return f"{work.digest}@{outcome.run if outcome else ''}"

    return SavedClaim(
        name=verdict.claim.name,
        statement=verdict.claim.statement,
        threshold=verdict.claim.threshold,
        outcome=verdict.outcome,
        differences={seed: value for seed, value in verdict.differences.items() if seed not in unknown},
        p=verdict.evidence.p,
        adjusted_p=verdict.decision.p,
        seeds_needed=verdict.seeds_needed,
        also={key: saved_claim(other, result) for key, other in verdict.also.items()},
        measurements={
            seed: tuple(map(measurement, verdict.claim.difference.work(seed)))
            for seed in verdict.differences
            if result is not None
        },
        unit=verdict.claim.difference.unit,
        scale=verdict.claim.difference.scale,
        reason=verdict.reason,
        interval=ends if all(map(math.isfinite, ends)) else None,
    )
