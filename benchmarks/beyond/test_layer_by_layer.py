"""Transferability of features, layer by layer: the experiment of Yosinski et al. 2014 (arXiv:1411.1792, section 4).

B is the study's task, and A that of the study's source. The first layers, up to a cut, are copied from a network that
was trained on A (AnB) or on B itself (BnB, a *selffer* network); the others are drawn anew, and trained on B. With +,
the copied layers are trained as well; without, they stay frozen. Frozen random layers are the floor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlbench import EVERY_CLASS, Lines, Point, mean, score

from ..poster import NEGLIGIBLE
from .sizes import depths


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlbench import Arm, Claim, Quantity, Study

# Copied from, and frozen or not.
KINDS = ("BnB", "BnB+", "AnB", "AnB+", "random, frozen")


def base(study: Study) -> Arm:
    """The network that is trained on B from random weights, whose layers the selffer networks copy."""
    return study.random("base B", task=EVERY_CLASS)


def arm(study: Study, kind: str, cut: str) -> Arm:
    """An arm of the experiment: `kind` is one of `KINDS`, and `cut` the last layer that is copied."""
    copied = study.up_to(cut)
    frozen = () if kind.endswith("+") else copied
    label = f"{kind}, {cut}"
    if kind.startswith("random"):
        return study.random(label, task=EVERY_CLASS, frozen=frozen)
    source = base(study) if kind.startswith("B") else None
    return study.transferred(label, source=source, task=EVERY_CLASS, frozen=frozen, transferred=copied)


def over(study: Study, kind: str, cuts: Iterable[str]) -> Quantity:
    """Mean accuracy over some cuts."""
    return mean(score(arm(study, kind, cut)) for cut in cuts)


def layer_by_layer(study: Study) -> Lines:
    none = Point(0, score(base(study)), tick="none")
    points = {
        kind: tuple(Point(n, score(arm(study, kind, cut)), tick=cut) for n, cut in enumerate(depths(study), start=1))
        for kind in KINDS
    }
    title = "accuracy by the depth up to which layers are copied"
    series = (("base B", (none,)), *points.items())
    return Lines("Layer by layer", title, "last copied layer", "accuracy", series, axis="linear")


def middle_is_co_adapted(study: Study) -> Claim:
    first, *middle, last = depths(study)
    return over(study, "BnB", [first, last]).beats(over(study, "BnB", middle))


def top_is_specific(study: Study) -> Claim:
    first, *_, last = depths(study)
    return score(arm(study, "AnB", first)).beats(score(arm(study, "AnB", last)))


def fine_tuning_recovers(study: Study) -> Claim:
    return over(study, "BnB+", depths(study)).is_at_least(score(base(study)), within=NEGLIGIBLE)


def transfer_generalises(study: Study) -> Claim:
    return over(study, "AnB+", depths(study)).beats(over(study, "BnB+", depths(study)))


def transferred_beat_random(study: Study) -> Claim:
    return over(study, "AnB", depths(study)).beats(over(study, "random, frozen", depths(study)))


@pytest.mark.tlbench_figure(declare=layer_by_layer)
def test_layer_by_layer(figure):
    """Every depth is trained in every way, or has diverged."""
    assert all(point.cell.filled for point in figure.points)


@pytest.mark.tlbench_claim(declare=middle_is_co_adapted)
def test_frozen_layers_lose_most_where_the_middle_is_cut(verdict):
    """Neighbouring layers in the middle are co-adapted: frozen up to there, a network does not learn them again."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=top_is_specific)
def test_top_layers_are_specific_to_their_task(verdict):
    """Frozen layers of another task are worth less at the top than at the bottom."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=fine_tuning_recovers)
def test_fine_tuning_recovers_co_adapted_layers(verdict):
    """A network whose layers are partly its own, and all trained, is no worse than one from random weights."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=transfer_generalises)
def test_transferred_layers_generalise_better_when_fine_tuned(verdict):
    """Layers of another task, trained further, leave more accuracy than layers of the task itself."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=transferred_beat_random)
def test_frozen_transferred_layers_beat_frozen_random_layers(verdict):
    """Features of another task are better than random ones."""
    assert verdict.supported, verdict
