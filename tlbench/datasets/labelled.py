"""Labels and parts of image files, as they are found in names."""

from __future__ import annotations

import unicodedata

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tlbench.datasets.archives import LITTER


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


# So many files are named in a message or a note.
_NAMED = 5


@dataclass(frozen=True)
class Found:
    """Classes of some files, by name.

    Attributes:
        classes: Class of each file.
        parts: Number of each file's part in `tlbench.datasets.dataset.PARTS`; None without a split.
        copies: Files that should repeat others by content, each with the file that it repeats.
        strays: Files in no class.
        notes: Sentences on decisions.
        groups: Group of each class, where class folders stand in groups.
    """

    classes: dict[str, str]
    parts: dict[str, int] | None = None
    copies: dict[str, str] = field(default_factory=dict)
    strays: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Labels of the images in a folder or an archive.

    Attributes:
        files: Label of each image file, in the order of the dataset.
        class_names: Names of the classes, sorted as the labels count them.
        parts: Number of each file's part in `tlbench.datasets.dataset.PARTS`; None without a split.
        copies: Files that should repeat others by content, each with the file that it repeats.
        strays: Files outside of class folders.
        notes: Sentences on decisions that a reader of the report has to know.
    """

    files: dict[str, int]
    class_names: tuple[str, ...]
    parts: tuple[int, ...] | None = None
    copies: dict[str, str] = field(default_factory=dict)
    strays: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: Found, notes: Iterable[str] = ()) -> Layout:
        """Sort files by class and name, and count the classes.

        Args:
            found: Class and part of each file.
            notes: Sentences that follow those of `found`.
        """
        classes, parts = found.classes, found.parts
        class_names = tuple(sorted(set(classes.values())))
        labels = {class_name: label for label, class_name in enumerate(class_names)}
        names = sorted(classes, key=lambda name: (classes[name], unicodedata.normalize("NFC", name), name))
        return cls(
            files={name: labels[classes[name]] for name in names},
            class_names=class_names,
            parts=tuple(parts[name] for name in names) if parts is not None else None,
            copies=found.copies,
            strays=tuple(sorted(found.strays)),
            notes=(*found.notes, *notes),
        )


def called(path: Path) -> str:
    """The name of a path in notes."""
    return path.name or path.resolve().name


def first(names: Sequence[str]) -> str:
    """The first of some names, for a message or a note."""
    return "; ".join(names[:_NAMED]) + ("; …" if len(names) > _NAMED else "")


def counted(number: int, thing: str, path: Path) -> str:
    """The beginning of a note on some things of a path, for instance "1 image of x.zip was"."""
    return f"{number:,} {thing} of {called(path)} was" if number == 1 else f"{number:,} {thing}s of {called(path)} were"


def normal(name: str) -> str:
    """A name of a class, composed: macOS hands out decomposed names, others those that were written."""
    return unicodedata.normalize("NFC", name)


def is_litter(name: str) -> bool:
    """Tell whether a file is hidden, or was left behind by a file manager or an archiver."""
    return any(LITTER.match(part) for part in name.split("/"))


def folder_of(name: str) -> PurePosixPath:
    """The folder that a file stands in."""
    return PurePosixPath(name.rpartition("/")[0])


def folders_of(files: Iterable[str]) -> set[PurePosixPath]:
    """The folders that some files stand in."""
    return {PurePosixPath(folder) for folder in {name.rpartition("/")[0] for name in files}}


def below(name: str, folder: PurePosixPath) -> str:
    """The path of a file from a folder that it stands in, at any depth."""
    return name[len(str(folder)) + 1 :] if folder.parts else name


def common(folders: Iterable[PurePosixPath]) -> PurePosixPath:
    """The deepest folder that all of some folders stand in, or are."""
    every = sorted(folder.parts for folder in folders)
    parts = []
    for one, other in zip(every[0], every[-1], strict=False):
        if one != other:
            break
        parts.append(one)
    return PurePosixPath(*parts)


def by_class(groups: Mapping[str, str], class_names: Iterable[str]) -> dict[str, list[str]]:
    """The classes of each group, in order."""
    members: dict[str, list[str]] = {}
    for class_name in class_names:
        members.setdefault(groups[class_name], []).append(class_name)
    return members
