"""Flows and cuts of a graph."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pebble import Pebble

from tlbench.errors import ConfigurationError
from tlbench.networks.flows import cut, flows


@pytest.fixture
def model():
    return Pebble().build(3)


def test_every_layer_is_in_one_flow(model):
    """None is missing, and none is counted twice."""
    members = flows(model, Pebble().flow_ends)

    names = [layer.name for layers in members.values() for layer in layers]
    assert sorted(layer.name for layer in model.layers) == sorted(names)
    assert ["entry", "middle", "exit", "head"] == list(members)


def test_a_shortcut_belongs_to_its_flow(model):
    """By the graph, whatever its name."""
    members = flows(model, Pebble().flow_ends)

    assert {"middle_conv", "middle_bn", "shortcut_conv", "shortcut_bn", "middle_add"} == {
        layer.name for layer in members["middle"]
    }


def test_two_parts_are_the_whole(model):
    """They compute the same, with the same variables."""
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)

    first, second = cut(model, "middle_add")

    whole = keras.ops.convert_to_numpy(model(images))
    assert np.allclose(whole, keras.ops.convert_to_numpy(second(first(images))), atol=1e-6)
    ids = {id(variable) for part in (first, second) for variable in part.weights}
    assert {id(variable) for variable in model.weights} == ids


def test_a_cut_where_the_graph_is_wider_than_one_tensor_is_an_error(model):
    """Behind one branch of a shortcut, the other is missing."""
    with pytest.raises(ConfigurationError, match="middle_conv"):
        cut(model, "middle_conv")


def test_a_cut_behind_an_unknown_layer_is_an_error(model):
    """It is named."""
    with pytest.raises(ConfigurationError, match="Received: 'nowhere'"):
        cut(model, "nowhere")
