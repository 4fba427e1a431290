"""Revisions of the code that trains and loads: digests hold them, so that results of other code are never read.

A revision is bumped by hand when a change can move a score. Comments, messages and code that was only moved leave
results where they are. `tests/declare/test_revisions.py` fails when a listed source changes and its revision does not.
"""

from __future__ import annotations

import hashlib
import inspect
import sys

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError
from tlbench.machine import installed


if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Revision:
    """The state of some code that can move a score.

    Attributes:
        name: Name of the code, in digests.
        number: Counts changes that can move a score.
        sources: Files of this package, or `file::name` for a class or function in a file.
    """

    name: str
    number: int
    sources: tuple[str, ...]


TRAINER = Revision(
    "trainer",
    1,
    (
        "train/training.py",
        "train/batches.py",
        "train/starts.py",
        "train/prefixes.py",
        "train/device_arrays.py",
        "train/transfer.py",
        "networks/flows.py",
        "networks/parts.py",
        "declare/graphs.py",
        "machine/backends.py::device_scope",
        "machine/backends.py::compile_options",
        "machine/backends.py::thread_variables",
        "machine/backends.py::input_of_fit",
        "machine/backends.py::model_behind",
    ),
)

# From images and labels to the examples of a trial.
LOADER = Revision("loader", 1, ("datasets/dataset.py", "declare/tasks.py"))

# Part of the digests of trials that start from ImageNet's weights, and of those that start from such a trial.
IMAGENET = Revision("imagenet", 1, ("networks/published.py", "machine/hashes.py"))

# Likewise for trials that start from a file of the user, or from weights that tlbench ships.
SAVED = Revision("saved", 1, ("networks/saved.py", "networks/published.py", "machine/hashes.py"))

# Not part of digests, which both paths share: results of the reference path are in a folder of each revision.
REFERENCE = Revision("reference", 1, ("train/reference.py",))

# Part of the digests of evaluations alone, beside the digest of the evaluated trial.
EVALUATOR = Revision("evaluator", 1, ("train/evaluating.py", "declare/evaluations.py"))

# Part of the digests of evaluations by a readout, beside the evaluator's.
READER = Revision("reader", 1, ("train/views.py", "declare/readouts.py"))

REVISIONS = (TRAINER, LOADER, IMAGENET, SAVED, REFERENCE, EVALUATOR, READER)


@cache
def of_class(described: type) -> dict[str, int | str]:
    """The state of the code of a network or of evaluated images, by class: the described class and all of its bases.

    A class that declares `REVISION`, an integer, is known by that number. Any other class is known by the SHA-256 of
    its module's source, so that results of a class without a revision are computed again after every change of its
    module.

    Args:
        described: Class of a network, or of images that networks are evaluated on.

    Raises:
        ConfigurationError: The source of a class cannot be found, or its `REVISION` is not an integer.
    """
    return {f"{base.__module__}.{base.__qualname__}": _state(base) for base in described.__mro__ if _is_code_of(base)}


def _is_code_of(base: type) -> bool:
    return base.__module__.partition(".")[0] not in sys.stdlib_module_names


def _state(base: type) -> int | str:
    revision = vars(base).get("REVISION")
    if revision is not None:
        if not isinstance(revision, int):
            msg = f"The REVISION of {base.__qualname__} must be an integer. Received: {revision!r}"
            raise ConfigurationError(msg)
        return revision
    try:
        source = inspect.getsourcefile(base)
    except TypeError:  # A class of a module without a file.
        source = None
    if source is None or not Path(source).is_file():
        msg = f"The source of {base.__qualname__} cannot be found; define it in a module."
        raise ConfigurationError(msg)
    return hashlib.sha256(Path(source).read_bytes()).hexdigest()


# Every evaluation's digest asks for the same few.
_version = cache(installed.version)


def of_packages(described: object) -> dict[str, str]:
    """Versions of the distributions that an object's outcome depends on, by name.

    Args:
        described: An object with a name; the names of the distributions are its `packages`, none without that.

    Raises:
        ConfigurationError: A distribution is not installed.
    """
    packages: Iterable[str] = getattr(described, "packages", ())
    found = {package: _version(package) for package in packages}
    if missing := [package for package, version in found.items() if version is None]:
        msg = (
            f"{getattr(described, 'name', described)!r} computes with {', '.join(missing)}: pip install "
            f"{' '.join(missing)}, or for tlbench's own readouts pip install 'tlbench[probes]'. Received: not installed"
        )
        raise ConfigurationError(msg)
    return {package: version for package, version in found.items() if version is not None}
