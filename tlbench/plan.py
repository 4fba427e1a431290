"""Trials in, an ordered and deduplicated plan out."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlbench.trials import Trial


def ordered(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Each trial once, after its source.

    Args:
        trials: What is wanted; sources need not be among them.

    Returns:
        The trials and their sources, in the order in which they can be trained.
    """
    planned: dict[str, Trial] = {}

    def add(trial: Trial) -> None:
        if trial.digest in planned:
            return
        if trial.source is not None:
            add(trial.source)
        planned[trial.digest] = trial

    for trial in trials:
        add(trial)
    return tuple(planned.values())
