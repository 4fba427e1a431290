"""The weights that tlbench ships: those of the profile that transfers them, whole, and with their provenance."""

from __future__ import annotations

import hashlib

import h5py
import numpy as np

from tlbench import MINIATURE, THUMBNAIL
from tlbench.networks import saved, shipped
from tlbench.train import transfer


def test_the_file_is_the_one_whose_provenance_is_told():
    """By its hash; data, recipe, seed, environment and accuracy stand beside it, and it is small."""
    own = shipped.photographs()

    assert own.sha256 == hashlib.sha256(own.path.read_bytes()).hexdigest()
    assert own.path.stat().st_size < 1_000_000
    assert {"accuracy", "data", "environment", "network", "recipe", "seed"} <= own.provenance.keys()
    assert {"citation", "classes", "digest", "licence", "name"} <= own.provenance["data"].keys()


def test_the_weights_are_those_of_the_profiles_network():
    """Loaded wholly, by the loader that checks each weight; and trained, since they are not where they began."""
    own = shipped.photographs()
    model = THUMBNAIL.network.build(8)
    fresh = transfer.read(model)

    saved.load(model, list(THUMBNAIL.network.flow_ends.values())[-1], own.path, own.sha256)

    loaded = transfer.read(model)
    moved = {path for path in fresh if not np.array_equal(fresh[path], loaded[path])}
    assert {path for path in fresh if not path.startswith("predictions/")} == moved
    assert (
        own.provenance["parameters"] == THUMBNAIL.network.build(len(own.provenance["data"]["classes"])).count_params()
    )


def test_the_weights_are_of_no_other_network():
    """Which a run asks before it transfers them."""
    own = shipped.photographs()

    assert own.fit(THUMBNAIL.network)
    assert not own.fit(MINIATURE.network)


def test_a_reader_is_told_where_the_weights_come_from():
    """The photographs, how many, and their classes, some of which a target may have too."""
    note = shipped.photographs().note

    assert "photographs of CIFAR-10" in note
    assert "airplane, automobile, bird, cat" in note


def test_no_optimizer_is_shipped():
    """Nothing but the network."""
    with h5py.File(shipped.photographs().path) as file:
        assert "optimizer" not in file
