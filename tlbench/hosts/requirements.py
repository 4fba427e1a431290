"""The requirements of a side of a comparison: packages, backend, Python, and environment variables."""

from __future__ import annotations

import re

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tlbench.errors import ConfigurationError
from tlbench.machine import flags, installed


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Variables that the command sets itself, and the option that decides on each.
SET_OTHERWISE = {
    "KERAS_BACKEND": "--backend, --from-backend or --to-backend",
    "TLBENCH_ENVIRONMENT": "the requirements and settings of the side",
}

_PYTHON = re.compile(r"\d+\.\d+(\.\d+)?$")


@dataclass(frozen=True)
class Settings:
    """The settings of a side beside its packages.

    Attributes:
        python: Version of Python, for instance 3.12; None for the one that runs the command.
        variables: Environment variables, by name.
    """

    python: str | None = None
    variables: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.python is not None and not _PYTHON.match(self.python):
            msg = f"A version of Python is for instance 3.12. Received: {self.python!r}"
            raise ConfigurationError(msg)
        for name, _ in self.variables:
            if name in SET_OTHERWISE:
                msg = f"{name} is set by {SET_OTHERWISE[name]}; leave the variable out. Received: {name}"
                raise ConfigurationError(msg)

    @classmethod
    def parse(cls, backend: str, python: str | None, variables: Iterable[str], named: Iterable[str]) -> Settings:
        """Read the settings of a command line.

        Args:
            backend: Keras' backend, which decides on the variables of a flag.
            python: Version of Python; None for the one that runs the command.
            variables: Texts such as `OMP_NUM_THREADS=1`.
            named: Flags such as `tf32=off`, see `tlbench.machine.flags`.

        Raises:
            ConfigurationError: A text is no variable, a flag is unknown, or the backend has no variable for it.
        """
        found: dict[str, str] = {}
        for flag in named:
            found |= flags.variables(flag, backend)
        for text in variables:
            name, equals, value = text.partition("=")
            if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
                msg = f"A variable is written as NAME=VALUE, for instance OMP_NUM_THREADS=1. Received: {text!r}"
                raise ConfigurationError(msg)
            found[name] = value
        return cls(python, tuple(sorted(found.items())))


@dataclass(frozen=True)
class Requirements:
    """The packages, the backend and the settings of an environment.

    Attributes:
        packages: Requirements as pip and uv read them, at least one.
        backend: Keras' backend.
        extra: Further requirements that both sides of a comparison share.
        python: Version of Python, for instance 3.12; None for the one that runs the command.
        variables: Environment variables, by name.
        indexes: Addresses of indexes beside the user's own.
        title: A few words in place of the packages, where these are many; empty for the packages.
    """

    packages: tuple[str, ...]
    backend: str
    extra: tuple[str, ...] = ()
    python: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    indexes: tuple[str, ...] = ()
    title: str = ""

    def __post_init__(self) -> None:
        if self.backend not in installed.BACKENDS:
            msg = f"tlbench trains on the backends {', '.join(installed.BACKENDS)}. Received: {self.backend!r}"
            raise ConfigurationError(msg)
        if not self.packages:
            msg = 'An environment needs a requirement, for instance "keras==3.15.1". Received: nothing'
            raise ConfigurationError(msg)
        for package in self.packages:
            try:
                Requirement(package)
            except InvalidRequirement as error:
                msg = f'Not a requirement such as "keras==3.15.1": {error}. Received: {package!r}'
                raise ConfigurationError(msg) from error

    @classmethod
    def parse(
        cls, text: str, backend: str, extra: Sequence[str] = (), settings: Settings | None = None
    ) -> Requirements:
        """Read requirements that spaces separate.

        Raises:
            ConfigurationError: They cannot be read, or the backend is none.
        """
        settings = settings or Settings()
        return cls(tuple(text.split()), backend, tuple(extra), settings.python, settings.variables)

    @property
    def names(self) -> frozenset[str]:
        """Of the packages."""
        return frozenset(canonicalize_name(Requirement(package).name) for package in self.packages)

    @property
    def all(self) -> tuple[str, ...]:
        """The packages, the backend where none of them is it, and what both sides share."""
        named = self.names & set(installed.DISTRIBUTIONS.get(self.backend, (self.backend,)))
        return (*self.packages, *(() if named else (_implied(self.backend),)), *self.extra)

    @property
    def own(self) -> tuple[str | None, tuple[tuple[str, str], ...], tuple[str, ...]]:
        """Everything but packages and backend that tells this environment from another."""
        return self.python, self.variables, self.indexes

    def __str__(self) -> str:
        """The packages as the user wrote them, and the settings that are not as usual."""
        settings = [f"python {self.python}"] if self.python else []
        settings += [f"{name}={value}" for name, value in self.variables]
        return " ".join([self.title or " ".join(self.packages), *settings])


def _implied(backend: str) -> str:
    """The requirement of a backend that nobody has named."""
    here = installed.version(backend)
    # Each release of TensorFlow takes some releases of Keras only: Keras says which. The others come as they are here.
    if here is None or backend == "tensorflow":
        return f"{backend}>={installed.OLDEST[backend]}"
    return f"{backend}=={here}"
