"""Files that appear whole or not at all, and are still there after a loss of power."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path

# How the name of a file begins that is still being written, or was when its process ended.
UNFINISHED = ".unfinished-"


def publish(path: Path, text: str) -> None:
    """Write a file beside its place, sync it, and rename it into its place.

    Args:
        path: In a folder that exists; a file that is there is replaced.
        text: Written as UTF-8, line ends as they are.

    Raises:
        OSError: It cannot be written; what was there is there still.
    """
    unfinished = path.with_name(f"{UNFINISHED}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        with unfinished.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync(path: Path) -> None:
    """Have the disk keep the content of a file.

    Raises:
        OSError: The disk cannot.
    """
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Have the disk keep the names in a folder, where the system can.

    Raises:
        OSError: The disk cannot.
    """
    if os.name == "nt":  # Folders cannot be opened there.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # Some network file systems sync files only.
            raise
    finally:
        os.close(descriptor)
