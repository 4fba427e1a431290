"""Image folders and archives of them, one folder for each class."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import re
import stat
import tarfile
import unicodedata
import warnings
import zipfile
import zlib

from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from struct import error as struct_error
from typing import IO, TYPE_CHECKING

import numpy as np

from PIL import Image, ImageOps, UnidentifiedImageError

from tlbench.datasets.cache import cached, code_digest
from tlbench.datasets.dataset import Dataset
from tlbench.errors import ConfigurationError, DataError


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

# Larger than any photograph: what claims to be more is not read.
MEMBER_BYTES = 256 * 1024**2

# An archive may always unpack to so much, and beyond that to so many times its own size: photographs
# hardly shrink, and drawings that do are small.
ARCHIVE_BYTES = 1024**3
ARCHIVE_RATIO = 100

# Pillow would hand some others to external programs (EPS to Ghostscript).
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")

# What archivers and file managers leave beside images; hidden files are among it.
_LITTER = re.compile(r"\.|__MACOSX$|(eh)?thumbs\.db$|desktop\.ini$|icon\r$|@eaDir$", re.IGNORECASE)

# What zipfile, tarfile and what they unpack with raise for bytes that are no whole archive.
_DAMAGE = (
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

# So many files are named in a message or a note.
_NAMED = 5


def read_images(
    path: Path, image_size: int, *, skip_bad: bool = False, name: str | None = None, cache: Path | None = None
) -> Dataset:
    """Read an image folder, or a zip or tar archive of one.

    Each class is a folder of image files; the class folders stand side by
    side, at any depth. Where exactly the same files stand at several places,
    as in the published Natural Images archive, which holds everything twice,
    the uppermost are read; places that differ, such as `train/` and `test/`,
    are an error. Hidden files and what file managers leave behind are ignored.

    Images become RGB in their EXIF orientation: transparency over white, the
    first frame of an animation, the upper 8 of 16 bits. They are resized to a
    square, without keeping their proportions, by an antialiased bilinear
    filter. Nothing is extracted. Links in a folder are followed, wherever they
    lead, since the folder is the user's own; in archives they are refused.

    Args:
        path: The folder, or a zip, tar, tar.gz, tar.bz2 or tar.xz archive, recognised by its content.
        image_size: Height and width of the images returned, in pixels.
        skip_bad: Leave out files that are no images, and say so in the notes.
        name: What to call the dataset; the path's own name unless given.
        cache: Folder of the cache of decoded images; see `tlbench.datasets.cache`.

    Returns:
        The images, sorted by class and file name; a folder and its archive give equal ones.

    Raises:
        ConfigurationError: The image size is not positive.
        DataError: The path is missing or no archive; it has fewer than two classes, or an empty one; an archive
            has names that lead out of it, links, encrypted or huge members; a file is no image.
    """
    if image_size < 1:
        msg = f"Images need a size of at least one pixel. Received: image_size={image_size!r}"
        raise ConfigurationError(msg)
    source = _source(path)
    name = name or re.sub(r"\.(zip|tar|t[gbx]z2?|tar\.\w+)$", "", path.resolve().name, flags=re.IGNORECASE)
    with _readable(path):
        digest = source.digest()
    key = f"images of {name} {digest} size={image_size} skip_bad={skip_bad} code={code_digest(__file__)}"
    return cached(key, lambda: _decode(source, image_size, name, skip_bad=skip_bad), cache)


@dataclass(frozen=True)
class _Listing:
    """Names in a folder or archive, relative to it, in any order."""

    files: tuple[str, ...]
    folders: tuple[str, ...]


@dataclass(frozen=True)
class _Unreadable:
    """Why a file has no content."""

    reason: str


@dataclass(frozen=True)
class _Folder:
    """A folder of images."""

    path: Path

    def digest(self) -> str:
        sha256 = hashlib.sha256()
        listing = self.listing()
        for name in sorted(listing.files):
            sha256.update(os.fsencode(f"{name}\0{_file_digest(self.path / name)}\0"))
        sha256.update(os.fsencode("\0".join(sorted(listing.folders))))
        return sha256.hexdigest()

    def listing(self) -> _Listing:
        files: list[str] = []
        folders: list[str] = []
        self._list("", frozenset(), files, folders)
        return _Listing(tuple(files), tuple(folders))

    def contents(self, wanted: frozenset[str]) -> Iterator[tuple[str, bytes | _Unreadable]]:
        for name in sorted(wanted):
            with (self.path / name).open("rb") as file:
                yield name, _limited(file)

    def _list(self, folder: str, above: frozenset[str], files: list[str], folders: list[str]) -> None:
        real = os.path.realpath(self.path / folder)
        if real in above:
            msg = f"A link in {self.path} leads back to a folder that it stands in; remove it. Received: {folder!r}"
            raise DataError(msg)
        with os.scandir(self.path / folder) as entries:
            for entry in entries:
                name = f"{folder}{entry.name}"
                if _LITTER.match(entry.name):
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
class _Zip:
    """A zip archive of images."""

    path: Path

    def digest(self) -> str:
        return _file_digest(self.path)

    def listing(self) -> _Listing:
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

    def contents(self, wanted: frozenset[str]) -> Iterator[tuple[str, bytes | _Unreadable]]:
        with zipfile.ZipFile(self.path) as archive:
            for member in archive.infolist():
                if (name := _normal(member.filename)) in wanted:
                    yield name, self._content(archive, member)

    def _content(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | _Unreadable:
        try:
            with archive.open(member) as file:
                return _limited(file)
        except NotImplementedError as error:
            raise _refused(
                self.path, member.filename, f"is packed in a way that Python cannot unpack ({error})"
            ) from error
        except _DAMAGE as error:
            return _Unreadable(str(error))


@dataclass(frozen=True)
class _Tar:
    """A tar archive of images, compressed or not."""

    path: Path

    def digest(self) -> str:
        return _file_digest(self.path)

    def listing(self) -> _Listing:
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

    def contents(self, wanted: frozenset[str]) -> Iterator[tuple[str, bytes | _Unreadable]]:
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


def _source(path: Path) -> _Folder | _Zip | _Tar:
    if not path.exists():
        msg = f"The images are not there; give the path of a folder or of a zip or tar archive. Received: {path}"
        raise DataError(msg)
    if path.is_dir():
        return _Folder(path)
    with _readable(path):
        if path.is_file() and zipfile.is_zipfile(path):
            return _Zip(path)
        if path.is_file() and tarfile.is_tarfile(path):
            return _Tar(path)
    msg = (
        "The images must be a folder, or a zip or tar archive of one; where it is an archive, it is damaged or "
        f"cut short, and should be fetched again. Received: {path}"
    )
    raise DataError(msg)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Name what is being read in errors about reading it."""
    try:
        yield
    except _DAMAGE as error:
        what = "folder" if path.is_dir() else "archive"
        remedy = "check its permissions" if isinstance(error, PermissionError) else "it is damaged; fetch it again"
        msg = f"The {what} {path} cannot be read: {remedy}. Received: {type(error).__name__}: {error}"
        raise DataError(msg) from error


