"""The fingerprint: repeatable, the same on every backend, and planted changes are found where they were planted."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys

from dataclasses import replace

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st
from onednn import wrong_avx2_kernels

from tlbench.errors import StoreError
from tlbench.machine import environment
from tlbench.store import fingerprints
from tlbench.store.fingerprints import Fingerprint, FingerprintEntry, compare, sketch
from tlbench.train import fingerprint


SCRIPT = """
import json, sys
from tlbench.machine import environment
from tlbench.train import fingerprint

json.dump(fingerprint.take(environment.current()).content(), open(sys.argv[1], "w"))
"""


@pytest.fixture(scope="module")
def here():
    return environment.current()


@pytest.fixture(scope="module")
def taken(here):
    """The fingerprint of this process."""
    return fingerprint.take(here)


@pytest.fixture
def of(here):
    """A function that makes a fingerprint of some quantities."""
    return lambda quantities: Fingerprint(here, tuple(quantities))


def test_taking_it_again_gives_the_same_bits(taken, of):
    """Weights, batches and gradients are drawn anew, and nothing that ran before leaves a trace."""
    again = of([*fingerprint._network("float32"), *fingerprint._optimizers(), *fingerprint._tested()])

    assert taken == again


def test_quantities_stand_in_the_order_of_the_computation(taken):
    """Inference, training, moving statistics, loss, gradients backwards, optimizers, and the test."""
    stages = list(dict.fromkeys(quantity.stage for quantity in taken.quantities))
    gradients = [quantity.name for quantity in taken.quantities if quantity.stage == "gradient"]

    assert [
        "inference output",
        "training output",
        "moving statistic",
        "loss",
        "gradient",
        "steps",
        "reported test",
        "tlbench's own test",
    ] == stages
    assert "rescaling" == taken.quantities[0].name
    assert "block1_conv1/kernel" == gradients[-1]
    assert len(taken.quantities) == len({quantity.key for quantity in taken.quantities})


def test_every_signal_is_alive(taken):
    """No output, gradient or statistic has died out or exploded on its way through the network."""
    sizes = [quantity.value.rms for quantity in taken.quantities]

    assert min(sizes) > 1e-4
    assert max(sizes) < 1e3


def test_it_survives_json(taken):
    """What is read back equals what was written."""
    assert taken == fingerprints.read(json.loads(json.dumps(taken.content(), allow_nan=False)))


@pytest.mark.parametrize("name", ["torch", pytest.param("jax", marks=[pytest.mark.slow, wrong_avx2_kernels])])
def test_another_backend_agrees(name, taken, tmp_path):
    """The largest distance stays far below its tolerance."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    path = tmp_path / "fingerprint.json"
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": name},
    )
    assert 0 == process.returncode, process.stderr

    agreement = compare(taken, fingerprints.read_file(path))

    assert agreement.same, agreement
    assert () == agreement.lacking
    assert agreement.nearest < 0.5


def _planted_layer(monkeypatch, kind, name, **changes):
    import keras

    original = getattr(keras.layers, kind)

    def layer(*arguments, **options):
        return original(*arguments, **(options | (changes if options["name"] == name else {})))

    monkeypatch.setattr(keras.layers, kind, layer)


def test_an_epsilon_of_one_batchnorm_is_found(monkeypatch, taken, of):
    """The first difference is that layer's output."""
    _planted_layer(monkeypatch, "BatchNormalization", "block5_sepconv2_bn", epsilon=1e-5)

    agreement = compare(taken, of(fingerprint._outputs(fingerprint._model())))

    assert "inference output of block5_sepconv2_bn" == agreement.differences[0].key
    assert str(agreement).startswith("inference output of block5_sepconv2_bn differs by")


def test_another_scale_of_the_images_is_found(monkeypatch, taken, of):
    """Images in [0, 1] instead of [-1, 1] differ at the first layer."""
    import keras

    original = keras.layers.Rescaling
    monkeypatch.setattr(
        keras.layers, "Rescaling", lambda _, **options: original(1 / 255, **(options | {"offset": 0.0}))
    )

    agreement = compare(taken, of(fingerprint._outputs(fingerprint._model())))

    assert "inference output of rescaling" == agreement.differences[0].key


def test_another_momentum_is_found(monkeypatch, taken, of):
    """Outputs are the same, moving statistics are not."""
    monkeypatch.setattr(fingerprint, "NETWORK", replace(fingerprint.NETWORK, batchnorm_momentum=0.99))

    agreement = compare(taken, of(fingerprint._outputs(fingerprint._model())))

    assert "moving statistic of block1_conv1_bn/moving_mean" == agreement.differences[0].key
    assert {"moving statistic"} == {difference.key.partition(" of ")[0] for difference in agreement.differences}


