"""Images at a path, of any format that is read; `read_images` is the entry."""

from __future__ import annotations

import re

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.datasets import (
    archives,
    dataset,
    decoding,
    kinds,
    labelled,
    layouts,
    manifests,
    npz,
    parquet,
    splits,
)
from tlbench.datasets.archives import readable
from tlbench.datasets.cache import cached, code_digest
from tlbench.datasets.decoding import Request
from tlbench.errors import ConfigurationError


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tlbench.datasets.archives import Folder, Tar, Zip
    from tlbench.datasets.dataset import Dataset
    from tlbench.datasets.decoding import LabelledImages
    from tlbench.datasets.labelled import Layout


# A new format of images is a module of this folder and a line here: the function returns None for the path of another.
FORMATS = (npz.find, parquet.find, manifests.find)

# Everything that decides the images of a path.
_CODE = (archives, dataset, decoding, kinds, labelled, layouts, manifests, npz, parquet, splits)

_SUFFIX = re.compile(r"\.(zip|tar|t[gbx]z2?|tar\.\w+|npz|csv|tsv|jsonl|ndjson|parquet)$", re.IGNORECASE)


def read_images(
    path: Path,
    image_size: int,
    *,
    skip_bad: bool = False,
    name: str | None = None,
    cache: Path | None = None,
    labels: str | None = None,
) -> Dataset:
    r"""Read labelled images: a folder, an archive, arrays, a table of labels or a table of images.

    In a folder, or a zip or tar archive of one, each class is a folder of
    image files; the class folders stand side by side, at any depth, also in
    groups. Folders such as `train` and `test` with the same class folders are
    a split of the dataset's own. Where exactly the same files stand at several
    places, as in the published Natural Images archive, which holds everything
    twice, the uppermost are read; places that differ otherwise are an error.
    Without class folders, the classes come from a table beside the images or
    from the beginnings of their names. Hidden files, text files and what file
    managers leave behind are left out. The notes of the dataset tell of each
    decision.

    Images become RGB in their EXIF orientation: transparency over white, the
    first frame of an animation, the upper 8 of 16 bits. They are resized to a
    square, without keeping their proportions, by an antialiased bilinear
    filter. Nothing is extracted. Links in a folder are followed, wherever they
    lead, since the folder is the user's own; in archives they are refused.

    Args:
        path: A folder; a zip, tar, tar.gz, tar.bz2 or tar.xz archive or arrays in an .npz, recognised by content; a
            table of labels (.csv, .tsv, .jsonl or .parquet) beside its images; Parquet or Arrow files that hold images.
        image_size: Height and width of the images returned, in pixels.
        skip_bad: Leave out files that are no images, and say so in the notes.
        name: Name of the dataset; the path's own name unless given.
        cache: Folder of the cache of decoded images; see `tlbench.datasets.cache`.
        labels: Regular expression whose one group is the class in each file's name, for instance
            `^(.+)_\d+\.jpg$`, or in its path if the expression has a slash.

    Returns:
        The images, sorted by class and file name; a folder and its archive give equal ones.

    Raises:
        ConfigurationError: The image size is not positive, or `labels` is no regular expression with one group.
        DataError: The path is missing or no archive; it has fewer than two classes, or an empty one; an archive
            has names that lead out of it, links, encrypted or huge members; a file is no image.
    """
    if image_size < 1:
        msg = f"Images need a size of at least one pixel. Received: image_size={image_size!r}"
        raise ConfigurationError(msg)
    _check_pattern(labels)
    request = Request(name or _SUFFIX.sub("", path.resolve().name), image_size, skip_bad, labels)
    images = _find(path)
    with readable(path):
        digest = images.digest()
    code = code_digest(*(str(module.__file__) for module in _CODE), __file__)
    key = f"images of {request.name} {digest} size={image_size} skip_bad={skip_bad} labels={labels} code={code}"
    return cached(key, lambda: _decode(images, request), cache)


@dataclass(frozen=True)
class ImageFiles:
    """Image files in a folder or an archive."""

    source: Folder | Zip | Tar

    @property
    def path(self) -> Path:
        """The folder or archive."""
        return self.source.path

    def digest(self) -> str:
        """SHA-256 of all names and contents, as hexadecimal digits."""
        return self.source.digest()

    def dataset(self, request: Request) -> Dataset:
        """Read the images, see `tlbench.datasets.decoding.LabelledImages`."""
        with readable(self.path):
            layout = layouts.arrange(
                self.path,
                self.source.listing(),
                skip_bad=request.skip_bad,
                labels=request.labels,
                by_sheet=self._by_sheet,
            )
        return decoding.decode(self.source, layout, request)

    def _by_sheet(self, images: Sequence[str], texts: Sequence[str]) -> Layout | None:
        wanted = frozenset(name for name in texts if manifests.is_table(name))
        # Looking for nothing would unpack all of an archive.
        return manifests.fitting(self.path, images, dict(self.source.contents(wanted))) if wanted else None


def _find(path: Path) -> LabelledImages:
    if path.exists():
        with readable(path):
            for find in FORMATS:
                images: LabelledImages | None = find(path)
                if images is not None:
                    return images
    return ImageFiles(archives.source(path))


def _decode(images: LabelledImages, request: Request) -> Dataset:
    return images.dataset(request)


def _check_pattern(labels: str | None) -> None:
    if labels is None:
        return
    try:
        groups = re.compile(labels).groups
    except re.error as error:
        msg = f"The pattern of --tlbench-labels is no regular expression: {error}. Received: {labels!r}"
        raise ConfigurationError(msg) from error
    if groups != 1:
        msg = (
            "The pattern of --tlbench-labels needs one group in parentheses, the class, for instance "
            rf"'^(.+)_\d+\.jpg$'. Received: {labels!r}, with {groups} groups"
        )
        raise ConfigurationError(msg)
