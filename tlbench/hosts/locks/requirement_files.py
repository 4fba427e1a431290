"""Reads `requirements.txt` and the files that it includes."""

from __future__ import annotations

import re

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from tlbench.errors import ConfigurationError
from tlbench.hosts.locks.entries import Entry, other_indexes


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tlbench.hosts.locks.entries import Machine

NAME = "requirements*.txt"

# As pip reads them: a comment, an option of a requirement such as --hash, and an option on a line of its own.
_COMMENT = re.compile(r"(^|\s+)#.*$")
_OWN_OPTIONS = re.compile(r"\s+--?[a-z].*$", re.IGNORECASE)
_OPTION = re.compile(r"(?P<name>--[\w-]+|-[a-zA-Z])(?:\s*=\s*|\s*)(?P<value>.*)$")
_INCLUDES = frozenset({"-r", "--requirement"})
_CONSTRAINTS = frozenset({"-c", "--constraint"})
_INDEXES = frozenset({"-i", "--index-url", "--extra-index-url"})
_EDITABLE = frozenset({"-e", "--editable"})


@dataclass
class _Reading:
    """The files that have been read so far.

    Attributes:
        machine: Machine and Python that packages are for.
        wanted: Requirements by name; versions that several lines ask for have to fit all of them.
        constraints: Requirements by name, for packages that something else asks for.
        addresses: Addresses of wheels and repositories that stand without a name, by the name of their package.
        indexes: Addresses of indexes.
        files: Files that have been read.
    """

    machine: Machine
    wanted: dict[str, Requirement] = field(default_factory=dict)
    constraints: dict[str, Requirement] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    indexes: list[str] = field(default_factory=list)
    files: set[Path] = field(default_factory=set)

    def read(self, path: Path, into: dict[str, Requirement]) -> None:
        """Read a file, if it has not been read."""
        if path.resolve() in self.files:
            return
        self.files.add(path.resolve())
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"A file of requirements cannot be read; name one that is there, in UTF-8. Received: {path}: {error}"
            raise ConfigurationError(msg) from error
        self.add(text.splitlines(), path, into)

    def add(self, lines: Iterable[str], path: Path, into: dict[str, Requirement]) -> None:
        """Add the lines of a file.

        Args:
            lines: Lines as they stand in the file.
            path: The file.
            into: Requirements or constraints.
        """
        for line in _joined(lines):
            option = _OPTION.match(line)
            if option is None:
                self._add(_OWN_OPTIONS.sub("", line), path, into)
            elif option["name"] in _INCLUDES | _CONSTRAINTS:
                kind = self.constraints if option["name"] in _CONSTRAINTS else into
                self.read(path.parent / option["value"].strip("\"'"), kind)
            elif option["name"] in _INDEXES:
                self.indexes.append(option["value"])
            elif option["name"] in _EDITABLE:
                self.addresses |= _addressed(option["value"])

    def _add(self, line: str, path: Path, into: dict[str, Requirement]) -> None:
        try:
            found = Requirement(line)
        except InvalidRequirement as error:
            if "://" in line or "/" in line or line.startswith("."):
                self.addresses |= _addressed(line)
                return
            msg = f"{path} has a line that is no requirement such as keras==3.15.1; correct it. Received: {line!r}"
            raise ConfigurationError(msg) from error
        if found.marker is not None and not found.marker.evaluate(self.machine.environment):
            return
        name = canonicalize_name(found.name)
        if name in into:
            found.specifier &= into[name].specifier
            found.extras |= into[name].extras
        into[name] = found

    def entries(self) -> Iterator[Entry]:
        """The packages of all files; an index may have any of them."""
        indexes = other_indexes(self.indexes)
        for name, address in self.addresses.items():
            yield Entry(name, f"{name} @ {address}", indexes)
        for name, requirement in self.wanted.items():
            extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
            specifier = requirement.specifier
            if name in self.constraints:
                specifier &= self.constraints[name].specifier
            version = f" @ {requirement.url}" if requirement.url else str(specifier)
            yield Entry(name, f"{name}{extras}{version}", indexes)


def entries(path: Path, machine: Machine) -> Iterator[Entry]:
    """The packages of a file of requirements whose markers hold; included files belong to it.

    Args:
        path: The file.
        machine: Machine and Python that packages are for.

    Raises:
        ConfigurationError: A file is missing, or has a line that is no requirement.
    """
    reading = _Reading(machine)
    reading.read(path, reading.wanted)
    return reading.entries()


def entries_of_lines(lines: Iterable[str], path: Path, machine: Machine) -> Iterator[Entry]:
    """The packages of lines that stand in another file.

    Args:
        lines: Lines as of a file of requirements.
        path: File that has the lines.
        machine: Machine and Python that packages are for.

    Raises:
        ConfigurationError: A line is no requirement, or includes a file that is missing.
    """
    reading = _Reading(machine)
    reading.add(lines, path, reading.wanted)
    return reading.entries()


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Lines without comments, joined where a backslash ends them."""
    begun = ""
    for line in lines:
        begun += _COMMENT.sub("", line)
        if begun.endswith("\\"):
            begun = f"{begun[:-1]} "
            continue
        if begun.strip():
            yield begun.strip()
        begun = ""
    if begun.strip():
        yield begun.strip()


def _addressed(address: str) -> dict[str, str]:
    """The address of a wheel or a repository by its package; empty for a folder, which is the project's own."""
    parts = urlsplit(address)
    if egg := parse_qs(parts.fragment).get("egg"):
        return {canonicalize_name(egg[0]): parts._replace(fragment="").geturl()}
    try:
        return {str(parse_wheel_filename(unquote(parts.path).rpartition("/")[2])[0]): address}
    except InvalidWheelFilename:
        return {}
