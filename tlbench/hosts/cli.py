"""The command `tlbench`: saved runs compared, and studies run under other versions."""

from __future__ import annotations

import importlib

from typing import Any

import click

from tlbench import __version__
from tlbench.errors import TlbenchError


# In the order of `--help`: each command's module below `tlbench.hosts.commands`, and the first clause of its
# description, so that help imports none of them.
COMMANDS = {
    "upgrade": ("upgrades", "Run the study under OLD and under NEW requirements, and compare"),
    "bisect": (
        "versions",
        "Find the first version of PACKAGE, between FIRST and LAST, where a claim or a metric is another than at FIRST",
    ),
    "compare": ("saved_runs", "Compare two saved runs, each a NAME, a NUMBER or a PATH"),
    "matrix": ("matrix", "Run the study in each cell of a matrix, and combine the verdicts"),
    "agree": ("matrix", "Run the study under each BACKEND, and compare the verdicts"),
    "history": ("history", "Follow arms, claims and speed through the saved runs of a NAME"),
    "report": ("stores", "Make a report again, of a store's last run or of a results.json"),
    "list": ("saved_runs", "List saved runs, and how many trials the store has of each environment"),
    "show": ("saved_runs", "Show a saved run"),
    "accept": ("history", "Make a saved RUN, a NAME or a NUMBER, the reference of its series"),
    "prune": ("history", "List, or delete, the saved runs of a NAME that the policy does not keep"),
    "power": ("saved_runs", "Say how many seeds decide which difference, from the noise of RUN"),
    "fingerprint": (
        "versions",
        "Compute what one fixed network does here, in seconds, and name what first differs from another's",
    ),
    "networks": ("networks", "List the families of networks that --tlbench-network takes, or the parts of one network"),
    "doctor": ("stores", "Check a whole store"),
    "init": ("start", "Start a study in FOLDER, by default here"),
}

EXAMPLE = """\b
For instance:
  tlbench upgrade "keras==3.12.4" "keras==3.15.1"   may this upgrade be made?
  tlbench report .tlbench                           make the last run's page again
"""


class _Group(click.Group):
    """Turns tlbench's errors into a line and exit status 2, and lists commands with a whole sentence each."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Names of the commands, those of daily use first."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """The command of a name, whose module is imported for that."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"tlbench.hosts.commands.{COMMANDS[name][0]}")
        found: click.Command = next(command for command in module.COMMANDS if command.name == name)
        return found

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with the first clause of its description, which click would cut."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, clause) for name, (_, clause) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TlbenchError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(2)  # `tlbench.hosts.commands.shared.COULD_NOT_RUN`, whose module imports much.


@click.group(
    cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=EXAMPLE
)
@click.version_option(__version__)
def main() -> None:
    """Is what we believe about transfer learning still true after this change?"""