def _checked(archive: Path, members: Iterable[tuple[str, bool, int]]) -> _Listing:
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
    return _Listing(tuple(files), tuple(folders))


def _normal(name: str) -> str:
    return str(PurePosixPath(name))


def _limited(file: IO[bytes]) -> bytes | _Unreadable:
    # The size that an archive declares need not be the size that comes.
    content = file.read(MEMBER_BYTES + 1)
    return _Unreadable(f"more than {MEMBER_BYTES:,} bytes") if len(content) > MEMBER_BYTES else content


def _refused(archive: Path, member: str, why: str) -> DataError:
    msg = (
        f"The archive {archive} is refused: a member {why}. Make it anew of plain files and folders, or, where you "
        f"trust it, unpack it and give the folder. Received: {member!r}"
    )
    return DataError(msg)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class _Layout:
    """The layout of the images in a folder or an archive.

    Attributes:
        root: Folder that the class folders stand in; `.` is the folder or archive itself.
        files: Label of each image file, in the order of the dataset.
        class_names: Sorted.
        copies: Other folders with the same class folders and file names.
        strays: Files outside of class folders.
    """

    root: str
    files: dict[str, int]
    class_names: tuple[str, ...]
    copies: tuple[str, ...]
    strays: tuple[str, ...]


def _layout(path: Path, listing: _Listing, *, skip_bad: bool) -> _Layout:
    files = [name for name in listing.files if not _is_litter(name)]
    with_files = {PurePosixPath(name).parent for name in files}
    # A folder with class folders somewhere below it is none itself.
    upper = {above for folder in with_files for above in folder.parents}
    strays = sorted(name for name in files if PurePosixPath(name).parent in upper)
    classes = sorted(with_files - upper)
    if strays and not skip_bad:
        msg = (
            f"{len(strays)} files of {path} stand beside class folders, not in one: move or remove them, or leave "
            f"them out with --tlbench-skip-bad. Received: {_first(strays)}"
        )
        raise DataError(msg)
    if not classes or classes == [PurePosixPath()]:
        received = f"{len(files)} files and no folder" if files else "no files"
        msg = f"{path} needs a folder of images for each class. Received: {received}"
        raise DataError(msg)

    # Copies are told by names here, and by content once it is read.
    by_root: defaultdict[PurePosixPath, dict[str, str]] = defaultdict(dict)
    for name in files:
        if (folder := PurePosixPath(name).parent) in with_files - upper:
            by_root[folder.parent][str(PurePosixPath(name).relative_to(folder.parent))] = name
    root, *copies = sorted(by_root, key=lambda folder: (len(folder.parts), folder))
    for copy in copies:
        if by_root[copy].keys() != by_root[root].keys():
            raise _apart(path, root, copy)

    # An archive need not have an entry for a folder that holds another, or nothing but litter.
    folders = {PurePosixPath(name) for name in listing.folders}
    folders |= {above for name in (*listing.folders, *listing.files) for above in PurePosixPath(name).parents}
    for folder in sorted(folders - with_files - upper):
        if folder.parent in {root, *copies} and not _is_litter(str(folder)):
            msg = f"Class {folder.name!r} of {path} has no images; fill its folder or remove it. Received: {folder}"
            raise DataError(msg)

    ordered = sorted((_class_of(name), unicodedata.normalize("NFC", name), name) for name in by_root[root].values())
    class_names = tuple(sorted({class_name for class_name, _, _ in ordered}))
    if len(class_names) < 2:
        msg = f"A dataset needs at least two classes, a folder each. Received: {class_names[0]!r} alone in {path}"
        raise DataError(msg)
    labels = {class_name: label for label, class_name in enumerate(class_names)}
    return _Layout(
        root=str(root),
        files={name: labels[class_name] for class_name, _, name in ordered},
        class_names=class_names,
        copies=tuple(map(str, copies)),
        strays=tuple(strays),
    )


