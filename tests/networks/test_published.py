"""ImageNet weights, from files in the format that Keras publishes."""

from __future__ import annotations

import collections
import dataclasses
import functools
import http.server
import threading

import h5py
import keras
import numpy as np
import pytest

from pebble import randomise

from tlbench.errors import ConfigurationError, WeightsError
from tlbench.machine.hashes import md5
from tlbench.networks.published import WeightsFile, find_weights, load_weights, of_network
from tlbench.networks.xception import IMAGENET, Xception


SIZE = 71
SMALL = Xception(image_size=16, width=0.03, middle_modules=1, stem_stride=1)


# As layers and weights were called when the files were published (Keras 1); loading does not depend on it.
KERAS_1_NAMES = {
    "kernel": "W",
    "bias": "b",
    "moving_mean": "running_mean",
    "moving_variance": "running_std",
    "Conv2D": "convolution2d",
    "SeparableConv2D": "separableconvolution2d",
    "BatchNormalization": "batchnormalization",
}


def write_published(model, path):
    """Keras' legacy HDF5 format: a group for each layer, names of layers and weights as attributes, in order."""
    numbers = collections.Counter()
    with h5py.File(path, "w") as file:
        layer_names = []
        for layer in model.layers:
            kind = KERAS_1_NAMES.get(type(layer).__name__, type(layer).__name__.lower())
            numbers[kind] += 1
            layer_names.append(f"{kind}_{numbers[kind]}")
            group = file.create_group(layer_names[-1])
            names = [f"{layer_names[-1]}_{KERAS_1_NAMES.get(w.name, w.name)}:0" for w in layer.weights]
            # An empty list needs a type that HDF5 has.
            group.attrs["weight_names"] = np.array([name.encode() for name in names], None if names else "S1")
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=value)
        file.attrs["layer_names"] = [name.encode() for name in layer_names]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"1.2.0"
    return path


def keras_own(weights=None):
    """Keras' own network without its head."""
    return keras.applications.Xception(include_top=False, weights=weights, input_shape=(SIZE, SIZE, 3), pooling="avg")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A file of the full network's weights without its head."""
    model = keras_own()
    randomise(model, np.random.default_rng(0))
    return write_published(model, tmp_path_factory.mktemp("published") / "notop.h5")


@pytest.fixture
def small(tmp_path):
    """A small network with weights, and a file of them, with its head."""
    model = SMALL.build(5)
    randomise(model, np.random.default_rng(0))
    return model, write_published(model, tmp_path / "small.h5")


def accepted(path):
    return (WeightsFile(path.name, md5(path), head=False),)


def headless(model):
    return keras.Model(model.input, model.get_layer("avg_pool").output)


def assert_equal(expected, received):
    assert all((a == b).all() for a, b in zip(expected, received, strict=True))


def test_a_published_file_gives_keras_own_features(published):
    """What `keras.applications.Xception` loads from the file, weight for weight, and what it computes with it."""
    theirs = keras_own(str(published))
    model = Xception(image_size=SIZE).build(3)
    before = model.get_layer("predictions").get_weights()
    images = np.random.default_rng(0).integers(0, 256, (4, 4, 4, 3)).astype(np.uint8).repeat(18, 1).repeat(18, 2)
    images = images[:, :SIZE, :SIZE]

    load_weights(model, find_weights(published, accepted(published), ""))

    assert_equal(theirs.get_weights(), headless(model).get_weights())
    assert_equal(before, model.get_layer("predictions").get_weights())
    expected = theirs.predict_on_batch(keras.applications.xception.preprocess_input(images.astype(np.float32)))
    assert np.ptp(expected, axis=0).max() > 0.1
    assert np.allclose(expected, headless(model).predict_on_batch(images), rtol=1e-4, atol=1e-4)


def test_a_file_s_head_is_loaded_when_asked_for(small):
    """All weights are the file's."""
    theirs, path = small
    model = SMALL.build(5)

    load_weights(model, path, head=True)

    assert_equal(theirs.get_weights(), model.get_weights())


@pytest.mark.parametrize("classes", [5, 7])
def test_a_file_s_head_is_left_out_otherwise(small, classes):
    """From a network with as many classes, too."""
    theirs, path = small
    model = SMALL.build(classes)
    before = model.get_layer("predictions").get_weights()

    load_weights(model, path)

    assert_equal(before, model.get_layer("predictions").get_weights())
    assert_equal(headless(theirs).get_weights(), headless(model).get_weights())


def test_a_head_of_another_number_of_classes_is_an_error_and_changes_nothing(small):
    """The message names the weight and both shapes."""
    model = SMALL.build(7)
    before = model.get_weights()

    with pytest.raises(WeightsError, match=r"predictions/kernel' has shape \(61, 7\). Received: \(61, 5\)"):
        load_weights(model, small[1], head=True)
    assert_equal(before, model.get_weights())


def test_a_head_that_the_file_lacks_is_an_error(small, tmp_path):
    """The message names both numbers of weights."""
    theirs, _ = small
    path = write_published(headless(theirs), tmp_path / "headless.h5")

    with pytest.raises(WeightsError, match=rf"has {len(theirs.weights)} weights.*Received: {len(theirs.weights) - 2} "):
        load_weights(SMALL.build(5), path, head=True)


