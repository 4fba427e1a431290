"""Reads `uv.lock`."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tlbench.hosts.locks.entries import exact, from_file, from_repository, linked, tables


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tlbench.hosts.locks.entries import Entry, Machine

NAME = "uv.lock"

# The project itself and the members of its workspace: all that is locked is locked for them.
MEMBERS = ("virtual", "editable")


def has_written(content: Mapping[str, Any]) -> bool:
    """True for the content of a `uv.lock`."""
    return isinstance(content.get("version"), int) and "package" in content


def entries(content: Mapping[str, Any], path: Path, machine: Machine) -> Iterator[Entry]:
    """The packages that uv installs on a machine, with all extras and groups of the project.

    A lock is for all platforms: packages are found from the project, along the dependencies whose markers hold.

    Args:
        content: Content of the file.
        path: The file, for errors and for packages beside it.
        machine: Machine and Python that packages are for.
    """
    by_name: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for package in tables(content, "package"):
        markers = package.get("resolution-markers") or [None]
        if isinstance(markers, list) and any(machine.applies(marker, path) for marker in markers):
            by_name[str(package["name"])].append(package)
    everything = [package for packages in by_name.values() for package in packages]
    members = [package for package in everything if _is_member(package)]
    # A script's lock has no project: all of it is for the script.
    waiting = [(package, frozenset[str](), True) for package in members or everything]
    seen = set()
    while waiting:
        package, extras, whole = waiting.pop()
        key = (package["name"], package.get("version"), str(package.get("source")), extras)
        if key in seen:
            continue
        seen.add(key)
        if not _is_member(package):
            yield _entry(package, path)
        for dependency in _dependencies(package, extras, whole=whole):
            if machine.applies(dependency.get("marker"), path):
                wanted = frozenset(dependency.get("extra", ()))
                waiting += [(found, wanted, False) for found in by_name[dependency["name"]] if _fits(found, dependency)]


def _is_member(package: Mapping[str, Any]) -> bool:
    return any(kind in package.get("source", {}) for kind in MEMBERS)


def _dependencies(package: Mapping[str, Any], extras: frozenset[str], *, whole: bool) -> Iterator[dict[str, Any]]:
    yield from package.get("dependencies", ())
    for extra, dependencies in package.get("optional-dependencies", {}).items():
        if whole or extra in extras:
            yield from dependencies
    if whole:
        for dependencies in package.get("dev-dependencies", {}).values():
            yield from dependencies


def _fits(package: Mapping[str, Any], dependency: Mapping[str, Any]) -> bool:
    # Both are stated where a name alone would be ambiguous.
    return all(key not in dependency or dependency[key] == package.get(key) for key in ("version", "source"))


def _entry(package: Mapping[str, Any], path: Path) -> Entry:
    name, source = package["name"], package.get("source", {})
    if "git" in source:
        address, _, revision = source["git"].partition("#")
        return from_repository(name, address.partition("?")[0], revision)
    if "url" in source:
        return linked(name, source["url"])
    for kind in ("path", "directory"):
        if kind in source:
            return from_file(name, source[kind], path)
    return exact(name, package["version"], source.get("registry"))
