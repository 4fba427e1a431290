"""The networks of `keras.applications` as families: equal to Keras' own, cut at their modules, their weights loaded."""

from __future__ import annotations

import json
import os
import sys

import applications
import h5py
import keras
import numpy as np
import pytest

from click.testing import CliRunner
from legacy import write_legacy
from pebble import Pebble

from tlbench.errors import ConfigurationError, WeightsError
from tlbench.hosts.cli import main
from tlbench.networks import flows, listed, parts
from tlbench.networks.applications import FAMILIES, Application
from tlbench.networks.listed import parse
from tlbench.networks.xception import Xception
from tlbench.train import transfer


# A family for each way of preprocessing and of naming layers; the others take minutes (`tox run -e families`).
QUICK = {"MobileNet", "VGG16", "MobileNetV3Small", "ConvNeXtTiny"}
EVERY = [
    pytest.param(
        function,
        marks=()
        if function in QUICK or os.environ.get("TLBENCH_FAMILIES") == "all"
        else pytest.mark.skip(reason="tox run -e families"),
    )
    for function in FAMILIES
]
MODULES = {"tf": "mobilenet", "caffe": "vgg16", "torch": "densenet", "": None, "torch, times 255": None}


def small(function, **settings):
    """A network of a family at its smallest size."""
    if function == "MobileNet":
        settings["arguments"] = (("alpha", 0.25),)
    return Application(function, FAMILIES[function].smallest, **settings)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3)).astype(np.uint8)


@pytest.mark.parametrize("function", EVERY)
def test_a_family_is_that_of_keras(function, images):
    """The same features of the same uint8 images, by Keras' own preprocessing, once the weights are the same."""
    network = small(function)
    model = network.build(4)
    own = getattr(keras.applications, function)(
        include_top=False,
        weights=None,
        input_shape=(network.image_size, network.image_size, 3),
        pooling="avg",
        **dict(network.arguments),
    )
    body = keras.Model(model.input, model.get_layer(network.flow_ends["exit"]).output)
    generator = np.random.default_rng(1)
    # Of either sign: a hundred residual layers of positive weights would add up to infinity.
    own.set_weights([weight + generator.uniform(-0.01, 0.01, weight.shape) for weight in own.get_weights()])
    body.set_weights(own.get_weights())
    pixels = images[:, : network.image_size, : network.image_size]
    module = MODULES[FAMILIES[function].scaling]
    prepared = pixels.astype(np.float32)
    if FAMILIES[function].scaling == "torch, times 255":  # As Keras does with the published weights, see below.
        prepared = 255 * keras.applications.densenet.preprocess_input(prepared)
    elif module is not None:
        prepared = getattr(keras.applications, module).preprocess_input(prepared)

    expected, features = own.predict(prepared, verbose=0), body.predict(pixels, verbose=0)

    assert np.isfinite(expected).all()
    assert np.abs(expected - features).max() <= 1e-5 * max(1, np.abs(expected).max())
    assert (3, 4) == model.predict(pixels, verbose=0).shape


@pytest.mark.parametrize("function", EVERY)
def test_a_family_can_be_cut_at_every_end(function):
    """Parts in the order of the graph, each module's end a single tensor."""
    network = small(function)
    model = network.build(2)

    assert ["entry", "middle", "exit"] == list(network.flow_ends)
    assert parts.cuts(network) == network.cuts
    for end in network.cuts.values():
        flows.cut(model, end)
    divided = flows.flows(model, network.flow_ends)
    assert all(any(layer.weights for layer in divided[part]) for part in ("entry", "middle", "head"))


@pytest.mark.parametrize("function", ["MobileNet", "ConvNeXtTiny"])
def test_weights_have_the_same_names_in_every_process(function):
    """Whatever was built before: what is stored goes by name."""
    first, second = (transfer.read(small(function).build(2)) for _ in range(2))

    assert list(first) == list(second)


@pytest.mark.parametrize("function", ["MobileNet", "VGG16"])
def test_the_table_is_that_of_the_installed_keras(function):
    """Parts, cuts, sizes, and the published files with their hashes."""
    made, stored = json.loads(json.dumps(applications.table((function,)))), applications.stored()

    assert made["divisions"][function] == stored["divisions"][function]
    assert made["weights"][function] == stored["weights"][function]


