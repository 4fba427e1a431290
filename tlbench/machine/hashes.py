"""Hashes of files."""

from __future__ import annotations

import hashlib
import os

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path


# Files of up to so many bytes are hashed in one piece.
_SMALL = 1024**2


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        # The buffer of `file_digest` is larger than most images.
        if os.fstat(file.fileno()).st_size <= _SMALL:
            return hashlib.sha256(file.read()).hexdigest()
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5(path: Path) -> str:
    """MD5 of a file, as hexadecimal digits; most published files have no other hash."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
