"""Reads `pylock.toml`, the lock file of PEP 751."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.pylock import Pylock, PylockValidationError

from tlbench.errors import ConfigurationError
from tlbench.hosts.locks.entries import exact, from_file, from_repository, linked


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from packaging.pylock import Package

    from tlbench.hosts.locks.entries import Entry, Machine

NAME = "pylock.toml"


def has_written(content: Mapping[str, Any]) -> bool:
    """True for the content of a `pylock.toml`."""
    return "lock-version" in content and "packages" in content


def entries(content: Mapping[str, Any], path: Path, machine: Machine) -> Iterator[Entry]:
    """The packages that an installer installs on a machine, with the file's default groups.

    Args:
        content: Content of the file.
        path: The file, for errors and for packages beside it.
        machine: Machine and Python that packages are for.

    Raises:
        ConfigurationError: The file breaks the specification.
    """
    try:
        lock = Pylock.from_dict(content)
    except PylockValidationError as error:
        msg = f"{path} is no pylock.toml as PEP 751 specifies; lock it again. Received: {error}"
        raise ConfigurationError(msg) from error
    chosen: Any = {"extras": frozenset(), "dependency_groups": frozenset(lock.default_groups or ())}
    for package in lock.packages:
        if package.marker is None or package.marker.evaluate(machine.environment | chosen, context="lock_file"):
            yield _entry(package, path)


def _entry(package: Package, path: Path) -> Entry:
    name = package.name
    if package.vcs is not None:
        address = package.vcs.url or (path.parent / str(package.vcs.path)).resolve().as_uri()
        return from_repository(name, address, package.vcs.commit_id)
    if package.archive is not None:
        url = package.archive.url
        return linked(name, url) if url else from_file(name, str(package.archive.path), path)
    if package.directory is not None or package.version is None:
        return from_file(name, package.directory.path if package.directory else ".", path)
    return exact(name, str(package.version), package.index)
