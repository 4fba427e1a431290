"""ImageNet weights, from files in the format that Keras publishes."""

from __future__ import annotations

import functools
import http.server
import threading

import h5py
import keras
import numpy as np
import pytest

from tlbench.errors import ConfigurationError, WeightsError
from tlbench.networks.imagenet import PUBLISHED, WeightsFile, check_fits, find_weights, load_weights, md5
from tlbench.networks.xception import Xception


SIZE = 71
SMALL = Xception(image_size=16, width=0.03, middle_modules=1, stem_stride=1)


def randomise(model, seed=0):
    generator = np.random.default_rng(seed)
    # BatchNorm's vectors are moved from their zeros and ones; kernels are random already.
    model.set_weights([w + 0.2 * generator.random(w.shape, w.dtype) * (w.ndim == 1) for w in model.get_weights()])


def write_published(model, path):
    """Keras' legacy HDF5 format: a group for each layer, names of layers and weights as attributes, in order."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.0.4"
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=value)
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Keras' own network without its head, with weights, and a file of them."""
    model = keras.applications.Xception(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3), pooling="avg")
    randomise(model)
    return model, write_published(model, tmp_path_factory.mktemp("published") / "notop.h5")


@pytest.fixture
def small(tmp_path):
    """A small network with weights, and a file of them, with its head."""
    model = SMALL.build(5)
    randomise(model)
    return model, write_published(model, tmp_path / "small.h5")


def accepted(path):
    return (WeightsFile(path.name, md5(path), head=False),)


def headless(model):
    return keras.Model(model.input, model.get_layer("avg_pool").output)


def test_a_published_file_gives_keras_own_features(published):
    """Loaded by the order of the graph: the published file names the shortcuts' layers in its own way."""
    theirs, path = published
    model = Xception(image_size=SIZE).build(1000)
    images = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3)).astype(np.uint8)

    load_weights(model, find_weights(path, accepted(path)))

    expected = theirs.predict_on_batch(keras.applications.xception.preprocess_input(images.astype(np.float32)))
    received = headless(model).predict_on_batch(images)
    assert np.abs(expected).max() > 1e-3
    assert np.allclose(expected, received, rtol=1e-4, atol=1e-5)


def test_a_file_with_a_head_fills_the_head_too(small):
    """All weights are the file's."""
    theirs, path = small
    model = SMALL.build(5)

    load_weights(model, path)

    assert all((a == b).all() for a, b in zip(theirs.get_weights(), model.get_weights(), strict=True))


def test_a_file_without_a_head_leaves_the_head_alone(small, tmp_path):
    """Of another number of classes, too."""
    theirs, _ = small
    path = write_published(headless(theirs), tmp_path / "headless.h5")
    model = SMALL.build(7)
    before = model.get_layer("predictions").get_weights()

    load_weights(model, path)

    assert all((a == b).all() for a, b in zip(before, model.get_layer("predictions").get_weights(), strict=True))
    assert all(
        (a == b).all() for a, b in zip(headless(theirs).get_weights(), headless(model).get_weights(), strict=True)
    )


def test_a_file_of_another_architecture_is_an_error_and_changes_nothing(small):
    """A wider network's weights do not fit."""
    model = Xception(image_size=16, width=0.05, middle_modules=1, stem_stride=1).build(5)
    before = model.get_weights()

    with pytest.raises(WeightsError, match="another architecture"):
        load_weights(model, small[1])
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


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

    with pytest.raises(WeightsError, match=rf"{path} is not in Keras' HDF5 format, or is damaged"):
        load_weights(SMALL.build(5), path)


def test_loading_that_loads_nothing_is_an_error(small, monkeypatch):
    """What arrived is compared with the file."""
    monkeypatch.setattr(keras.Model, "load_weights", lambda *_arguments: None)

    with pytest.raises(WeightsError, match="was not loaded"):
        load_weights(SMALL.build(5), small[1])


def test_a_file_of_another_hash_is_refused(small):
    """The message says which hash was expected and which received."""
    path = small[1]

    with pytest.raises(WeightsError, match=rf"{PUBLISHED[0].md5}.*Received: {md5(path)}"):
        find_weights(path)


def test_a_missing_file_is_an_error_with_its_remedy(tmp_path):
    """The option is named."""
    with pytest.raises(WeightsError, match="--tlbench-weights"):
        find_weights(tmp_path / "nowhere.h5")


@pytest.fixture
def served(small, monkeypatch, tmp_path):
    """The small file, served on this machine, and a cache of Keras that is empty."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    folder = small[1].parent

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
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

    assert first == second
    assert files[0].md5 == md5(first)


def test_a_download_of_another_hash_is_an_error(served, small, tmp_path):
    """What a server sends is checked as well."""
    files = (WeightsFile(small[1].name, "0" * 32, head=False),)

    with pytest.raises(WeightsError, match="--tlbench-weights"):
        find_weights(None, files, served, tmp_path / "cache")


def test_a_download_that_fails_is_an_error_with_its_remedies(tmp_path):
    """A file of one's own, or another source."""
    files = (WeightsFile("small.h5", "0" * 32, head=False),)

    with pytest.raises(WeightsError, match="--tlbench-source embedded"):
        find_weights(None, files, "http://127.0.0.1:9/", tmp_path / "cache")


def test_only_the_full_network_has_published_weights():
    """At any image size."""
    check_fits(Xception(image_size=150))

    with pytest.raises(ConfigurationError, match="--tlbench-profile poster"):
        check_fits(SMALL)
