"""Reads lock files and files of requirements: the versions of all packages that can move a score or a time.

To add a format, write a module with `NAME`, `has_written` and `entries`, and add it to `TOML`.
"""

from __future__ import annotations

import tomllib

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError
from tlbench.hosts.locks import conda, poetry, pylock, requirement_files, uv
from tlbench.hosts.locks.entries import Machine
from tlbench.machine.packages import LEADING, matters


if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tlbench.hosts.locks.entries import Entry

TOML = (uv, poetry, pylock)

NAMES = ", ".join([*(format_.NAME for format_ in TOML), requirement_files.NAME, conda.NAME])


@dataclass(frozen=True)
class Locked:
    """The part of a lock file that can move a score or a time.

    Attributes:
        path: The file.
        packages: Requirement of each such package, by name.
        indexes: Addresses of indexes beside PyPI.
        python: Version of Python that the file names; None where it names none.
        left_out: Packages that matter and that cannot be installed from PyPI, as the file names them.
    """

    path: Path
    packages: dict[str, str]
    indexes: tuple[str, ...] = ()
    python: str | None = None
    left_out: tuple[str, ...] = ()


def read(path: Path, python: str | None = None) -> Locked:
    """Read a file of any format.

    Args:
        path: The file; its content says the format of a TOML file, otherwise its name.
        python: Version of Python that packages are for; None for the file's, or else for the one that runs here.

    Raises:
        ConfigurationError: The file is missing, is of no known format, is damaged, or has several versions of a
            package for this machine.
    """
    if not path.is_file():
        msg = f"A lock file is not there; name one of {NAMES}. Received: {path}"
        raise ConfigurationError(msg)
    if path.suffix in {".yml", ".yaml"}:
        listed = conda.dependencies(path)
        python = python or conda.python(listed, path)
        entries = conda.entries(listed, path, Machine(python))
        return _locked(path, entries, python, tuple(conda.left_out(listed)))
    machine = Machine(python)
    if path.suffix in {".txt", ".in"}:
        return _locked(path, requirement_files.entries(path, machine), python)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read as TOML; name one of {NAMES}. Received: {error}"
        raise ConfigurationError(msg) from error
    try:
        for format_ in TOML:
            if format_.has_written(content):
                return _locked(path, format_.entries(content, path, machine), python)
    except (AttributeError, KeyError, TypeError) as error:
        msg = f"{path} is not as the tool that locks writes it; lock it again. Received: {error!r}"
        raise ConfigurationError(msg) from error
    msg = (
        f"{path} is no lock file that tlbench reads; name one of {NAMES}. Received: keys {', '.join(content) or 'none'}"
    )
    raise ConfigurationError(msg)


def _locked(path: Path, entries: Iterable[Entry], python: str | None, left_out: tuple[str, ...] = ()) -> Locked:
    found: dict[str, str] = {}
    indexes: dict[str, None] = {}
    for entry in entries:
        if not matters(entry.name):
            continue
        indexes |= dict.fromkeys(entry.indexes)
        if found.setdefault(entry.name, entry.requirement) != entry.requirement:
            msg = (
                f"{path} has several versions of {entry.name} for this machine, for extras or groups that exclude one "
                "another; export the one that the study runs with (for instance uv export --extra NAME -o "
                f"requirements.txt) and name that file. Received: {found[entry.name]} and {entry.requirement}"
            )
            raise ConfigurationError(msg)
    return Locked(path, dict(sorted(found.items())), tuple(indexes), python, left_out)


def titles(old: Locked, new: Locked) -> tuple[str, str]:
    """The two sides of a change in a few words: the packages that differ, the leading ones first.

    Args:
        old: The older side.
        new: The newer side.
    """
    names = sorted(set(old.packages) | set(new.packages), key=lambda name: (_rank(name), name))
    differing = [name for name in names if old.packages.get(name) != new.packages.get(name)]
    shown = (differing or names)[:3]
    more = f" and {len(differing) - len(shown)} more" if len(differing) > len(shown) else ""
    old_title, new_title = (
        " ".join(side.packages.get(name, f"no {name}") for name in shown) + more for side in (old, new)
    )
    return old_title, new_title


def _rank(name: str) -> int:
    return LEADING.index(name) if name in LEADING else len(LEADING)
