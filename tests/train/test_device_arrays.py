"""Images and features that lie on the device as a whole; on a CPU, where tests run, they are merely copied."""

from __future__ import annotations

import weakref

from dataclasses import replace

import numpy as np
import pytest

from pebble import RED_GREEN

from tlbench.declare.trials import DataReference
from tlbench.machine import backends
from tlbench.machine.environment import current
from tlbench.train import prefixes, transfer
from tlbench.train.prefixes import PrefixCache


def make_arrays(capacity_bytes=1_000_000):
    from tlbench.train.device_arrays import DeviceArrays

    return DeviceArrays(capacity_bytes)


def first_row(lookup):
    import keras

    return keras.ops.convert_to_numpy(lookup(keras.ops.convert_to_tensor(np.array([0], np.int32))))


@pytest.fixture
def make_trainer():
    """A function that makes a trainer which keeps arrays of so many bytes on the device, or none."""
    from tlbench.train.training import Trainer

    def make(capacity_bytes=None):
        arrays = None if capacity_bytes is None else make_arrays(capacity_bytes)
        return Trainer(current(), PrefixCache(), arrays)

    return make


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((5, 2, 2, 3), "uint8"), ((4, 3), "float32"), ((3, 2, 2), "bfloat16")],
    ids=["images", "vectors", "bfloat16"],
)
@pytest.mark.parametrize("numbers", [[2, 0, 2], [1]], ids=str)
def test_rows_are_taken_by_their_numbers(shape, dtype, numbers):
    """In order, of any type, one of them or several."""
    import keras

    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    lookup = make_arrays().lookup(shape, dtype)
    lookup.hold(array)

    rows = lookup(keras.ops.convert_to_tensor(np.array(numbers, np.int32)))

    assert dtype == keras.backend.standardize_dtype(rows.dtype)
    assert np.array_equal(array[numbers].astype("float32"), keras.ops.convert_to_numpy(rows).astype("float32"))


def test_arrays_of_one_shape_share_their_place():
    """One lookup serves them all, and what it is told to hold last is what it gives."""
    arrays = make_arrays()
    lookup = arrays.lookup((2, 3), "uint8")

    assert lookup is arrays.lookup((2, 3), "uint8")
    for value in (7, 9):
        lookup.hold(np.full((2, 3), value, np.uint8))
        assert (value == first_row(lookup)).all()


@pytest.fixture
def copied(monkeypatch):
    """Paths of the variables that have been assigned an array of the host since."""
    variable_class = type(make_arrays().lookup((1,), "uint8").array)
    paths = []
    assign = variable_class.assign

    def noted(variable, value):
        if isinstance(value, np.ndarray):  # JAX' own arrays are where they are.
            paths.append(variable.path)
        return assign(variable, value)

    monkeypatch.setattr(variable_class, "assign", noted)
    return paths


def test_an_array_is_copied_once(copied):
    """And again where it holds other values, of which the version tells."""
    array = np.zeros((2, 3), np.uint8)
    lookup = make_arrays().lookup((2, 3), "uint8")

    lookup.hold(array)
    lookup.hold(array)
    assert ["lookup/array"] == copied

    lookup.hold(array, version=1)
    lookup.hold(array, version=1)
    assert ["lookup/array"] * 2 == copied


def test_an_array_that_is_no_longer_used_is_let_go():
    """The copy on the device is enough."""
    array = np.ones((2, 3), np.uint8)
    gone = weakref.ref(array)
    lookup = make_arrays().lookup((2, 3), "uint8")
    lookup.hold(array)

    if backends.backend() == "tensorflow":  # The others need not copy on a CPU.
        del array
        assert gone() is None
    lookup.hold(np.zeros((2, 3), np.uint8))
    assert (0 == first_row(lookup)).all()


def test_what_does_not_fit_beside_the_others_stays_off_the_device():
    """The capacity bounds all of them together."""
    arrays = make_arrays(capacity_bytes=20)

    assert arrays.lookup((5, 3), "uint8") is not None
    assert arrays.lookup((2, 3), "uint8") is None
    assert arrays.lookup((5, 1), "uint8") is not None
    assert arrays.lookup((1, 1), "uint8") is None


