"""The errors that tlbench raises for input it cannot work with."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path


class TlbenchError(Exception):
    """Base of every error that tlbench raises on purpose; its message names the remedy."""


class ConfigurationError(TlbenchError, ValueError):
    """An option or an argument has a value that cannot be worked with."""


class DataError(TlbenchError):
    """Images, an archive or labels cannot be used as they are."""


class WeightsError(TlbenchError):
    """Weights could not be loaded, or are not where they should be."""


class StoreError(TlbenchError):
    """The store cannot be read or written."""


class DamagedError(StoreError):
    """A stored result is not what was stored; whoever finds it sets it aside and trains it again.

    Attributes:
        place: Folder of the result.
        reason: Reason in a phrase.
    """

    def __init__(self, place: Path, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        """One line, with the remedy."""
        return (
            f"The stored result {self.place} is damaged: {self.reason}; `tlbench doctor --repair` sets it aside, and "
            "the next run trains it again."
        )


class UnwritableError(StoreError):
    """The store cannot be written: the disk is full or read-only, or the folder is somebody else's."""


class TrainingError(TlbenchError):
    """A training run broke a rule that its result rests on."""


class EnvironmentFailure(TlbenchError):  # noqa: N818 - a result of an upgrade, as much as an error
    """An environment cannot be installed, or what it holds cannot be run.

    Attributes:
        requirements: What it was to have.
        step: What failed: `"install"`, `"import"`, `"fingerprint"` or `"run"`.
        log: A file with all that was printed.
    """

    def __init__(self, requirements: str, step: str, log: Path, output: str) -> None:
        self.requirements = requirements
        self.step = step
        self.log = log
        last = "\n".join(output.strip().splitlines()[-12:])
        super().__init__(f"{requirements}: {step} failed; all of it is in {log}. The last lines:\n{last}")


class SinkError(TlbenchError):
    """A report could not be sent somewhere else than to files."""
