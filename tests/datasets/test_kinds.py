"""Files that are not read are named for what they are."""

from __future__ import annotations

import io
import struct
import sys

import numpy as np
import pytest

from pictures import bytes_of, encoded, files, write_folder
from PIL import Image

from tlbench.datasets import kinds
from tlbench.errors import DataError


def saved_array():
    """The bytes of a `.npy` file."""
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


TGA = struct.pack("<3B5x4H2B", 0, 0, 2, 0, 0, 1, 1, 24, 0) + b"\1\2\3"

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"

ARCHIVES = {
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive; unpack it with `7z x FILE`"),
    "rar": (b"Rar!\x1a\x07\x01\0", "a RAR archive; unpack it with `unrar x FILE`"),
    "zst": (b"\x28\xb5\x2f\xfd\x24", "compressed by Zstandard; unpack it with `tar --zstd -xf FILE`"),
    "npy": (saved_array(), "a NumPy array; save images and labels as arrays of a .npz"),
}

IMAGES = {
    "ico": (encoded(format="ICO", size=(16, 16)), "an ICO icon; save it as PNG"),
    "tga": (encoded(format="TGA"), "a TGA image; save it as PNG"),
    "old tga": (TGA, "a TGA image; save it as PNG"),
    "svg": (b'<?xml version="1.0"?>\n<svg/>', "an SVG drawing"),
    "html": (b"<!DOCTYPE html><html>", "a web page; download the image again"),
    "pdf": (b"%PDF-1.7", "a PDF document"),
}


@pytest.mark.parametrize(("content", "message"), ARCHIVES.values(), ids=ARCHIVES)
@pytest.mark.parametrize("name", ["pets.zip", "pets.tar.zst"])
def test_a_path_of_another_kind_is_named(read, tmp_path, content, message, name):
    """The first bytes tell, not the suffix."""
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=r"must be a folder, or a zip or tar archive") as refusal:
        read(tmp_path / name)

    assert f"this is {message}" in str(refusal.value)


@pytest.mark.parametrize(("content", "message"), (ARCHIVES | IMAGES).values(), ids=ARCHIVES | IMAGES)
def test_a_file_of_another_kind_is_named(read, tmp_path, content, message):
    """Each message has the kind and the remedy."""
    path = write_folder(tmp_path / "pets", files() | {"dog/3.png": content})

    with pytest.raises(DataError, match=r"1 of 5 files") as refusal:
        read(path)

    assert f"dog/3.png ({message}" in str(refusal.value)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP"])
def test_images_that_are_read_are_no_such_kind(image_format):
    """No first bytes of an image are taken for another kind."""
    assert kinds.describe(encoded(format=image_format, size=(300, 200))) is None


def test_a_heic_photograph_needs_a_package(read, tmp_path, monkeypatch):
    """The message has the command that installs it."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)

    with pytest.raises(DataError, match=r'a HEIC photograph; pip install "tlbench\[heif\]", or save it as JPEG'):
        read(write_folder(tmp_path / "pets", files() | {"dog/3.heic": HEIC}))


def heic(size=(64, 64), colour=(200, 30, 30)):
    """The bytes of a HEIC photograph of one colour."""
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", size, colour)).save(stream, quality=90)
    return stream.getvalue()


def test_a_heic_photograph_is_read(read, tmp_path):
    """Its pixels become RGB as any other's."""
    dataset = read(write_folder(tmp_path / "pets", files() | {"dog/3.heic": heic()}))

    assert (np.abs(dataset.images[4].astype(int) - (200, 30, 30)) < 10).all()


@pytest.mark.parametrize("content", [HEIC, HEIC + bytes(1000)])
def test_a_broken_heic_photograph_is_named(read, tmp_path, content):
    """It is one bad file like any other."""
    pytest.importorskip("pillow_heif")

    with pytest.raises(DataError, match=r"1 of 5 files.*Received: dog/3.heic \("):
        read(write_folder(tmp_path / "pets", files() | {"dog/3.heic": content}))


def test_a_heic_photograph_of_absurd_size_is_not_decoded(read, tmp_path, monkeypatch):
    """The limit is that of all images."""
    content = heic()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)

    with pytest.raises(DataError, match=r"dog/3.heic \(4,096 pixels, beyond the limit of 1,000; scale it down"):
        read(write_folder(tmp_path / "pets", files() | {"dog/3.heic": content}))


def test_a_panorama_is_named_with_the_limit(read, tmp_path):
    """Two hundred megapixels are more than are decoded; the remedy is a smaller image."""
    panorama = bytes_of(Image.new("1", (20_000, 10_000)))

    with pytest.raises(
        DataError, match=r"pano.png \(200,000,000 pixels, beyond the limit of 89,478,485; scale it down"
    ):
        read(write_folder(tmp_path / "pets", files() | {"dog/pano.png": panorama}))
