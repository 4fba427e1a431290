"""Datasets on disk, so that each is drawn or decoded once per machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import shutil
import tempfile

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from PIL import __version__ as pillow_version

from tlbench.datasets.dataset import Dataset
from tlbench.errors import DataError
from tlbench.machine.folders import default_folder


if TYPE_CHECKING:
    from collections.abc import Callable


logger = logging.getLogger(__name__)

# Part of every entry's name: another layout on disk is another entry.
_LAYOUT = 1

# The file of a dataset's own split, where it has one.
_PARTS = "parts.npy"

# What reading an entry raises that a killed writer, a full disk or another program's file has left behind.
_DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, DataError)


def cached(key: str, make: Callable[[], Dataset], folder: Path | None = None) -> Dataset:
    """Take a dataset from disk; make and store it first where it isn't there.

    Several processes may do this at once: each makes its own, the first to
    finish publishes it, and all return equal ones. A damaged entry is made
    again. Where the folder can't be written, the dataset is made every time.

    What reading checks is cheap (the sizes of its files, shapes and types,
    the range of the labels); it would not notice a flipped pixel.

    Args:
        key:
            Names everything that decides the dataset: parameters, and
            contents of files or of code that it comes from.
        make: Called without arguments where the cache has no such entry.
        folder: Where the cache is; None for `default_folder()`.

    Returns:
        The dataset with its images memory-mapped read-only and its digest known.

    Raises:
        TlbenchError: Whatever `make` raises, as it raises it.
    """
    folder = default_folder() if folder is None else folder
    entry = folder / _entry_name(key)
    try:
        return _read(entry, key)
    except _DAMAGE as damage:
        # What was never there isn't worth a word.
        if not isinstance(damage, FileNotFoundError) or entry.is_dir():
            logger.warning("The cached dataset %s is damaged and is made again: %s", entry, damage)

    dataset = make()
    try:
        _publish(entry, key, dataset)
        return _read(entry, key)
    except _DAMAGE as problem:
        logger.warning("The dataset %r could not be cached in %s: %s", dataset.name, folder, problem)
        return dataset


def code_digest(*files: str) -> str:
    """Digest what draws a dataset, for its key: changed code must not be served old images.

    Args:
        files: Python files, as `__file__` names them.

    Returns:
        Hexadecimal digits over the files' contents and the versions of NumPy
        and Pillow, whose generators and edges may change between versions.
    """
    sha256 = hashlib.sha256(f"numpy {np.__version__} pillow {pillow_version}".encode())
    for file in files:
        sha256.update(Path(file).read_bytes())
    return sha256.hexdigest()[:16]


def _entry_name(key: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9._=]+", "-", key)[:60].strip("-.")
    return f"{readable}-{hashlib.sha256(f'{_LAYOUT}:{key}'.encode()).hexdigest()[:16]}"


def _read(entry: Path, key: str) -> Dataset:
    description: dict[str, Any] = json.loads((entry / "dataset.json").read_text(encoding="utf-8"))
    if description["key"] != key:
        msg = f"The entry belongs to another key. Expected: {key!r}. Received: {description['key']!r}"
        raise DataError(msg)
    for name, size in description["bytes"].items():
        if (received := (entry / name).stat().st_size) != size:
            msg = f"{name} should have {size} bytes. Received: {received}"
            raise DataError(msg)
    dataset = Dataset(
        name=description["name"],
        images=np.load(entry / "images.npy", mmap_mode="r"),
        labels=np.load(entry / "labels.npy"),
        class_names=tuple(description["class_names"]),
        stand_in=description["stand_in"],
        notes=tuple(description["notes"]),
        parts_given=np.load(entry / _PARTS) if _PARTS in description["bytes"] else None,
    )
    if list(dataset.images.shape) != description["shape"]:
        msg = f"The images should have the shape {description['shape']}. Received: {dataset.images.shape}"
        raise DataError(msg)
    # Hashing all images would take longer than reading them; frozen dataclasses keep cached properties here.
    dataset.__dict__["digest"] = str(description["digest"])
    return dataset


def _publish(entry: Path, key: str, dataset: Dataset) -> None:
    """Write beside the entry, then rename: a reader sees the whole entry or none."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=entry.parent, prefix=".writing-"))
    try:
        draft = scratch / "entry"
        draft.mkdir()
        np.save(draft / "images.npy", dataset.images)
        np.save(draft / "labels.npy", dataset.labels)
        files = ["images.npy", "labels.npy"]
        if dataset.parts_given is not None:
            np.save(draft / _PARTS, dataset.parts_given)
            files.append(_PARTS)
        description = {
            "key": key,
            "name": dataset.name,
            "shape": list(dataset.images.shape),
            "class_names": list(dataset.class_names),
            "stand_in": dataset.stand_in,
            "notes": list(dataset.notes),
            "digest": dataset.digest,
            "bytes": {name: (draft / name).stat().st_size for name in files},
        }
        (draft / "dataset.json").write_text(json.dumps(description, indent=2), encoding="utf-8")
        try:
            draft.rename(entry)
        except OSError:
            # Something is there: another process' entry, which is as good as ours, or a damaged one.
            with contextlib.suppress(*_DAMAGE):
                _read(entry, key)
                return
            entry.rename(scratch / "damaged")
            draft.rename(entry)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
