"""Image folders and archives of them, one folder for each class."""

from __future__ import annotations

import hashlib
import io
import os
import re
import unicodedata
import warnings

from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from PIL import Image, ImageOps, UnidentifiedImageError

from tlbench.datasets import archives
from tlbench.datasets.archives import LITTER, Folder, Listing, Tar, Unreadable, Zip, readable
from tlbench.datasets.cache import cached, code_digest
from tlbench.datasets.dataset import Dataset
from tlbench.errors import ConfigurationError, DataError


if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray


# Pillow would hand some others to external programs (EPS to Ghostscript).
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")


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
    images = archives.source(path)
    name = name or re.sub(r"\.(zip|tar|t[gbx]z2?|tar\.\w+)$", "", path.resolve().name, flags=re.IGNORECASE)
    with readable(path):
        digest = images.digest()
    code = code_digest(__file__, archives.__file__)
    key = f"images of {name} {digest} size={image_size} skip_bad={skip_bad} code={code}"
    return cached(key, lambda: _decode(images, image_size, name, skip_bad=skip_bad), cache)


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


def _layout(path: Path, listing: Listing, *, skip_bad: bool) -> _Layout:
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
    return any(LITTER.match(part) for part in PurePosixPath(name).parts)


def _apart(path: Path, root: PurePosixPath | str, other: PurePosixPath | str) -> DataError:
    msg = (
        f"The class folders of {path} must stand side by side. There are some in {str(root)!r} and others, not the "
        f"same ones again, in {str(other)!r}: put them into one folder, or give the path of one of the two."
    )
    return DataError(msg)


def _decode(source: Folder | Zip | Tar, image_size: int, name: str, *, skip_bad: bool) -> Dataset:
    with readable(source.path):
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


def _fill(images: NDArray[np.uint8], source: Folder | Zip | Tar, layout: _Layout, size: int) -> dict[str, str]:
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

    def decode(file: str, content: bytes | Unreadable) -> None:
        if copied:
            contents[file] = hashlib.sha256(content if isinstance(content, bytes) else b"unreadable").digest()
        if file in copied:
            return
        if isinstance(content, Unreadable):
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
    with readable(source.path), warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
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