def test_a_file_without_a_head_leaves_the_head_alone(small, tmp_path):
    """Of another number of classes, too."""
    theirs, _ = small
    path = write_published(headless(theirs), tmp_path / "headless.h5")
    model = SMALL.build(7)
    before = model.get_layer("predictions").get_weights()

    load_weights(model, path)

    assert_equal(before, model.get_layer("predictions").get_weights())
    assert_equal(headless(theirs).get_weights(), headless(model).get_weights())


def test_a_file_is_loaded_whatever_its_name(small):
    """Keras would refuse another extension, and take `.weights.h5` for another format."""
    theirs, path = small
    model = SMALL.build(5)

    load_weights(model, path.rename(path.with_name("small.weights.h5")))

    assert_equal(headless(theirs).get_weights(), headless(model).get_weights())


@pytest.mark.parametrize("change", [{"width": 0.05}, {"middle_modules": 2}], ids=str)
def test_a_file_of_another_architecture_is_an_error_and_changes_nothing(small, change):
    """A wider or deeper network's weights do not fit."""
    model = dataclasses.replace(SMALL, **change).build(5)
    before = model.get_weights()

    with pytest.raises(WeightsError, match=f"{small[1].name} is for another architecture"):
        load_weights(model, small[1])
    assert_equal(before, model.get_weights())


def test_a_file_without_weights_is_an_error(tmp_path):
    """Loaded by name, it would load nothing in silence."""
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.attrs["layer_names"] = [b"block1_conv1"]
        file.create_group("block1_conv1").attrs["weight_names"] = np.array([], "S1")

    with pytest.raises(WeightsError, match="holds no weights"):
        load_weights(SMALL.build(5), tmp_path / "empty.h5")


def test_a_truncated_file_is_an_error(small):
    """It is named."""
    path = small[1]
    path.write_bytes(path.read_bytes()[:2000])

    with pytest.raises(WeightsError, match=rf"{path} is not in Keras' legacy HDF5 format, or is damaged"):
        load_weights(SMALL.build(5), path)


def test_a_file_of_another_format_is_an_error(small, tmp_path):
    """Keras 3 writes HDF5 files too."""
    path = tmp_path / "other.weights.h5"
    small[0].save_weights(path)

    with pytest.raises(WeightsError, match=r"other\.weights\.h5 is not in Keras' legacy HDF5 format"):
        load_weights(SMALL.build(5), path)


def test_loading_that_loads_nothing_is_an_error(small, monkeypatch):
    """What arrived is compared with the file."""
    monkeypatch.setattr(keras.Model, "set_weights", lambda *_arguments: None)

    with pytest.raises(WeightsError, match="was not loaded"):
        load_weights(SMALL.build(5), small[1])


def test_a_file_of_another_hash_is_refused(small):
    """The message says which hash was expected and which received."""
    path = small[1]

    with pytest.raises(WeightsError, match=rf"{IMAGENET.files[0].hash}.*Received: {md5(path)}"):
        IMAGENET.find(path)


def test_either_published_file_is_accepted(small):
    """That with a head as well as that without."""
    other = WeightsFile("other.h5", "0" * 32, head=True)

    assert small[1] == find_weights(small[1], (other, *accepted(small[1])), "")


def test_a_missing_file_is_an_error_with_its_remedy(tmp_path):
    """The option is named."""
    with pytest.raises(WeightsError, match="--tlbench-weights"):
        IMAGENET.find(tmp_path / "nowhere.h5")


@pytest.fixture
def served(small, monkeypatch):
    """The address of the small file, served on this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = small[1].parent

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_file_is_downloaded_once(served, small, tmp_path):
    """Into the cache, from where it is read the next time."""
    files = accepted(small[1])

    first = find_weights(None, files, served, tmp_path / "cache")
    small[1].unlink()
    second = find_weights(None, files, served, tmp_path / "cache")

    assert tmp_path / "cache" / "models" / "small.h5" == first
    assert first == second
    assert files[0].hash == md5(first)


def test_a_download_of_another_hash_is_an_error(served, small, tmp_path):
    """What a server sends is checked as well."""
    files = (WeightsFile(small[1].name, "0" * 32, head=False),)

    with pytest.raises(WeightsError, match=rf"{served}small.h5 \(hash {files[0].hash}\); give --tlbench-weights"):
        find_weights(None, files, served, tmp_path / "cache")


def test_a_damaged_file_in_the_cache_is_downloaded_again(served, small, tmp_path):
    """A download that was cut short leaves one."""
    files = accepted(small[1])
    cached = find_weights(None, files, served, tmp_path / "cache")
    cached.write_bytes(cached.read_bytes()[:2000])

    assert files[0].hash == md5(find_weights(None, files, served, tmp_path / "cache"))


def test_a_file_that_the_server_does_not_have_is_an_error(served, tmp_path):
    """The server's answer is part of the message."""
    files = (WeightsFile("nowhere.h5", "0" * 32, head=False),)

    with pytest.raises(WeightsError, match="404"):
        find_weights(None, files, served, tmp_path / "cache")


def test_a_download_that_fails_is_an_error_with_its_remedies(tmp_path):
    """A file of one's own, or another source."""
    files = (WeightsFile("small.h5", "0" * 32, head=False),)

    with pytest.raises(WeightsError, match="--tlbench-source formula"):
        find_weights(None, files, "http://127.0.0.1:9/", tmp_path / "cache")


def test_only_the_full_network_has_published_weights():
    """At any image size."""
    assert IMAGENET == of_network(Xception(image_size=150))

    with pytest.raises(ConfigurationError, match="--tlbench-profile pocket or poster"):
        of_network(SMALL)
