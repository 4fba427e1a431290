"""Weights that a user saved: each of Keras' formats arrives wholly, and other networks' files are refused."""

from __future__ import annotations

import hashlib
import shutil
import zipfile

from dataclasses import dataclass

import h5py
import keras
import numpy as np
import pytest

from legacy import write_legacy
from pebble import Pebble

from tlbench.errors import WeightsError
from tlbench.machine.hashes import md5
from tlbench.networks import listed, saved
from tlbench.train import transfer


NETWORKS = {
    "pebble": Pebble(),
    "xception": listed.parse("xception:image_size=32,width=0.125,middle_modules=2,stem_stride=1"),
    "mobilenet": listed.parse("mobilenet:alpha=0.25,image_size=32"),
}


def trained(network, classes, seed=0):
    """A network whose weights are all drawn from a seed; BatchNorm's are positive."""
    model = network.build(classes)
    generator = np.random.default_rng(seed)
    model.set_weights([generator.uniform(0.5, 1.5, value.shape).astype(np.float32) for value in model.get_weights()])
    return model


def save(model, path):
    """Save a network in the format of the path's ending."""
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    elif path.suffix == ".h5":
        write_legacy(model, path)
    else:
        model.save(path)


def body_of(network, model):
    return keras.Model(model.input, model.get_layer(list(network.flow_ends.values())[-1]).output)


def load(network, path, **settings):
    """A fresh network of two classes that the file was loaded into."""
    model = network.build(2)
    saved.load(model, list(network.flow_ends.values())[-1], path, **settings)
    return model


def assert_loaded(network, path, source):
    """Each weight of the body is the source's; the head's are its own."""
    model = network.build(2)
    head = [value.copy() for value in model.get_layer("predictions").get_weights()]

    saved.load(model, list(network.flow_ends.values())[-1], path)

    for expected, value in zip(
        body_of(network, source).get_weights(), body_of(network, model).get_weights(), strict=True
    ):
        assert np.array_equal(expected, value)
    for expected, value in zip(head, model.get_layer("predictions").get_weights(), strict=True):
        assert np.array_equal(expected, value)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".h5"])
def test_a_file_of_keras_is_loaded_wholly(network, ending, tmp_path):
    """Whatever the number of classes of its head, in each format."""
    source = trained(network, 7)
    path = tmp_path / f"mine{ending}"
    save(source, path)

    assert_loaded(network, path, source)


def test_a_whole_model_in_the_legacy_format_is_loaded(tmp_path):
    """As `model.save("mine.h5")` writes it, the optimizer beside it."""
    source = trained(Pebble(), 3)
    write_legacy(source, tmp_path / "weights.h5")
    with h5py.File(tmp_path / "weights.h5") as weights, h5py.File(tmp_path / "whole.h5", "w") as whole:
        weights.copy(weights["/"], whole, "model_weights")
        whole.create_group("optimizer_weights").create_dataset("momentum", data=np.ones(3))

    assert_loaded(Pebble(), tmp_path / "whole.h5", source)


def test_a_file_of_double_precision_is_loaded(tmp_path):
    """As the nearest single-precision numbers."""
    source = trained(Pebble(), 3)
    write_legacy(source, tmp_path / "mine.h5")
    with h5py.File(tmp_path / "mine.h5", "a") as file:
        for weight in source.weights:
            group = file[weight.path.split("/")[0]]
            value = group[weight.path][()].astype(np.float64) + 1e-12
            del group[weight.path]
            group.create_dataset(weight.path, data=value)

    assert_loaded(Pebble(), tmp_path / "mine.h5", source)


def test_the_body_alone_is_enough(tmp_path):
    """A network saved without its head."""
    source = trained(Pebble(), 3)
    body_of(Pebble(), source).save_weights(tmp_path / "body.weights.h5")

    assert_loaded(Pebble(), tmp_path / "body.weights.h5", source)


def test_the_file_of_an_optimizer_is_loaded(tmp_path):
    """A compiled and trained network has weights of the optimizer, which are left out."""
    source = trained(Pebble(), 3)
    source.compile("adam", "sparse_categorical_crossentropy")
    source.fit(np.zeros((4, 8, 8, 3), np.uint8), np.zeros(4), verbose=0)
    source.save(tmp_path / "mine.keras")

    assert_loaded(Pebble(), tmp_path / "mine.keras", source)


def test_legacy_layers_are_matched_by_name(tmp_path):
    """In whatever order the file has them."""
    source = trained(Pebble(), 3)
    write_legacy(source, tmp_path / "mine.h5", order=lambda layers: layers[::-1])

    assert_loaded(Pebble(), tmp_path / "mine.h5", source)


def test_legacy_layers_of_other_names_are_matched_in_order(tmp_path):
    """Keras numbers layers without a name anew in each process."""
    source = trained(Pebble(), 3)
    names = {layer.name: f"layer_{index}" for index, layer in enumerate(source.layers)}
    write_legacy(source, tmp_path / "mine.h5", names=names)

    assert_loaded(Pebble(), tmp_path / "mine.h5", source)


def with_convolutions(path, change):
    """Change the groups of a file's convolutions, by their addresses."""
    with h5py.File(path, "a") as file:
        groups = {name: file["layers"][name] for name in file["layers"] if len(file["layers"][name]["vars"])}
        change(file["layers"], groups)


