"""Image folders and archives of them, one folder for each class."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import tarfile
import warnings
import zipfile
import zlib

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

import numpy as np

from PIL import Image, ImageOps

from tlbench.datasets.cache import cached, code_digest
from tlbench.datasets.dataset import Dataset
from tlbench.errors import DataError


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

# Larger than any photograph: what claims to be more is not read.
MEMBER_BYTES = 256 * 1024**2

# What archivers and file managers leave beside images.
_LITTER = re.compile(r"\.|__MACOSX$|Thumbs\.db$|desktop\.ini$", re.IGNORECASE)

# What Pillow raises for bytes that are no whole image.
_NO_IMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, zlib.error, zipfile.BadZipFile)

_NAMED = 5

SKIP = "or leave such files out with --tlbench-skip-bad"


def read_images(
    path: Path, image_size: int, *, skip_bad: bool = False, name: str | None = None, cache: Path | None = None
) -> Dataset:
    """Read an image folder, or a zip or tar archive of one.

    Each class is a folder of image files; the class folders stand side by
    side, at any depth. Where the same classes stand at several places, as in
    the published Natural Images archive, which holds everything twice, the
    uppermost is read. Images become RGB (transparency over white, the first
    frame of an animation, 16-bit grey reduced to 8) in their EXIF orientation,
    and are resized to a square without keeping their proportions. Links in
    folders are followed; in archives they are refused. Nothing is extracted.

    Args:
        path: The folder or archive.
        image_size: Height and width of the images returned, in pixels.
        skip_bad: Leave out files that are no images, and say so in the notes.
        name: What to call the dataset; the path's own name unless given.
        cache: Folder of the cache of decoded images; see `tlbench.datasets.cache`.

    Returns:
        The images, sorted by class and file name; a folder and its archive give equal ones.

    Raises:
        DataError: The path is missing or no archive; it has fewer than two classes, or an empty one; an archive
            has names that lead out of it, links, encrypted or huge members; a file is no image.
    """
    if not path.exists():
        msg = f"The images are not there; give the path of a folder or of a zip or tar archive. Received: {path}"
        raise DataError(msg)
    name = name or re.sub(r"\.(zip|tar|tgz|tar\.\w+)$", "", path.resolve().name, flags=re.IGNORECASE)
    source = _Folder(path) if path.is_dir() else _archive(path)
    key = f"images of {name} {source.digest()} size={image_size} skip_bad={skip_bad} code={code_digest(__file__)}"
    return cached(key, lambda: _decode(source, image_size, name, skip_bad=skip_bad), cache)


@dataclass(frozen=True)
class _Folder:
    """A folder of images."""

    path: Path

    def digest(self) -> str:
        sha256 = hashlib.sha256()
        for name, read in self.files():
            content = read()
            sha256.update(f"{name}\0{len(content)}\0".encode())
            sha256.update(content)
        sha256.update(repr(sorted(self.folders())).encode())
        return sha256.hexdigest()

    def names(self) -> list[str]:
        return sorted(self._relative(root, name) for root, _, names in self._walk() for name in names)

    def folders(self) -> list[str]:
        return [self._relative(root, name) for root, names, _ in self._walk() for name in names]

    def files(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        for name in self.names():
            yield name, (self.path / name).read_bytes

    def _walk(self) -> Iterator[tuple[str, list[str], list[str]]]:
        return os.walk(self.path, followlinks=True)

    def _relative(self, root: str, name: str) -> str:
        return (Path(root) / name).relative_to(self.path).as_posix()


@dataclass(frozen=True)
class _Zip:
    """A zip archive of images."""

    path: Path

    def digest(self) -> str:
        return _file_digest(self.path)

    def names(self) -> list[str]:
        with zipfile.ZipFile(self.path) as archive:
            return [self._checked(member) for member in archive.infolist() if not member.is_dir()]

    def folders(self) -> list[str]:
        with zipfile.ZipFile(self.path) as archive:
            return [_safe(member.filename.rstrip("/"), self.path) for member in archive.infolist() if member.is_dir()]

    def files(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        with zipfile.ZipFile(self.path) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    # Read here, since an archive is not read by several threads at once.
                    yield _safe(member.filename, self.path), _Content.read(partial(archive.open, member))

    def _checked(self, member: zipfile.ZipInfo) -> str:
        if stat.S_ISLNK(member.external_attr >> 16):
            raise _refused(self.path, member.filename, "is a link")
        if member.flag_bits & 1:
            raise _refused(self.path, member.filename, "is encrypted")
        if member.file_size > MEMBER_BYTES:
            raise _refused(self.path, member.filename, f"would take {member.file_size:,} bytes")
        return _safe(member.filename, self.path)


@dataclass(frozen=True)
class _Tar:
    """A tar archive of images, compressed or not."""

    path: Path

    def digest(self) -> str:
        return _file_digest(self.path)

    def names(self) -> list[str]:
        with tarfile.open(self.path) as archive:
            return [self._checked(member) for member in archive if not member.isdir()]

    def folders(self) -> list[str]:
        with tarfile.open(self.path) as archive:
            return [_safe(member.name, self.path) for member in archive if member.isdir()]

    def files(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        with tarfile.open(self.path) as archive:
            for member in archive:
                if not member.isdir():
                    yield _safe(member.name, self.path), _Content.read(partial(archive.extractfile, member))

    def _checked(self, member: tarfile.TarInfo) -> str:
        if not member.isfile():
            raise _refused(self.path, member.name, "is a link or a device")
        if member.size > MEMBER_BYTES:
            raise _refused(self.path, member.name, f"would take {member.size:,} bytes")
        return _safe(member.name, self.path)


@dataclass(frozen=True)
class _Content:
    """Bytes of an archive's member, or what came of reading them."""

    content: bytes | Exception

    def __call__(self) -> bytes:
        if isinstance(self.content, Exception):
            raise self.content
        return self.content

    @classmethod
    def read(cls, opened: Callable[[], IO[bytes] | None]) -> _Content:
        try:
            with opened() or io.BytesIO() as file:
                # An archive may declare less than it holds.
                content = file.read(MEMBER_BYTES + 1)
        except _NO_IMAGE as error:
            return cls(error)
        if len(content) > MEMBER_BYTES:
            return cls(ValueError(f"larger than {MEMBER_BYTES:,} bytes"))
        return cls(content)


