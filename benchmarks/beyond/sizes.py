"""Sizes of the experiments: smaller on the miniature, whose drawn images are for trying them within three minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tlbench import Study


def is_small(study: Study) -> bool:
    """True where a study is for trying an experiment, and no evidence about photographs."""
    return study.profile == "miniature"


def depths(study: Study) -> tuple[str, ...]:
    """Up to six cuts that are spread evenly over the study's network, the first and the last among them.

    On the miniature there are up to four. A network with fewer cuts is cut at all of them.

    Args:
        study: Study whose network is cut.
    """
    most = 4 if is_small(study) else 6
    last, steps = len(study.cuts) - 1, most - 1
    # Rounded by whole numbers: the same places on every machine.
    places = {(2 * step * last + steps) // (2 * steps) for step in range(most)}
    return tuple(study.cuts[place] for place in sorted(places))