def test_layers_are_matched_by_name_where_the_file_has_names(tmp_path):
    """Even where another version of Keras numbers layers otherwise."""
    source = trained(NETWORKS["xception"], 3)
    path = tmp_path / "mine.weights.h5"
    source.save_weights(path)

    def renumber(layers, groups):
        for name in list(groups):
            layers.move(name, f"other_{name}")

    with_convolutions(path, renumber)

    assert_loaded(NETWORKS["xception"], path, source)


def test_layers_without_names_are_matched_by_address(tmp_path):
    """As files of older versions of Keras have them, under an older name of the group."""
    source = trained(NETWORKS["xception"], 3)
    path = tmp_path / "mine.weights.h5"
    source.save_weights(path)

    def forget(_layers, groups):
        for group in groups.values():
            group["vars"].attrs.pop("name", None)

    with_convolutions(path, forget)
    with h5py.File(path, "a") as file:
        file.move("layers", "_layer_checkpoint_dependencies")

    assert_loaded(NETWORKS["xception"], path, source)


@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".h5"])
def test_a_file_of_another_size_is_refused_by_its_first_weight(ending, tmp_path):
    """With both shapes; the network keeps its weights."""
    source = trained(Pebble(filters=6), 3)
    path = tmp_path / f"other{ending}"
    save(source, path)
    model = Pebble().build(2)
    before = transfer.read(model)

    with pytest.raises(
        WeightsError, match=r"weight 'entry_conv/kernel' has shape \(3, 3, 3, 8\).*shape \(3, 3, 3, 6\)"
    ):
        saved.load(model, list(Pebble().flow_ends.values())[-1], path)

    assert all(np.array_equal(value, before[name]) for name, value in transfer.read(model).items())


def test_a_file_of_another_family_is_refused(tmp_path):
    """The first weight that the file lacks is named."""
    source = trained(Pebble(), 3)
    source.save_weights(tmp_path / "pebble.weights.h5")

    with pytest.raises(WeightsError, match=r"of another network: weight '.*' has shape .*; save the weights of the"):
        load(NETWORKS["mobilenet"], tmp_path / "pebble.weights.h5")


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    """A network that diverged is no source."""
    source = trained(Pebble(), 3)
    values = source.get_weights()
    values[0][0] = np.nan
    source.set_weights(values)
    source.save_weights(tmp_path / "mine.weights.h5")

    with pytest.raises(WeightsError, match="values that are no numbers; train it again"):
        load(Pebble(), tmp_path / "mine.weights.h5")


@dataclass(frozen=True)
class Normalised(Pebble):
    """A network that normalises its inputs by statistics that are adapted to them."""

    def build(self, classes, dtype="float32"):
        """From uint8 images to probabilities."""
        inputs = keras.Input((self.image_size, self.image_size, 3), dtype="uint8", name="images")
        x = keras.layers.Rescaling(1.0, dtype=dtype, name="to_float")(inputs)
        x = keras.layers.Normalization(dtype=dtype, name="normalisation")(x)
        x = keras.layers.Conv2D(self.filters, 3, dtype=dtype, name="conv")(x)
        x = keras.layers.GlobalAveragePooling2D(dtype=dtype, name="pool")(x)
        return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax", name="predictions")(x))


def test_statistics_that_would_have_no_effect_are_refused(tmp_path):
    """Keras' Normalization reads its weights only while it is built or adapted; untouched, they are loaded."""
    source = Normalised().build(3)
    source.save_weights(tmp_path / "fresh.weights.h5")
    source.get_layer("normalisation").adapt(np.arange(2 * 8 * 8 * 3).reshape(2, 8, 8, 3))
    source.save_weights(tmp_path / "adapted.weights.h5")

    load(Normalised(), tmp_path / "fresh.weights.h5")
    with pytest.raises(WeightsError, match=r"would have no effect; give .* Received: 'normalisation/mean'"):
        load(Normalised(), tmp_path / "adapted.weights.h5")


def test_a_file_that_changed_is_refused(tmp_path):
    """Its digest is part of the trial's."""
    path = tmp_path / "mine.weights.h5"
    trained(Pebble(), 3).save_weights(path)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    load(Pebble(), path, sha256=expected)
    trained(Pebble(), 3, seed=1).save_weights(path)

    with pytest.raises(WeightsError, match=f"changed while it was in use: its SHA-256 was {expected}"):
        load(Pebble(), path, sha256=expected)


@pytest.mark.parametrize("damage", ["cut", "text", "archive", "empty", "missing"])
def test_a_damaged_file_is_refused(damage, tmp_path):
    """By an error that names the file."""
    path = tmp_path / "mine.keras"
    trained(Pebble(), 3).save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-400])
    elif damage == "text":
        path.write_text("weights")
    elif damage == "archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "nothing")
    elif damage == "empty":
        with h5py.File(path, "w") as file:
            file.create_group("layers")
    else:
        path.unlink()

    with pytest.raises(WeightsError, match=r"mine\.keras"):
        load(Pebble(), path)


def test_published_weights_can_be_a_users_file(tmp_path):
    """A legacy file without a head, under another name than the published."""
    source = trained(NETWORKS["mobilenet"], 5)
    write_legacy(body_of(NETWORKS["mobilenet"], source), tmp_path / "published.h5")
    shutil.copy(tmp_path / "published.h5", tmp_path / "renamed.h5")
    assert md5(tmp_path / "published.h5") == md5(tmp_path / "renamed.h5")

    assert_loaded(NETWORKS["mobilenet"], tmp_path / "renamed.h5", source)