def test_the_command_lists_every_family():
    """With its size and where its weights come from."""
    told = CliRunner().invoke(main, ["networks"])

    assert 0 == told.exit_code, told.output
    assert set(listed.FAMILIES) <= {line.split()[0] for line in told.output.splitlines() if line}
    (mobilenet,) = (line for line in told.output.splitlines() if line.startswith("mobilenet "))
    assert ["mobilenet", "224", "3.2", "M", "568", "M", "ImageNet"] == mobilenet.split()


def test_the_command_shows_the_parts_of_a_network():
    """With layers, parameters and cuts; together, the parameters are Keras' own without a top."""
    told = CliRunner().invoke(main, ["networks", "mobilenet:alpha=0.25,image_size=32"])

    assert 0 == told.exit_code, told.output
    rows = {line.split()[0]: line.split() for line in told.output.splitlines() if line}
    parameters = [int(rows[part][3].replace(",", "")) for part in ("entry", "middle", "exit")]
    own = keras.applications.MobileNet(alpha=0.25, include_top=False, weights=None, input_shape=(32, 32, 3))
    assert own.count_params() == sum(parameters)
    assert f"{own.count_params():,} parameters without the head; weights: ImageNet" in told.output


def test_a_network_is_read_from_text():
    """Names in any case; the text of a network gives the network again."""
    network = parse("MobileNet:alpha=0.25, image_size=96,batchnorm_momentum=0.9")

    assert Application("MobileNet", 96, (("alpha", 0.25),), 0.9) == network
    assert network == parse(str(network))
    assert Xception(image_size=32, width=0.25) == parse("xception:image_size=32,width=0.25")
    assert parse("vgg16") != parse("vgg19")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mobilnet", "no such family of networks; `tlbench networks` lists them. Received: 'mobilnet'"),
        ("mobilenet:0.25", "a name and a value, such as image_size=96. Received: '0.25'"),
        ("mobilenet:image_size=16", "MobileNet takes images of at least 32 pixels"),
        ("mobilenet:image_size=big", "as a whole number. Received: image_size='big'"),
        ("mobilenet:batchnorm_momentum=1", "must lie between 0 and 1. Received: batchnorm_momentum=1"),
        ("xception:depth=3", "The network xception refuses a setting. Received: 'xception:depth=3'"),
    ],
)
def test_a_network_that_there_is_not_is_refused(text, message):
    """The error names what was given, and what there is."""
    with pytest.raises(ConfigurationError, match=message.replace("(", r"\(")):
        parse(text)


def test_an_argument_that_keras_refuses_is_named():
    """When the network is built."""
    with pytest.raises(ConfigurationError, match=r"keras.applications.MobileNet refuses an argument of Mobile"):
        parse("mobilenet:width=2").build(2)


def test_the_momentum_of_every_batchnorm_is_set():
    """Those of nested layers too."""
    model = small("MobileNet", batchnorm_momentum=0.8).build(2)

    momenta = {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert {0.8} == momenta


def test_a_network_computes_in_the_precision_that_it_is_built_with():
    """And leaves Keras' own as it was; probabilities are float32."""
    before = keras.config.dtype_policy()
    model = small("MobileNet").build(2, "mixed_bfloat16")

    assert "bfloat16" == model.get_layer("conv1").compute_dtype
    assert "float32" == model.output.dtype
    assert before == keras.config.dtype_policy()


def without_head(layers):
    return [layer for layer in layers if layer.name != "predictions"]


@pytest.mark.parametrize("convolution", [False, True], ids=["no head", "a convolution as the head"])
def test_published_weights_are_loaded_wholly(convolution, tmp_path):
    """MobileNet's files have no published hash: they go by their names, and the file's head is left out."""
    network = parse("mobilenet:alpha=0.25,image_size=32")
    published = network.pretrained
    source, target = network.build(2), network.build(3)
    path = tmp_path / published.files[convolution].name
    write_legacy(source, path, order=without_head)
    if convolution:
        with h5py.File(path, "a") as file:
            file.attrs["layer_names"] = np.array([*file.attrs["layer_names"], b"conv_preds"], "S")
            group = file.create_group("conv_preds")
            group.attrs["weight_names"] = np.array([b"kernel", b"bias"])
            group.create_dataset("kernel", data=np.zeros((1, 1, 256, 1000), np.float32))
            group.create_dataset("bias", data=np.zeros(1000, np.float32))
    head = target.get_layer("predictions").get_weights()[0]

    published.load(target, published.find(path))

    end = network.flow_ends["exit"]
    bodies = [transfer.read(keras.Model(model.input, model.get_layer(end).output)) for model in (source, target)]
    assert [] == transfer.differences(*bodies, frozenset(bodies[0]))
    assert np.array_equal(head, target.get_layer("predictions").get_weights()[0])


@pytest.fixture
def efficientnet(tmp_path):
    """A file of EfficientNetB0 as Keras publishes it, deviations in place of variances, and the weights in it."""
    model = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(32, 32, 3))
    weights = model.get_weights()
    weights[:2] = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    model.set_weights(weights)
    write_legacy(model, tmp_path / "efficientnetb0_notop.h5")
    return tmp_path / "efficientnetb0_notop.h5", weights