def _class_of(name: str) -> str:
    # macOS hands out decomposed names, others what was written.
    return unicodedata.normalize("NFC", PurePosixPath(name).parent.name)


def _is_litter(name: str) -> bool:
    return any(_LITTER.match(part) for part in PurePosixPath(name).parts)


def _apart(path: Path, root: PurePosixPath | str, other: PurePosixPath | str) -> DataError:
    msg = (
        f"The class folders of {path} must stand side by side. There are some in {str(root)!r} and others, not the "
        f"same ones again, in {str(other)!r}: put them into one folder, or give the path of one of the two."
    )
    return DataError(msg)


def _decode(source: _Folder | _Zip | _Tar, image_size: int, name: str, *, skip_bad: bool) -> Dataset:
    with _readable(source.path):
        layout = _layout(source.path, source.listing(), skip_bad=skip_bad)
    images = np.zeros((len(layout.files), image_size, image_size, 3), np.uint8)
    bad = {
        **dict.fromkeys(layout.strays, "in no class folder"),
        **_fill(images, source, layout, image_size),
    }

    notes = []
    if layout.copies:
        notes.append(
            f"{source.path.name} holds the same images {len(layout.copies) + 1} times; those in {layout.root!r} "
            "are used."
        )
    if bad:
        listed = _first([f"{file} ({bad[file]})" for file in (*layout.strays, *layout.files) if file in bad])
        every = len(layout.files) + len(layout.strays)
        if not skip_bad:
            msg = (
                f"{len(bad)} of {every} files of {source.path} are no whole images: mend or remove them, or leave "
                f"them out with --tlbench-skip-bad. Received: {listed}"
            )
            raise DataError(msg)
        notes.append(f"{len(bad)} of {every} files of {source.path.name} were left out, being no images: {listed}.")
    kept = np.array([file not in bad for file in layout.files])
    return Dataset(
        name=name,
        images=images if kept.all() else images[kept],
        labels=np.array(list(layout.files.values()), np.int64)[kept],
        class_names=layout.class_names,
        notes=tuple(notes),
    )


