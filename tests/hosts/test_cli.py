"""The command line as a whole."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys

from importlib import import_module

from click.testing import CliRunner

from tlbench.hosts import commands
from tlbench.hosts.cli import COMMANDS, main


def test_help_lists_the_commands_of_daily_use_first():
    """Each with a whole clause, and with examples below."""
    told = CliRunner().invoke(main, ["--help"], terminal_width=80).output

    listed = re.findall(r"^  ([a-z]+)  ", told.partition("Commands:")[2].partition("For instance:")[0], re.MULTILINE)
    assert ["upgrade", "bisect", "compare"] == listed[:3]
    assert list(COMMANDS) == listed
    assert "..." not in told.partition("Commands:")[2]
    assert 'tlbench upgrade "keras==3.12.4" "keras==3.15.1"' in told


def test_every_command_is_listed_with_its_own_words():
    """The list says the first clause of the description, so that help imports no command."""
    modules = [import_module(f"tlbench.hosts.commands.{each.name}") for each in pkgutil.iter_modules(commands.__path__)]
    made = {command.name: command for module in modules for command in getattr(module, "COMMANDS", ())}

    assert set(made) == set(COMMANDS)
    for name, (_, clause) in COMMANDS.items():
        text = " ".join(made[name].help.partition("\n\n")[0].split())
        assert clause == re.split(r"[;:]|\.(?=\s|$)", text)[0]


def test_help_imports_no_numpy():
    """It is to be there at once."""
    code = (
        "import sys\nfrom tlbench.hosts.cli import main\n"
        "main(['--help'], standalone_mode=False)\nsys.exit('numpy' in sys.modules)"
    )

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode
