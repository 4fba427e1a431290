"""The command line as a whole."""

from __future__ import annotations

import re

from click.testing import CliRunner

from tlbench.hosts.cli import main


def test_help_lists_the_commands_of_daily_use_first():
    """Each with a whole clause, and with examples below."""
    told = CliRunner().invoke(main, ["--help"], terminal_width=80).output

    listed = re.findall(r"^  ([a-z]+)  ", told.partition("Commands:")[2].partition("Examples:")[0], re.MULTILINE)
    assert ["upgrade", "bisect", "compare"] == listed[:3]
    assert set(main.commands) == set(listed)
    assert "..." not in told.partition("Commands:")[2]
    assert 'tlbench upgrade "keras==3.12.4" "keras==3.15.1"' in told
