"""Files of a folder, a zip or a tar archive, read within limits."""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from struct import error as struct_error
from typing import IO, TYPE_CHECKING

from tlbench.datasets import kinds
from tlbench.errors import DataError
from tlbench.machine import hashes


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


# What archivers and file managers leave beside images; hidden files are among it.
LITTER = re.compile(r"\.|__MACOSX$|(eh)?thumbs\.db$|desktop\.ini$|icon\r$|@eaDir$", re.IGNORECASE)

# Larger than any photograph: what claims to be more is not read.
MEMBER_BYTES = 256 * 1024**2


# An archive may always unpack to so much, and beyond that to so many times its own size: photographs
# hardly shrink, and drawings that do are small.
ARCHIVE_BYTES = 1024**3


ARCHIVE_RATIO = 100

# What zipfile, tarfile and what they unpack with raise for bytes that are no whole archive.
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    IndexError,
    OverflowError,
    NotImplementedError,
    struct_error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)


@dataclass(frozen=True)
class Listing:
    """Names in a folder or archive, relative to it, in any order."""

    files: tuple[str, ...]
    folders: tuple[str, ...]


@dataclass(frozen=True)
class Unreadable:
    """The reason for which a file has no content."""

    reason: str


@dataclass(frozen=True)
class Folder:
    """A folder of images."""

    path: Path

    def digest(self) -> str:
        """SHA-256 of all names and contents, as hexadecimal digits."""
        sha256 = hashlib.sha256()
        listing = self.listing()
        for name in sorted(listing.files):
            sha256.update(os.fsencode(f"{name}\0{hashes.sha256(self.path / name)}\0"))
        sha256.update(os.fsencode("\0".join(sorted(listing.folders))))
        return sha256.hexdigest()

    def listing(self) -> Listing:
        """List all files and folders; nothing is unpacked.

        Raises:
            DataError: A name or a member is refused.
        """
        files: list[str] = []
        folders: list[str] = []
        self._list("", frozenset(), files, folders)
        return Listing(tuple(files), tuple(folders))

    def contents(self, wanted: frozenset[str]) -> Iterator[tuple[str, bytes | Unreadable]]:
        """Yield names and contents of some files, in any order.

        Args:
            wanted: Names of the files.
        """
        for name in sorted(wanted):
            with (self.path / name).open("rb") as file:
                # Asking for the limit would have a buffer of that size made for each file.
                small = os.fstat(file.fileno()).st_size <= MEMBER_BYTES
                yield name, file.read() if small else _limited(file)

    def _list(self, folder: str, above: frozenset[str], files: list[str], folders: list[str]) -> None:
        real = os.path.realpath(self.path / folder)
        if real in above:
            msg = f"A link in {self.path} leads back to a folder that it stands in; remove it. Received: {folder!r}"
            raise DataError(msg)
        with os.scandir(self.path / folder) as entries:
            for entry in entries:
                name = f"{folder}{entry.name}"
                if LITTER.match(entry.name):
                    continue
                # Unlike the entry's own methods, these are no errors for a link to itself.
                if os.path.isdir(entry.path):  # noqa: PTH112
                    folders.append(name)
                    self._list(f"{name}/", above | {real}, files, folders)
                elif os.path.isfile(entry.path):  # noqa: PTH113
                    files.append(name)
                else:
                    msg = (
                        f"Something in {self.path} is neither a file nor a folder, or a link that leads nowhere; "
                        f"remove it. Received: {name!r}"
                    )
                    raise DataError(msg)


