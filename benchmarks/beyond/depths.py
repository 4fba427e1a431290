"""Places in a network, from its input to its head, at which experiments cut it."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tlbench import Study


def depths(study: Study, most: int = 6) -> tuple[str, ...]:
    """Cuts that are spread evenly over the study's network, the first and the last among them.

    Args:
        study: Study whose network is cut.
        most: Largest number of cuts, at least two; a network with fewer cuts is cut at all of them.
    """
    last, steps = len(study.cuts) - 1, most - 1
    # Rounded by whole numbers: the same places on every machine.
    places = {(2 * step * last + steps) // (2 * steps) for step in range(most)}
    return tuple(study.cuts[place] for place in sorted(places))
