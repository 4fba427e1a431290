"""The two sides of an upgrade: from requirements or lock files, and the settings of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError
from tlbench.hosts.locks.reading import read, titles
from tlbench.hosts.requirements import Requirements, Settings
from tlbench.machine.backends import BACKENDS


if TYPE_CHECKING:
    from pathlib import Path

    from tlbench.hosts.locks.reading import Locked

# Where neither the user nor a lock file says another.
DEFAULT_BACKEND = "tensorflow"


@dataclass(frozen=True)
class SideOptions:
    """The options of one side.

    Attributes:
        backend: Keras' backend; None for the one of both sides.
        python: Version of Python; None for the lock file's, or else for the one that runs the command.
        variables: Environment variables as `NAME=VALUE`.
        named: Flags, see `tlbench.machine.flags`.
    """

    backend: str | None = None
    python: str | None = None
    variables: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    def settings(self, backend: str, python: str | None = None) -> Settings:
        """Python and environment variables.

        Args:
            backend: Keras' backend.
            python: Version of Python of the lock file, where it names one.
        """
        return Settings.parse(backend, self.python or python, self.variables, self.named)


@dataclass(frozen=True)
class Sides:
    """The environments before and after a change.

    Attributes:
        old: Before the change; None where the lock files have nothing that matters.
        new: After the change.
        names: The two sides in a few words.
        changed: Whether anything that can be compared differs.
        not_compared: Sentences about differences that cannot be compared.
    """

    old: Requirements | None
    new: Requirements | None
    names: tuple[str, str]
    changed: bool = True
    not_compared: tuple[str, ...] = ()


def of_requirements(
    old: str, new: str, extra: tuple[str, ...], backend: str | None, options: tuple[SideOptions, SideOptions]
) -> Sides:
    """The sides of a change that requirements name.

    Args:
        old: Requirements before the change, separated by spaces.
        new: Requirements after the change.
        extra: Requirements of both sides.
        backend: Keras' backend of both sides; None for TensorFlow.
        options: Options of each side.

    Raises:
        ConfigurationError: A requirement or a setting cannot be read.
    """
    made = []
    for text, side in zip((old, new), options, strict=True):
        chosen = side.backend or backend or DEFAULT_BACKEND
        made.append(Requirements.parse(text, chosen, extra, side.settings(chosen)))
    return Sides(made[0], made[1], _told(made[0], made[1]))


def of_locks(
    old: Path, new: Path, extra: tuple[str, ...], backend: str | None, options: tuple[SideOptions, SideOptions]
) -> Sides:
    """The sides of a change of a lock file: all its packages that can move a score or a time.

    Args:
        old: The file before the change.
        new: The file after the change; it may be of another format.
        extra: Requirements of both sides.
        backend: Keras' backend of both sides; None for the only one that a file has, or else for TensorFlow.
        options: Options of each side.

    Raises:
        ConfigurationError: A file or a setting cannot be read, or only one of the files has packages that matter.
    """
    locks = tuple(read(path, side.python) for path, side in zip((old, new), options, strict=True))
    words = titles(*locks)
    not_compared = _not_compared(*locks)
    if not any(lock.packages for lock in locks):
        names = (f"{old.name} before", f"{new.name} after")
        return Sides(None, None, names, changed=False, not_compared=not_compared)
    made = []
    for lock, side, title in zip(locks, options, words, strict=True):
        if not lock.packages:
            msg = (
                f"{lock.path} has no package that can move a score or a time, and the other side's file has; name the "
                f'packages of both sides instead: tlbench upgrade "OLD" "NEW". Received: {old} and {new}'
            )
            raise ConfigurationError(msg)
        chosen = side.backend or backend or _backend_of(lock)
        settings = side.settings(chosen, lock.python)
        made.append(
            Requirements(
                tuple(lock.packages.values()), chosen, extra, settings.python, settings.variables, lock.indexes, title
            )
        )
    before, after = made
    changed = (before.all, before.backend, before.own) != (after.all, after.backend, after.own)
    return Sides(before, after, _told(before, after), changed, not_compared)


def _told(old: Requirements, new: Requirements) -> tuple[str, str]:
    """Each side in a few words, with the backend where the sides have two."""
    if old.backend == new.backend:
        return str(old), str(new)
    return f"{old} on {old.backend}", f"{new} on {new.backend}"


def _backend_of(lock: Locked) -> str:
    found = [
        backend
        for backend in BACKENDS
        if any(name == backend or name.startswith(f"{backend}-") for name in lock.packages)
    ]
    return found[0] if len(found) == 1 else DEFAULT_BACKEND


def _not_compared(old: Locked, new: Locked) -> tuple[str, ...]:
    if old.left_out == new.left_out:
        return ()
    before, after = (", ".join(lock.left_out) or "none" for lock in (old, new))
    return (f"Not compared, since PyPI does not have these packages of conda: {before} -> {after}",)
