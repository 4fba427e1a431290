"""The command on networks: a list of the families, and the parts of one network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tabulate import tabulate

from tlbench.machine import backends
from tlbench.networks import applications, flows, parts
from tlbench.networks.listed import FAMILIES, parse
from tlbench.networks.xception import Xception


if TYPE_CHECKING:
    from collections.abc import Iterable


@click.command("networks")
@click.argument("network", required=False, metavar="[FAMILY:SETTINGS]")
def networks_command(network: str | None) -> None:
    """List the families of networks that --tlbench-network takes, or the parts of one network.

    Of the families: their sizes and published weights. Parameters and
    multiply-adds are those of the network without its head, at 224 px.

    Of a network, for instance mobilenet:alpha=0.25,image_size=96: the last
    layer, the layers, the parameters and the cuts of each part.
    """
    click.echo(_families() if network is None else _parts(network))


def _families() -> str:
    rows = []
    for name in FAMILIES:
        network = parse(name)
        if isinstance(network, Xception):
            size: tuple[str, ...] = (str(network.image_size), "by width and depth", "")
        else:
            parameters, multiply_adds = applications.sizes(network.function)
            size = (str(network.image_size), f"{parameters / 1e6:.1f} M", f"{multiply_adds / 1e6:,.0f} M")
        rows.append((name, *size, "ImageNet" if network.pretrained else ""))
    headings = ("family", "image size", "parameters", "multiply-adds", "weights")
    table = tabulate(rows, headings, colalign=("left", "right", "right", "right", "left"), disable_numparse=True)
    return f"{table}\n\nAn example: --tlbench-network mobilenet:alpha=0.25,image_size=96,batchnorm_momentum=0.9"


def _parts(text: str) -> str:
    backends.version(backends.backend())  # Raises an error with a remedy, where an import of Keras has a traceback.
    network = parse(text)
    # A head of two labels, which is no part of the counts.
    divided = flows.flows(network.build(2), network.flow_ends)
    rows = []
    for name, end in network.flow_ends.items():
        within = parts.pieces(network, [name])
        cuts = " ".join(cut for cut in parts.cuts(network) if cut in within)
        rows.append((name, end, str(len(divided[name])), f"{_parameters(divided[name]):,}", cuts))
    total = sum(_parameters(divided[name]) for name in network.flow_ends)
    weights = network.pretrained.name if network.pretrained else "none published"
    return "\n".join(
        [
            tabulate(
                rows,
                ("part", "last layer", "layers", "parameters", "cuts"),
                colalign=("left", "left", "right", "right", "left"),
                disable_numparse=True,
                maxcolwidths=[None, None, None, None, 60],
            ),
            "",
            f"{network}: {total:,} parameters without the head; weights: {weights}.",
        ]
    )


def _parameters(layers: Iterable[Any]) -> int:
    return sum(int(layer.count_params()) for layer in layers)


COMMANDS = (networks_command,)
