"""JSON and arrays on disk that record what they must be: damage is found exactly, without decoding anything.

A JSON file holds its own SHA-256, and the size and the SHA-256 of each file of arrays beside it. Older files without
these records are checked by the checksums of NumPy's files.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import zipfile

from typing import TYPE_CHECKING, Any

import numpy as np

from tlbench.errors import DamagedError, StoreError


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray


# Why a file cannot be read that may be whole all the same.
_NOT_DAMAGE = {errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE}


class Damage(Exception):  # noqa: N818 - a finding, before it has the folder's name
    """The reason why a file is not what was stored."""


@contextlib.contextmanager
def damaged_files(place: Path, name: str) -> Iterator[None]:
    """Turn any error of reading a file into an error that names the file.

    Args:
        place: Folder of the file.
        name: Name of the file.

    Raises:
        DamagedError: The file is missing, or is not what was stored.
        StoreError: The file cannot be read, and may be sound.
    """
    try:
        yield
    except MemoryError:
        raise
    except OSError as error:
        if error.errno in _NOT_DAMAGE:
            msg = f"The stored result {place} cannot be read; make it readable, or choose another store. "
            msg += f"Received: {error}"
            raise StoreError(msg) from error
        reason = f"{name} is missing" if isinstance(error, FileNotFoundError) else f"{name}: {error}"
        raise DamagedError(place, reason) from error
    except Damage as damage:
        raise DamagedError(place, f"{name} {damage}") from None
    except Exception as error:  # Damaged files raise whatever their decoders do.
        raise DamagedError(place, f"{name} cannot be decoded: {error!r}") from error


def last_change(paths: Iterator[Path]) -> object | None:
    """A value that differs once one of some files has been changed; None where a file is missing.

    Raises:
        StoreError: A file cannot be looked at.
    """
    changes = []
    for path in paths:
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno in _NOT_DAMAGE:
                msg = f"The store cannot be read; choose another with --tlbench-store. Received: {error}"
                raise StoreError(msg) from error
            return None
        changes.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(changes)


def json_text(content: Mapping[str, Any]) -> str:
    """Values as the text of a JSON file that holds its own SHA-256, see `read_json`."""
    complete = {**content, "sha256": _own_digest(content)}
    return json.dumps(complete, indent=1, allow_nan=False) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds its own SHA-256; an older file without one is read as it is.

    Raises:
        Damage: The file holds no object, or is not as it was written.
        OSError: The file cannot be read.
        ValueError: The file is no JSON.
    """
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        msg = f"holds no object but {str(content)[:20]!r}"
        raise Damage(msg)
    if "sha256" in content and content["sha256"] != _own_digest(content):
        msg = "is not as it was written"
        raise Damage(msg)
    return content


def record(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, for the JSON beside it."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def read_arrays(path: Path, recorded: Mapping[str, Any] | None) -> dict[str, NDArray[Any]]:
    """Read the arrays of a file by name, once the file is known to be what was stored.

    Args:
        path: File of arrays.
        recorded: Record of the file, see `record`; None where an older version of tlbench made none.

    Raises:
        Damage: The file is not what was stored.
    """
    with path.open("rb") as file:
        check_size(path, recorded)
        if recorded:
            if hashlib.file_digest(file, "sha256").hexdigest() != recorded["sha256"]:
                msg = "is not as it was written"
                raise Damage(msg)
        else:  # Before NumPy takes anything in it for a size.
            with zipfile.ZipFile(file) as archive:
                damaged = archive.testzip()
            if damaged:
                msg = f"is not as it was written, from {damaged!r}"
                raise Damage(msg)
        file.seek(0)
        with np.load(file) as arrays:
            return {name: arrays[name] for name in arrays.files}


def check_size(path: Path, recorded: Mapping[str, Any] | None) -> None:
    """Make sure that a file has the recorded size.

    Args:
        path: The file.
        recorded: Record of the file, see `record`; without one, the file must be a readable archive.

    Raises:
        Damage: The size is another.
    """
    size = path.stat().st_size
    if recorded and size != recorded["bytes"]:
        msg = f"has {size} bytes of {recorded['bytes']}"
        raise Damage(msg)
    if not recorded:
        zipfile.ZipFile(path).close()  # Its list of contents stands at the end.


def check_shapes(arrays: Mapping[str, NDArray[Any]], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Make sure that arrays have the shapes that go together.

    Args:
        arrays: Arrays by name.
        expected: Shapes by name.

    Raises:
        Damage: An array has another shape.
        KeyError: An array is missing.
    """
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            msg = f"holds {name} of shape {arrays[name].shape}, not {shape}"
            raise Damage(msg)


def _own_digest(content: Mapping[str, Any]) -> str:
    # Over what a reader of the JSON gets, however it is laid out.
    told = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
