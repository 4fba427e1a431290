"""Kinds of files that are not read, told by their first bytes, each with a remedy."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path


# Brands of HEIF in the `ftyp` box, coded by HEVC.
_HEIC = re.compile(rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)

# First bytes of each kind, its name and the remedy.
_KINDS = (
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), "a 7z archive", "unpack it with `7z x FILE`"),
    (re.compile(rb"Rar!\x1a\x07"), "a RAR archive", "unpack it with `unrar x FILE`"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "compressed by Zstandard", "unpack it with `tar --zstd -xf FILE`"),
    (re.compile(rb"\x93NUMPY"), "a NumPy array", "save images and labels as arrays of a .npz"),
    (re.compile(rb"\x89HDF\r\n\x1a\n"), "an HDF5 file", "save images and labels as arrays of a .npz"),
    (re.compile(rb"\x00\x00\x01\x00[\x01-\xff]\x00"), "an ICO icon", "save it as PNG"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "an AVIF image", "save it as PNG, or upgrade Pillow to 11.3 or newer"),
    (_HEIC, "a HEIC photograph", 'pip install "tlbench[heif]", or save it as JPEG'),
    (re.compile(rb"%PDF-"), "a PDF document", "save its pages as PNG"),
    (re.compile(rb"(?:<\?xml[^>]*>\s*)?<svg|<!DOCTYPE svg"), "an SVG drawing", "save it as PNG"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "a PostScript drawing", "save it as PNG"),
    (re.compile(rb"\s*<(?:!doctype html|html)", re.IGNORECASE), "a web page", "download the image again"),
)  # fmt: skip

_TGA_END = b"TRUEVISION-XFILE.\x00"
# Colour map or none, a kind of image, and at 16 the bits of a pixel: older TGA files have no other mark.
_TGA = re.compile(rb".[\x00\x01][\x01\x02\x03\x09\x0a\x0b].{13}[\x08\x0f\x10\x18\x20]", re.DOTALL)

# The longest of the patterns, and then some.
_HEAD = 512


def describe(content: bytes) -> str | None:
    """Name the kind of a file that is not read, and the remedy.

    Args:
        content: All of the file, or its first 512 bytes and its last 18.

    Returns:
        For instance "an ICO icon; save it as PNG"; None for an unknown kind.
    """
    head = content[:_HEAD]
    for pattern, name, remedy in _KINDS:
        if pattern.match(head):
            return f"{name}; {remedy}"
    if content.endswith(_TGA_END) or _TGA.match(head):
        return "a TGA image; save it as PNG"
    return None


def describe_file(path: Path) -> str | None:
    """Name the kind of a file, see `describe`."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(0, path.stat().st_size - len(_TGA_END)))
        return describe(head + file.read(len(_TGA_END)))


def is_heic(content: bytes) -> bool:
    """Tell whether a file is a HEIC photograph."""
    return bool(_HEIC.match(content[:_HEAD]))
