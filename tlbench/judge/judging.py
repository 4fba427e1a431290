"""Claims judged together, seeds added until they are decided."""

from __future__ import annotations

import math

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tlbench.judge.decisions import Decision
from tlbench.judge.verdicts import Evidence, Verdict
from tlbench.scores.listed import METRICS
from tlbench.scores.statistics import Estimate, holm, holm_levels, look_levels


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tlbench.declare.claims import Claim
    from tlbench.declare.evaluations import Work
    from tlbench.judge.decisions import Outcome
    from tlbench.scores.listed import Metric, Scored
    from tlbench.scores.statistics import Interval

# The chance that any of a run's claims is supported, or that any is refuted, that should not be.
LEVEL = 0.05

# Each look has so many times the seeds of the last: enough to make a difference, without paying for many looks.
GROWTH = 1.5

# Metrics on which claims about accuracy are judged as well.
BESIDE_ACCURACY = tuple(metric for metric in METRICS if metric.beside_accuracy)

REASONS: dict[Outcome, str] = {
    "supported": "the interval lies above the threshold",
    "refuted": "the interval lies at or below the threshold",
    "inconclusive": "the interval holds the threshold",
}


def looks(first: int, most: int) -> tuple[int, ...]:
    """Number of seeds at each look, growing by half from the first to the most there may be.

    Args:
        first: Number of seeds that every claim gets.
        most: Number that an undecided one may get.
    """
    seeds = [first]
    while seeds[-1] < most:
        seeds.append(min(most, math.ceil(seeds[-1] * GROWTH)))
    return tuple(seeds)


def judge(
    claims: Sequence[Claim],
    result: Callable[[Work], Scored],
    seeds_at_looks: Sequence[int],
    train: Callable[[Iterable[Work]], None] = lambda _work: None,
    level: float = LEVEL,
    beside: Sequence[Metric] = BESIDE_ACCURACY,
) -> list[Verdict]:
    """Verdicts on the claims of a run.

    A claim is supported by a one-sided t test that its difference exceeds its
    threshold, and refuted by one that it does not. After each look, claims that
    are decided keep their seeds; the others get more.

    The rule, for each of the two directions: a look may spend its share of the
    level (`look_levels`), and Holm's procedure at that share goes over all claims
    that are not decided in this direction yet; those that get no new seeds
    count with a p-value of 1. The chance that any claim is wrongly decided in a
    direction is below the level: where the first error falls on a look,
    everything rejected before was rejected rightly, so that Holm's procedure
    had all true null hypotheses before it, and errs with at most that look's
    share; the shares add up to the level. A simulation in the tests bears it out.

    Intervals have the levels that Holm's procedure applied, see `Decision`. With a
    probability of at least one less the level, all claims that are supported have true
    differences above their thresholds, and all others have true differences above their
    intervals' lower ends, at once and over all looks; likewise for refuted claims and
    upper ends. Up to the threshold these are the bounds that belong to Holm's procedure
    (Strassburger & Bretz 2008, Statistics in Medicine 27:4914; Guilbaud 2008, Biometrical
    Journal 50:678): a lower end that is not above its threshold can be too high only where
    the claim is not true, and then the argument above holds for it. By how much a supported
    claim exceeds its threshold is no part of that: the lower end holds by itself, with
    the same probability, since the level that was applied is at most its look's share.

    Claims about accuracy are also judged on other metrics, by the same rule on the same seeds: the claims on one metric
    are a family of their own, on which no outcome rests.

    Args:
        claims: All claims of the run, in any order.
        result: Function that gives the result of a trial or an evaluation.
        seeds_at_looks: Number of seeds at each look, growing.
        train: Function that trains the trials of the next look, and computes the evaluations.
        level: Level of each direction.
        beside: Metrics on which claims about accuracy are judged as well.

    Returns:
        A verdict for each claim.
    """
    family = _Family(dict(enumerate(claims)), tuple(seeds_at_looks))
    others = {
        metric.key: _Family(
            {index: about for index, claim in enumerate(claims) if (about := claim.on(metric))}, family.looks
        )
        for metric in beside
    }
    for count, share in zip(family.looks, look_levels(family.looks, level), strict=True):
        undecided = family.undecided
        if not undecided:
            break
        seeds = range(count)
        train(work for index in undecided for work in claims[index].work(seeds))
        family.look(undecided, result, seeds, share)
        for other in others.values():
            other.look([index for index in other.undecided if index in undecided], result, seeds, share)
    return [
        replace(
            family.verdicts[index],
            also={key: other.verdicts[index] for key, other in others.items() if index in other.verdicts},
        )
        for index in range(len(claims))
    ]


def outcomes_so_far(
    claims: Sequence[Claim],
    ready: Iterable[int],
    result: Callable[[Work], Scored],
    seeds_at_looks: Sequence[int],
    level: float = LEVEL,
) -> dict[Outcome, int]:
    """Count the outcomes that the first look would have if nothing else came.

    Claims that wait for trials are part of the family with a p-value of 1. What is decided so far stays decided: in
    Holm's procedure, a smaller p-value of one claim never raises the corrected p-value of another.

    Args:
        claims: All claims of the run.
        ready: Numbers of the claims that all results of the first look are in for.
        result: Function that gives the result of a trial or an evaluation.
        seeds_at_looks: Number of seeds at each look, growing.
        level: Level of each direction.
    """
    family = _Family(dict(enumerate(claims)), tuple(seeds_at_looks))
    share = look_levels(family.looks, level)[0]
    family.look(sorted(ready), result, range(family.looks[0]), share)
    return dict(Counter(verdict.outcome for verdict in family.verdicts.values()))


