"""Outputs of frozen prefixes that are kept."""

from __future__ import annotations

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st
from pebble import Pebble

from tlbench.datasets.dataset import Split
from tlbench.errors import UnwritableError
from tlbench.train import prefixes
from tlbench.train.prefixes import BLOCK, Features, Prefix, PrefixCache


IMAGES = np.arange(600, dtype=np.uint16).reshape(600, 1)


def prefix(weights="aa"):
    return Prefix(Pebble(), "middle_add", "float32", weights, "data", Split(validation=0.1, test=0.2))


def doubled(images):
    """A prefix that wants whole blocks, as a compiled network does."""
    assert BLOCK == len(images)
    return images * 2.0


@given(st.lists(st.lists(st.integers(0, 599), min_size=1), max_size=4))
def test_every_row_that_was_asked_for_is_there(requests):
    """Whatever was asked for before."""
    features = Features(np.full((600, 1), np.nan))

    for request in requests:
        features.compute(np.array(request), IMAGES.__getitem__, doubled)
        assert (features.array[request] == IMAGES[request] * 2).all()


def test_a_block_is_computed_once():
    """And the last one is filled up."""
    calls = []
    features = Features(np.empty((600, 1)))

    for _ in range(2):
        features.compute(
            np.array([0, 5, 599]), IMAGES.__getitem__, lambda images: calls.append(images[0, 0]) or images * 2.0
        )

    assert [0, 512] == calls
    assert 2 == features.blocks


def test_equal_prefixes_share_what_is_known():
    """The second trial finds the first one's outputs."""
    cache = PrefixCache()

    assert cache.features(prefix(), (600, 1), "float32") is cache.features(prefix(), (600, 1), "float32")
    assert cache.features(prefix(), (600, 1), "float32") is not cache.features(prefix("bb"), (600, 1), "float32")


def test_no_more_is_kept_than_may_be():
    """The one unused for longest goes first."""
    cache = PrefixCache(memory_bytes=2 * 600 * 4)
    first, second = (cache.features(prefix(name), (600, 1), "float32") for name in ("first", "second"))
    cache.features(prefix("first"), (600, 1), "float32")
    cache.features(prefix("third"), (600, 1), "float32")

    assert first is cache.features(prefix("first"), (600, 1), "float32")
    assert second is not cache.features(prefix("second"), (600, 1), "float32")


def test_what_does_not_fit_into_memory_is_kept_on_disk(tmp_path):
    """In a file without a name, which no killed process leaves behind."""
    cache = PrefixCache(memory_bytes=100, folder=tmp_path / "made")

    features = cache.features(prefix(), (600, 1), "bfloat16")
    features.compute(np.arange(600), IMAGES.__getitem__, doubled)

    assert isinstance(features.array, np.memmap)
    assert "bfloat16" == str(features.array.dtype)
    assert [] == list((tmp_path / "made").iterdir())


def test_without_a_folder_there_is_no_more_room_than_memory(tmp_path):
    """A prefix that takes more is not kept at all."""
    assert 100 == PrefixCache(memory_bytes=100).largest_bytes
    assert 200 == PrefixCache(memory_bytes=100, disk_bytes=200, folder=tmp_path).largest_bytes


def test_a_full_disk_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    """Before anything is written to it."""

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    cache = PrefixCache(memory_bytes=0, folder=tmp_path)

    with pytest.raises(UnwritableError, match=r"2400 bytes.*No space left.*--tlbench-no-prefix-cache"):
        cache.features(prefix(), (600, 1), "float32")


def test_a_digest_tells_weights_apart():
    """By value, shape and name, in any order."""
    weights = {"a": np.zeros((2, 3), np.float32), "b": np.ones(1, np.float32)}

    assert prefixes.digest(weights) == prefixes.digest(dict(reversed(weights.items())))
    different = [
        {**weights, "b": np.full(1, 2, np.float32)},
        {**weights, "a": np.zeros((3, 2), np.float32)},
        {"a": weights["a"], "c": weights["b"]},
    ]
    assert 4 == len({prefixes.digest(weights), *map(prefixes.digest, different)})
