"""Names of the files that a report is made of."""

from __future__ import annotations

import hashlib
import re


def file_name(name: str) -> str:
    """A name as part of a file's, without its suffix.

    Args:
        name: Of a table or a figure. One of which too little can stand in a file's name is told from others by a hash.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80]
    plain = re.sub(r"\s+", "-", name.strip().lower())
    return slug if slug == plain else f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:6]}".strip("-")