@dataclass(frozen=True)
class Zip:
    """A zip archive of images."""

    path: Path

    def digest(self) -> str:
        """SHA-256 of all names and contents, as hexadecimal digits."""
        return hashes.sha256(self.path)

    def listing(self) -> Listing:
        """List all files and folders; nothing is unpacked.

        Raises:
            DataError: A name or a member is refused.
        """
        with zipfile.ZipFile(self.path) as archive:
            members = archive.infolist()
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if stat.S_ISLNK(kind):
                raise _refused(self.path, member.filename, "is a link")
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise _refused(self.path, member.filename, "is a device")
            # The bits of traditional and of strong encryption.
            if member.flag_bits & 0x41:
                raise _refused(self.path, member.filename, "is encrypted")
        return _checked(self.path, [(member.filename, member.is_dir(), member.file_size) for member in members])

    def contents(self, wanted: frozenset[str]) -> Iterator[tuple[str, bytes | Unreadable]]:
        """Yield names and contents of some files, in any order.

        Args:
            wanted: Names of the files.
        """
        with zipfile.ZipFile(self.path) as archive:
            for member in archive.infolist():
                if (name := _normal(member.filename)) in wanted:
                    yield name, self._content(archive, member)

    def _content(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | Unreadable:
        try:
            with archive.open(member) as file:
                return _limited(file)
        except NotImplementedError as error:
            raise _refused(
                self.path, member.filename, f"is packed in a way that Python cannot unpack ({error})"
            ) from error
        except DAMAGE as error:
            return Unreadable(str(error))


@dataclass(frozen=True)
class Tar:
    """A tar archive of images, compressed or not."""

    path: Path

    def digest(self) -> str:
        """SHA-256 of all names and contents, as hexadecimal digits."""
        return hashes.sha256(self.path)

    def listing(self) -> Listing:
        """List all files and folders; nothing is unpacked.

        Raises:
            DataError: A name or a member is refused.
        """
        with tarfile.open(self.path) as archive:
            listing = _checked(self.path, self._members(archive))
            # tarfile takes the first block that is no header for the end, and so an archive cut short for a whole one.
            file = archive.fileobj
            if file is not None:
                file.seek(archive.offset)
                if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                    msg = "the end mark is missing"
                    raise tarfile.ReadError(msg)
        return listing

    def contents(self, wanted: frozenset[str]) -> Iterator[tuple[str, bytes | Unreadable]]:
        """Yield names and contents of some files, in any order.

        Args:
            wanted: Names of the files.
        """
        with tarfile.open(self.path) as archive:
            for member in archive:
                name = _normal(member.name)
                if name in wanted and member.isfile() and (file := archive.extractfile(member)):
                    yield name, _limited(file)

    def _members(self, archive: tarfile.TarFile) -> Iterator[tuple[str, bool, int]]:
        # One by one, so that a bomb is refused before it is unpacked to find the next header.
        for member in archive:
            if not (member.isfile() or member.isdir()):
                raise _refused(self.path, member.name, "is a link or a device")
            yield member.name, member.isdir(), member.size


def source(path: Path) -> Folder | Zip | Tar:
    """Recognise a folder or an archive, by its content.

    Raises:
        DataError: The path is missing, or is no archive.
    """
    if not path.exists():
        msg = f"The images are not there; give the path of a folder or of a zip or tar archive. Received: {path}"
        raise DataError(msg)
    if path.is_dir():
        return Folder(path)
    with readable(path):
        if path.is_file() and zipfile.is_zipfile(path):
            return Zip(path)
        if path.is_file() and tarfile.is_tarfile(path):
            return Tar(path)
    kind = kinds.describe_file(path) if path.is_file() else None
    if kind is not None:
        msg = f"The images must be a folder, or a zip or tar archive of one, and this is {kind}. Received: {path}"
        raise DataError(msg)
    msg = (
        "The images must be a folder, or a zip or tar archive of one; where it is an archive, it is damaged or "
        f"cut short, and should be fetched again. Received: {path}"
    )
    raise DataError(msg)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Name what is being read in errors about reading it."""
    try:
        yield
    except DAMAGE as error:
        what = "folder" if path.is_dir() else "archive"
        remedy = "check its permissions" if isinstance(error, PermissionError) else "it is damaged; fetch it again"
        msg = f"The {what} {path} cannot be read: {remedy}. Received: {type(error).__name__}: {error}"
        raise DataError(msg) from error


def _checked(archive: Path, members: Iterable[tuple[str, bool, int]]) -> Listing:
    """Names of an archive's members, of which none may lead out of it or be a bomb.

    Args:
        archive: For messages.
        members: Name, whether it is a folder, and size in bytes, of each.
    """
    limit = max(ARCHIVE_BYTES, ARCHIVE_RATIO * archive.stat().st_size)
    total = 0
    files: dict[str, None] = {}
    folders: dict[str, None] = {}
    for name, is_folder, size in members:
        if ".." in PurePosixPath(name).parts or name.startswith("/") or re.match(r"[A-Za-z]:", name):
            raise _refused(archive, name, "has a name that leads out of the archive")
        if "\\" in name:
            raise _refused(archive, name, r"has a \ in its name, where only / may part folders")
        if size > MEMBER_BYTES:
            raise _refused(archive, name, f"would take {size:,} bytes, more than {MEMBER_BYTES:,}")
        total += size
        if total > limit:
            raise _refused(archive, name, f"takes the unpacked size beyond {limit:,} bytes")
        normal = _normal(name)
        if normal in files:
            raise _refused(archive, name, "stands in it twice")
        (folders if is_folder else files)[normal] = None
    return Listing(tuple(files), tuple(folders))


def _normal(name: str) -> str:
    return str(PurePosixPath(name))


def _limited(file: IO[bytes]) -> bytes | Unreadable:
    # The size that an archive declares need not be the size that comes.
    content = file.read(MEMBER_BYTES + 1)
    return Unreadable(f"more than {MEMBER_BYTES:,} bytes") if len(content) > MEMBER_BYTES else content


def _refused(archive: Path, member: str, why: str) -> DataError:
    msg = (
        f"The archive {archive} is refused: a member {why}. Make it anew of plain files and folders, or, where you "
        f"trust it, unpack it and give the folder. Received: {member!r}"
    )
    return DataError(msg)
