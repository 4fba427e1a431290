"""The packages of a lock file, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from packaging.markers import InvalidMarker, Marker, default_environment
from packaging.utils import canonicalize_name

from tlbench.errors import ConfigurationError


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# Named by lock files for nearly every package.
PYPI = "pypi.org"


@dataclass(frozen=True)
class Entry:
    """A package of a lock file.

    Attributes:
        name: Name of the package, normalised.
        requirement: Requirement that installs the package as the file has it, for instance `keras==3.15.1`.
        indexes: Addresses of the indexes that may have the package, beside PyPI.
    """

    name: str
    requirement: str
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """The machine and the Python that a side of a comparison runs on.

    Attributes:
        python: Version of Python, for instance 3.12; None for the one that runs here.
    """

    python: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Values of the environment markers."""
        values = cast("dict[str, str]", dict(default_environment()))
        if self.python is not None:
            short = ".".join(self.python.split(".")[:2])
            full = self.python if self.python.count(".") > 1 else f"{short}.0"
            values |= {"python_version": short, "python_full_version": full}
        return values

    def applies(self, marker: str | None, path: Path, extra: str = "") -> bool:
        """True where there is no marker, or where the marker holds here.

        Args:
            marker: Environment marker.
            path: File that has the marker, for the error.
            extra: Extra of the project that the marker may ask for.

        Raises:
            ConfigurationError: The marker cannot be read.
        """
        if not marker:
            return True
        try:
            return Marker(marker).evaluate(self.environment | {"extra": extra})
        except InvalidMarker as error:
            msg = f"{path} has an environment marker that cannot be read; lock it again. Received: {marker!r}"
            raise ConfigurationError(msg) from error


def exact(name: str, version: str, index: str | None = None) -> Entry:
    """Make the entry of a released version."""
    name = canonicalize_name(name)
    return Entry(name, f"{name}=={version}", other_indexes([index] if index else []))


def other_indexes(addresses: Iterable[str]) -> tuple[str, ...]:
    """The indexes among some that are not PyPI, which is asked without being named."""
    return tuple(address for address in addresses if urlsplit(address).hostname != PYPI)


def linked(name: str, address: str) -> Entry:
    """Make the entry of a package that no index has: an archive or a revision of a repository."""
    name = canonicalize_name(name)
    return Entry(name, f"{name} @ {address}")


def from_repository(name: str, address: str, revision: str) -> Entry:
    """Make the entry of a package of a Git repository."""
    return linked(name, f"git+{address.removeprefix('git+')}@{revision}")


def from_file(name: str, file: str, lock: Path) -> Entry:
    """Make the entry of an archive or a folder beside the lock file."""
    return linked(name, (lock.parent / file).resolve().as_uri())


def tables(content: Mapping[str, object], key: str) -> list[dict[str, object]]:
    """The tables of an array of TOML; empty where the file has no such array."""
    found = content.get(key, [])
    return [table for table in found if isinstance(table, dict)] if isinstance(found, list) else []
