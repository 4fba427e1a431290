"""What one fixed network does, and what differs between two of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from tlbench.environment import current
from tlbench.errors import StoreError
from tlbench.fingerprint import compare, read, read_file, sketch, take
from tlbench.networks.xception import Xception


@pytest.fixture(scope="module")
def taken():
    return take(current())


def changed(build):
    """A fingerprint of the network as another function builds it."""
    original = Xception.build

    def built(self, classes, dtype="float32"):
        return build(original(self, classes, dtype))

    with mock.patch.object(Xception, "build", built):
        return take(current())


def first(taken, other):
    return compare(taken, other).differences[0].key


def test_a_fingerprint_is_its_own_equal(taken):
    """Taken again it is the same to the last bit, and every stage of training is in it."""
    again = take(current())

    assert taken == again
    assert compare(taken, again).same
    stages = {quantity.stage for quantity in taken.quantities}
    assert {"inference output", "training output", "loss", "gradient", "moving statistic", "steps"} < stages
    assert all(quantity.value.projections for quantity in taken.quantities)
    assert {"adam", "rmsprop", "sgd"} == {q.name for q in taken.quantities if q.stage == "steps"}


def test_no_signal_dies_out_or_explodes(taken):
    """Otherwise a layer would have nothing to say."""
    sizes = [quantity.value.rms for quantity in taken.quantities]

    assert min(sizes) > 1e-5
    assert max(sizes) < 1e3


def test_what_keras_reports_is_what_we_compute(taken):
    """Of a test whose last batch is not full: loss, accuracy and macro-F1."""
    assert {"loss", "accuracy", "macro_f1"} == set(taken.reported)
    assert max(map(abs, taken.reported.values())) < 1e-5


def test_a_fingerprint_is_read_as_it_was_written(taken, tmp_path):
    """As a file, and as part of a saved run."""
    (tmp_path / "own.json").write_text(json.dumps(taken.content()))
    (tmp_path / "run.json").write_text(json.dumps({"fingerprint": taken.content()}))

    assert taken == read_file(tmp_path / "own.json") == read_file(tmp_path / "run.json")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_agree(taken, backend, tmp_path):
    """TensorFlow's is that of JAX and PyTorch, within the tolerances."""
    pytest.importorskip(backend)
    path = tmp_path / "fingerprint.json"
    command = [sys.executable, "-m", "tlbench", "fingerprint", "--save", str(path)]

    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"KERAS_BACKEND": backend})
    other = read_file(path)

    assert backend == other.environment.backend
    agreement = compare(taken, other)
    assert agreement.same, agreement
    assert () == agreement.lacking


def test_another_epsilon_is_named_by_its_layer(taken):
    """The first difference in the graph's order is where it is."""

    def build(model):
        model.get_layer("block3_sepconv2_bn").epsilon = 1e-5
        return model

    assert "inference output of block3_sepconv2_bn" == first(taken, changed(build))


def test_another_scale_of_inputs_is_named(taken):
    """Images from 0 to 1."""

    def build(model):
        layer = model.get_layer("rescaling")
        layer.scale, layer.offset = 1 / 255, 0.0
        return model

    assert "inference output of rescaling" == first(taken, changed(build))


def test_another_momentum_shows_in_the_statistics_alone(taken):
    """Outputs and gradients are as they were."""

    def build(model):
        model.get_layer("block5_sepconv1_bn").momentum = 0.99
        return model

    differences = compare(taken, changed(build)).differences

    assert {
        "moving statistic of block5_sepconv1_bn/moving_mean",
        "moving statistic of block5_sepconv1_bn/moving_variance",
    } == {difference.key for difference in differences}


def test_other_steps_of_an_optimizer_are_named(taken):
    """Nothing else is another then."""
    import keras

    original = keras.optimizers.get

    def get(name):
        optimizer = original(name)
        if name == "rmsprop":
            optimizer.rho = 0.99
        return optimizer

    with mock.patch.object(keras.optimizers, "get", get):
        other = take(current())

    assert ["steps of rmsprop"] == [difference.key for difference in compare(taken, other).differences]


