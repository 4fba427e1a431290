"""Reads `poetry.lock`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from tlbench.hosts.locks.entries import exact, from_file, from_repository, linked, tables


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tlbench.hosts.locks.entries import Entry, Machine

NAME = "poetry.lock"


def has_written(content: Mapping[str, Any]) -> bool:
    """True for the content of a `poetry.lock`."""
    return "lock-version" in content.get("metadata", {}) and "content-hash" in content.get("metadata", {})


def entries(content: Mapping[str, Any], path: Path, machine: Machine) -> Iterator[Entry]:
    """The packages that Poetry installs on a machine, with all groups and extras.

    Args:
        content: Content of the file.
        path: The file, for errors and for packages beside it.
        machine: Machine and Python that packages are for.
    """
    extras = ["", *content.get("extras", {})]
    for package in tables(content, "package"):
        markers = package.get("markers")
        # One marker for all groups, or one for each group.
        listed = (
            list(markers.values()) if isinstance(markers, dict) else [markers] if isinstance(markers, str) else [None]
        )
        wanted = any(machine.applies(marker, path, extra) for marker in listed for extra in extras)
        if wanted and _allows(package, machine):
            yield _entry(package, path)


def _allows(package: Mapping[str, Any], machine: Machine) -> bool:
    try:
        return SpecifierSet(package.get("python-versions", "*").replace("*", "")).contains(
            machine.environment["python_full_version"], prereleases=True
        )
    except InvalidSpecifier:  # Poetry writes ">=2.7,<3.0 || >=3.6" as well; such packages are for any Python of today.
        return True


def _entry(package: Mapping[str, Any], path: Path) -> Entry:
    name, source = package["name"], package.get("source", {})
    kind = source.get("type")
    if kind == "git":
        return from_repository(name, source["url"], source["resolved_reference"])
    if kind == "url":
        return linked(name, source["url"])
    if kind in {"file", "directory"}:
        return from_file(name, source["url"], path)
    return exact(name, package["version"], source.get("url"))
