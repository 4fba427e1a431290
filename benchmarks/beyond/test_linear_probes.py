"""Linear probes: how much of a task a linear classifier finds at each depth of a network.

Donahue et al. 2014, "DeCAF" (arXiv:1310.1531): features of a network that was trained on many photographs separate the
classes of other tasks, deep ones better than shallow ones (figure 1). Alain & Bengio 2016 (arXiv:1610.01644): training
makes deeper layers more linearly separable; under random weights depth adds nothing that a linear classifier could use.
"""

from __future__ import annotations

import math

from typing import TYPE_CHECKING

import pytest

from tlbench import Column, LinearProbe, Lines, Point, Row, Table, mean, score

from ..poster import EIGHT_CLASSES, NEGLIGIBLE
from .sizes import depths


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlbench import Arm, Claim, Quantity, Study

NETWORKS = ("random, untrained", "random, trained", "transferred, untrained", "transferred, trained")


def network(study: Study, name: str) -> Arm:
    """A network to probe: its first weights, and whether it was trained on the task."""
    weights, _, training = name.partition(", ")
    recipe = study.recipe.at(epochs=0) if training == "untrained" else study.recipe
    start = study.random if weights == "random" else study.transferred
    return start(name, task=EIGHT_CLASSES, recipe=recipe)


def probe(study: Study, name: str, cut: str) -> Quantity:
    """Accuracy of a linear probe of a network."""
    return score(network(study, name), by=LinearProbe(cut))


def over(study: Study, name: str, cuts: Iterable[str]) -> Quantity:
    """Mean accuracy of the probes at some cuts of a network."""
    return mean(probe(study, name, cut) for cut in cuts)


def ends(study: Study) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first third of the depths, and the last."""
    cuts = depths(study)
    third = max(math.ceil(len(cuts) / 3), 1)
    return cuts[:third], cuts[-third:]


def probes(study: Study) -> Table:
    rows = [Row(cut, {name: probe(study, name, cut) for name in NETWORKS}) for cut in depths(study)]
    rows.append(Row("own head", {name: score(network(study, name)) for name in NETWORKS}))
    columns = tuple(Column(name, every_seed=False) for name in NETWORKS)
    title = "accuracy of linear probes of 8-classes by depth"
    notes = (f"Transferred from: {study.pretrained_name}.", "An untrained network's own head is as it was drawn.")
    return Table("Probes", title, "cut", columns, tuple(rows), notes=notes)


def probes_by_depth(study: Study) -> Lines:
    series = tuple(
        (name, tuple(Point(x, probe(study, name, cut), tick=cut) for x, cut in enumerate(depths(study))))
        for name in NETWORKS
    )
    title = "accuracy of linear probes of 8-classes by depth"
    return Lines("Probes by depth", title, "cut", "probe accuracy", series, axis="linear")


def deeper_is_better_transferred(study: Study) -> Claim:
    shallow, deep = ends(study)
    name = "transferred, untrained"
    return over(study, name, deep).beats(over(study, name, shallow))


def deeper_is_no_better_random(study: Study) -> Claim:
    shallow, deep = ends(study)
    name = "random, untrained"
    return over(study, name, shallow).is_at_least(over(study, name, deep), within=NEGLIGIBLE)


def transferred_beats_random(study: Study) -> Claim:
    last = depths(study)[-1]
    return probe(study, "transferred, untrained", last).beats(probe(study, "random, untrained", last))


@pytest.mark.tlbench_table(declare=probes)
def test_probes(table):
    """Every network is probed at every depth."""
    assert table.filled


@pytest.mark.tlbench_figure(declare=probes_by_depth)
def test_probes_by_depth(figure):
    """Every network is probed at every depth."""
    assert all(point.cell.filled for point in figure.points)


@pytest.mark.tlbench_claim(declare=deeper_is_better_transferred)
def test_deeper_features_of_transferred_weights_probe_better(verdict):
    """The last third of a transferred network's depths probes better than the first third, with nothing trained."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=deeper_is_no_better_random)
def test_deeper_features_of_random_weights_probe_no_better(verdict):
    """The first third of a random network's depths probes at least as well as the last third."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=transferred_beats_random)
def test_transferred_features_beat_random_ones_at_the_last_cut(verdict):
    """With nothing trained, the last features of transferred weights probe better than those of random ones."""
    assert verdict.supported, verdict
