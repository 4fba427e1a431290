"""Other places for a report: experiment trackers, with a module for each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tlbench.errors import SinkError


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tlbench.report.content import Report

# By the library that each needs, which is the extra's name too: a new sink is a module and a line here.
SINKS = {"mlflow": "tlbench.report.sinks.mlflow_runs", "tensorboard": "tlbench.report.sinks.tensorboard_logs"}


def send(report: Report, targets: Mapping[str, str | None]) -> Iterator[str]:
    """Send a report wherever it is wanted; where one place fails, the others are tried all the same.

    Args:
        report: What it says.
        targets: A tracking server's address, or a folder, by the sink's name; None where it is not wanted.

    Yields:
        Where it went, a line each.

    Raises:
        SinkError: A library is missing, or what it talks to does not answer; the report itself is written by then.
    """
    failures = []
    for name, target in targets.items():
        if target is None:
            continue
        try:
            yield import_module(SINKS[name]).send(report, target)
        except ImportError as error:
            failures.append(f'The report was not sent to {name}: pip install "tlbench[{name}]". Received: {error}')
        except SinkError as error:
            failures.append(str(error))
        except Exception as error:  # noqa: BLE001 - told below, whatever a library or a server raises
            failures.append(
                f"The report was not sent to {name} at {target}; it is written, and 'tlbench report' sends it again. "
                f"Received: {error}"
            )
    if failures:
        raise SinkError("\n".join(failures))
