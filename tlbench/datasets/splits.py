"""Splits that a folder or an archive has of its own: `train` and `test` side by side, by any of their usual names."""

from __future__ import annotations

import re

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tlbench.datasets.dataset import PARTS
from tlbench.datasets.labelled import Found, below, called, common, counted, first, folders_of, normal
from tlbench.errors import DataError


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path, PurePosixPath


# `seg_train` is a name of the Intel image classification, `test1` of dogs against cats, `train2017` of COCO.
_NAME = re.compile(
    r"(?:seg_)?(?:(train|training)|(val|valid|validation|dev)|(test|testing))\d*(?:[ _-]?(?:set|data|images?))?",
    re.IGNORECASE,
)

# Folders of images without labels that stand beside parts.
_UNLABELLED = re.compile(r"(?:seg_|single_)?(?:pred|predict|predictions?|unlabell?ed|unsup)", re.IGNORECASE)

# Folders in a part that are no class but hold all of its images.
_NO_CLASS = re.compile(r"unknown|images?|imgs?|all|data|unlabell?ed", re.IGNORECASE)


@dataclass(frozen=True)
class Division:
    """Parts of a split, before any class is known.

    Attributes:
        folders: Folder of each part, by number.
        files: Names of the images of each part, by number.
        copies: Files that should repeat others by content, each with the file that it repeats.
        rest: Images in no part.
        notes: Sentences on decisions.
    """

    folders: dict[int, PurePosixPath]
    files: dict[int, list[str]]
    copies: dict[str, str]
    rest: tuple[str, ...]
    notes: tuple[str, ...]


def part_of(name: str) -> int | None:
    """The number of the part that a name stands for, in `tlbench.datasets.dataset.PARTS`; None for another name."""
    match = _NAME.fullmatch(name.strip())
    return next(number for number, group in enumerate(match.groups()) if group) if match else None


def find(path: Path, files: Sequence[str]) -> Division | None:
    """Find the folders of the parts of a split.

    Args:
        path: Path for messages and notes.
        files: Names of images.

    Returns:
        The files by part; None where no folder for training stands beside one for validation, test or prediction.

    Raises:
        DataError: Several folders are of the same part, or parts stand at several places.
    """
    every = {above for folder in folders_of(files) for above in (folder, *folder.parents)}
    named: defaultdict[PurePosixPath, dict[PurePosixPath, int]] = defaultdict(dict)
    for folder in every:
        if (number := part_of(folder.name)) is not None:
            named[folder.parent][folder] = number
    with_unlabelled = {folder.parent for folder in every if _UNLABELLED.fullmatch(folder.name)}
    found = {
        top: folders
        for top, folders in named.items()
        if 0 in folders.values() and (len(set(folders.values())) > 1 or top in with_unlabelled)
    }
    found = {
        top: folders
        for top, folders in found.items()
        if not any(above in found.get(above.parent, {}) for above in (top, *top.parents))
    }
    if not found:
        return None
    root, *others = sorted(found, key=lambda folder: (len(folder.parts), folder))
    folders = _each_once(path, found[root])

    by_top: dict[PurePosixPath, dict[str, str]] = {top: {} for top in found}
    part: dict[str, int] = {}
    rest = []
    place = {str(folder): _part_around(folder, found) for folder in folders_of(files)}
    for name in files:
        at = place[name.rpartition("/")[0] or "."]
        if at is None:
            rest.append(name)
        else:
            by_top[at[0]][below(name, at[0])] = name
            part[name] = at[1]
    for other in others:
        if by_top[other].keys() != by_top[root].keys():
            msg = (
                f"The folders for training and test must stand side by side at one place of {path}. There are some in "
                f"{str(root)!r} and others, not the same ones again, in {str(other)!r}: put the class folders into "
                "them, or give the path of one of the two."
            )
            raise DataError(msg)
    copies = {by_top[other][name]: original for other in others for name, original in by_top[root].items()}

    unlabelled = [name for name in rest if any(_UNLABELLED.fullmatch(folder) for folder in name.split("/")[:-1])]
    notes = [_left_out(path, unlabelled)] if unlabelled else []
    if others:
        notes.append(f"{called(path)} holds the same images {len(others) + 1} times; those in {str(root)!r} are used.")
    by_part: dict[int, list[str]] = {number: [] for number in sorted(folders)}
    for name in by_top[root].values():
        by_part[part[name]].append(name)
    return Division(folders, by_part, copies, tuple(sorted(set(rest) - set(unlabelled))), tuple(notes))


