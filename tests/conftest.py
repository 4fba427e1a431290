"""Values that several test files build on: a network and images so small that a trial takes seconds."""

from __future__ import annotations

import numpy as np
import pytest

from hypothesis import settings
from pebble import Pebble

from tlbench.datasets.dataset import Dataset, Split
from tlbench.declare.tasks import EVERY_CLASS
from tlbench.declare.trials import DataReference, Random, Recipe, Trial
from tlbench.machine.environment import Environment, current
from tlbench.store.results import Result


# No test fails for its time, and the first example of a property imports SciPy.
settings.register_profile("tlbench", deadline=None)
settings.load_profile("tlbench")


# Folders whose files take longest. They come first, so that the last files are short: with pytest-xdist neither of two
# processes then waits for the other. By itself it begins with the files of most tests, which take seconds.
_LONG = ("hosts", "beyond", "train", "networks", "report", "benchmarks", "store", "machine")


def pytest_collection_modifyitems(items):
    """Put the files first that take longest."""
    items.sort(key=lambda item: _LONG.index(name) if (name := item.path.parent.name) in _LONG else len(_LONG))


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Tests leave the user's cache of drawn images alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def environment():
    return Environment("tensorflow", "2.21.0", "3.15.1", "cpu", "x86_64", "3.11.7")


@pytest.fixture(scope="session")
def dataset():
    """Three classes of 8-pixel images that differ in their colour, under noise."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    images = generator.integers(0, 160, (60, 8, 8, 3))
    images[np.arange(60), :, :, labels] += 80
    return Dataset("colours", images.astype(np.uint8), labels, ("red", "green", "blue"))


@pytest.fixture(scope="session")
def make_trial(dataset):
    """A function that makes a tiny trial, with whatever is given instead of its defaults."""
    data = DataReference(dataset.name, dataset.digest, Split(validation=0.2, test=0.3))

    def make(**changes):
        values = {
            "data": data,
            "task": EVERY_CLASS,
            "network": Pebble(),
            "initialisation": Random(),
            "frozen": frozenset(),
            "recipe": Recipe(learning_rate=1e-3, batch_size=8, epochs=2),
            "seed": 0,
        }
        return Trial(**(values | changes))

    return make


@pytest.fixture(scope="session")
def source(make_trial, dataset):
    """Weights of a trained source: `make_trial(seed=7)`."""
    from tlbench.train.training import Trainer

    return Trainer(current()).train(make_trial(seed=7), dataset, None)[1]


@pytest.fixture
def make_result(environment):
    """A function that makes a result whose test predictions are right for some of ten images of two labels."""

    def make(right=10, *, diverged=False, validation=(0.5, 1.0), label_names=("cat", "dog")):
        labels = np.arange(10) % 2
        predicted = np.where(np.arange(10) < right, labels, 1 - labels)
        probabilities = np.eye(2, dtype=np.float32)[predicted] * 0.8 + 0.1
        validation_labels = np.zeros(4, np.int64)
        curves = [[[0.9, 0.1] if i < share * 4 else [0.1, 0.9] for i in range(4)] for share in validation]
        return Result(
            status="diverged" if diverged else "finished",
            label_names=label_names,
            labels=labels,
            probabilities=np.full_like(probabilities, np.nan) if diverged else probabilities,
            validation_labels=validation_labels,
            validation_probabilities=np.array(curves, np.float32),
            batch_statistics_probabilities=probabilities,
            training_loss=tuple(0.5 for _ in validation),
            training_accuracy=tuple(validation),
            epoch_seconds=tuple(0.25 for _ in validation),
            epoch_steps=5,
            epoch_images=40,
            seconds=1.0,
            environment=environment,
        )

    return make


@pytest.fixture
def project(pytester):
    """A project of its own with a tiny profile and a study; see `projects`."""
    # Imported here: it imports a backend, which most tests do without.
    import projects

    pytester.makepyfile(pebble=projects.PEBBLE)
    pytester.makeconftest(projects.PROFILE)
    pytester.makepyfile(test_study=projects.STUDY)
    pytester.makeini(
        "[pytest]\ntlbench_profile = tiny\ntlbench_workers = 1\naddopts = -p no:cacheprovider -p no:benchmark\n"
    )
    return pytester