def test_a_kernel_that_is_a_thousandth_off_is_found(taken, of):
    """The first difference is what its layer puts out."""
    model = fingerprint._model()
    kernel = model.get_layer("block6_sepconv1").weights[1]
    values = fingerprint._array(kernel)
    noise = np.random.default_rng(0).normal(0, 1e-3, values.shape)
    kernel.assign((values * (1 + noise)).astype(np.float32))

    agreement = compare(taken, of(fingerprint._outputs(model)))

    assert "inference output of block6_sepconv1" == agreement.differences[0].key


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("adam", {"epsilon": 1e-8}),
        ("rmsprop", {"epsilon": 1e-8}),
        ("adam", {"beta_2": 0.99}),
        ("sgd", {"momentum": 0.01}),
    ],
)
def test_another_default_of_an_optimizer_is_found(monkeypatch, taken, of, name, change):
    """And no other optimizer's steps differ."""
    import keras

    original = keras.optimizers.get
    planted = type(original(name))(**change)
    monkeypatch.setattr(keras.optimizers, "get", lambda wanted: planted if wanted == name else original(wanted))

    agreement = compare(taken, of(fingerprint._optimizers()))

    assert [f"steps of {name}"] == [difference.key for difference in agreement.differences]


def test_another_learning_rate_is_found(monkeypatch, taken, of):
    """Every optimizer's steps differ by as much."""
    monkeypatch.setattr(fingerprint, "LEARNING_RATE", fingerprint.LEARNING_RATE * 1.001)

    agreement = compare(taken, of(fingerprint._optimizers()))

    assert {f"steps of {name}" for name in fingerprint.OPTIMIZERS} == {item.key for item in agreement.differences}


def _scaled(quantities, key, factor):
    """The quantities, one of them multiplied."""

    def scale(value):
        projections = tuple(factor * projection for projection in value.projections)
        return replace(value, rms=factor * value.rms, largest=factor * value.largest, projections=projections)

    return tuple(
        replace(quantity, value=scale(quantity.value)) if quantity.key == key else quantity for quantity in quantities
    )


def test_a_report_that_is_a_hundredth_off_is_found(taken, of):
    """Against the other fingerprint, and against tlbench's own figure."""
    planted = of(_scaled(taken.quantities, "reported test of loss", 1.01))

    agreement = compare(taken, planted)

    assert ["reported test of loss"] == [difference.key for difference in agreement.differences]
    assert ("reported loss beside tlbench's own",) == tuple(item.key for item in planted.disagreements)
    assert f"{planted.environment}: reported loss beside tlbench's own differs by" in str(agreement)


def test_a_disagreement_that_both_share_is_said_and_is_no_change(taken, of):
    """Nothing has changed between the two."""
    planted = of(_scaled(taken.quantities, "reported test of loss", 1.01))

    agreement = compare(planted, planted)

    assert agreement.same
    assert 2 == len(agreement.disagreements)
    assert "reported loss beside tlbench's own" in str(agreement)


def test_the_framework_reports_what_tlbench_computes(taken):
    """On a test whose last batch is not full; not so in Keras before 3.2."""
    import keras

    if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 2):
        pytest.skip("this version of Keras averages the loss over batches of unequal size")

    assert {"loss", "accuracy", "macro_f1"} == set(taken.reported)
    assert () == taken.disagreements


def test_a_few_units_in_the_last_place_are_no_difference(monkeypatch, taken, of):
    """Every value of every tensor is moved by up to four of them."""
    generator = np.random.default_rng(0)

    def shaken(tensor):
        tensor = np.asarray(tensor, np.float32)
        ulps = generator.integers(-4, 5, tensor.shape)
        return sketch((tensor + ulps * np.spacing(tensor)).astype(np.float32))

    monkeypatch.setattr(fingerprint, "sketch", shaken)

    agreement = compare(taken, of([*fingerprint._network("float32"), *fingerprint._optimizers()]))

    assert agreement.same, agreement
    assert agreement.nearest > 0


@wrong_avx2_kernels
def test_mixed_precision_has_quantities_of_its_own(of):
    """Its tolerances are wider than float32's, and still say something."""
    quantities = list(fingerprint._outputs(fingerprint._model("mixed_bfloat16"), "mixed_bfloat16"))

    assert "inference output in mixed_bfloat16 of rescaling" == quantities[0].key
    assert all(2**-8 < quantity.tolerance < 0.5 for quantity in quantities)
    assert compare(of(quantities), of(quantities)).same


def test_what_only_one_side_has_is_named(of):
    """With the reason, where one is known."""
    value = sketch(np.ones(3))
    first = of([FingerprintEntry("steps", "adam", value, 1e-6), FingerprintEntry("reported test", "f1", value, 1e-6)])
    second = of(
        [
            FingerprintEntry("reported test", "f1", None, 1e-6, "no such metric"),
            FingerprintEntry("steps", "lion", value, 1e-6),
        ]
    )

    agreement = compare(first, second)

    assert ("steps of adam", "reported test of f1 (no such metric)", "steps of lion") == agreement.lacking
    assert agreement.same
    assert "only one side has steps of adam, reported test of f1 (no such metric), steps of lion" in str(agreement)


