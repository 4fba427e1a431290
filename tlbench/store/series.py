"""Series of saved runs: the nights of a name, the accepted one among them, and the policy by which they are kept."""

from __future__ import annotations

import fnmatch
import json

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError, StoreError
from tlbench.store import baselines
from tlbench.store.baselines import ACCEPTED, accepted_runs
from tlbench.store.publishing import publish


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tlbench.store.baselines import SavedRun


def machines(folder: Path, pattern: str) -> list[str]:
    """Machines that saved runs of a name, the one that saved the latest last.

    Args:
        folder: Folder of all machines' runs.
        pattern: Name of the runs; `*` and `?` stand for any characters.
    """
    # Runs stand in order: the last of a machine is its latest.
    last = {
        path.parent.name: path for path in baselines.saved_runs(folder) if fnmatch.fnmatchcase(name_of(path), pattern)
    }
    return sorted(last, key=lambda machine: _created(last[machine])) if len(last) > 1 else list(last)


def _created(path: Path) -> str:
    try:
        return baselines.load(path).created
    except StoreError:
        return ""


def series(folder: Path, machine: str, pattern: str) -> list[Path]:
    """Files of the runs of a name that a machine saved, in order.

    Args:
        folder: Folder of all machines' runs.
        machine: Machine that saved the runs.
        pattern: Name of the runs; `*` and `?` stand for any characters.
    """
    paths = baselines.runs_of_machine(folder / machine)
    return [path for path in paths if fnmatch.fnmatchcase(name_of(path), pattern)]


def name_of(path: Path) -> str:
    """Name under which the run of a file was saved, without its number."""
    return path.stem.partition("_")[2]


def accept(path: Path) -> None:
    """Make a saved run the reference of its series.

    Args:
        path: File of the run.

    Raises:
        StoreError: The folder cannot be written.
    """
    place = path.parent
    accepted = [*(name for name in accepted_runs(place) if name != path.stem), path.stem]
    try:
        publish(place / ACCEPTED, json.dumps({"schema_version": 1, "accepted": accepted}, indent=1) + "\n")
    except OSError as error:
        msg = f"The accepted run cannot be noted in {place}; make the folder writable. Received: {error}"
        raise StoreError(msg) from error


def reference(paths: Sequence[Path]) -> int:
    """Position of the reference in a series: the run accepted last, else the oldest that failed no comparison.

    Args:
        paths: Files of the series, in order, one or more.
    """
    names = [path.stem for path in paths]
    accepted = next((name for name in reversed(accepted_runs(paths[0].parent)) if name in names), None)
    if accepted is not None:
        return names.index(accepted)
    return next((position for position, path in enumerate(paths) if not baselines.has_failed(path)), 0)


@dataclass(frozen=True)
class Policy:
    """Saved runs to keep of a series.

    The reference and the nights right after it are always kept, and so are the first night of each environment and the
    last night.

    Attributes:
        nightly_days: Number of days, back from the last night, of which every night is kept.
        weekly_weeks: Number of weeks before these days, of which the first night of each is kept. Of anything older,
            the first night of each month is kept.
        reference_nights: Number of nights kept from the reference on.
    """

    nightly_days: int = 90
    weekly_weeks: int = 52
    reference_nights: int = 28

    def __post_init__(self) -> None:
        for name in ("nightly_days", "weekly_weeks"):
            if getattr(self, name) < 0:
                option = f"--{name.replace('_', '-')}"
                msg = f"{option} must not be negative. Received: {getattr(self, name)}"
                raise ConfigurationError(msg)

    def __str__(self) -> str:
        """The policy in a sentence."""
        return (
            f"every night of the last {self.nightly_days} days, then one a week for {self.weekly_weeks} weeks, then "
            f"one a month; the reference with its {self.reference_nights} nights, and the first night of each "
            "environment"
        )

    def surplus(self, runs: Sequence[SavedRun], reference: int) -> list[int]:
        """Positions of the runs that the policy does not keep.

        Args:
            runs: Runs of a series, in order.
            reference: Position of the reference.
        """
        if not runs:
            return []
        dates = [date_of(run) for run in runs]
        last = dates[-1]
        kept = {len(runs) - 1, *range(reference, reference + self.reference_nights)}
        kept |= {position for position in range(len(runs)) if last - dates[position] <= timedelta(self.nightly_days)}
        weekly_from = last - timedelta(self.nightly_days) - timedelta(weeks=self.weekly_weeks)
        kept |= _firsts(
            date.isocalendar()[:2] if date >= weekly_from else (date.year, date.month, "month") for date in dates
        )
        environments = [run.surroundings.environment for run in runs]
        kept |= {
            position
            for position, environment in enumerate(environments)
            if position == 0 or environment != environments[position - 1]
        }
        return [position for position in range(len(runs)) if position not in kept]


def _firsts(keys: Iterable[object]) -> set[int]:
    """Positions at which a key is there for the first time."""
    seen: set[object] = set()
    found = set()
    for position, key in enumerate(keys):
        if key not in seen:
            seen.add(key)
            found.add(position)
    return found


def date_of(run: SavedRun) -> datetime:
    """Time at which a run was saved.

    Raises:
        StoreError: The run does not say.
    """
    try:
        date = datetime.fromisoformat(run.created)
    except ValueError as error:
        msg = f"The saved run {run.name} does not say when it was saved; save it again. Received: {run.created!r}"
        raise StoreError(msg) from error
    return date if date.tzinfo else date.replace(tzinfo=UTC)
