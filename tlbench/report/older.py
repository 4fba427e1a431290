"""Results of earlier schemas, brought to the present one step by step; see `tlbench.report.content`."""

from __future__ import annotations

import math

from typing import Any

from tlbench.judge.decisions import Decision
from tlbench.judge.judging import REASONS, agreeing
from tlbench.judge.wording import in_words
from tlbench.scores.statistics import Estimate
from tlbench.store.older import SCORES_OF_1, verdicts_by_metric


def _of_3(content: dict[str, Any]) -> int:
    """Bring schema 3, whose intervals were those of each claim by itself and which took all for measured, to 4."""
    for claim in content.get("claims") or []:
        for each in filter(None, (claim, claim.get("on_macro_f1"))):
            each.update(own_low=each.get("low"), own_high=each.get("high"))
            if each["adjusted_p"] is not None:
                each.update(_as_it_decided(each))
    if comparison := content.get("comparison"):
        comparison["outcome"] = "failed" if comparison.get("failures") else "passed"
    return 4


def _as_it_decided(claim: dict[str, Any]) -> dict[str, Any]:
    """The interval that goes with a claim's verdict, and the words on both.

    The level that Holm's procedure left to the nearer test follows from its p-values before and after the correction;
    the other test's is taken for that of the first step, which is the hardest: that end may be wider than it would be.
    """
    outcome, threshold, p, adjusted = claim["outcome"], claim["threshold"], claim["p"], claim["adjusted_p"]
    against = adjusted < p
    hardest = claim["level"] / claim["claims"]
    nearer = claim["level"] * (1 - p if against else p) / adjusted if 0 < adjusted < 1 else hardest
    estimate = Estimate.of_its_own([seed["difference"] for seed in claim["seeds"]])
    levels = (hardest, nearer) if against else (nearer, hardest)
    # Where p is too small for its digits to say by how much it was corrected.
    below, above = (min(level, claim["level"]) if level > 0 and math.isfinite(level) else hardest for level in levels)
    interval = agreeing(estimate.interval(below, above), threshold, outcome)
    decision = Decision(adjusted, claim["level"], claim["claims"], tuple(claim["looks"]), interval, nearer, against)
    return {
        "low": interval.low,
        "high": interval.high,
        "confidence": interval.confidence,
        "reason": REASONS[outcome],
        "sentence": in_words(decision, outcome, threshold, claim["unit"], claim["seeds_needed"]),
    }


def _of_4(content: dict[str, Any]) -> int:
    """Bring schema 4, in which each score and the verdict on macro-F1 were fields, to 5: mappings by metric."""
    for claim in content.get("claims") or []:
        verdicts_by_metric(claim)
    for arm in content.get("arms") or []:
        for trial in arm["trials"]:
            scores = {key: trial.pop(key) for key in SCORES_OF_1 if key in trial}
            trial["scores"] = {key: value for key, value in scores.items() if value is not None}
    if comparison := content.get("comparison"):
        for change in comparison["arms"]:
            change["changes"] = {_KEYS_OF_4.get(name, name): each for name, each in change["changes"].items()}
    return 5


def _of_5(content: dict[str, Any]) -> int:
    """Bring schema 5, of before trained networks were evaluated on other images, to 6."""
    for arm in content.get("arms") or []:
        for trial in arm["trials"]:
            trial["evaluations"] = []
    return 6


def _of_6(content: dict[str, Any]) -> int:
    """Bring schema 6, of before differences of shares had a unit of their own, to 7: its columns keep theirs."""
    content["commit"] = None
    for claim in content.get("claims") or []:
        for each in (claim, *claim["also"].values()):
            each["sides_in_points"] = False
    return 7


# Keys of metrics that comparisons named otherwise.
_KEYS_OF_4 = {"macro-F1": "macro_f1"}

# From a schema that can still be read to the next.
UPGRADES = {3: _of_3, 4: _of_4, 5: _of_5, 6: _of_6}
