"""Names of the files that a report is made of."""

from __future__ import annotations

import hashlib
import re


# The report's own files, and what Windows keeps for devices.
RESERVED = re.compile(r"report|results|comparison|con|prn|aux|nul|(com|lpt)\d")


def file_name(name: str) -> str:
    """A name as part of a file's, without its suffix.

    Args:
        name: Name of a table or a figure; a hash is added where too few of its letters can stand in a file's name.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80]
    plain = re.sub(r"\s+", "-", name.strip().lower())
    if slug == plain and slug and not RESERVED.fullmatch(slug):
        return slug
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    return f"{slug}-{digest[:6]}".strip("-")
