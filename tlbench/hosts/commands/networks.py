"""The command on networks: a list of the families."""

from __future__ import annotations

import click

from tabulate import tabulate

from tlbench.networks import applications
from tlbench.networks.listed import FAMILIES, parse
from tlbench.networks.xception import Xception


@click.command("networks")
def networks_command() -> None:
    """List the families of networks that --tlbench-network takes, with their sizes and published weights.

    Parameters and multiply-adds are those of the network without its head, at 224 px.
    """
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
    click.echo(tabulate(rows, headings, colalign=("left", "right", "right", "right", "left"), disable_numparse=True))
    click.echo("\nAn example: --tlbench-network mobilenet:alpha=0.25,image_size=96,batchnorm_momentum=0.9")


COMMANDS = (networks_command,)