def test_a_reported_loss_that_is_off_is_named(taken):
    """By one in a hundred: training is as it was."""
    quantities = tuple(
        replace(quantity, value=sketch(np.array(quantity.value.rms * 1.01)))
        if quantity.key == "reported test of loss"
        else quantity
        for quantity in taken.quantities
    )

    agreement = compare(taken, replace(taken, quantities=quantities))

    assert ["reported test of loss"] == [difference.key for difference in agreement.differences]
    assert str(agreement).startswith("reported test of loss differs by 1.0e-02 of its size (tolerance ")


def test_what_only_one_side_has_is_named_and_no_difference(taken):
    """An old version may lack a metric."""
    *others, last = taken.quantities
    without = replace(taken, quantities=(*others, replace(last, value=None)))

    agreement = compare(taken, without)

    assert agreement.same
    assert (last.key,) == agreement.lacking
    assert "only one side has" in str(agreement)


@given(st.integers(10, 5000), st.floats(1e-6, 1), st.integers(0, 100))
def test_the_distance_of_sketches_is_that_of_the_tensors(size, share, seed):
    """Within a factor of three, which 16 random signs leave in all but one of a million cases."""
    generator = np.random.default_rng(seed)
    tensor, noise = generator.normal(size=(2, size))
    other = tensor + share * noise

    expected = np.sqrt(np.mean((share * noise) ** 2)) / np.sqrt(np.mean(tensor**2))

    assert expected / 3 < sketch(tensor).distance(sketch(other)) < expected * 3


def test_sketches_of_what_is_no_number_are_far_from_others():
    """And no distance from each other; other shapes are far, too."""
    ones, broken = sketch(np.ones(4)), sketch(np.array([1.0, np.nan, 1.0, 1.0]))

    assert np.inf == ones.distance(broken) == broken.distance(ones) == ones.distance(sketch(np.ones(5)))
    assert 0.0 == broken.distance(broken)
    assert 0.0 == sketch(np.zeros(4)).distance(sketch(np.zeros(4)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "newer tlbench.*Received: 99"),
        ({"schema_version": None}, "Received: None"),
        ({"quantities": [{"stage": "loss"}]}, "is damaged; take it again"),
        ({"environment": {"backend": "jax"}}, "is damaged; take it again"),
    ],
)
def test_what_is_no_fingerprint_is_an_error(taken, change, message):
    """It says what is wrong, and what to do."""
    with pytest.raises(StoreError, match=message):
        read(taken.content() | change)


@pytest.mark.parametrize(("content", "message"), [("{", "cannot be read"), ("{}", "is no fingerprint")])
def test_a_file_that_has_none_is_an_error(tmp_path, content, message):
    """It is named."""
    (tmp_path / "file.json").write_text(content)

    with pytest.raises(StoreError, match=f"file.json.*{message}|file.json {message}"):
        read_file(tmp_path / "file.json")


def test_comparing_imports_no_keras(taken, tmp_path):
    """Saved fingerprints are compared where no framework is installed."""
    (tmp_path / "own.json").write_text(json.dumps(taken.content()))
    code = (
        "import sys; from pathlib import Path; from tlbench.fingerprint import compare, read_file\n"
        "one = read_file(Path(sys.argv[1])); assert compare(one, one).same\n"
        "sys.exit('keras' in sys.modules)"
    )

    process = subprocess.run([sys.executable, "-c", code, tmp_path / "own.json"], check=False)

    assert 0 == process.returncode


def test_tolerances_grow_with_depth(taken):
    """From layer to layer; gradients, which lead forth and back, have the largest."""
    tolerances = {quantity.key: quantity.tolerance for quantity in taken.quantities}

    assert (
        tolerances["inference output of rescaling"]
        < tolerances["inference output of block4_add"]
        < tolerances["loss of the batch"]
        < tolerances["gradient of block1_conv1/kernel"]
    )
