"""Names of a network's parts: coarse parts, such as flows or stages, and finer cuts within them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tlbench.errors import ConfigurationError


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Divided(Protocol):
    """A network with named parts. A property `cuts`, with more and finer ends, is optional."""

    @property
    def flow_ends(self) -> Mapping[str, str]:
        """Name of the last layer of each part, in the order of the graph."""


def cuts(network: Divided) -> dict[str, str]:
    """Name of the last layer of each of a network's finest pieces, in the order of the graph.

    Args:
        network: A network; its parts are the finest pieces unless the network has `cuts`.

    Raises:
        ConfigurationError: The network's parts do not end where cuts do, or a part and a cut share a name.
    """
    parts, finer = dict(network.flow_ends), dict(getattr(network, "cuts", network.flow_ends))
    if finer == parts:
        return parts
    ends = list(finer.values())
    places = [ends.index(end) if end in ends else -1 for end in parts.values()]
    if -1 in places or places != sorted(places) or parts.keys() & finer.keys():
        msg = (
            "Every part of a network must end where one of its cuts does, in the same order, and under another name. "
            f"Received: flow_ends={parts}, cuts={finer}"
        )
        raise ConfigurationError(msg)
    return finer


def pieces(network: Divided, names: Iterable[str]) -> frozenset[str]:
    """The finest pieces that some parts and cuts cover together, by name.

    Args:
        network: A network.
        names: Names of parts and cuts, which may overlap.

    Raises:
        ConfigurationError: The network has no part and no cut of a name.
    """
    finest = cuts(network)
    members = _members(network, finest)
    unknown = sorted(set(names) - members.keys())
    if unknown:
        parts = ", ".join(network.flow_ends)
        finer = "" if finest.keys() == network.flow_ends.keys() else f"; cuts: {', '.join(finest)}"
        msg = f"The network has no part or cut of that name; parts: {parts}{finer}. Received: {', '.join(unknown)}"
        raise ConfigurationError(msg)
    return frozenset(piece for name in names for piece in members[name])


def canonical(network: Divided, names: Iterable[str]) -> frozenset[str]:
    """The same pieces under as few names as possible: a part in place of all cuts within it.

    Args:
        network: A network.
        names: Names of parts and cuts, which may overlap.

    Raises:
        ConfigurationError: The network has no part and no cut of a name.
    """
    names = frozenset(names)
    if names <= network.flow_ends.keys():  # Parts do not overlap. Most trials name no cut, and every trial comes here.
        return names
    covered = pieces(network, names)
    members = _members(network, cuts(network))
    whole = {part for part in network.flow_ends if members[part] <= covered}
    left = covered - frozenset(piece for part in whole for piece in members[part])
    return frozenset(whole) | left


def in_order(network: Divided, names: Iterable[str]) -> tuple[str, ...]:
    """Names of parts and cuts in the order of the graph.

    Args:
        network: A network.
        names: Names that do not overlap, as of `canonical`.
    """
    order = list(cuts(network))
    members = _members(network, cuts(network))
    return tuple(sorted(names, key=lambda name: min(order.index(piece) for piece in members[name])))


def up_to(network: Divided, name: str) -> tuple[str, ...]:
    """Names of the parts and cuts from the input of a network to the end of one of them, in the order of the graph.

    Args:
        network: A network.
        name: Name of a part or a cut, the last of them.

    Raises:
        ConfigurationError: The network has no part and no cut of that name.
    """
    order = list(cuts(network))
    last = max(order.index(piece) for piece in pieces(network, [name]))
    return in_order(network, canonical(network, order[: last + 1]))


def ends(network: Divided, names: Iterable[str]) -> dict[str, str]:
    """Name of the last layer of each piece, as coarse as some names allow, in the order of the graph.

    Args:
        network: A network.
        names: Names of parts and cuts.
    """
    return dict(network.flow_ends) if set(names) <= set(network.flow_ends) else cuts(network)


def _members(network: Divided, finest: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """The finest pieces within each part and cut."""
    members = {name: frozenset([name]) for name in finest}
    names, last_layers = list(finest), list(finest.values())
    begin = 0
    for part, end in network.flow_ends.items():
        stop = last_layers.index(end) + 1
        members[part] = frozenset(names[begin:stop])
        begin = stop
    return members