def test_efficientnets_normalise_as_keras_does_with_their_published_weights(efficientnet, images, monkeypatch):
    """Keras divides by the deviations where it has fetched the file itself, the network here always."""
    path, _ = efficientnet
    module = sys.modules["keras.src.applications.efficientnet"]
    monkeypatch.setattr(module.file_utils, "get_file", lambda *_, **__: path)
    own = keras.applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=(32, 32, 3))
    network = parse("efficientnetb0:image_size=32")
    model = network.build(4)

    network.pretrained.load(model, path)

    pixels = images[:, :32, :32]
    # The first convolution is linear in the images; later on, untrained weights leave little of their differences.
    expected, received = (
        keras.Model(each.input, each.get_layer("stem_conv").output).predict(pixels.astype(dtype), verbose=0)
        for each, dtype in ((own, np.float32), (model, np.uint8))
    )
    assert np.abs(expected - received).max() <= 1e-5 * np.abs(expected).max()


def test_other_statistics_than_the_published_ones_are_refused(efficientnet, tmp_path):
    """They would have no effect."""
    _, weights = efficientnet
    other = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(32, 32, 3))
    other.set_weights([np.float32([0.5, 0.5, 0.5]), *weights[1:]])
    write_legacy(other, tmp_path / "other.h5")
    network = parse("efficientnetb0:image_size=32")

    with pytest.raises(WeightsError, match="holds statistics of a Normalization layer"):
        network.pretrained.load(network.build(4), tmp_path / "other.h5")


def test_a_file_of_another_name_or_width_is_refused(tmp_path):
    """What fits only in part loads nothing."""
    narrow, wide = parse("mobilenet:alpha=0.25,image_size=32"), parse("mobilenet:alpha=0.5,image_size=32")
    path = tmp_path / narrow.pretrained.files[0].name
    write_legacy(wide.build(2), path, order=without_head)

    with pytest.raises(WeightsError, match=r"that of a file named mobilenet_5_0_224_tf_no_top\.h5"):
        wide.pretrained.find(path)
    with pytest.raises(WeightsError, match=r"for another architecture: weight 'conv1/kernel' has shape \(3, 3, 3, 8\)"):
        narrow.pretrained.load(narrow.build(2), path)


def test_an_architecture_without_published_weights_has_none():
    """An alpha of one's own."""
    assert parse("mobilenet:alpha=0.3").pretrained is None
    assert parse("vgg16").pretrained.files[0].hash


def test_a_project_adds_a_family():
    """By a function from settings to a network; a name that is taken is refused."""
    assert Pebble(filters=4) == parse("Stone:filters=4", {"stone": Pebble})
    with pytest.raises(ConfigurationError, match=r"pytest_tlbench_networks adds stone\. Received: 'stne'"):
        parse("stne", {"stone": Pebble})
    with pytest.raises(ConfigurationError, match=r"has this name already; choose another for yours. Received: 'VGG16'"):
        parse("vgg16", {"VGG16": Pebble})
