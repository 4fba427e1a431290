"""Values of several test files about upgrades."""

from __future__ import annotations

import pytest

from stand_ins import make_index

from tlbench.hosts import isolation


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index of wheels that is all that uv can install from."""
    folder, address = make_index(tmp_path)
    # The first is the newer name of the second.
    monkeypatch.setenv("UV_DEFAULT_INDEX", address)
    monkeypatch.setenv("UV_INDEX_URL", address)
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.setattr(isolation, "_tlbench", lambda _folder: ("tlbench==9.9", "pytest==9.9"))
    return folder
