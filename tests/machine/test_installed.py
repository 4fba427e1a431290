"""The choice of Keras' backend among those that are installed."""

from __future__ import annotations

import os
import sys

from importlib import metadata

import pytest

from tlbench.errors import ConfigurationError
from tlbench.machine import backends, installed


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A function that sets what is installed, what the variable says, and what Keras' own file says."""
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def make(distributions, variable=None, configured=None):
        def version(name):
            if name in distributions.split():
                return "1.0"
            raise metadata.PackageNotFoundError(name)

        monkeypatch.setattr(installed.metadata, "version", version)
        monkeypatch.setenv("KERAS_BACKEND", variable or "")
        if configured is not None:
            (tmp_path / "keras.json").write_text(configured)

    return make


TENSORFLOW, TORCH = '{"backend": "tensorflow"}', '{"backend": "torch"}'


@pytest.mark.parametrize(
    ("distributions", "variable", "configured", "expected"),
    [
        # The first that is installed; TensorFlow may have another name.
        ("jax tensorflow torch", None, None, "tensorflow"),
        ("jax tensorflow-cpu", None, None, "tensorflow"),
        ("jax torch", None, None, "jax"),
        ("torch", None, None, "torch"),
        # The variable before the file, and both before what is installed.
        ("tensorflow jax torch", "jax", TORCH, "jax"),
        ("tensorflow torch", None, TORCH, "torch"),
        ("jax", "tensorflow", None, "tensorflow"),
        # Keras writes TensorFlow into the file by itself.
        ("jax", None, TENSORFLOW, "jax"),
        ("tensorflow jax", None, TENSORFLOW, "tensorflow"),
        # A file that Keras cannot read is none.
        ("jax", None, "[]", "jax"),
        ("jax", None, "{", "jax"),
    ],
)
def test_the_backend_is_chosen(distributions, variable, configured, expected, machine):
    """By the user, or else by what is installed; Keras is told before anything imports it."""
    machine(distributions, variable, configured)

    assert expected == backends.backend()
    installed.tell_keras()
    told = os.environ["KERAS_BACKEND"] or installed.configuration().get("backend", "tensorflow")
    assert expected == told


@pytest.mark.parametrize("configured", [None, TENSORFLOW])
def test_no_backend_at_all_is_an_error(configured, machine):
    """The message says how to install one; nothing is told to Keras."""
    machine("keras", None, configured)

    with pytest.raises(
        ConfigurationError, match=r'pip install "tlbench\[tensorflow\]".*none of tensorflow, jax, torch'
    ):
        backends.backend()
    installed.tell_keras()
    assert "" == os.environ["KERAS_BACKEND"]