def label(
    path: Path, files: Sequence[str], division: Division | None, classes_of: Callable[[Sequence[str]], Found | None]
) -> Found | None:
    """Find the classes of images, part by part.

    Args:
        path: Path for messages and notes.
        files: Names of all images.
        division: Their parts; None without a split.
        classes_of: Finds the classes of some files; returns None for files without any.

    Returns:
        The classes and parts; None where no classes are found, those of the training images if there are parts.

    Raises:
        DataError: A part has a class that training lacks.
    """
    if division is None:
        return classes_of(files)
    training = classes_of(division.files[0])
    if training is None:
        return None
    labelled = {0: training}
    notes = [*division.notes, *training.notes]
    for number in sorted(set(division.files) - {0}):
        found = classes_of(division.files[number]) or _alone(path, division, number, training)
        if found is None:
            notes.append(_left_out(path, division.files[number]))
            continue
        if strange := sorted(set(found.classes.values()) - set(training.classes.values())):
            raise _strange(path, division, number, strange)
        labelled[number] = found
        notes += found.notes
    if len(labelled) > 1:
        told = ", ".join(f"{PARTS[number]} images from {str(division.folders[number])!r}" for number in labelled)
        notes.insert(0, f"{called(path)} has a split of its own: {told}.")
    classes = {name: of for found in labelled.values() for name, of in found.classes.items()}
    inner = {copy: original for found in labelled.values() for copy, original in found.copies.items()}
    return replace(
        training,
        classes=classes,
        parts={name: number for number, found in labelled.items() for name in found.classes}
        if len(labelled) > 1
        else None,
        copies=inner | {copy: original for copy, original in division.copies.items() if original in classes},
        strays=(*division.rest, *(stray for found in labelled.values() for stray in found.strays)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _part_around(
    folder: PurePosixPath, found: dict[PurePosixPath, dict[PurePosixPath, int]]
) -> tuple[PurePosixPath, int] | None:
    """The folder that the parts around a folder stand in, and the number of the part; None outside of parts."""
    for above in (folder, *folder.parents):
        if above in found.get(above.parent, {}):
            return above.parent, found[above.parent][above]
    return None


def _each_once(path: Path, folders: dict[PurePosixPath, int]) -> dict[int, PurePosixPath]:
    once: dict[int, PurePosixPath] = {}
    for folder, number in sorted(folders.items()):
        if number in once:
            msg = (
                f"Two folders of {path} could hold the {PARTS[number]} images; put them into one folder, or remove "
                f"one. Received: {str(once[number])!r} and {str(folder)!r}"
            )
            raise DataError(msg)
        once[number] = folder
    return once


def _alone(path: Path, division: Division, number: int, training: Found) -> Found | None:
    """Classes of a part that has none of the kind that training has; None for a part without labels."""
    files, folder = division.files[number], division.folders[number]
    top = common(folders_of(files))
    known = set(training.classes.values())
    if normal(top.name) in known and top != folder:
        return Found(dict.fromkeys(files, normal(top.name)))
    if len(folders_of(files)) == 1 and (
        top == folder or part_of(top.name) is not None or _NO_CLASS.fullmatch(top.name)
    ):
        return None
    raise _strange(path, division, number, [normal(top.name)])


def _strange(path: Path, division: Division, number: int, classes: Sequence[str]) -> DataError:
    msg = (
        f"The {PARTS[number]} images of {path}, in {str(division.folders[number])!r}, have a class that the training "
        f"images, in {str(division.folders[0])!r}, lack: add it there, or remove it. Received: {first(classes)}"
    )
    return DataError(msg)


def _left_out(path: Path, files: Sequence[str]) -> str:
    top = str(common(folders_of(files)))
    return f"{counted(len(files), 'image', path)} left out, having no labels: those in {top!r}."
