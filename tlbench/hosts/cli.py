"""The command `tlbench`: saved runs compared, and studies run under other versions."""

from __future__ import annotations

from typing import Any

import click

from tlbench import __version__
from tlbench.errors import TlbenchError
from tlbench.hosts.commands import networks, saved_runs, start, stores, upgrades, versions
from tlbench.hosts.commands.shared import COULD_NOT_RUN


class _Group(click.Group):
    """Turns tlbench's errors into a line and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TlbenchError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(COULD_NOT_RUN)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Is what we believe about transfer learning still true after this change?"""


for commands in (start, upgrades, versions, saved_runs, stores, networks):
    for command in commands.COMMANDS:
        main.add_command(command)