def estimates(samples: Sequence[Sequence[float]]) -> list[Estimate]:
    """Estimate the mean difference of each of a run's claims, by its own seeds alone.

    What claims have in common could be drawn upon (`tlbench.scores.statistics.moderate`), but breaks the level:
    `benchmarks/error_rates.py` counts it.

    Args:
        samples: Differences by seed, two or more, for each claim that is judged together with the others.
    """
    return [Estimate.of_its_own(sample) for sample in samples]


class _Family:
    """Claims that share a level.

    Attributes:
        looks: Number of seeds at each look.
        verdicts: Verdicts of the last look, by the claims' keys.
    """

    def __init__(self, claims: Mapping[int, Claim], seeds_at_looks: tuple[int, ...]) -> None:
        self._claims = claims
        # Of all claims, those of earlier looks among them.
        self._evidence: dict[int, Evidence] = {}
        self.looks = seeds_at_looks
        self.verdicts: dict[int, Verdict] = {}

    @property
    def undecided(self) -> list[int]:
        """Keys of the claims that more seeds may decide: not those with a seed that has no difference."""
        verdicts = self.verdicts
        return [
            key
            for key in self._claims
            if key not in verdicts or (verdicts[key].inconclusive and not verdicts[key].evidence.unknown)
        ]

    def look(self, keys: Sequence[int], result: Callable[[Work], Scored], seeds: Sequence[int], level: float) -> None:
        """Judge some claims anew."""
        self._evidence |= {key: Evidence.of(self._claims[key], result, seeds) for key in keys}
        estimates = self._estimates()

        def p_values(alternative: Literal["greater", "less"]) -> dict[int, float]:
            of_keys = {key: estimates[key] for key in keys if key in estimates}
            return {key: each.p(self._claims[key].threshold, alternative) for key, each in of_keys.items()}

        supporting = self._corrected("supported", p_values("greater"), level)
        refuting = self._corrected("refuted", p_values("less"), level)
        for key in keys:
            self.verdicts[key] = _verdict(
                self._evidence[key],
                estimates.get(key),
                (supporting[key], refuting[key]),
                Decision(None, level, len(self._claims), self.looks),
            )

    def _estimates(self) -> dict[int, Estimate]:
        """Estimates of the claims that have two seeds or more."""
        samples = {
            key: tuple(evidence.differences.values()) for key, evidence in self._evidence.items() if evidence.estimable
        }
        return dict(zip(samples, estimates(tuple(samples.values())), strict=True))

    def _corrected(self, outcome: str, p_values: Mapping[int, float], level: float) -> dict[int, _Corrected]:
        """By Holm, among all claims that are not decided in this direction yet."""
        keys = [key for key in self._claims if key not in self.verdicts or self.verdicts[key].outcome != outcome]
        alone = [p_values.get(key, 1.0) for key in keys]
        corrected = zip(map(float, holm(alone)), map(float, holm_levels(alone, level)), strict=True)
        return {key: _Corrected(*each) for key, each in zip(keys, corrected, strict=True)}


@dataclass(frozen=True)
class _Corrected:
    """A p-value after Holm's correction, and the level that the p-value by itself was held against."""

    p: float
    level: float


def _verdict(
    evidence: Evidence, estimate: Estimate | None, corrected: tuple[_Corrected, _Corrected], decision: Decision
) -> Verdict:
    supporting, refuting = corrected
    claim = evidence.claim
    if estimate is None:
        reason = "one seed says nothing of the noise between seeds"
        if evidence.diverged:
            reason = f"a run diverged under seed {', '.join(map(str, evidence.diverged))}"
        elif evidence.lacking:
            names = " or ".join(sorted({term.metric.name for term in claim.difference.scores}))
            reason = f"a trial has no {names} under seed {', '.join(map(str, evidence.lacking))}"
        return Verdict(claim, "inconclusive", reason, evidence, replace(decision, interval=evidence.interval), {})
    nearer = min(corrected, key=lambda each: each.p)
    decision = replace(
        decision,
        p=nearer.p,
        test_level=nearer.level,
        against=nearer is not supporting,
    )
    outcome: Outcome = "inconclusive"
    if supporting.p <= decision.level:
        outcome = "supported"
    elif refuting.p <= decision.level:
        outcome = "refuted"
    interval = agreeing(estimate.interval(supporting.level, refuting.level), claim.threshold, outcome)
    return Verdict(claim, outcome, REASONS[outcome], evidence, replace(decision, interval=interval), {})


def agreeing(interval: Interval, threshold: float, outcome: Outcome) -> Interval:
    """An interval on the side of a threshold that an outcome says, where rounding has put an end beyond it.

    By construction the ends agree with the tests, but quantiles and probabilities are rounded differently.
    """
    above = math.nextafter(threshold, math.inf)
    if outcome == "supported":
        return replace(interval, low=max(interval.low, above), high=max(interval.high, above))
    if outcome == "refuted":
        return replace(interval, low=min(interval.low, threshold), high=min(interval.high, threshold))
    return replace(interval, low=min(interval.low, threshold), high=max(interval.high, above))
