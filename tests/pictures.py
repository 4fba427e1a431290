"""Small images, and folders and archives of them."""

from __future__ import annotations

import io
import tarfile
import zipfile

from PIL import Image


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(colour=RED, format="PNG", size=(6, 6), mode="RGB", **options):  # noqa: A002 - Pillow's own word.
    """Return the bytes of an image of one colour."""
    stream = io.BytesIO()
    Image.new(mode, size, colour).save(stream, format, **options)
    return stream.getvalue()


def bytes_of(image, format="PNG", **options):  # noqa: A002 - Pillow's own word.
    """Return the bytes of an image."""
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def files(prefix=""):
    """Four images in two classes, each of its own colour."""
    return {
        f"{prefix}cat/1.png": encoded(RED),
        f"{prefix}cat/2.png": encoded(GREEN),
        f"{prefix}dog/1.png": encoded(BLUE),
        f"{prefix}dog/2.png": encoded(WHITE),
    }


def write_folder(path, contents):
    """Write files into a folder; a name that ends with a slash is a folder, empty unless files are in it."""
    for name, content in contents.items():
        file = path / name
        if name.endswith("/"):
            file.mkdir(parents=True, exist_ok=True)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return path


def write_zip(path, contents, compression=zipfile.ZIP_DEFLATED):
    """Write a zip archive of files, in the given order."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def write_tar(path, contents):
    """Write a tar archive of files, in the given order, compressed as its suffix says."""
    with tarfile.open(path, f"w:{path.suffix[1:]}" if path.suffix != ".tar" else "w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name.rstrip("/"))
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path
