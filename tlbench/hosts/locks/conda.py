"""Reads `environment.yml`, conda's description of an environment."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from tlbench.errors import ConfigurationError
from tlbench.hosts.locks import requirement_files
from tlbench.hosts.locks.entries import Entry


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tlbench.hosts.locks.entries import Machine

NAME = "environment.yml"

# Names of conda's packages that PyPI has under other names.
ON_PYPI = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "tensorflow-gpu": "tensorflow",
    "ml_dtypes": "ml-dtypes",
}

# Packages that matter and that PyPI lacks under any name of theirs.
NOT_ON_PYPI = re.compile(r"cuda|cudnn|nccl|mkl$|libblas|openblas|pytorch-cuda")

# A package of conda: channel::name version build.
_PACKAGE = re.compile(r"(?:[^\s:]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<version>.*)$")


def dependencies(path: Path) -> list[Any]:
    """The dependencies of an `environment.yml`: texts, and a mapping with pip's lines.

    Args:
        path: The file.

    Raises:
        ConfigurationError: PyYAML is not installed, or the file is none of conda's.
    """
    try:
        import yaml
    except ImportError as error:
        msg = f'conda\'s files need PyYAML: pip install "tlbench[conda]". Received: {path}'
        raise ConfigurationError(msg) from error
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{path} cannot be read as YAML; correct it, or name another file. Received: {error}"
        raise ConfigurationError(msg) from error
    listed = content.get("dependencies") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        msg = f"{path} lists no dependencies, as conda's environment.yml does; name such a file. Received: {listed!r}"
        raise ConfigurationError(msg)
    return listed


def entries(listed: list[Any], path: Path, machine: Machine) -> Iterator[Entry]:
    """The packages of an environment under the names that PyPI has them by.

    Args:
        listed: Dependencies as the file lists them.
        path: The file.
        machine: Machine and Python that packages are for.

    Raises:
        ConfigurationError: A version cannot be read.
    """
    for item in listed:
        if isinstance(item, dict):
            yield from requirement_files.entries_of_lines(map(str, item.get("pip") or ()), path, machine)
        elif (found := _PACKAGE.match(str(item).strip())) and found["name"] != "python":
            name = ON_PYPI.get(found["name"].lower(), found["name"].lower())
            if not NOT_ON_PYPI.search(name):
                yield Entry(name, f"{name}{_specifier(found['version'], item, path)}")


def python(listed: list[Any], path: Path) -> str | None:
    """The version of Python of an environment; None where the file leaves it open.

    Args:
        listed: Dependencies as the file lists them.
        path: The file.
    """
    for item in listed:
        found = _PACKAGE.match(str(item).strip()) if isinstance(item, str) else None
        if found and found["name"] == "python":
            specifier = _specifier(found["version"], item, path)
            exactly = re.fullmatch(r"==(\d+\.\d+(?:\.\d+)?)(?:\.\*)?", specifier)
            return exactly[1] if exactly else None
    return None


def left_out(listed: list[Any]) -> list[str]:
    """Packages that can move a score or a time, and that cannot be compared: PyPI does not have them."""
    return [item for item in listed if isinstance(item, str) and NOT_ON_PYPI.search(item.partition("::")[2] or item)]


def _specifier(text: str, item: object, path: Path) -> str:
    """The version of a package as a specifier of PyPI: `=3.5` is any 3.5, `==3.5.0` and `=3.5.0=build` are exact."""
    text = text.strip().strip("'\"")
    if not text:
        return ""
    words = re.fullmatch(r"(?P<equals>={0,2})\s*(?P<version>[\w.+!*-]+?)(?P<build>\s*=\s*\S+|\s+\S+)?", text)
    if words:
        version = words["version"].removesuffix(".*")
        exactly = words["equals"] == "==" or bool(words["build"])
        text = f"=={version}" if exactly or version == "*" else f"=={version}.*"
        text = "" if version == "*" else text
    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier as error:
        msg = f"{path} has a version that cannot be read; write it as keras=3.15.1 or keras>=3.15. Received: {item!r}"
        raise ConfigurationError(msg) from error
