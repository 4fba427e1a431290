"""Keras' backend as it is chosen before anything imports Keras, and the backends that are installed."""

from __future__ import annotations

import json
import os
import sys

from importlib import metadata
from pathlib import Path
from typing import Any


# The first that is installed is used where nobody chooses another.
BACKENDS = ("tensorflow", "jax", "torch")

# The distributions that bring a backend, where its own name is not the only one.
DISTRIBUTIONS = {
    "tensorflow": (
        *("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel", "tensorflow-macos"),
        *("tensorflow-rocm", "tf-nightly", "tf-nightly-cpu"),
    )
}

# The oldest version of each, as the extras in pyproject.toml have it.
OLDEST = {"tensorflow": "2.16", "jax": "0.4.30", "torch": "2.2"}

REMEDY = 'pip install "tlbench[tensorflow]", or the same with jax or torch in place of tensorflow'


def version(distribution: str) -> str | None:
    """Installed version of a distribution or a backend, found without importing it; None where there is none."""
    for name in DISTRIBUTIONS.get(distribution, (distribution,)):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def configuration() -> dict[str, Any]:
    """Keras' own configuration file, as Keras will read it; empty where it cannot be read."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        found = json.loads((home / "keras.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def chosen() -> str | None:
    """The backend that the user has told Keras, or else the first that is installed; None where there is neither.

    The first import of Keras writes TensorFlow into the configuration file, installed or not, so that TensorFlow
    there is nobody's choice.
    """
    told, configured = os.environ.get("KERAS_BACKEND"), configuration().get("backend", "tensorflow")
    if told or configured != "tensorflow":
        return str(told or configured)
    return next((name for name in BACKENDS if version(name) is not None), None)


def tell_keras() -> None:
    """Set `KERAS_BACKEND` where Keras would otherwise import a TensorFlow that is not installed.

    Processes that this one starts get the variable as well.
    """
    if "keras" not in sys.modules and not os.environ.get("KERAS_BACKEND"):
        name = chosen()
        if name not in {None, "tensorflow", configuration().get("backend")}:
            os.environ["KERAS_BACKEND"] = str(name)