def _fill(images: NDArray[np.uint8], source: _Folder | _Zip | _Tar, layout: _Layout, size: int) -> dict[str, str]:
    """Decode every image into its place, and check that copies are copies.

    Args:
        images: Written to, shape (files, size, size, 3).
        source: Read in its own order, which is an archive's fastest.
        layout: Files of the images, in order.
        size: In pixels.

    Returns:
        By file, why it is no image.
    """
    position = {file: index for index, file in enumerate(layout.files)}
    root = PurePosixPath(layout.root)
    copied = {
        str(copy / PurePosixPath(file).relative_to(root)): file for copy in layout.copies for file in layout.files
    }
    contents: dict[str, bytes] = {}
    bad: dict[str, str] = {}
    Image.init()
    formats = tuple(name for name in FORMATS if name in Image.OPEN)

    def decode(file: str, content: bytes | _Unreadable) -> None:
        if copied:
            contents[file] = hashlib.sha256(content if isinstance(content, bytes) else b"unreadable").digest()
        if file in copied:
            return
        if isinstance(content, _Unreadable):
            bad[file] = content.reason
            return
        try:
            images[position[file]] = _rgb(content, size, formats)
        except UnidentifiedImageError:
            bad[file] = "not an image of a known format" if content else "an empty file"
        except Exception as error:  # noqa: BLE001 - Pillow's decoders raise whatever broken bytes bring about.
            bad[file] = str(error) or type(error).__name__

    workers = min(8, os.cpu_count() or 1)
    pending: deque[Future[None]] = deque()
    with _readable(source.path), warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        # Pillow warns of odd metadata, which does no harm, and of pictures that are too large to be meant.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for file, content in source.contents(frozenset(position) | frozenset(copied)):
            # What is read ahead has to fit into memory.
            if len(pending) >= 4 * workers:
                pending.popleft().result()
            pending.append(pool.submit(decode, file, content))
        for task in pending:
            task.result()

    for copy, file in copied.items():
        if contents.get(copy) != contents.get(file):
            raise _apart(source.path, root, PurePosixPath(copy).parent.parent)
    return bad


def _rgb(content: bytes, size: int, formats: tuple[str, ...]) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content), formats=formats) as opened:
        # A JPEG may be decoded at a fraction of its size; twice ours leaves the resampling its choice.
        opened.draft(None, (2 * size, 2 * size))
        image: Image.Image = ImageOps.exif_transpose(opened)
        if image.mode == "F" or (image.mode == "I" and opened.format == "TIFF"):
            msg = f"32-bit values have no agreed white; save it with 8 or 16 bits. Received: mode {image.mode!r}"
            raise ValueError(msg)
        if image.mode.startswith("I"):
            # Pillow's own conversion would clip 16 bits at 255.
            image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        resized = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(resized, np.uint8)


def _first(names: Sequence[str]) -> str:
    return "; ".join(names[:_NAMED]) + ("; …" if len(names) > _NAMED else "")
