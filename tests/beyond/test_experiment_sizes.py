"""Sizes of experiments."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks.beyond.sizes import depths


@pytest.mark.parametrize(
    ("cuts", "places"),
    [
        (1, [0]),
        (2, [0, 1]),
        (6, [0, 1, 2, 3, 4, 5]),
        (7, [0, 1, 2, 4, 5, 6]),
        (14, [0, 3, 5, 8, 10, 13]),
        (15, [0, 3, 6, 8, 11, 14]),
    ],
)
def test_depths_are_spread_evenly_from_the_first_cut_to_the_last(cuts, places):
    """A network with few cuts is cut at all of them."""
    study = SimpleNamespace(profile="thumbnail", cuts=tuple(f"cut {place}" for place in range(cuts)))

    assert tuple(f"cut {place}" for place in places) == depths(study)


@pytest.mark.parametrize(("cuts", "places"), [(3, [0, 1, 2]), (4, [0, 1, 2, 3]), (15, [0, 5, 9, 14])])
def test_the_miniature_is_cut_at_four_depths(cuts, places):
    """An experiment on drawn images is for trying it."""
    study = SimpleNamespace(profile="miniature", cuts=tuple(range(cuts)))

    assert tuple(places) == depths(study)
