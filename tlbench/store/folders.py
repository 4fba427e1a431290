"""The folder of a store: its marker, its locks, and the place of damaged results."""

from __future__ import annotations

import contextlib
import itertools
import json
import tempfile

from typing import TYPE_CHECKING

import filelock

from tlbench.errors import StoreError, UnwritableError
from tlbench.store.files import SCHEMA_VERSION, damage
from tlbench.store.publishing import publish, sync_folder


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# The report of the last run.
LAST_REPORT = "results.json"

# Says the schema_version of a store.
MARKER = "store.json"


# Where results are kept that are not what was stored.
DAMAGED = "damaged"

# Results of evaluations, in a folder for each environment, as `results` has those of trials.
EVALUATIONS = "evaluations"


class MarkerError(StoreError):
    """The `store.json` of a folder does not say its schema_version."""


def mark(folder: Path) -> None:
    """Write the `store.json` of a store, where it has none.

    Raises:
        OSError: It cannot be written.
    """
    write_once(folder / MARKER, json.dumps({"schema_version": SCHEMA_VERSION}) + "\n")


def check_schema(folder: Path) -> None:
    """Make sure that a folder is a store of this tlbench, or can become one.

    Raises:
        MarkerError: The folder's `store.json` does not say its schema_version.
        StoreError: It was written by a newer tlbench, or is no store.
    """
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        msg = f"The store must be a folder; choose another with --tlbench-store. Received: {folder}"
        raise StoreError(msg)
    if not marker.is_file():
        return
    try:
        version = json.loads(marker.read_text(encoding="utf-8"))["schema_version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        msg = (
            f"{marker} does not say its schema_version; mend it with `tlbench doctor --repair`, or choose another "
            "folder with --tlbench-store."
        )
        raise MarkerError(msg) from error
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        msg = (
            f"The store {folder} was written by a newer tlbench: this one reads schema_version up to "
            f"{SCHEMA_VERSION}. Received: {version!r}. Upgrade tlbench, or choose another folder with "
            "--tlbench-store; nothing in it was changed."
        )
        raise StoreError(msg)


def set_aside(folder: Path, place: Path, digest: str) -> str | None:
    """Move a damaged result out of the way; see `Store.set_aside`.

    Args:
        folder: The store.
        place: Folder of the result in the store.
        digest: Digest of its trial, or the first digits.
    """
    with lock(folder, place):
        # Another process may have set it aside and trained it meanwhile.
        reason = damage(place, digest) if place.exists() else None
        if reason is not None:
            try:
                move_aside(folder, place)
            except OSError as error:
                raise unwritable(folder, error) from error
        return reason


@contextlib.contextmanager
def lock(folder: Path, place: Path, *, wait: bool = True) -> Iterator[None]:
    """Keep other processes from a trial; see `Store.lock`.

    Args:
        folder: The store.
        place: Folder of the trial's result in the store.
        wait: Until no other process has it.
    """
    locks = folder / "locks"
    try:
        locks.mkdir(exist_ok=True)
        held = filelock.FileLock(lock_path(folder, place))
        held.acquire(blocking=wait)
    except filelock.Timeout:
        raise
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield
    finally:
        held.release()


def lock_path(folder: Path, place: Path) -> Path:
    """The file whose lock is that of a trial.

    Args:
        folder: The store.
        place: Folder of the trial's result in the store.
    """
    return folder / "locks" / f"{place.parent.name}-{place.name}.lock"


def move_aside(folder: Path, place: Path) -> Path:
    """Move a result to where damaged ones are kept; whoever calls has the trial's lock."""
    kept = folder / DAMAGED / place.parent.name
    kept.mkdir(parents=True, exist_ok=True)
    target = next(path for number in itertools.count(1) if not (path := kept / f"{place.name}-{number}").exists())
    place.rename(target)
    sync_folder(kept)
    sync_folder(place.parent)
    return target


def write_once(path: Path, text: str) -> None:
    """Write a file, unless it is there."""
    if not path.exists():
        publish(path, text)


def unwritable(folder: Path, error: OSError) -> UnwritableError:
    """The error that tells a user of a store that cannot be written."""
    msg = f"The store {folder} cannot be written; choose another folder with --tlbench-store. Received: {error}"
    return UnwritableError(msg)


def prepare(folder: Path) -> None:
    """Make a store of a folder, and make sure that the folder can be written.

    Args:
        folder: Folder of the store, which may be missing.

    Raises:
        UnwritableError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        mark(folder)
        write_once(folder / ".gitignore", "# Made by tlbench.\n*\n")
        write_once(
            folder / "CACHEDIR.TAG",
            "Signature: 8a477f597d28d172789f06886806bc55\n# See https://bford.info/cachedir/\n",
        )
    except OSError as error:
        raise unwritable(folder, error) from error


def keep_report(folder: Path, text: str) -> None:
    """Keep the report of a store's last run, for `tlbench report`.

    Args:
        folder: Folder of the store, which may be missing.
        text: Content of `results.json`.

    Raises:
        UnwritableError: The folder cannot be written.
    """
    prepare(folder)
    try:
        publish(folder / LAST_REPORT, text)
    except OSError as error:
        raise unwritable(folder, error) from error
