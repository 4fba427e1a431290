from __future__ import annotations

import pytest

from tlbench.datasets.folder import read_images


@pytest.fixture
def read(tmp_path):
    """A function that reads images with a cache of its own."""

    def read(path, image_size=4, **options):
        return read_images(path, image_size, cache=tmp_path / "cache", **options)

    return read
