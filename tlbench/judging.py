"""Claims judged together, seeds added until they are decided."""

from __future__ import annotations

import math

from dataclasses import replace
from typing import TYPE_CHECKING

from tlbench.claims import MACRO_F1, Decision, Verdict
from tlbench.statistics import holm, look_levels


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tlbench.claims import Claim, Evidence, Scored
    from tlbench.trials import Trial

# The chance that any of a run's claims is supported, or that any is refuted, that should not be.
LEVEL = 0.05

# Each look has so many times the seeds of the last: enough to make a difference, without paying for many looks.
GROWTH = 1.5


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
    result: Callable[[Trial], Scored],
    seeds_at_looks: Sequence[int],
    train: Callable[[Iterable[Trial]], None] = lambda _trials: None,
    level: float = LEVEL,
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

    The same claims about macro-F1 are a family of their own, judged by the same rule on the same seeds.

    Args:
        claims: All claims of the run, in any order.
        result: Gives the result of a trial that has been trained.
        seeds_at_looks: Number of seeds at each look, growing.
        train: Is told what the next look needs.
        level: For each direction.

    Returns:
        A verdict for each claim.
    """
    family = _Family(dict(enumerate(claims)), tuple(seeds_at_looks))
    on_f1 = {index: about_f1 for index, claim in enumerate(claims) if (about_f1 := claim.on(MACRO_F1))}
    other = _Family(on_f1, family.looks)
    for count, share in zip(family.looks, look_levels(family.looks, level), strict=True):
        undecided = family.undecided
        if not undecided:
            break
        seeds = range(count)
        train(trial for index in undecided for trial in claims[index].trials(seeds))
        family.look(undecided, result, seeds, share)
        other.look([index for index in other.undecided if index in undecided], result, seeds, share)
    return [replace(family.verdicts[i], also=other.verdicts.get(i)) for i in range(len(claims))]


class _Family:
    """Claims that share a level.

    Attributes:
        looks: Number of seeds at each.
        verdicts: By the claims' keys, as of the last look.
    """

    def __init__(self, claims: Mapping[int, Claim], seeds_at_looks: tuple[int, ...]) -> None:
        self._claims = claims
        self.looks = seeds_at_looks
        self.verdicts: dict[int, Verdict] = {}

    @property
    def undecided(self) -> list[int]:
        """Keys of the claims that more seeds may decide; none will decide one of which a run diverged."""
        verdicts = self.verdicts
        return [
            key
            for key in self._claims
            if key not in verdicts or (verdicts[key].inconclusive and not verdicts[key].evidence.diverged)
        ]

    def look(self, keys: Sequence[int], result: Callable[[Trial], Scored], seeds: Sequence[int], level: float) -> None:
        """Judge some claims anew."""
        evidence = {key: self._claims[key].evidence(result, seeds) for key in keys}
        supporting = self._adjusted("supported", {key: evidence[key].p for key in keys})
        refuting = self._adjusted("refuted", {key: evidence[key].p_refuting for key in keys})
        for key in keys:
            p = supporting[key], refuting[key]
            self.verdicts[key] = _verdict(evidence[key], p, level, len(self._claims), self.looks)

    def _adjusted(self, outcome: str, p_values: Mapping[int, float | None]) -> dict[int, float]:
        keys = [key for key in self._claims if key not in self.verdicts or self.verdicts[key].outcome != outcome]
        alone = [1.0 if (p := p_values.get(key)) is None else p for key in keys]
        return dict(zip(keys, map(float, holm(alone)), strict=True))


def _verdict(
    evidence: Evidence, p_values: tuple[float, float], level: float, claims: int, seeds_at_looks: tuple[int, ...]
) -> Verdict:
    supporting, refuting = p_values
    p = None if evidence.p is None else min(p_values)
    decision = Decision(p, level, claims, seeds_at_looks)
    if evidence.diverged:
        reason = f"a run diverged under seed {', '.join(map(str, evidence.diverged))}"
    elif p is None:
        reason = "one seed says nothing of the noise between seeds"
    elif supporting <= level:
        return Verdict(evidence.claim, "supported", "the difference is above the threshold", evidence, decision)
    elif refuting <= level:
        return Verdict(evidence.claim, "refuted", "the difference is at or below the threshold", evidence, decision)
    elif evidence.interval is not None and evidence.interval.low <= evidence.claim.threshold <= evidence.interval.high:
        reason = "the interval holds the threshold"
    else:
        reason = f"its p-value, {p:.3f} among {claims} claims, is above the level of this look, {level:.3f}"
    return Verdict(evidence.claim, "inconclusive", reason, evidence, decision)