def test_a_metric_that_keras_lacks_is_absent(monkeypatch):
    """That quantity alone, with the reason."""
    import keras

    monkeypatch.delattr(keras.metrics, "F1Score")

    quantities = {quantity.key: quantity for quantity in fingerprint._tested()}

    assert ["reported test of macro_f1"] == [key for key, quantity in quantities.items() if quantity.value is None]
    assert "this version of Keras has no such metric" == quantities["reported test of macro_f1"].absent


@given(
    size=st.integers(1, 400),
    scale=st.sampled_from([1e-6, 1e-3, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_two_sketches_say_how_far_their_tensors_are_apart(size, scale, seed):
    """To within a factor of three, whatever their size and however near they are."""
    generator = np.random.default_rng(seed)
    first = generator.normal(size=size)
    second = first + scale * generator.normal(size=size)
    rms = max(np.sqrt(np.mean(first**2)), np.sqrt(np.mean(second**2)))

    distance = sketch(first).distance(sketch(second))

    assert 1 / 3 < distance / (np.sqrt(np.mean((first - second) ** 2)) / rms) < 3


def test_a_sketch_keeps_what_is_known_of_a_tensor():
    """Its shape, root mean square and largest value."""
    made = sketch(np.array([[3.0, -4.0]]))

    assert (1, 2) == made.shape
    assert math.sqrt(12.5) == pytest.approx(made.rms)
    assert 4.0 == made.largest
    assert 16 == len(made.projections)


def test_a_shape_or_a_number_that_is_not_finite_is_infinitely_far():
    """However the other values are."""
    ones = sketch(np.ones(4))

    assert math.inf == ones.distance(sketch(np.ones((2, 2))))
    assert math.inf == ones.distance(sketch(np.array([1, 1, 1, np.nan])))
    assert 1.0 == pytest.approx(sketch(np.zeros(4)).distance(ones), rel=0.5)
    assert 0.0 == sketch(np.zeros(4)).distance(sketch(np.zeros(4)))


def _stored(of):
    quantities = [FingerprintEntry("loss", "the batch", sketch(np.array(2.0)), 1e-6)]
    return json.loads(json.dumps(of(quantities).content()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, r"the run old was written by a newer tlbench.*Received: 99\. Upgrade"),
        ({"schema_version": 1}, r"the run old was written by an older tlbench.*Received: 1\. Take it again"),
        ({"schema_version": None}, r"the run old does not say its schema_version; take it again"),
        ({"environment": {"gpu": True}}, r"the run old is damaged; take it again"),
        ({"quantities": 3}, r"the run old is damaged; take it again"),
        ({"quantities": [{"stage": "loss"}]}, r"the run old lacks 'value'; take it again"),
    ],
)
def test_content_that_is_no_fingerprint_is_an_error(of, change, message):
    """It names what is wrong and the remedy."""
    with pytest.raises(StoreError, match=message):
        fingerprints.read(_stored(of) | change, "the run old")


@pytest.mark.parametrize("key", ["environment", "quantities"])
def test_a_missing_key_is_an_error(of, key):
    """It is named."""
    content = _stored(of)
    del content[key]

    with pytest.raises(StoreError, match=f"the run old lacks '{key}'"):
        fingerprints.read(content, "the run old")


@pytest.mark.parametrize("text", ['{"schema_version": 2, "quantit', "[]", "{}"])
def test_a_file_that_is_no_fingerprint_is_an_error(tmp_path, text):
    """It is named."""
    path = tmp_path / "fingerprint.json"
    path.write_text(text)

    with pytest.raises(StoreError, match=r"fingerprint\.json"):
        fingerprints.read_file(path)


def test_a_fingerprint_is_found_in_a_saved_run(tmp_path, of):
    """As `--tlbench-save` leaves it."""
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"name": "old", "fingerprint": _stored(of)}))

    assert ["loss of the batch"] == [quantity.key for quantity in fingerprints.read_file(path).quantities]


def test_reading_and_comparing_import_no_keras(tmp_path, of):
    """Nor any backend."""
    path = tmp_path / "fingerprint.json"
    path.write_text(json.dumps(_stored(of)))
    script = (
        "import sys; from pathlib import Path; from tlbench.store.fingerprints import compare, read_file; "
        f"taken = read_file(Path({str(path)!r})); assert compare(taken, taken).same; "
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )

    process = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)

    assert (0, "[]\n") == (process.returncode, process.stdout), process.stderr