def _archive(path: Path) -> _Zip | _Tar:
    archive: _Zip | _Tar
    try:
        if zipfile.is_zipfile(path):
            archive = _Zip(path)
        elif tarfile.is_tarfile(path):
            archive = _Tar(path)
        else:
            msg = f"The images must be a folder, or a whole zip or tar archive. Received: {path}"
            raise DataError(msg)
        archive.names()
        archive.folders()
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError, NotImplementedError) as error:
        msg = f"The archive {path} is damaged or cut short; get it again. Received: {error}"
        raise DataError(msg) from error
    return archive


def _decode(source: _Folder | _Zip | _Tar, image_size: int, name: str, *, skip_bad: bool) -> Dataset:
    classes, root = _classes(source)
    class_names = tuple(sorted(classes))
    order = [(file, label) for label, class_name in enumerate(class_names) for file in sorted(classes[class_name])]
    position = {file: index for index, (file, _) in enumerate(order)}
    images = np.zeros((len(order), image_size, image_size, 3), np.uint8)
    bad: dict[int, str] = {}

    def decode(file: str, read: Callable[[], bytes]) -> None:
        try:
            images[position[file]] = _rgb(read(), image_size)
        except (*_NO_IMAGE, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            bad[position[file]] = f"{file} ({error})"

    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        # Pillow warns of a picture of more than 89 million pixels, and of odd metadata, which does no harm.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        tasks = [pool.submit(decode, file, read) for file, read in source.files() if file in position]
        for task in tasks:
            task.result()

    notes = []
    if root.copies:
        notes.append(f"{name} holds the same classes {root.copies + 1} times; those in {root.name!r} are used.")
    if bad:
        listed = "; ".join(bad[index] for index in sorted(bad)[:_NAMED]) + ("; …" if len(bad) > _NAMED else "")
        if not skip_bad:
            msg = f"{len(bad)} of {len(order)} files of {name} are no whole images: mend or remove them, {SKIP}. "
            raise DataError(msg + f"Received: {listed}")
        notes.append(f"{len(bad)} of {len(order)} files of {name} were left out, since they are no images: {listed}")
    kept = np.array([index not in bad for index in range(len(order))])
    labels = np.array([label for _, label in order], np.int64)
    return Dataset(
        name=name,
        images=images if kept.all() else images[kept],
        labels=labels[kept],
        class_names=class_names,
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _Root:
    """The folder that class folders stand in, and how many more times the same classes stand elsewhere."""

    name: str
    copies: int


def _classes(source: _Folder | _Zip | _Tar) -> tuple[dict[str, list[str]], _Root]:
    """Files by class."""
    roots: defaultdict[PurePosixPath, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in source.names():
        path = PurePosixPath(name)
        if any(_LITTER.match(part) for part in path.parts):
            continue
        if len(path.parts) == 1:
            msg = f"Each class needs a folder of its own in {source.path}. Received: {name} beside them"
            raise DataError(msg)
        roots[path.parent.parent][path.parent.name].append(name)
    if not roots:
        msg = f"There are no images in {source.path}; it needs a folder for each class."
        raise DataError(msg)

    root = min(roots, key=lambda path: (len(path.parts), path))
    for other, classes in roots.items():
        if classes.keys() != roots[root].keys():
            msg = (
                f"The class folders of {source.path} do not stand side by side: some are in {str(root)!r}, others in "
                f"{str(other)!r}. Received: {', '.join(sorted(roots[root]))} and {', '.join(sorted(classes))}"
            )
            raise DataError(msg)
    for folder in map(PurePosixPath, source.folders()):
        litter = any(_LITTER.match(part) for part in folder.parts)
        if folder.parent == root and folder.name not in roots[root] and not litter:
            ancestor = any(folder in other.parents or folder == other for other in roots)
            if not ancestor:
                msg = f"Class {folder.name!r} of {source.path} has no images; fill its folder or remove it."
                raise DataError(msg)
    if len(roots[root]) < 2:
        msg = (
            f"A dataset needs at least two classes, a folder each. Received: {', '.join(roots[root])} in {source.path}"
        )
        raise DataError(msg)
    return roots[root], _Root(str(root), len(roots) - 1)


def _rgb(content: bytes, size: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content)) as opened:
        # A JPEG may be decoded at a fraction of its size; twice ours leaves the resampling its choice.
        opened.draft(None, (2 * size, 2 * size))
        image: Image.Image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I") or image.mode == "F":
            grey = np.asarray(image, np.float64)
            image = Image.fromarray((grey / 256 if grey.max(initial=0) > 255 else grey).clip(0, 255).astype(np.uint8))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        resized = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(resized, np.uint8)


def _safe(name: str, archive: Path) -> str:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or "\\" in name:
        raise _refused(archive, name, "has a name that leads out of the archive")
    return name.removeprefix("./")


def _refused(archive: Path, member: str, why: str) -> DataError:
    msg = f"The archive {archive} is refused, and nothing of it was read: a member {why}. Received: {member!r}"
    return DataError(msg)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
