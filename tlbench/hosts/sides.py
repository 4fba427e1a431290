"""The two sides of an upgrade: from requirements or lock files, and the settings of each."""

from __future__ import annotations

import contextlib

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tlbench.errors import ConfigurationError
from tlbench.hosts.locks.reading import read, titles
from tlbench.hosts.requirements import Requirements, Settings
from tlbench.machine import backends, installed
from tlbench.machine.installed import BACKENDS
from tlbench.machine.packages import backend_of, matters


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from tlbench.hosts.locks.reading import Locked


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
        not_compared: Sentences about differences that matter and cannot be compared.
        notes: Sentences about differences that the study does not depend on.
    """

    old: Requirements | None
    new: Requirements | None
    names: tuple[str, str]
    changed: bool = True
    not_compared: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def of_requirements(
    old: str, new: str, extra: tuple[str, ...], backend: str | None, options: tuple[SideOptions, SideOptions]
) -> Sides:
    """The sides of a change that requirements name.

    Args:
        old: Requirements before the change, separated by spaces.
        new: Requirements after the change.
        extra: Requirements of both sides.
        backend: Keras' backend of both sides; None for the first of TensorFlow, JAX and PyTorch that both name, or
            else for the one that Keras has here.
        options: Options of each side.

    Raises:
        ConfigurationError: A requirement or a setting cannot be read.
    """
    made = []
    default = default_backend(old.split(), new.split())
    for text, side in zip((old, new), options, strict=True):
        chosen = side.backend or backend or default
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
        backend: Keras' backend of both sides; None for the first of TensorFlow, JAX and PyTorch that both files
            have, or else for that of each file, or else for the one that Keras has here.
        options: Options of each side.

    Raises:
        ConfigurationError: A file or a setting cannot be read, or one file alone has no package that matters.
    """
    locks = read(old, options[0].python), read(new, options[1].python)
    not_compared = _not_compared(*locks)
    if not any(lock.packages for lock in locks):
        names = (f"{old.name} before", f"{new.name} after")
        return Sides(None, None, names, changed=False, not_compared=not_compared)
    defaults = _default_backends(*locks)
    chosen = [side.backend or backend or default for side, default in zip(options, defaults, strict=True)]
    notes = _unused(locks, chosen)
    before, after = (_without(lock, {name}) for lock, name in zip(locks, chosen, strict=True))
    for lock, name in zip((before, after), chosen, strict=True):
        if not lock.packages:
            msg = (
                f"{lock.path} has no package that can move a score or a time of a study on {name}; name the packages "
                f'of both sides instead: tlbench upgrade "OLD" "NEW". Received: {old} and {new}'
            )
            raise ConfigurationError(msg)
    made = []
    # A package that one side alone does without, since it runs on another backend, is not gone from its file.
    told = titles(*(_without(lock, set(chosen)) for lock in locks))
    for lock, side, name, title in zip((before, after), options, chosen, told, strict=True):
        settings, packages = side.settings(name, lock.python), tuple(lock.packages.values())
        made.append(Requirements(packages, name, extra, settings.python, settings.variables, lock.indexes, title))
    changed = (made[0].packages, made[0].backend, made[0].own) != (made[1].packages, made[1].backend, made[1].own)
    return Sides(made[0], made[1], _told(made[0], made[1]), changed, not_compared, notes)


def _is_unused(name: str, chosen: Collection[str]) -> bool:
    backend = backend_of(name)
    return backend is not None and backend not in chosen


def _without(lock: Locked, chosen: Collection[str]) -> Locked:
    """A lock file without the backends that are not chosen: each of them is gigabytes to install."""
    kept = {name: requirement for name, requirement in lock.packages.items() if not _is_unused(name, chosen)}
    return replace(lock, packages=kept)


def _unused(locks: tuple[Locked, Locked], chosen: Sequence[str]) -> tuple[str, ...]:
    old, new = locks
    names = sorted(name for name in {*old.packages, *new.packages} if _is_unused(name, chosen))
    differing = [name for name in names if old.packages.get(name) != new.packages.get(name)]
    if not differing:
        return ()
    before, after = (", ".join(lock.packages.get(name, f"no {name}") for name in differing) for lock in locks)
    runs_on = " and ".join(dict.fromkeys(chosen))
    return (f"Not compared, since the study runs on {runs_on} (--backend chooses another): {before} -> {after}",)


def _told(old: Requirements, new: Requirements) -> tuple[str, str]:
    """Each side in a few words, with the backend where the sides have two."""
    if old.backend == new.backend:
        return str(old), str(new)
    return f"{old} on {old.backend}", f"{new} on {new.backend}"


def default_backend(*sides: Iterable[str]) -> str:
    """The backend of a study where nobody says another: the first that all sides name, or else the one here.

    Args:
        sides: Requirements of each side; one that cannot be read counts for none.

    Raises:
        ConfigurationError: None is shared, and Keras is told a backend that tlbench does not train on.
    """
    named = [_backends_of(requirements) for requirements in sides]
    shared = [backend for backend in BACKENDS if named and all(backend in each for each in named)]
    if shared:
        return shared[0]
    # The command needs no backend where it runs: each environment has its own.
    return backends.backend() if installed.chosen() else BACKENDS[0]


def _default_backends(old: Locked, new: Locked) -> list[str]:
    """The backend of each side where nobody says another.

    A package that comes or goes does not change the study's backend: one that both files have is preferred.
    """
    each = [lock.packages.values() for lock in (old, new)]
    shared = default_backend(*each)
    return [shared if shared in _backends_of(packages) else default_backend(packages) for packages in each]


def _backends_of(requirements: Iterable[str]) -> set[str | None]:
    found = set()
    for requirement in requirements:
        with contextlib.suppress(InvalidRequirement):  # Whoever makes an environment of it says so.
            name = canonicalize_name(Requirement(requirement).name)
            if matters(name):
                found.add(backend_of(name))
    return found


def _not_compared(old: Locked, new: Locked) -> tuple[str, ...]:
    if old.left_out == new.left_out:
        return ()
    before, after = (", ".join(lock.left_out) or "none" for lock in (old, new))
    return (f"Not compared, since PyPI does not have these packages of conda: {before} -> {after}",)
