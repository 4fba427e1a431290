"""Looks a whole store over: results of every environment, saved runs, and what interrupted runs have left.

A run looks at the results that it needs, and mends those by itself. Nothing else looks at the others.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import time

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import filelock

from tlbench.errors import StoreError
from tlbench.store import baselines, files, folders
from tlbench.store.publishing import UNFINISHED


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# After so long nobody is still writing a file, whichever machine it is that shares the store.
LEFTOVER_SECONDS = 24 * 3600

# How names of files begin or end that are still being written, or were when their process ended; those of earlier
# versions too.
_UNFINISHED_FILES = (f"{UNFINISHED}*", f".{folders.MARKER}-*", f".{folders.LAST_REPORT}-*", ".*.unfinished")


@dataclass(frozen=True)
class Finding:
    """Something in a store that should not be there, or not so.

    Attributes:
        path: Where, from the store on.
        problem: What is wrong, in a phrase.
        outcome: What was done about it, or what can be.
        kind: `"damaged"`, `"leftover"` or `"unreadable"`.
    """

    path: Path
    problem: str
    outcome: str
    kind: str


@dataclass(frozen=True)
class Examination:
    """The findings of an examination of a store.

    Attributes:
        results: Number of results that were read, those of evaluations among them.
        saved_runs: Number of saved runs that were read.
        findings: In the order of the store's folders.
    """

    results: int
    saved_runs: int
    findings: tuple[Finding, ...]

    @property
    def summary(self) -> str:
        """Counts, in a line."""
        count = {kind: sum(found.kind == kind for found in self.findings) for kind in ("damaged", "leftover")}
        others = len(self.findings) - sum(count.values())
        return (
            f"{_number(self.results, 'result')} and {_number(self.saved_runs, 'saved run')} were read: "
            f"{count['damaged']} damaged, {_number(count['leftover'], 'leftover')}, {others} that cannot be read."
        )


class _Mend(NamedTuple):
    """The remedy for a finding: `done` after the function was called, `remedy` before."""

    remedy: str
    done: str
    mend: Callable[[], object]


def examine(folder: Path, *, repair: bool = False) -> Examination:
    """Look a store over, the results of `--tlbench-reference` in it too.

    Args:
        folder: The store.
        repair: Whether to set damaged results aside and to remove leftovers. Nothing that may be a result is deleted.

    Raises:
        StoreError: It is no store, was written by a newer tlbench, or, to be repaired, cannot be written.
    """
    if not (folder / "results").is_dir() and not (folder / folders.MARKER).exists():
        msg = f"There is no store; name one with --store. Received: {folder}"
        raise StoreError(msg)
    try:
        examiner = _Examiner(folder, repair=repair)
        for place in (folder, *sorted(folder.glob("reference-*"))):
            if place.is_dir():
                examiner.look_over(place)
    except OSError as error:
        msg = f"The store {folder} cannot be looked over; see to its permissions and its disk. Received: {error}"
        raise StoreError(msg) from error
    return Examination(examiner.results, examiner.saved_runs, tuple(examiner.findings))


class _Examiner:
    """Collects what it finds.

    Args:
        root: Whence paths are told.
        repair: Whether to repair, see `examine`.
    """

    def __init__(self, root: Path, *, repair: bool) -> None:
        self._root = root
        self._repair = repair
        self.results = 0
        self.saved_runs = 0
        self.findings: list[Finding] = []

    def look_over(self, folder: Path) -> None:
        """Look over one store."""
        self._marker(folder)
        for place in _environments(folder):
            for result in _folders(place):
                if not result.name.startswith("."):
                    self._result(folder, result)
        self._last_report(folder)
        self._saved_runs(folder)
        self._leftovers(folder)

    def _marker(self, folder: Path) -> None:
        marker = folder / folders.MARKER
        if not marker.exists():
            write = _Mend("--repair writes it", "written", lambda: folders.mark(folder))
            self._found(marker, "missing", "damaged", write)
            return
        try:
            folders.check_schema(folder)
        except folders.MarkerError:
            write = _Mend(
                "--repair sets it aside and writes it anew",
                f"written anew; the old one is in {folders.DAMAGED}",
                lambda: _mark_anew(folder, marker),
            )
            self._found(marker, "does not say its schema_version", "damaged", write)

    def _result(self, folder: Path, place: Path) -> None:
        self.results += 1
        try:
            problem = files.damage(place, place.name)
            if problem is None:
                return
        except StoreError as error:
            self._found(place, str(error), "unreadable")
            return
        move = _Mend(
            "--repair sets it aside; the next run that needs it computes it again",
            f"set aside in {folders.DAMAGED}",
            lambda: folders.set_aside(folder, place, place.name),
        )
        self._found(place, problem, "damaged", move)

    def _last_report(self, folder: Path) -> None:
        path = folder / folders.LAST_REPORT
        with contextlib.suppress(FileNotFoundError):
            try:
                json.loads(path.read_bytes())
            except (ValueError, RecursionError):
                move = _Mend(
                    "--repair sets it aside; the next run writes it",
                    f"set aside in {folders.DAMAGED}",
                    lambda: _set_file_aside(folder, path),
                )
                self._found(path, "is no JSON", "damaged", move)

    def _saved_runs(self, folder: Path) -> None:
        for path in baselines.saved_runs(folder / "baselines"):
            self.saved_runs += 1
            try:
                baselines.load(path)
            except StoreError as error:
                self._found(path, str(error), "unreadable")

    def _leftovers(self, folder: Path) -> None:
        for place in _environments(folder):
            for unfinished in place.glob(f"{UNFINISHED}*"):
                digest = unfinished.name.removeprefix(UNFINISHED).partition("-")[0]
                # Who trains the trial has its lock. Names of earlier versions do not tell the trial.
                if _is_old(unfinished) or (len(digest) == 32 and _is_free(folder, place / digest)):
                    self._leftover(unfinished, "of a trial that was interrupted while it was stored")
        for place in (folder, folder / "report", *_folders(folder / "baselines")):
            for pattern in _UNFINISHED_FILES:
                for path in place.glob(pattern):
                    if path.is_file() and _is_old(path):
                        self._leftover(path, "of a process that ended while it wrote")
        for path in (folder / "locks").glob("*.lock"):
            environment, _, digest = path.stem.rpartition("-")
            places = [folder / name / environment / digest for name in ("results", folders.EVALUATIONS)]
            if _is_old(path) and not any(place.exists() for place in places) and _is_free(folder, places[0]):
                self._leftover(path, "the lock of a trial that nobody has or trains")

    def _leftover(self, path: Path, problem: str) -> None:
        remove = _Mend("--repair removes it", "removed", lambda: _remove(path))
        self._found(path, problem, "leftover", remove)

    def _found(self, path: Path, problem: str, kind: str, mend: _Mend | None = None) -> None:
        outcome = "left as it is" if self._repair else "see to it yourself"
        if mend is not None:
            outcome = mend.done if self._repair else mend.remedy
            if self._repair:
                mend.mend()
        self.findings.append(Finding(path.relative_to(self._root), problem, outcome, kind))


def _environments(folder: Path) -> Iterator[Path]:
    """The folders of results and of evaluations, one of each for an environment."""
    for name in ("results", folders.EVALUATIONS):
        yield from _folders(folder / name)


def _folders(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from (path for path in sorted(place.iterdir()) if path.is_dir())


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > LEFTOVER_SECONDS
    except FileNotFoundError:  # Whoever wrote it has finished.
        return False


def _is_free(folder: Path, place: Path) -> bool:
    """Tell whether the lock of a trial is free; a missing lock is not made to find out."""
    path = folders.lock_path(folder, place)
    if not path.exists():
        return True
    try:
        with filelock.FileLock(path).acquire(blocking=False):
            return True
    except OSError:  # Somebody has it, or it is not ours to ask.
        return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _mark_anew(folder: Path, marker: Path) -> None:
    _set_file_aside(folder, marker)
    folders.mark(folder)


def _set_file_aside(folder: Path, path: Path) -> None:
    kept = folder / folders.DAMAGED
    kept.mkdir(exist_ok=True)
    path.rename(next(to for number in itertools.count(1) if not (to := kept / f"{path.name}-{number}").exists()))


def _number(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"
