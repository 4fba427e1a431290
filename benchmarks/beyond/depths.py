"""Depths at which experiments cut a network."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tlbench import Study


def depths(study: Study, most: int = 6) -> tuple[str, ...]:
    """Names of cuts of the study's network, spread evenly from the first to the last.

    Args:
        study: The study.
        most: Largest number of cuts, two or more; all cuts of a network that has fewer.
    """
    cuts = study.cuts
    if len(cuts) <= most:
        return cuts
    return tuple(cuts[round(place * (len(cuts) - 1) / (most - 1))] for place in range(most))