@pytest.mark.parametrize(
    ("frozen", "changes"),
    [((), {}), (("entry",), {}), (("entry", "middle", "exit"), {}), (("middle",), {"task": RED_GREEN})],
    ids=["nothing frozen", "entry", "everything", "another task"],
)
def test_a_trial_ends_in_the_same_bits(make_trainer, make_trial, dataset, source, frozen, changes):
    """Weights and predictions, whether batches are sent to the device or looked up there."""
    trial = make_trial(initialisation=make_trial(seed=7), frozen=frozenset(frozen), **changes)
    sent, sent_weights = make_trainer().train(trial, dataset, source)

    looked_up, weights = make_trainer(capacity_bytes=10**6).train(trial, dataset, source)

    assert sent.probabilities.tobytes() == looked_up.probabilities.tobytes()
    assert sent.validation_probabilities.tobytes() == looked_up.validation_probabilities.tobytes()
    assert sent.batch_statistics_probabilities.tobytes() == looked_up.batch_statistics_probabilities.tobytes()
    assert sent.training_loss == looked_up.training_loss
    assert [] == transfer.differences(sent_weights, weights, frozenset(sent_weights))


def test_images_are_copied_once_for_all_trials(make_trainer, make_trial, dataset, monkeypatch, copied):
    """Steps are sent the numbers of their rows."""
    sent = []
    input_of_fit = backends.input_of_fit
    monkeypatch.setattr(backends, "input_of_fit", lambda batches: sent.append(batches[0][0]) or input_of_fit(batches))
    trainer = make_trainer(capacity_bytes=10**6)

    trainer.train(make_trial(), dataset, None)
    trainer.train(make_trial(seed=1), dataset, None)
    trainer.train(make_trial(task=RED_GREEN), dataset, None)

    assert {(np.dtype(np.int32), (8,))} == {(x.dtype, x.shape) for x in sent}
    assert 1 == copied.count("lookup/array")


def test_features_are_copied_again_when_more_have_been_computed(make_trainer, make_trial, dataset, source, monkeypatch):
    """A task of two classes leaves those of the third to be computed for a later task."""
    monkeypatch.setattr(prefixes, "BLOCK", 20)
    frozen = {"initialisation": make_trial(seed=7), "frozen": frozenset({"entry"})}
    trainer = make_trainer(capacity_bytes=10**6)
    trainer.train(make_trial(task=RED_GREEN, **frozen), dataset, source)

    after, _ = trainer.train(make_trial(**frozen), dataset, source)

    afresh, _ = make_trainer(capacity_bytes=10**6).train(make_trial(**frozen), dataset, source)
    assert afresh.probabilities.tobytes() == after.probabilities.tobytes()


def test_datasets_of_one_shape_do_not_meet(make_trainer, make_trial, dataset):
    """A trial on other images leaves those of the next in place."""
    inverted = replace(dataset, name="inverted", images=255 - dataset.images)
    data = DataReference("inverted", inverted.digest, make_trial().data.split)
    trainer = make_trainer(capacity_bytes=10**6)
    first, _ = trainer.train(make_trial(), dataset, None)
    other, _ = trainer.train(make_trial(data=data), inverted, None)

    again, _ = trainer.train(make_trial(), dataset, None)

    assert first.probabilities.tobytes() == again.probabilities.tobytes()
    assert first.probabilities.tobytes() != other.probabilities.tobytes()


def test_a_dataset_of_another_size_has_a_network_of_its_own(make_trainer, make_trial, dataset):
    """An array on the device has so many rows."""
    half = replace(dataset, name="half", images=dataset.images[::2], labels=dataset.labels[::2])
    data = DataReference("half", half.digest, make_trial().data.split)
    trainer = make_trainer(capacity_bytes=10**6)
    trainer.train(make_trial(), dataset, None)

    result, _ = trainer.train(make_trial(data=data), half, None)

    expected, _ = make_trainer().train(make_trial(data=data), half, None)
    assert expected.probabilities.tobytes() == result.probabilities.tobytes()


def test_images_that_do_not_fit_are_sent(make_trainer, make_trial, dataset):
    """With the same result."""
    expected, _ = make_trainer().train(make_trial(), dataset, None)

    result, _ = make_trainer(capacity_bytes=100).train(make_trial(), dataset, None)

    assert expected.probabilities.tobytes() == result.probabilities.tobytes()


@pytest.mark.parametrize(
    ("device", "memory", "expected"),
    [("cpu", 80, 0), ("gpu", 80, 20), ("gpu", None, 4 * 1024**3)],
)
def test_the_capacity_is_a_share_of_the_devices_memory(monkeypatch, device, memory, expected):
    """A CPU has the images already; TensorFlow does not say how much memory its GPU has."""
    from tlbench.train import device_arrays

    monkeypatch.setattr(backends, "device_memory", lambda: memory)

    assert expected == device_arrays.capacity_bytes(device)
