"""Where else a report can go: through what people follow their experiments with; a module for each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tlbench.errors import SinkError, TlbenchError


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tlbench.report.content import Report

# By the library that each needs, which is the extra's name too: a new sink is a module and a line here.
SINKS = {"mlflow": "tlbench.report.sinks.mlflow_runs", "tensorboard": "tlbench.report.sinks.tensorboard_logs"}


def send(report: Report, targets: Mapping[str, str | None]) -> list[str]:
    """Send a report wherever it is wanted.

    Args:
        report: What it says.
        targets: A tracking server's address, or a folder, by the sink's name; None where it is not wanted.

    Returns:
        Where it went, a line each.

    Raises:
        SinkError: A library is missing, or what it talks to does not answer; the report itself is written by then.
    """
    lines = []
    for name, target in targets.items():
        if target is None:
            continue
        try:
            sent: Callable[[Report, str], str] = import_module(SINKS[name]).send
            lines.append(sent(report, target))
        except ImportError as error:
            msg = f'The report was not sent to {name}, which is not installed: pip install "tlbench[{name}]". {error}'
            raise SinkError(msg) from error
        except TlbenchError:
            raise
        except Exception as error:
            msg = (
                f"The report was not sent to {name} at {target}; it is written, and 'tlbench report' sends it again. "
                f"Received: {error}"
            )
            raise SinkError(msg) from error
    return lines
