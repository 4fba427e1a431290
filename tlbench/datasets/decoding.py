"""Bytes of images in, pixels of one size out."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import time
import warnings

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from PIL import Image, ImageOps, UnidentifiedImageError

from tlbench.datasets import kinds
from tlbench.datasets.archives import Unreadable, readable
from tlbench.datasets.dataset import Dataset
from tlbench.datasets.labelled import called, first, folder_of
from tlbench.datasets.layouts import apart
from tlbench.errors import ConfigurationError, DataError


if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from tlbench.datasets.labelled import Layout


logger = logging.getLogger(__name__)

# Pillow would hand some others to external programs (EPS to Ghostscript).
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")

# Seconds between two lines of the log on the images decoded so far.
_LOG_SECONDS = 5.0


@dataclass(frozen=True)
class Request:
    """The images that a caller asks for.

    Attributes:
        name: Name of the dataset.
        image_size: Height and width of the images, in pixels.
        skip_bad: Whether to leave out files that are no images, instead of refusing them.
        labels: Regular expression whose one group is the class in a file's name; None for the classes that are found.
    """

    name: str
    image_size: int
    skip_bad: bool = False
    labels: str | None = None

    def refuse_pattern(self, path: Path, instead: str) -> None:
        """Refuse a pattern of classes in the names of files.

        Args:
            path: Path of the images.
            instead: Place of their labels, for the message.

        Raises:
            ConfigurationError: The caller asks for classes in the names of files.
        """
        if self.labels is not None:
            msg = (
                f"--tlbench-labels finds classes in the names of files, and {path} has {instead} of labels; leave it "
                f"out. Received: {self.labels!r}"
            )
            raise ConfigurationError(msg)


class LabelledImages(Protocol):
    """Labelled images at a path, of one format."""

    @property
    def path(self) -> Path:
        """The path that the user gave."""

    def digest(self) -> str:
        """SHA-256 of everything that is read, as hexadecimal digits."""

    def dataset(self, request: Request) -> Dataset:
        """Read the images.

        Args:
            request: Size and name.

        Raises:
            DataError: The images cannot be read or have no labels.
        """


class Source(Protocol):
    """Named contents, of files or of rows of a table."""

    @property
    def path(self) -> Path:
        """The path that messages name."""

    def contents(self, wanted: frozenset[str]) -> Iterator[tuple[str, bytes | Unreadable]]:
        """Yield names and contents of some files, in any order.

        Args:
            wanted: Names of the files.
        """


def decode(source: Source, layout: Layout, request: Request) -> Dataset:
    """Decode the images of a layout.

    Args:
        source: Contents of the files.
        layout: Labels and parts of the files.
        request: Size and name.

    Raises:
        DataError: A file is no image, or a copy differs from the file that it should repeat.
    """
    size = request.image_size
    images = np.zeros((len(layout.files), size, size, 3), np.uint8)
    bad = {**dict.fromkeys(layout.strays, "in no class folder"), **_fill(images, source, layout, size)}

    notes = list(layout.notes)
    if bad:
        listed = first([f"{file} ({bad[file]})" for file in (*layout.strays, *layout.files) if file in bad])
        every = len(layout.files) + len(layout.strays)
        if not request.skip_bad:
            msg = (
                f"{len(bad)} of {every} files of {source.path} are no whole images: mend or remove them, or leave "
                f"them out with --tlbench-skip-bad. Received: {listed}"
            )
            raise DataError(msg)
        notes.append(f"{len(bad)} of {every} files of {called(source.path)} were left out, being no images: {listed}.")
    kept = np.array([file not in bad for file in layout.files])
    return Dataset(
        name=request.name,
        images=images if kept.all() else images[kept],
        labels=np.array(list(layout.files.values()), np.int64)[kept],
        class_names=layout.class_names,
        notes=tuple(notes),
        parts_given=None if layout.parts is None else np.array(layout.parts, np.int8)[kept],
    )


def _fill(images: NDArray[np.uint8], source: Source, layout: Layout, size: int) -> dict[str, str]:
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
    copied = layout.copies
    contents: dict[str, bytes] = {}
    bad: dict[str, str] = {}
    Image.init()
    formats = tuple(name for name in FORMATS if name in Image.OPEN)

    def decode_one(file: str, content: bytes | Unreadable) -> None:
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
            bad[file] = kinds.describe(content) or ("not an image of a known format" if content else "an empty file")
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            bad[file] = _too_large(error)
        except Exception as error:  # noqa: BLE001 - Pillow's decoders raise whatever broken bytes bring about.
            bad[file] = str(error) or type(error).__name__

    workers = min(8, os.cpu_count() or 1)
    pending: deque[Future[None]] = deque()
    wanted = frozenset(position) | frozenset(copied)
    told = time.monotonic()
    with readable(source.path), warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        # Pillow warns of odd metadata, which does no harm, and of pictures that are too large to be meant.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for number, (file, content) in enumerate(source.contents(wanted)):
            # What is read ahead has to fit into memory.
            if len(pending) >= 4 * workers:
                pending.popleft().result()
            pending.append(pool.submit(decode_one, file, content))
            if time.monotonic() - told > _LOG_SECONDS:
                told = time.monotonic()
                logger.info("Decoded %d of %d images of %s.", number, len(wanted), source.path)
        for task in pending:
            task.result()

    for copy, file in copied.items():
        if contents.get(copy) != contents.get(file):
            raise apart(source.path, folder_of(file).parent, folder_of(copy).parent)
    return bad


def _too_large(error: BaseException) -> str:
    size = re.search(r"\d+(?= pixels\))", str(error))
    pixels = f"{int(size[0]):,} pixels" if size else "an image"
    limit = Image.MAX_IMAGE_PIXELS or 0
    return f"{pixels}, beyond the limit of {limit:,}; scale it down, for instance with `magick FILE -resize 50% FILE`"


def _rgb(content: bytes, size: int, formats: tuple[str, ...]) -> NDArray[np.uint8]:
    if kinds.is_heic(content):
        return square(_heic(content), size)
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
        return square(image, size)


def _heic(content: bytes) -> Image.Image:
    try:
        import pillow_heif
    except ImportError:
        # The caller names the kind and the remedy.
        raise UnidentifiedImageError from None
    opened = pillow_heif.open_heif(io.BytesIO(content))
    width, height = opened.size
    if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:
        msg = f"Image size ({width * height} pixels) exceeds limit of {Image.MAX_IMAGE_PIXELS} pixels"
        raise Image.DecompressionBombError(msg)
    image: Image.Image = opened.to_pillow()
    return image


def square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Resize an image to a square of RGB, its transparency laid over white.

    Args:
        image: Image with 8 bits per channel.
        size: Height and width, in pixels.

    Returns:
        uint8, shape (size, size, 3).
    """
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    resized = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.uint8)
