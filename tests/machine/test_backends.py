"""Keras' backends: each trains the same tiny trial."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tlbench.errors import ConfigurationError
from tlbench.machine import backends, installed


# What the backends are asked for: train a trial and a transferred one, twice, and say what came of it.
SCRIPT = """
import json, sys
import numpy as np
from pebble import Pebble
from tlbench.train import transfer
from tlbench.datasets.dataset import Dataset, Split
from tlbench.machine.environment import current
from tlbench.declare.tasks import EVERY_CLASS
from tlbench.train.training import Trainer
from tlbench.declare.trials import DataReference, Random, Recipe, Trial

generator = np.random.default_rng(0)
labels = np.repeat(np.arange(3), 20)
images = generator.integers(0, 160, (60, 8, 8, 3))
images[np.arange(60), :, :, labels] += 80
dataset = Dataset("colours", images.astype(np.uint8), labels, ("red", "green", "blue"))
data = DataReference("colours", dataset.digest, Split(validation=0.2, test=0.3))
recipe = Recipe(learning_rate=1e-2, batch_size=8, epochs=10)
source = Trial(data, EVERY_CLASS, Pebble(), Random(), frozenset(), recipe, 0)
moved = Trial(data, EVERY_CLASS, Pebble(), source, frozenset({"entry"}), recipe, 1)
here = current()
trainer = Trainer(here)
first, weights = trainer.train(source, dataset, None)
second, after = trainer.train(moved, dataset, weights)
again, _ = trainer.train(source, dataset, None)
print(json.dumps({
    "backend": here.backend,
    "accuracy": [first.accuracy, second.accuracy],
    "repeats": bool((first.probabilities == again.probabilities).all()),
    "kept": all((weights[p] == after[p]).all() for p in weights if p.startswith("entry")),
    "status": [first.status, second.status],
}))
"""


@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch"])
def test_a_backend_trains_and_transfers(name):
    """It learns, keeps frozen weights, and the same seed gives the same predictions."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    environment = os.environ | {"KERAS_BACKEND": name, "PYTHONPATH": str(Path(__file__).parents[1])}

    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=False, capture_output=True, text=True, env=environment
    )

    assert 0 == process.returncode, process.stderr
    said = json.loads(process.stdout.splitlines()[-1])
    assert name == said["backend"]
    assert ["finished", "finished"] == said["status"]
    assert said["repeats"]
    assert said["kept"]
    assert np.min(said["accuracy"]) > 0.6


def test_an_unknown_backend_is_an_error(monkeypatch):
    """It names those there are."""
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "theano")

    with pytest.raises(ConfigurationError, match=r"tensorflow, jax, torch.*'theano'"):
        backends.backend()


def test_a_backend_that_is_not_installed_is_an_error(monkeypatch):
    """The message says how to install it, and so it does for any other package."""
    monkeypatch.setattr(installed, "version", lambda _name: None)

    with pytest.raises(ConfigurationError, match=r'pip install "tlbench\[torch\]".*Received: KERAS_BACKEND=\'torch\''):
        backends.version("torch")
    with pytest.raises(ConfigurationError, match=r"pip install no-such-package\."):
        backends.version("no-such-package")


@pytest.mark.parametrize("chosen", [None, "elsewhere"])
def test_jax_keeps_what_it_compiles_for_a_gpu(chosen, tmp_path):
    """In tlbench's cache unless the user has named a folder, and memory grows as it is needed."""
    if not importlib.util.find_spec("jax"):
        pytest.skip("jax is not installed")
    script = """
import os, pathlib, sys
from tlbench.machine import backends
backends.prepare_gpu(pathlib.Path(sys.argv[1]))
import jax
print(jax.config.jax_compilation_cache_dir, os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"])
"""
    named = {"JAX_COMPILATION_CACHE_DIR": chosen} if chosen else {}
    environment = os.environ | {"KERAS_BACKEND": "jax"} | named

    said = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True, text=True, env=environment
    ).stdout.split()

    assert [chosen or str(tmp_path), "false"] == said


@pytest.mark.parametrize(("name", "expected"), [("tensorflow", None), ("jax", 80), ("torch", 80)])
def test_the_memory_of_a_gpu_is_what_the_backend_says(name, expected, monkeypatch):
    """All of it, whatever is free; TensorFlow does not say."""
    jax = SimpleNamespace(devices=lambda: [SimpleNamespace(memory_stats=lambda: {"bytes_limit": 80})])
    torch = SimpleNamespace(cuda=SimpleNamespace(mem_get_info=lambda: (1, 80)))
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(backends, "backend", lambda: name)

    assert expected == backends.device_memory()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tensorflow", {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}),
        ("jax", {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}),
        ("torch", {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}),
    ],
)
def test_threads_are_limited_by_variables_that_the_backend_reads(name, expected, monkeypatch):
    """They are set before it is imported."""
    monkeypatch.setattr(backends, "backend", lambda: name)

    assert expected == backends.thread_variables(1)
