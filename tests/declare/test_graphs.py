"""The key under which trials share a compiled network."""

from __future__ import annotations

import json

from dataclasses import dataclass

import pytest

from pebble import Pebble

from tlbench.declare.graphs import Graph


@dataclass(frozen=True)
class Boulder(Pebble):
    """A network of another class, with the same fields."""


@pytest.mark.parametrize(
    "changes",
    [
        {"network": Pebble(filters=16)},
        {"network": Boulder()},
        {"frozen": frozenset({"entry"})},
        {"optimizer": "sgd"},
        {"precision": "mixed_bfloat16"},
    ],
)
def test_trials_of_other_networks_share_none(make_trial, changes):
    """By architecture, frozen parts, optimizer or precision."""
    recipe = make_trial().recipe.at(
        **{name: changes.pop(name) for name in ("optimizer", "precision") if name in changes}
    )

    assert Graph.of(make_trial(), 3) != Graph.of(make_trial(recipe=recipe, **changes), 3)


def test_seeds_rates_and_sources_share_a_network(make_trial):
    """Weights and learning rates are variables of it; the number of labels is not."""
    other = make_trial(seed=1, initialisation=make_trial(), recipe=make_trial().recipe.at(learning_rate=1.0, epochs=9))

    assert Graph.of(make_trial(), 3) == Graph.of(other, 3)
    assert Graph.of(make_trial(), 3) != Graph.of(other, 2)


def test_a_graph_is_stored(make_trial):
    """As JSON, from which it is read whole; the JSON of a trial gives the same."""
    graph = Graph.of(make_trial(frozen=frozenset({"entry", "middle"})), 3)

    assert graph == Graph.load(json.loads(json.dumps(graph.content)))
    assert graph == Graph.read(json.loads(json.dumps(make_trial(frozen=frozenset({"entry", "middle"})).description)), 3)


@pytest.mark.parametrize("name", ["network", "optimizer", "precision"])
def test_a_damaged_graph_is_refused(make_trial, name):
    """A number where a text should be."""
    with pytest.raises(TypeError, match="not a text: 1"):
        Graph.load(Graph.of(make_trial(), 3).content | {name: 1})
