"""The weights that transferred arms start from, by what --tlbench-source names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pebble import Pebble

from tlbench.declare.profiles import THUMBNAIL
from tlbench.declare.trials import SavedWeights
from tlbench.errors import ConfigurationError
from tlbench.networks import shipped
from tlbench.run import inputs
from tlbench.run.options import Options


def options(folder, profile, **changes):
    return Options(profile=profile, seeds=1, max_seeds=1, store=folder, report=folder, **changes)


def pretrained(chosen):
    return inputs.pretrained(chosen.profile, chosen, "float32", ("cat", "dog"))


def test_the_shipped_weights_are_a_start_with_their_provenance(tmp_path):
    """By their hash, and with a note on the photographs."""
    own = shipped.photographs()

    start = pretrained(options(tmp_path, THUMBNAIL))

    assert SavedWeights("weights of photographs of CIFAR-10", own.sha256) == start.weights
    assert (own.path, (own.note,)) == (start.file, start.notes)


def test_the_shipped_weights_are_refused_for_another_network(tmp_path):
    """Before anything is trained."""
    chosen = options(tmp_path, replace(THUMBNAIL, network=Pebble()), source="photographs")

    with pytest.raises(ConfigurationError, match=r"are those of xception:image_size=32.*Received: Pebble"):
        pretrained(chosen)


def test_a_weights_file_is_a_start_by_its_content(tmp_path):
    """Its name is for tables."""
    path = tmp_path / "mine.weights.h5"
    path.write_bytes(b"weights")

    start = pretrained(options(tmp_path, THUMBNAIL, source=str(path)))

    assert ("weights of mine.weights.h5", path) == (start.weights.name, start.file)
    assert start.name.startswith(f"mine.weights.h5, SHA-256 {start.weights.sha256[:12]}")
    assert start.dataset is None
