"""Claims of two runs, compared: verdicts that changed, and differences that moved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tlbench.judge.changes import Change, ClaimChange, corrected, moved_means


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench.judge.changes import ChangeStatus
    from tlbench.store.baselines import SavedClaim

# Least margin of a claim's difference: claims are about accuracy or F1.
_DIFFERENCE_MARGIN = 0.005


def claim_changes(
    olds: Sequence[SavedClaim], news: Sequence[SavedClaim], level: float, *, stored: bool
) -> list[ClaimChange]:
    """Compare the claims of two runs, by name.

    Args:
        olds: Claims of the older run.
        news: Claims of the newer run.
        level: Level of each direction, for all claims together.
        stored: Whether the newer run measured nothing itself; says so for claims that do not tell their measurements.
    """
    of_new = {claim.name: claim for claim in news}
    everything = [(claim, of_new[claim.name]) for claim in olds if claim.name in of_new]
    apart = [_judged_apart(before, after, stored=stored) for before, after in everything]
    both = [pair for pair in apart if pair[1].differences]
    unmeasured = {before.name for before, after in apart if not after.differences and of_new[after.name].differences}
    testable = [pair for pair in both if all(len(claim.differences) > 1 for claim in pair)]
    moved: dict[str, tuple[Change, ChangeStatus]] = {}
    if testable:
        paired = all(before.differences.keys() == after.differences.keys() for before, after in testable)
        old_values, new_values = (
            [np.array([pair[side].differences[seed] for seed in sorted(pair[side].differences)]) for pair in testable]
            for side in (0, 1)
        )
        judged = corrected(moved_means(old_values, new_values, _DIFFERENCE_MARGIN, paired=paired), level)
        moved = {before.name: outcome for (before, _), outcome in zip(testable, judged, strict=True)}
    found = [
        ClaimChange(
            before.name,
            "not measured",
            before.outcome,
            after.outcome,
            Change(),
            "the same measurements in both runs"
            + ("" if before.outcome == after.outcome else ", which are judged otherwise now"),
            after.unit,
        )
        if before.name in unmeasured
        else _claim(before, after, *moved.get(before.name, (Change(), None)))
        for before, after in apart
    ]
    found += [
        ClaimChange(c.name, "missing", c.outcome, None, Change(), unit=c.unit) for c in olds if c.name not in of_new
    ]
    known = {claim.name for claim in olds}
    return found + [
        ClaimChange(c.name, "new", None, c.outcome, Change(), unit=c.unit) for c in news if c.name not in known
    ]


def _judged_apart(before: SavedClaim, after: SavedClaim, *, stored: bool) -> tuple[SavedClaim, SavedClaim]:
    """Leave out the newer claim's seeds that rest on the older claim's measurements; equal seeds stay equal."""
    same = {
        seed
        for seed in after.differences
        if (stored and not after.measurements)
        or (seed in before.measurements and before.measurements[seed] == after.measurements.get(seed))
    }
    if not same:
        return before, after
    left = {seed: value for seed, value in after.differences.items() if seed not in same}
    if left.keys() <= before.differences.keys():
        before = replace(before, differences={seed: before.differences[seed] for seed in left})
    return before, replace(after, differences=left)


def _claim(before: SavedClaim, after: SavedClaim, change: Change, moved: ChangeStatus | None) -> ClaimChange:
    outcomes = before.outcome, after.outcome
    if outcomes[0] == outcomes[1]:
        note = "its difference has moved, its verdict has not" if moved in {"regressed", "improved"} else ""
        return ClaimChange(before.name, "same", *outcomes, change, note, after.unit)
    if "inconclusive" not in outcomes or moved in {"regressed", "improved"}:
        return ClaimChange(before.name, "changed verdict", *outcomes, change, unit=after.unit)
    note = "its difference has not moved beyond the noise" if moved else "too few seeds to tell whether it has moved"
    return ClaimChange(before.name, "same", *outcomes, change, note, after.unit)
