"""Images in Parquet or Arrow files, as the Hugging Face Hub and `datasets.Dataset.save_to_disk` have them."""

from __future__ import annotations

import hashlib
import io
import json
import re

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tlbench.datasets import decoding, layouts, splits
from tlbench.datasets.archives import (
    ARCHIVE_BYTES,
    ARCHIVE_RATIO,
    MEMBER_BYTES,
    Folder,
    Unreadable,
    readable,
)
from tlbench.datasets.dataset import PARTS
from tlbench.datasets.labelled import Found, Layout, called, counted, first, is_litter, normal
from tlbench.errors import DataError
from tlbench.machine import hashes


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlbench.datasets.dataset import Dataset


_TABLE = re.compile(r".*\.(parquet|arrow)", re.IGNORECASE)

_IMAGE_COLUMNS = ("image", "img", "images", "picture")
_LABEL_COLUMNS = ("label", "labels", "class", "category", "target", "fine_label")

# Rows of images that are in memory at once.
_ROWS = 32


@dataclass(frozen=True)
class Columns:
    """Columns of a table.

    Attributes:
        image: Name of the column of images.
        label: Name of the column of labels.
        names: Names of the classes that integers count; empty for labels that are names.
    """

    image: str
    label: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Tables:
    """Tables whose rows are images with labels.

    Attributes:
        path: A file, or the folder of the files.
        files: Names of the files from `path`, in order; empty names the path itself.
    """

    path: Path
    files: tuple[str, ...]

    def digest(self) -> str:
        """SHA-256 of all files, as hexadecimal digits."""
        sha256 = hashlib.sha256()
        for file in self.files:
            sha256.update(f"{file}\0{hashes.sha256(self.path / file)}\0".encode())
        return sha256.hexdigest()

    def dataset(self, request: decoding.Request) -> Dataset:
        """Read the images, see `tlbench.datasets.decoding.LabelledImages`."""
        request.refuse_pattern(self.path, "a column")
        with readable(self.path):
            layout = self._layout()
        return decoding.decode(self, layout, request)

    def contents(self, wanted: frozenset[str]) -> Iterator[tuple[str, bytes | Unreadable]]:
        """Yield names and contents of some rows, in order.

        Args:
            wanted: Names of the rows.
        """
        for file in self.files:
            column = self._columns(file).image
            for number, value in enumerate(_values(self.path / file, column)):
                if (name := _row(file, number)) in wanted:
                    yield name, _bytes(value)

    def _columns(self, file: str) -> Columns:
        columns = columns_of(_schema(self.path / file))
        if columns is None:
            msg = (
                f"The table {self.path / file} needs a column of images as bytes, such as image, and a column of "
                f"labels, such as label. Received: {first(_schema(self.path / file).names)}"
            )
            raise DataError(msg)
        return columns

    def _layout(self) -> Layout:
        parts = self._parts()
        classes: dict[str, str] = {}
        part: dict[str, int] = {}
        unlabelled = 0
        for file in self.files:
            columns = self._columns(file)
            for number, value in enumerate(_values(self.path / file, columns.label)):
                name = self._class_name(value, columns)
                if name is None:
                    unlabelled += 1
                    continue
                classes[_row(file, number)] = name
                part[_row(file, number)] = parts.get(file, 0)
        notes = []
        numbers = sorted(set(part.values()))
        if len(numbers) > 1 and 0 in numbers:
            told = " and ".join(PARTS[number] for number in numbers)
            notes.append(f"{called(self.path)} has a split of its own: its files are for {told}.")
        if unlabelled:
            notes.append(f"{counted(unlabelled, 'image', self.path)} left out, having no label.")
        if len(set(classes.values())) < 2:
            msg = f"A dataset needs at least two classes. Received: {sorted(set(classes.values()))} in {self.path}"
            raise DataError(msg)
        given = part if len(numbers) > 1 and 0 in numbers else None
        return Layout.of(Found(classes, given, notes=tuple(notes)))

    def _class_name(self, value: object, columns: Columns) -> str | None:
        if value is None or (isinstance(value, int | str) and value in {-1, ""}):
            return None
        if isinstance(value, str):
            return normal(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            msg = (
                f"The labels of {self.path}, column {columns.label!r}, must be whole numbers or names of classes, one "
                f"for each image. Received: {value!r}"
            )
            raise DataError(msg)
        if columns.names and value >= len(columns.names):
            msg = f"A label of {self.path} must count the {len(columns.names)} classes from 0. Received: {value!r}"
            raise DataError(msg)
        return normal(columns.names[value]) if columns.names else str(value)

    def _parts(self) -> dict[str, int]:
        """The part of each file, by its name or its folder's; none where no file is of a part."""
        parts: dict[str, int] = {}
        configurations: set[str] = set()
        for file in self.files:
            pure = PurePosixPath(file)
            names = [re.split(r"[-_.]", pure.name)[0], *reversed(pure.parts[:-1])]
            numbers = [splits.part_of(name) for name in names]
            number = next((number for number in numbers if number is not None), None)
            if number is not None:
                parts[file] = number
            configurations.add("/".join(part for part in pure.parts[:-1] if splits.part_of(part) is None))
        if len(configurations) > 1:
            msg = (
                f"{self.path} has tables at several places; give the path of one of them. "
                f"Received: {first(sorted(configurations))}"
            )
            raise DataError(msg)
        if parts and len(parts) < len(self.files):
            msg = (
                f"Some tables of {self.path} are of a part by their names, such as train-*.parquet, and some are not; "
                f"rename or move them. Received: {first(sorted(set(self.files) - set(parts)))}"
            )
            raise DataError(msg)
        return parts


def find(path: Path) -> Tables | None:
    """The tables of images at a path; None for another format.

    Args:
        path: An existing path; files are recognised by content, folders by the names of their files.

    Raises:
        DataError: The tables need pyarrow, which is not installed.
    """
    if path.is_file():
        with path.open("rb") as file:
            if file.read(4) != b"PAR1":
                return None
        _pyarrow(path)
        return None if columns_of(_schema(path)) is None else Tables(path, ("",))
    if not path.is_dir():
        return None
    names = [name for name in Folder(path).listing().files if not is_litter(name)]
    tables = [name for name in names if _TABLE.fullmatch(name) and not re.match("cache-", name.rpartition("/")[2])]
    last = {name: name.rpartition("/")[2] for name in names}
    if not tables or not all(_TABLE.fullmatch(name) or layouts.TEXT.fullmatch(last[name]) for name in names):
        return None
    _pyarrow(path)
    if any(name.endswith(".arrow") for name in tables):
        tables = _saved(path, [name for name in names if last[name] == "state.json"]) or tables
    return Tables(path, tuple(sorted(tables)))


def records(content: bytes) -> list[dict[str, Any]]:
    """The rows of a Parquet file.

    Args:
        content: All of the file.

    Raises:
        DataError: pyarrow is not installed, or the file would unpack to an absurd size.
    """
    name = Path("a table of labels")
    _pyarrow(name)
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(io.BytesIO(content)) as table:
        _check_size(table, len(content), name)
        rows: list[dict[str, Any]] = table.read().to_pylist()
    return rows


def columns_of(schema: Any) -> Columns | None:
    """The columns of images and labels of a table.

    Args:
        schema: Arrow's schema of the table.

    Returns:
        The columns; None where no column holds images as bytes, or none labels.
    """
    import pyarrow as pa

    metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = metadata.get("info", {}).get("features", {})

    def is_image(name: str) -> bool:
        kind = schema.field(name).type
        if pa.types.is_struct(kind):
            return any(kind.field(number).name == "bytes" for number in range(kind.num_fields))
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    images = [name for name in schema.names if is_image(name)]
    image = next((name for name in _IMAGE_COLUMNS if name in images), images[0] if len(images) == 1 else None)
    named = [name for name in schema.names if (features.get(name) or {}).get("_type") == "ClassLabel"]
    label = next((name for name in _LABEL_COLUMNS if name in schema.names), named[0] if len(named) == 1 else None)
    if image is None or label is None:
        return None
    return Columns(image, label, tuple((features.get(label) or {}).get("names") or ()))


def _pyarrow(path: Path) -> None:
    try:
        import pyarrow as pa  # noqa: F401
    except ImportError as error:
        msg = f'Parquet and Arrow files are read with pyarrow: pip install "tlbench[parquet]". Received: {path}'
        raise DataError(msg) from error


def _saved(path: Path, states: list[str]) -> list[str]:
    """The Arrow files that `save_to_disk` names, in their order; others beside them are caches."""
    tables = []
    for name in sorted(states):
        state = json.loads((path / name).read_text(encoding="utf-8"))
        if state.get("_indices_data_files"):
            msg = (
                f"The data set saved in {path / name} is a selection of rows; save it again by "
                "`dataset.flatten_indices().save_to_disk(PATH)`."
            )
            raise DataError(msg)
        folder = PurePosixPath(name).parent
        for entry in state.get("_data_files", []):
            file = PurePosixPath(entry["filename"])
            if len(file.parts) != 1 or file.name == ".." or not (path / folder / file).is_file():
                msg = f"{path / name} must name files beside it. Received: {entry['filename']!r}"
                raise DataError(msg)
            tables.append(str(folder / file))
    return tables


def _schema(file: Path) -> Any:
    import pyarrow.ipc
    import pyarrow.parquet

    if file.suffix.lower() == ".arrow":
        with file.open("rb") as stream, pyarrow.ipc.open_stream(stream) as reader:
            return reader.schema
    return pyarrow.parquet.read_schema(file)


def _values(file: Path, column: str) -> Iterator[Any]:
    import pyarrow.ipc
    import pyarrow.parquet

    if file.suffix.lower() == ".arrow":
        with file.open("rb") as stream, pyarrow.ipc.open_stream(stream) as reader:
            for batch in reader:
                for value in batch.column(column):
                    yield value.as_py()
        return
    with pyarrow.parquet.ParquetFile(file) as table:
        _check_size(table, file.stat().st_size, file)
        for batch in table.iter_batches(batch_size=_ROWS, columns=[column]):
            yield from batch.column(0).to_pylist()


def _check_size(table: Any, packed: int, path: Path) -> None:
    limit = max(ARCHIVE_BYTES, ARCHIVE_RATIO * packed)
    groups = [table.metadata.row_group(number) for number in range(table.metadata.num_row_groups)]
    if (size := sum(group.total_byte_size for group in groups)) > limit:
        msg = f"A Parquet file is refused: it unpacks to {size:,} bytes, more than {limit:,}. Received: {path}"
        raise DataError(msg)


def _bytes(value: Any) -> bytes | Unreadable:
    content = value.get("bytes") if isinstance(value, dict) else value
    if content is None:
        return Unreadable("no bytes, only a path; save the images themselves in the table")
    return Unreadable(f"more than {MEMBER_BYTES:,} bytes") if len(content) > MEMBER_BYTES else bytes(content)


def _row(file: str, number: int) -> str:
    return f"{file}#{number:08d}"
