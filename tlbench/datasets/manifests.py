"""Tables of labels beside images: CSV, JSON lines or Parquet, a row for each image."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from tlbench.datasets import decoding, parquet, splits
from tlbench.datasets.archives import MEMBER_BYTES, Folder, Unreadable
from tlbench.datasets.dataset import PARTS
from tlbench.datasets.labelled import Found, Layout, below, called, counted, first, folders_of, is_litter, normal
from tlbench.errors import DataError
from tlbench.machine import hashes


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tlbench.datasets.dataset import Dataset


_TABLE = re.compile(r".*\.(csv|tsv|jsonl|ndjson|parquet)", re.IGNORECASE)

# Kaggle's examples of a submission have a made-up label for each test image.
_NO_MANIFEST = re.compile(r".*submission.*", re.IGNORECASE)

# Names of columns, the usual first.
FILE_COLUMNS = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "image_name", "image_file",
    "img", "img_path", "image_id", "id",
)  # fmt: skip
LABEL_COLUMNS = ("label", "class", "category", "target", "class_name", "label_name", "species", "breed")
PART_COLUMNS = ("split", "subset", "set", "partition")


@dataclass(frozen=True)
class Entry:
    """A row of a table.

    Attributes:
        file: Path of the image, relative to the table's folder, and never out of it.
        label: Name of the class; None for an image without a label.
        part: Number of the part in `tlbench.datasets.dataset.PARTS`; None without a split.
    """

    file: str
    label: str | None
    part: int | None


@dataclass(frozen=True)
class Manifest:
    """A table of labels, and the images that it names.

    Attributes:
        path: The table.
        rows: Rows of the table; all files are there.
    """

    path: Path
    rows: tuple[Entry, ...]

    def digest(self) -> str:
        """SHA-256 of the table and of the images that it names, as hexadecimal digits."""
        sha256 = hashlib.sha256(hashes.sha256(self.path).encode())
        for file in sorted({row.file for row in self.rows}):
            sha256.update(hashes.sha256(self.path.parent / file).encode())
        return sha256.hexdigest()

    def dataset(self, request: decoding.Request) -> Dataset:
        """Read the images, see `tlbench.datasets.decoding.LabelledImages`."""
        request.refuse_pattern(self.path, "a column")
        layout = _layout(self.path, self.path.name, self.rows)
        return decoding.decode(Folder(self.path.parent), layout, request)


def is_table(name: str) -> bool:
    """Tell whether a file may be a table of labels, by its name."""
    last = name.rpartition("/")[2]
    return bool(_TABLE.fullmatch(last)) and not _NO_MANIFEST.fullmatch(last) and not is_litter(name)


def find(path: Path) -> Manifest | None:
    """The table at a path; None for another format.

    Args:
        path: An existing path, recognised by its suffix.

    Raises:
        DataError: The table lacks a column, or names a file that is not there or not in its folder.
    """
    if not path.is_file() or not _TABLE.fullmatch(path.name):
        return None
    with path.open("rb") as file:
        content = file.read(MEMBER_BYTES + 1)
    if len(content) > MEMBER_BYTES:
        msg = f"A table of labels may have {MEMBER_BYTES:,} bytes at most; divide it. Received: {path}"
        raise DataError(msg)
    rows = read(path, path.name, content)
    folder = path.parent
    if not all((folder / row.file).is_file() for row in rows):
        rows = _placed(path, path.name, rows, Folder(folder).listing().files)
    return Manifest(path, tuple(rows))


def fitting(path: Path, images: Sequence[str], tables: Mapping[str, bytes | Unreadable]) -> Layout | None:
    """Labels of images from the one table that fits them.

    Args:
        path: The folder or archive, for messages and notes.
        images: Names of the images.
        tables: Contents of tables, by name.

    Returns:
        The labels; None where no table names images and their labels.

    Raises:
        DataError: Several tables fit, or a table names files that are not there or outside of the folder.
    """
    found: dict[str, list[Entry]] = {}
    missing: DataError | None = None
    for name, content in sorted(tables.items()):
        if isinstance(content, Unreadable):
            continue
        try:
            rows = read(path, name, content)
        except _OtherTableError:
            continue
        folder = name.rpartition("/")[0]
        within = [Entry(f"{folder}/{row.file}" if folder else row.file, row.label, row.part) for row in rows]
        if any(row.label is not None for row in rows):
            try:
                found[name] = _placed(path, name, within, images)
            except DataError as error:
                missing = error
    if missing is not None and not found:
        raise missing
    if len(found) > 1:
        msg = (
            f"{len(found)} tables of {path} have labels of images; give the path of one of them. "
            f"Received: {first(list(found))}"
        )
        raise DataError(msg)
    for name, rows in found.items():
        layout = _layout(path, name, rows)
        left = sorted(set(images) - {row.file for row in rows})
        more = [f"{counted(len(left), 'image', path)} left out, being in no row of {name}: {first(left)}."]
        return Layout(layout.files, layout.class_names, layout.parts, notes=(*layout.notes, *(more if left else [])))
    return None


class _OtherTableError(DataError):
    """A table without columns of files and labels."""


def read(path: Path, name: str, content: bytes) -> list[Entry]:
    """Read the rows of a table.

    Args:
        path: For messages.
        name: Name of the table, whose suffix is its format.
        content: All of the table.

    Raises:
        DataError: The table lacks a column, or names a file outside of its folder.
    """
    suffix = PurePosixPath(name).suffix.lower()
    try:
        if suffix == ".parquet":
            records: list[dict[str, Any]] = parquet.records(content)
        else:
            text = content.decode("utf-8-sig")
            records = _json_lines(text) if suffix in {".jsonl", ".ndjson"} else _separated(text)
    except (UnicodeDecodeError, ValueError, csv.Error) as error:
        msg = f"The table {name} of {path} cannot be read; save it as UTF-8. Received: {error}"
        raise _OtherTableError(msg) from error
    columns = {str(column).strip().casefold(): column for record in records[:1] for column in record}
    file, label, part = (
        next((columns[known] for known in names if known in columns), None)
        for names in (FILE_COLUMNS, LABEL_COLUMNS, PART_COLUMNS)
    )
    if file is None or label is None:
        msg = (
            f"The table {name} of {path} needs a column of files (path, filename, image, …) and a column of labels "
            f"(label, class, category, …), and may have a column split. Received: {first(list(columns)) or 'no rows'}"
        )
        raise _OtherTableError(msg)
    return [
        Entry(
            _inside(path, name, record.get(file)),
            _label(path, name, record.get(label)),
            None if part is None else _part(path, name, record.get(part)),
        )
        for record in records
    ]


def _separated(text: str) -> list[dict[str, Any]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def _json_lines(text: str) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(record, dict) for record in records):
        msg = "a line is no object"
        raise ValueError(msg)
    return records


def _inside(path: Path, table: str, value: object) -> str:
    file = str(value or "").strip().replace("\\", "/")
    pure = PurePosixPath(file)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or re.match(r"[A-Za-z]:", file) or "\0" in file:
        msg = (
            f"The table {table} of {path} must name files in its own folder, by paths relative to that folder. "
            f"Received: {value!r}"
        )
        raise DataError(msg)
    return str(pure)


def _label(path: Path, table: str, value: object) -> str | None:
    if value is None or value == "" or value != value:  # noqa: PLR0124 - Not a number is a gap, too.
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        msg = f"A label of the table {table} of {path} must be text or a whole number. Received: {value!r}"
        raise DataError(msg)
    return normal(str(value).strip()) or None


def _part(path: Path, table: str, value: object) -> int | None:
    if value is None or value == "":
        return None
    number = splits.part_of(str(value))
    if number is None:
        msg = f"The table {table} of {path} must have train, val or test as the split of a row. Received: {value!r}"
        raise DataError(msg)
    return number


def _placed(path: Path, table: str, rows: Sequence[Entry], images: Iterable[str]) -> list[Entry]:
    """Rows with the paths of their images, whose folder and suffix a table may leave out."""
    there = [image for image in images if not is_litter(image)]
    stems = {str(PurePosixPath(image).with_suffix("")): image for image in there}
    names = {image: image for image in there}
    top = PurePosixPath(table).parent
    missing = [row.file for row in rows if row.file not in names]
    for known in (names, stems):
        for folder in (top, *sorted(folders_of(there))):
            files = [str(folder / below(row.file, top)) for row in rows]
            if all(file in known for file in files):
                return [Entry(known[file], row.label, row.part) for file, row in zip(files, rows, strict=True)]
    msg = (
        f"{len(missing)} of {len(rows)} files that {table} names are not beside {path}; add them or remove the rows. "
        f"Received: {first(missing)}"
    )
    raise DataError(msg)


def _layout(path: Path, table: str, rows: Sequence[Entry]) -> Layout:
    seen: dict[str, Entry] = {}
    for row in rows:
        if seen.setdefault(row.file, row) != row:
            msg = (
                f"The table {table} has two labels or parts for an image; keep one of the rows. "
                f"Received: {row.file} as {seen[row.file].label!r} and {row.label!r}"
            )
            raise DataError(msg)
    labelled = {row.file: row for row in seen.values() if row.label is not None}
    classes = {file: str(row.label) for file, row in labelled.items()}
    if len(set(classes.values())) < 2:
        msg = f"A dataset needs at least two classes. Received: {sorted(set(classes.values()))} in {path}"
        raise DataError(msg)
    notes = [f"The labels of {called(path)} come from the table {PurePosixPath(table).name}."]
    parts = {file: row.part for file, row in labelled.items() if row.part is not None}
    if parts and len(parts) < len(labelled):
        lacking = sorted(set(labelled) - set(parts))
        msg = f"The table {table} must have a split for each image with a label. Received: none for {first(lacking)}"
        raise DataError(msg)
    if len(set(parts.values())) < 2:
        parts = {}
    elif 0 not in parts.values():
        msg = f"The table {table} has a split without training images; add rows whose split is train."
        raise DataError(msg)
    if parts:
        told = " and ".join(PARTS[number] for number in sorted(set(parts.values())))
        notes.append(f"{called(path)} has a split of its own: the table says which images are for {told}.")
    if unlabelled := len(seen) - len(labelled):
        notes.append(f"{counted(unlabelled, 'image', path)} left out, having no label in the table.")
    return Layout.of(Found(classes, parts or None, notes=tuple(notes)))
