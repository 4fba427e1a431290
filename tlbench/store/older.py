"""Saved runs of earlier schemas, brought to the present one; see `tlbench.store.baselines`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Mapping

# Scores that had a field each in schema 1.
SCORES_OF_1 = ("accuracy", "loss", "macro_f1", "batch_statistics_accuracy")


def _of_1(content: dict[str, Any]) -> int:
    """Bring a run of schema 1, in which each score was a field of its trial, to schema 2."""
    for arm in content.get("arms") or []:
        arm["trials"] = {seed: summary_of_1(trial) for seed, trial in arm["trials"].items()}
    for claim in content.get("claims") or []:
        verdicts_by_metric(claim)
    return 2


def verdicts_by_metric(claim: dict[str, Any]) -> None:
    """Put a claim's verdict on macro-F1, once a field of its own, among its verdicts by metric.

    Args:
        claim: Fields by name, of a saved run of schema 1 or a `results.json` of schema 4.
    """
    about_f1 = claim.pop("on_macro_f1")
    if about_f1 is not None:
        del about_f1["on_macro_f1"]
    claim["also"] = {} if about_f1 is None else {"macro_f1": about_f1 | {"also": {}}}


def summary_of_1(trial: Mapping[str, Any]) -> dict[str, Any]:
    """A trial of schema 1 as `tlbench.store.results.Summary` has it; a score that it lacks stays absent.

    Args:
        trial: Fields by name. Those of a diverged trial hold zeros for scores, which mean nothing.
    """
    scores = {key: trial[key] for key in SCORES_OF_1 if key in trial and not trial["diverged"]}
    return {"scores": scores} | {name: value for name, value in trial.items() if name not in SCORES_OF_1}


# From a schema that can still be read to the next, one step each.
UPGRADES = {1: _of_1}
