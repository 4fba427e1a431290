"""Displays of progress: a live view in a terminal, and lines in a log."""

from __future__ import annotations

import contextlib
import time

from typing import TYPE_CHECKING, Any

from tlbench.run.progress import Silent, time_left


if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import pytest

    from tlbench.run.progress import Display, State

# Seconds without a line after which a log gets the state of training.
HEARTBEAT_SECONDS = 30.0


def display(config: pytest.Config, *, silent: bool) -> Display:
    """The display for a session.

    Args:
        config: Configuration of the session.
        silent: Whether nothing is shown, as in a process of pytest-xdist.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or silent or config.get_verbosity() < 0:
        return Silent()
    capture = config.pluginmanager.get_plugin("capturemanager")

    def uncaptured() -> AbstractContextManager[None]:
        # Fixtures run while their output is captured, which progress is no part of.
        return capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()

    return Live(reporter, uncaptured) if reporter.isatty else Log(reporter, uncaptured)


class Log:
    """Lines in a log: one for each trial that has ended, and the state of training where there was none for a while.

    Args:
        reporter: pytest's reporter.
        uncaptured: Makes a context in which output is not captured.
        clock: Gives the time in seconds.
    """

    def __init__(
        self,
        reporter: pytest.TerminalReporter,
        uncaptured: Callable[[], AbstractContextManager[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reporter = reporter
        self._uncaptured = uncaptured
        self._clock = clock
        self._shown: float | None = None

    def line(self, text: str) -> None:
        """Write a line."""
        self._shown = self._clock()
        with self._uncaptured():
            self._reporter.ensure_newline()
            self._reporter.write_line(f"  {text}")
            # A pipe, such as tox's, would keep lines back until there are many.
            self._reporter.flush()

    def state(self, state: State) -> None:
        """Write the state of training, unless a line has been written a short while ago."""
        now = self._clock()
        if self._shown is None:
            self._shown = now
        if now - self._shown >= HEARTBEAT_SECONDS:
            self.line(summary(state))

    def rest(self) -> None:
        """Begin the next wait with the next state."""
        self._shown = None


class Live:
    """A live view in a terminal: trials, epochs and the time left, below the lines of trials that have ended.

    Args:
        reporter: pytest's reporter.
        uncaptured: Makes a context in which output is not captured.
    """

    def __init__(
        self, reporter: pytest.TerminalReporter, uncaptured: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._reporter = reporter
        self._uncaptured = uncaptured
        self._live: Any = None

    def line(self, text: str) -> None:
        """Print a line above the view."""
        with self._uncaptured():
            if self._live is None:
                self._reporter.ensure_newline()
                self._reporter.write_line(f"  {text}")
            else:
                self._live.console.print(f"  {text}", markup=False, highlight=False)

    def state(self, state: State) -> None:
        """Draw the view anew."""
        with self._uncaptured():
            if self._live is None:
                self._live = self._start()
            self._live.update(view(state), refresh=True)

    def rest(self) -> None:
        """Remove the view."""
        if self._live is not None:
            with self._uncaptured():
                self._live.stop()
            self._live = None

    def _start(self) -> Any:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._reporter.ensure_newline()
        self._reporter.flush()
        # The reporter's own file, which pytest shows no other way to.
        console = Console(file=self._reporter._tw._file, width=self._reporter._tw.fullwidth, force_terminal=True)  # noqa: SLF001
        live = RichLive(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        live.start()
        return live


def view(state: State) -> Any:
    """The state of training as a table of `rich`.

    Args:
        state: State of training.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
    table.add_column(no_wrap=True, justify="right")
    claims = f", {state.claims_ready} of {state.claims} claims have all their trials" if state.claims else ""
    table.add_row(
        Text(" "),
        Text(f"{state.finished} of {state.total} trials{claims}", style="bold"),
        Text(f"{_clock(state.seconds)}{_left(state)}", style="bold"),
    )
    if state.so_far:
        table.add_row(Text(" "), Text(_so_far(state), style="dim"), Text())
    if not state.running:
        table.add_row(Text(" "), Text("starting: the backend is imported, networks are compiled", style="dim"), Text())
    for trial in state.running:
        accuracy = "" if trial.accuracy is None else f"training {trial.accuracy:.1%}  "
        table.add_row(
            Text("●", style="cyan"),
            Text(trial.label),
            Text(f"{accuracy}epoch {trial.epoch}/{trial.epochs}  {_clock(trial.seconds)}"),
        )
    return table


def summary(state: State) -> str:
    """The state of training in a line.

    Args:
        state: State of training.
    """
    running = "; ".join(f"[{trial.label}] epoch {trial.epoch}/{trial.epochs}" for trial in state.running)
    done = f"{state.finished} of {state.total} trials after {_clock(state.seconds)}{_left(state)}"
    return f"{done}{f', {_so_far(state)}' if state.so_far else ''}: {running or 'starting'}"


def _so_far(state: State) -> str:
    """Outcomes of the claims that have all their trials; the others count as if nothing spoke for them."""
    return "so far " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(state.so_far.items()))


def _left(state: State) -> str:
    return "" if state.seconds_left is None else f", {time_left(state.seconds_left)}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
