"""The command `tlbench`: saved runs compared, and studies run under other versions."""

from __future__ import annotations

import re

from typing import Any

import click

from tlbench import __version__
from tlbench.errors import TlbenchError
from tlbench.hosts.commands import history, networks, saved_runs, start, stores, upgrades, versions
from tlbench.hosts.commands.shared import COULD_NOT_RUN


# In the order of `--help`; any other command follows.
ORDER = ("upgrade", "bisect", "compare", "history", "report", "list", "show")

EXAMPLE = """\b
Examples:
  tlbench upgrade "keras==3.12.4" "keras==3.15.1"   may this upgrade be made?
  tlbench report .tlbench                           make the last run's page again
"""


class _Group(click.Group):
    """Turns tlbench's errors into a line and exit status 2, and lists commands with a whole sentence each."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, those of daily use first."""
        known = super().list_commands(ctx)
        return [*(name for name in ORDER if name in known), *(name for name in known if name not in ORDER)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with the first clause of its description, which click would cut."""
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            text = (command.help or "").partition("\n\n")[0] if command else ""
            rows.append((name, re.split(r"[;:]|\.(?=\s|$)", " ".join(text.split()))[0]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TlbenchError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(COULD_NOT_RUN)


@click.group(
    cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=EXAMPLE
)
@click.version_option(__version__)
def main() -> None:
    """Is what we believe about transfer learning still true after this change?"""


for commands in (start, upgrades, versions, saved_runs, history, stores, networks):
    for command in commands.COMMANDS:
        main.add_command(command)
