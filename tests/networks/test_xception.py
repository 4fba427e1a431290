"""The Xception builder against Keras' own, and its flows."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pebble import randomise

from tlbench.errors import ConfigurationError
from tlbench.networks.flows import flows
from tlbench.networks.xception import Xception


# Xception takes images of any size; this is the smallest that Keras' own builder accepts, and fast.
SIZE = 71


@pytest.fixture(scope="module")
def full():
    return Xception(image_size=SIZE).build(1000)


@pytest.fixture(scope="module")
def published():
    return keras.applications.Xception(weights=None, input_shape=(SIZE, SIZE, 3), classes=1000)


def draw_images(generator, size):
    """Four images that a network tells apart: coarse patterns, not noise."""
    return generator.integers(0, 256, (4, 4, 4, 3)).astype(np.uint8).repeat(18, 1).repeat(18, 2)[:, :size, :size]


def conv(kernel, inputs, outputs):
    """Weights of a convolution without bias and its BatchNorm, which has four for each filter."""
    return kernel * kernel * inputs * outputs + 4 * outputs


def sepconv(inputs, outputs):
    """Weights of a separable convolution without bias and its BatchNorm."""
    return 9 * inputs + inputs * outputs + 4 * outputs


PARAMETERS = {
    "entry": sum(
        [
            conv(3, 3, 32) + conv(3, 32, 64),
            conv(1, 64, 128) + sepconv(64, 128) + sepconv(128, 128),
            conv(1, 128, 256) + sepconv(128, 256) + sepconv(256, 256),
            conv(1, 256, 728) + sepconv(256, 728) + sepconv(728, 728),
        ]
    ),
    "middle": 8 * 3 * sepconv(728, 728),
    "exit": conv(1, 728, 1024) + sepconv(728, 728) + sepconv(728, 1024) + sepconv(1024, 1536) + sepconv(1536, 2048),
    "head": 2048 * 1000 + 1000,
}

# Input and scaling; convolutions, BatchNorms and ReLUs of the stem; modules with their shortcut, pooling and addition.
LAYERS = {"entry": 2 + 6 + 9 + 10 + 10, "middle": 8 * 10, "exit": 10 + 6 + 1, "head": 1}


def test_the_full_network_has_as_many_parameters_as_keras_own(full, published):
    """22,910,480 with the head of 1,000 classes (Keras' documentation)."""
    assert 22_910_480 == full.count_params() == published.count_params()


def test_each_flow_has_its_layers_and_parameters_shortcuts_included(full):
    """Counted from the architecture's formulas, not from the builder."""
    cut = flows(full, Xception(image_size=SIZE).flow_ends)

    assert {name: len(layers) for name, layers in cut.items()} == LAYERS
    counted = {name: sum(layer.count_params() for layer in layers) for name, layers in cut.items()}
    assert PARAMETERS == counted
    assert 22_910_480 == sum(counted.values())


def test_weights_come_in_the_same_order_as_keras_own(full, published):
    """So that a file is loaded topologically, and `set_weights` copies from one to the other."""
    assert [tuple(w.shape) for w in published.weights] == [tuple(w.shape) for w in full.weights]
    kinds = [type(layer).__name__ for layer in published.layers if layer.weights]
    assert kinds == [type(layer).__name__ for layer in full.layers if layer.weights]


def test_with_weights_copied_across_outputs_are_the_same(full, published):
    """BatchNorm's statistics included; the largest difference of a probability is at most 1e-5."""
    generator = np.random.default_rng(0)
    randomise(published, generator)
    full.set_weights(published.get_weights())
    images = draw_images(generator, SIZE)

    expected = published.predict_on_batch(keras.applications.xception.preprocess_input(images.astype(np.float32)))
    received = full.predict_on_batch(images)

    assert np.ptp(expected, axis=0).max() > 1e-3
    assert np.abs(expected - received).max() <= 1e-5


def test_every_layer_is_named_by_us(full):
    """Keras' own leaves eight layers of the shortcuts to automatic names."""
    prefixes = ("images", "rescaling", "block", "avg_pool", "predictions")

    assert all(layer.name.startswith(prefixes) for layer in full.layers)


def test_width_depth_and_stem_take_effect():
    """A narrow network of two middle modules keeps the resolution that a stride of 1 leaves it."""
    network = Xception(image_size=32, width=1 / 8, middle_modules=2, stem_stride=1)
    model = network.build(8)

    assert {"entry": "block4_add", "middle": "block6_add", "exit": "avg_pool"} == network.flow_ends
    assert (None, 4, 4, 91) == model.get_layer("block6_add").output.shape
    assert (None, 256) == model.get_layer("avg_pool").output.shape
    assert (None, 2, 2, 91) == Xception(32, 1 / 8, 2).build(8).get_layer("block6_add").output.shape


def test_momentum_reaches_every_batchnorm():
    """Those of the shortcuts too."""
    model = Xception(image_size=16, width=0.02, middle_modules=1, stem_stride=1, batchnorm_momentum=0.7).build(2)

    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert 2 + 3 * 3 + 3 + 3 + 2 == len(norms)
    assert {0.7} == {layer.momentum for layer in norms}


def test_mixed_precision_keeps_weights_and_probabilities_in_float32():
    """Only what is computed in between is in bfloat16."""
    model = Xception(image_size=16, width=0.02, middle_modules=1, stem_stride=1).build(2, "mixed_bfloat16")

    assert "bfloat16" == model.get_layer("block4_add").output.dtype
    assert "float32" == model.output.dtype
    assert {"float32"} == {weight.dtype for weight in model.weights}


@pytest.mark.parametrize(("image_size", "stem_stride"), [(8, 1), (8, 2), (9, 3)])
def test_the_smallest_images_that_are_accepted_can_be_built_for(image_size, stem_stride):
    """What is refused is what the first two convolutions would refuse."""
    model = Xception(image_size, 0.02, 1, stem_stride).build(2)

    assert (None, 2) == model.output.shape
    if stem_stride > 1:
        with pytest.raises(ConfigurationError, match=f"Received: stem_stride={stem_stride + 1}"):
            Xception(image_size, 0.02, 1, stem_stride + 1)


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 0},
        {"width": 0.0},
        {"width": -1.0},
        {"width": float("inf")},
        {"width": float("nan")},
        {"middle_modules": 0},
        {"stem_stride": 0},
        {"stem_stride": 149},
        {"batchnorm_momentum": 0.0},
        {"batchnorm_momentum": 1.0},
        {"middle_modules": 2.5},
    ],
    ids=str,
)
def test_sizes_that_no_network_has_are_errors(change):
    """The message names the parameter and the value."""
    ((name, value),) = change.items()

    with pytest.raises(ConfigurationError, match=f"{name}.*Received: {name}={value}"):
        Xception(**change)
