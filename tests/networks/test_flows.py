"""Flows and cuts of a graph."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pebble import Pebble

from tlbench.errors import ConfigurationError
from tlbench.networks.flows import cut, flows
from tlbench.networks.xception import Xception


XCEPTION = Xception(image_size=16, width=0.05, middle_modules=1, stem_stride=1)


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


@pytest.fixture(scope="module")
def xception():
    return XCEPTION.build(3)


@pytest.mark.parametrize("end", XCEPTION.flow_ends.values())
def test_xception_can_be_cut_at_every_flow_end(xception, end):
    """The parts compute what the whole does, and hold each of its variables once."""
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)

    first, second = cut(xception, end)

    whole = keras.ops.convert_to_numpy(xception(images))
    assert np.allclose(whole, keras.ops.convert_to_numpy(second(first(images))), rtol=0, atol=1e-6)
    assert [id(v) for v in xception.weights] == [id(v) for v in first.weights + second.weights]


def test_a_variable_changed_in_a_part_is_changed_in_the_whole(model):
    """What is trained behind a frozen prefix is the network itself."""
    first, second = cut(model, "middle_add")

    first.set_weights([weight + 1 for weight in first.get_weights()])
    second.set_weights([weight + 2 for weight in second.get_weights()])

    parts = first.get_weights() + second.get_weights()
    assert all((a == b).all() for a, b in zip(parts, model.get_weights(), strict=True))


def test_a_module_s_shortcut_belongs_to_the_module_s_flow(xception):
    """Entry flow and exit flow hold the convolutions and BatchNorms beside their modules."""
    members = {name: {layer.name for layer in layers} for name, layers in flows(xception, XCEPTION.flow_ends).items()}

    blocks = {"entry": ("block2", "block3", "block4"), "exit": ("block13",)}
    for flow, names in blocks.items():
        assert {f"{name}_shortcut{suffix}" for name in names for suffix in ("", "_bn")} == {
            name for name in members[flow] if "shortcut" in name
        }
    assert {"predictions"} == members["head"]


def test_ends_out_of_order_are_an_error(model):
    """The later flow would be empty."""
    with pytest.raises(ConfigurationError, match="order of the graph: 'entry' has no layers"):
        flows(model, {"middle": "middle_add", "entry": "entry_relu"})


def test_a_flow_named_as_the_head_is_an_error(model):
    """It would be overwritten."""
    with pytest.raises(ConfigurationError, match="'head' is what follows"):
        flows(model, {"head": "middle_add"})


@pytest.mark.parametrize("end", ["block4_sepconv2", "block4_pool", "block4_shortcut_bn", "block5_sepconv3_bn"])
def test_flows_that_end_beside_a_shortcut_are_an_error(xception, end):
    """The rest of the graph depends on the shortcut as well; the layer is named."""
    with pytest.raises(ConfigurationError, match=f"Received: '{end}'"):
        flows(xception, {"entry": end})


def test_a_layer_used_on_both_sides_of_a_cut_is_an_error():
    """Frozen in the first part, it would be trained in the second."""
    inputs = keras.Input((4,))
    shared = keras.layers.Dense(4, name="shared")
    model = keras.Model(inputs, shared(keras.layers.Dense(4, name="middle")(shared(inputs))))

    with pytest.raises(ConfigurationError, match=r"'middle' also depends on layers before it: shared"):
        cut(model, "middle")


def test_a_cut_where_the_graph_is_wider_than_one_tensor_is_an_error(model):
    """Behind one branch of a shortcut, the other is missing."""
    with pytest.raises(ConfigurationError, match="middle_conv"):
        cut(model, "middle_conv")


def test_a_cut_behind_an_unknown_layer_is_an_error(model):
    """It is named."""
    with pytest.raises(ConfigurationError, match="Received: 'nowhere'"):
        cut(model, "nowhere")
