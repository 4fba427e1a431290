"""Names of parts and cuts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from hypothesis import given
from hypothesis import strategies as st
from pebble import Pebble

from tlbench.errors import ConfigurationError
from tlbench.networks import parts
from tlbench.networks.xception import Xception


XCEPTION = Xception(middle_modules=3)

NAMES = sorted({*XCEPTION.flow_ends, *XCEPTION.cuts})


@dataclass(frozen=True)
class Divided:
    """A network with parts and cuts, and nothing else."""

    flow_ends: dict
    cuts: dict


def test_the_finest_pieces_of_xception_are_its_modules():
    """In the order of the graph, and ending where they do."""
    assert [f"block{number}" for number in (1, 2, 3, 4, 5, 6, 7, 13, 14)] == list(parts.cuts(XCEPTION))
    assert "block4_add" == parts.cuts(XCEPTION)["block4"] == XCEPTION.flow_ends["entry"]


def test_a_network_without_cuts_is_divided_at_its_parts():
    """As a user's own may be."""
    assert Pebble().flow_ends == parts.cuts(Pebble())
    assert ("entry", "middle") == parts.up_to(Pebble(), "middle")


def test_a_part_covers_its_modules():
    """Beside other names, overlapping or not."""
    assert {"block5", "block6", "block7", "block14"} == parts.pieces(XCEPTION, ["middle", "block6", "block14"])


@given(st.sets(st.sampled_from(NAMES)))
def test_the_canonical_names_cover_the_same_pieces(names):
    """With no two that overlap, and none that a part could stand for."""
    canonical = parts.canonical(XCEPTION, names)

    assert parts.pieces(XCEPTION, names) == parts.pieces(XCEPTION, canonical)
    assert len(parts.pieces(XCEPTION, canonical)) == sum(len(parts.pieces(XCEPTION, [name])) for name in canonical)
    assert canonical == parts.canonical(XCEPTION, canonical)
    for part in XCEPTION.flow_ends:
        assert part in canonical or not parts.pieces(XCEPTION, [part]) <= parts.pieces(XCEPTION, names)


def test_names_stand_in_the_order_of_the_graph():
    """Whatever the alphabet says."""
    assert ("entry", "block6", "block13") == parts.in_order(XCEPTION, {"block13", "block6", "entry"})


@pytest.mark.parametrize(
    ("name", "expected"),
    [("block3", ("block1", "block2", "block3")), ("block4", ("entry",)), ("block6", ("entry", "block5", "block6"))],
)
def test_everything_up_to_a_cut_is_named_shortly(name, expected):
    """Whole parts by their names."""
    assert expected == parts.up_to(XCEPTION, name)


def test_an_unknown_name_is_refused_with_all_that_there_are():
    """Parts and cuts."""
    with pytest.raises(ConfigurationError, match=r"parts: entry, middle, exit; cuts: block1, .*Received: block9"):
        parts.pieces(XCEPTION, ["entry", "block9"])


@pytest.mark.parametrize(
    "cuts",
    [{"a": "x"}, {"a": "y", "b": "x"}, {"first": "x", "b": "y"}],
    ids=["a part ends nowhere", "out of order", "a name twice"],
)
def test_cuts_that_do_not_refine_the_parts_are_refused(cuts):
    """A part could not be told from its cuts."""
    with pytest.raises(ConfigurationError, match="must end where one of its cuts does"):
        parts.cuts(Divided({"first": "x", "second": "y"}, cuts))


@pytest.mark.parametrize("modules", [1, 8])
def test_the_cuts_of_any_xception_are_layers_of_it(modules):
    """Shallow, and as deep as the study's."""
    network = Xception(image_size=16, width=1 / 32, middle_modules=modules, stem_stride=1)
    model = network.build(2)

    assert modules + 6 == len(parts.cuts(network))
    assert all(model.get_layer(end) is not None for end in parts.cuts(network).values())
