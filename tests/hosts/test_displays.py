"""Displays of progress, in a log and in a terminal."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import select
import subprocess
import sys
import time

from dataclasses import replace
from types import SimpleNamespace

import projects
import pytest

from rich.console import Console

from tlbench.hosts.displays import Live, Log, summary, view
from tlbench.run.progress import RunningTrial, State


STATE = State(3, 76, 95.2, 240.0, (RunningTrial("8-classes, seed 1", 2, 6, 0.413, 7.9),), 1, 12)

# Takes long enough to be watched.
SLOW = """
import time

import pytest
from tlbench import score

def learns(study):
    return score(study.random("mine")).is_positive()

@pytest.mark.tlbench_claim(declare=learns)
def test_learns(verdict):
    assert verdict.supported, verdict

def test_long():
    time.sleep(20)
"""


class Reporter:
    """What displays need of pytest's reporter."""

    def __init__(self):
        self.text = io.StringIO()
        self.flushed = 0
        self._tw = SimpleNamespace(_file=self.text, fullwidth=80)

    def ensure_newline(self):
        """Part of the reporter's interface, as the others."""

    def write_line(self, line):
        """As the reporter."""
        self.text.write(f"{line}\n")

    def flush(self):
        """As the reporter."""
        self.flushed += 1


def test_a_log_gets_a_line_for_each_trial_and_a_state_after_a_silence():
    """The state comes half a minute after the last line, and starts anew after training."""
    reporter, now = Reporter(), [0.0]
    log = Log(reporter, contextlib.nullcontext, lambda: now[0])
    for now[0] in (0, 29, 30, 31):
        log.state(STATE)
    log.line("trial 4/76 [an arm]: accuracy 80.0%")
    for now[0] in (60, 61.5):
        log.state(STATE)
    log.rest()
    now[0] = 200
    log.state(STATE)

    told = f"  {summary(STATE)}"
    assert [told, "  trial 4/76 [an arm]: accuracy 80.0%", told] == reporter.text.getvalue().splitlines()
    assert 3 == reporter.flushed


def test_a_state_in_a_line_has_epochs_and_the_time_left():
    """And says so where nothing runs yet."""
    assert "3 of 76 trials after 1:35, 4 min left: [8-classes, seed 1] epoch 2/6" == summary(STATE)
    assert "0 of 2 trials after 0:07: starting" == summary(State(0, 2, 7.3, None, (), 0, 0))


def test_outcomes_so_far_have_a_line():
    """None where no claim has all its trials."""
    state = replace(STATE, so_far={"supported": 3, "inconclusive": 1})
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(view(state))

    assert "so far 1 inconclusive, 3 supported" == console.file.getvalue().splitlines()[1].strip()
    assert "left, so far 1 inconclusive, 3 supported: [" in summary(state)
    assert "so far" not in summary(STATE)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_view_fits_its_terminal(width):
    """Each running trial has a line; labels that are too long are cut, epochs never."""
    running = tuple(RunningTrial(f"{name} {'very ' * 30}long", 2, 6, 0.413, 7.9) for name in "ab")
    console = Console(file=io.StringIO(), width=width, force_terminal=False)

    console.print(view(State(3, 76, 95.2, 240.0, running, 1, 12)))

    lines = console.file.getvalue().splitlines()
    assert 3 == len(lines)
    assert all(len(line) <= width for line in lines)
    assert all("epoch 2/6" in line for line in lines[1:])


def test_a_live_view_leaves_only_lines_behind():
    """The view is erased; lines of trials that have ended stay whole, above it."""
    reporter = Reporter()
    live = Live(reporter, contextlib.nullcontext)
    live.state(STATE)
    live.line("trial 4/76 [an arm]: accuracy 80.0%")
    live.state(STATE)
    live.rest()
    live.line("after training")

    assert ["  trial 4/76 [an arm]: accuracy 80.0%", "  after training"] == screen(reporter.text.getvalue())


def screen(text):
    """The lines that a terminal shows after some text with rich's escape sequences."""
    lines, row, column = [""], 0, 0
    for match in re.finditer(r"\x1b\[(\??\d*(?:;\d+)*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)", text):
        number, command, back, down, shown = match.groups()
        if back:
            column = 0
        elif down:
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif shown:
            lines[row] = lines[row][:column].ljust(column) + shown + lines[row][column + len(shown) :]
            column += len(shown)
        elif command == "A":
            row -= int(number or 1)
        elif command == "K" and number == "2":
            lines[row] = ""
    return [line.rstrip() for line in lines if line.strip()]


@pytest.fixture
def project(pytester):
    pytester.makepyfile(pebble=projects.PEBBLE, conftest=projects.PROFILE, test_study=SLOW)
    return pytester


COMMAND = [
    sys.executable,
    "-m",
    "pytest",
    "-p",
    "no:cacheprovider",
    "--tlbench-profile",
    "tiny",
    "--tlbench-seeds",
    "2",
]


def test_a_pipe_gets_the_lines_of_trials_while_the_run_goes_on(project):
    """As tox reads them: nothing is kept back until there is more."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(COMMAND, cwd=project.path, stdout=subprocess.PIPE, env=environment)
    os.set_blocking(process.stdout.fileno(), False)
    told, deadline = b"", time.monotonic() + 120
    try:
        while b"trial 2/2" not in told and process.poll() is None and time.monotonic() < deadline:
            if select.select([process.stdout], [], [], 1)[0]:
                told += process.stdout.read() or b""
        running = process.poll() is None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

    assert running
    assert re.search(rb"\n  trial 2/2 \[mine, seed \d\]: accuracy \d+", told)


def test_a_terminal_shows_the_state_and_keeps_the_lines(project):
    """In a pseudo-terminal; the lines of both trials begin with their first character."""
    project.makepyfile(test_study=SLOW.replace("time.sleep(20)", "pass"))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(COMMAND, cwd=project.path, stdout=theirs, stderr=subprocess.DEVNULL, close_fds=True)
    os.close(theirs)
    told = b""
    with contextlib.suppress(OSError):  # The other end is closed.
        while chunk := os.read(ours, 4096):
            told += chunk
    process.wait()
    os.close(ours)

    text = told.decode()
    assert "of 2 trials" in text
    assert "epoch 1/2" in text
    lines = screen(text.replace("\r\n", "\n"))
    assert 2 == sum(line.startswith("  trial ") for line in lines)
    assert not any("epoch 1/2" in line for line in lines)
