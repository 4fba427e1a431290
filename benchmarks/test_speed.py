"""Times of a training step, of prediction, of building a network and of reading images.

Timed with pytest-benchmark, so that `--benchmark-save` and `--benchmark-compare`
tell one framework version from another. No claim rests on these.
"""

from __future__ import annotations

import numpy as np
import pytest

from .poster import EIGHT_CLASSES


STEP_IMAGES = 32
PREDICTED_IMAGES = 256


@pytest.fixture(scope="module")
def network(study):
    """The study's network, compiled as trials compile it."""
    import keras

    from tlbench.machine import backends

    model = study.network.build(len(EIGHT_CLASSES.labels_of(study.class_names)), study.recipe.precision)
    # As a run without --gpu or with it would: the device is what the backend has chosen.
    options = backends.compile_options("gpu" if backends.gpus() else "cpu")
    model.compile(
        keras.optimizers.get(study.recipe.optimizer), "sparse_categorical_crossentropy", metrics=["accuracy"], **options
    )
    return model


@pytest.fixture(scope="module")
def images(study):
    """Images of the study's size; what they show takes no time."""
    size = study.network.image_size
    return np.random.default_rng(0).integers(0, 256, (PREDICTED_IMAGES, size, size, 3)).astype(np.uint8)


def test_training_step(benchmark, network, images, study):
    """One step over a batch: forward, backward and update, with its result read back."""
    batch = images[:STEP_IMAGES]
    labels = np.arange(STEP_IMAGES) % len(study.class_names)

    loss = benchmark.pedantic(network.train_on_batch, (batch, labels), rounds=20, warmup_rounds=3, iterations=1)

    assert np.isfinite(loss).all()


def test_prediction(benchmark, network, images):
    """Probabilities of a batch, read back."""
    probabilities = benchmark.pedantic(network.predict_on_batch, (images,), rounds=20, warmup_rounds=3, iterations=1)

    assert len(images) == len(probabilities)


def test_building_a_network(benchmark, study):
    """Layers and fresh weights, without tracing."""
    model = benchmark.pedantic(study.network.build, (8,), rounds=3, warmup_rounds=1, iterations=1)

    assert model.count_params() > 0


def test_reading_images(benchmark, images, tmp_path):
    """A folder of PNG files, decoded and resized, with nothing cached."""
    from PIL import Image

    from tlbench import read_images

    for index, image in enumerate(images[:128]):
        folder = tmp_path / "images" / ("even" if index % 2 else "odd")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{index}.png")
    caches = iter(range(100))

    def read():
        return read_images(tmp_path / "images", images.shape[1], cache=tmp_path / f"cache{next(caches)}")

    dataset = benchmark.pedantic(read, rounds=5, warmup_rounds=1, iterations=1)

    assert 128 == len(dataset.images)
