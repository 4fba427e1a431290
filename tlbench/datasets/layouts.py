"""Layouts of images in folders and archives: names of files in, labels and parts of files out."""

from __future__ import annotations

import contextlib
import re

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tlbench.datasets import splits
from tlbench.datasets.labelled import (
    Found,
    Layout,
    below,
    by_class,
    called,
    common,
    counted,
    first,
    folders_of,
    is_litter,
    normal,
)
from tlbench.errors import DataError


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from tlbench.datasets.archives import Listing


# Files that stand beside images and are none: descriptions, licences, labels and annotations.
TEXT = re.compile(
    r"(readme|licen[cs]e|copying|authors|citation|notice|changelog)(\.\w+)?"
    r"|.*\.(txt|md|rst|csv|tsv|jsonl?|ndjson|xml|ya?ml|pdf|html?|cff|bib|log|names|parquet)",
    re.IGNORECASE,
)

# Folders of texts that may stand beside class folders without being an empty class.
_ASIDE = re.compile(r"annotations?|annots?|labels?|meta(data)?|docs?|info|lists?|bbox(es)?|xmls?", re.IGNORECASE)

# In a folder of this name, files with other suffixes than those of images are annotations, such as `.mat` and `.npy`.
_ANNOTATIONS = re.compile(r"(?:.*/)?annotations?/", re.IGNORECASE)
_IMAGE = re.compile(r".*\.(jpe?g|jfif|png|gif|bmp|tiff?|webp|p[bgpn]m|avif|jp2|j2k|hei[cf]|ico|tga|svg)", re.IGNORECASE)

# Office programs leave such a file beside each file that is open.
_OFFICE = re.compile(r"~\$")


def arrange(
    path: Path,
    listing: Listing,
    *,
    skip_bad: bool = False,
    labels: str | None = None,
    by_sheet: Callable[[Sequence[str], Sequence[str]], Layout | None] = lambda _images, _texts: None,
) -> Layout:
    """Find the classes of the images in a folder or an archive, and its own split.

    Args:
        path: Path for messages and notes; nothing is read.
        listing: Names of all files and folders.
        skip_bad: Whether files in no class are strays of the layout, instead of an error.
        labels: Regular expression whose one group is the class in a file's name, or in its path if the expression has
            a slash; None to take classes from folders.
        by_sheet: Reads the labels of images from one of the text files; called with the names of images and of text
            files where no class folders are found, it returns None where no text file fits.

    Raises:
        DataError: There are fewer than two classes, an empty class, a class that training lacks, or files in no class.
    """
    images, texts, notes = _sorted_out(path, listing)
    divided = splits.find(path, images)
    if labels is not None:
        layout = _layout(
            path, images, splits.label(path, images, divided, lambda files: _by_pattern(path, files, labels))
        )
    else:
        folders = _folders(listing)

        def by_folder(files: Sequence[str]) -> Found | None:
            return _by_folder(path, files, folders, texts)

        found = splits.label(path, images, divided, by_folder)
        layout_of_sheet = by_sheet(images, texts) if found is None else None
        if layout_of_sheet:
            return replace(layout_of_sheet, notes=(*layout_of_sheet.notes, *notes))
        found = found or splits.label(path, images, divided, _by_beginning)
        layout = _layout(path, images, found)
        if not skip_bad:
            # A table that does not fit is a text like any other where folders tell the classes.
            with contextlib.suppress(DataError):
                layout_of_sheet = by_sheet(images, texts)
            layout = _agreed(path, layout, layout_of_sheet) if layout_of_sheet else layout
    if layout.strays and not skip_bad:
        msg = (
            f"{len(layout.strays)} files of {path} stand beside class folders, not in one: move or remove them, or "
            f"leave them out with --tlbench-skip-bad. Received: {first(layout.strays)}"
        )
        raise DataError(msg)
    if texts:
        notes.append(f"{counted(len(texts), 'text or annotation file', path)} left out: {first(sorted(texts))}.")
    return replace(layout, notes=(*layout.notes, *notes))


def apart(path: Path, root: PurePosixPath, other: PurePosixPath) -> DataError:
    """The error for class folders at two places that are no copies."""
    msg = (
        f"The class folders of {path} must stand side by side. There are some in {str(root)!r} and others, not the "
        f"same ones again, in {str(other)!r}: put them into one folder, or give the path of one of the two."
    )
    return DataError(msg)


def _sorted_out(path: Path, listing: Listing) -> tuple[list[str], list[str], list[str]]:
    images: list[str] = []
    texts: list[str] = []
    office: list[str] = []
    for name in listing.files:
        last = name.rpartition("/")[2]
        if is_litter(name):
            continue
        annotation = _ANNOTATIONS.match(name) and not _IMAGE.fullmatch(last)
        kind = office if _OFFICE.match(last) else texts if annotation or TEXT.fullmatch(last) else images
        kind.append(name)
    notes = []
    if office:
        notes.append(
            f"{counted(len(office), 'lock file', path)} left out, which an office program leaves behind: "
            f"{first(sorted(office))}."
        )
    return images, texts, notes


def _folders(listing: Listing) -> set[PurePosixPath]:
    # An archive need not have an entry for a folder that holds another, or nothing but litter.
    folders = {PurePosixPath(name) for name in listing.folders}
    parents = {PurePosixPath(name).parent for name in listing.files} | folders
    return folders | {above for folder in parents for above in (folder, *folder.parents)}


def _layout(path: Path, images: Sequence[str], found: Found | None) -> Layout:
    if found is None or not found.classes:
        raise _without_classes(path, images)
    class_names = sorted(set(found.classes.values()))
    if len(class_names) < 2:
        msg = f"A dataset needs at least two classes, a folder each. Received: {class_names[0]!r} alone in {path}"
        raise DataError(msg)
    return Layout.of(found, _on_groups(path, found.groups, class_names))


def _without_classes(path: Path, images: Sequence[str]) -> DataError:
    folders = folders_of(images)
    if len(folders) == 1 and (folder := folders.pop()).parts:
        msg = f"A dataset needs at least two classes, a folder each. Received: {folder.name!r} alone in {path}"
        return DataError(msg)
    where = f"in {first(sorted(map(str, folders)))}" if folders else "and no folder"
    received = f"{len(images)} files {where}" if images else "no files"
    remedy = ", or a pattern that finds the class in each file's name (--tlbench-labels)" if images else ""
    msg = f"{path} needs a folder of images for each class{remedy}. Received: {received}"
    return DataError(msg)


def _agreed(path: Path, layout: Layout, sheet: Layout) -> Layout:
    """A layout of class folders beside a table of the same classes, by whatever names, with the table's split."""
    both = {file: (layout.files[file], sheet.files[file]) for file in layout.files if file in sheet.files}
    pairs = set(both.values())
    by_folder, by_table = ({pair[side] for pair in pairs} for side in (0, 1))
    if not len(pairs) == len(by_folder) == len(by_table):
        msg = (
            f"The class folders of {path} and a table beside them disagree on the classes; give the path of the table, "
            "remove it, or leave it out with --tlbench-skip-bad. "
            f"Received: {first(layout.class_names)} by folder, {first(sheet.class_names)} in the table"
        )
        raise DataError(msg)
    if sheet.parts is None or layout.parts is not None or len(both) < len(layout.files):
        return layout
    part = dict(zip(sheet.files, sheet.parts, strict=True))
    note = f"{called(path)} has a split of its own: a table beside the class folders says the part of each image."
    return replace(layout, parts=tuple(part[file] for file in layout.files), notes=(*layout.notes, note))


def _on_groups(path: Path, groups: dict[str, str], class_names: Sequence[str]) -> list[str]:
    if not groups:
        return []
    members = by_class(groups, class_names)
    arguments = ", ".join(f"{group}={classes!r}" for group, classes in members.items())
    if not all(group.isidentifier() for group in members):
        arguments = f"**{dict(members)!r}"
    note = (
        f"The class folders of {called(path)} stand in groups: {', '.join(members)}. The classes are the "
        f"{len(groups)} folders in them; to label by groups, use Task({'/'.join(members)!r}, {arguments})."
    )
    return [note]


def _by_pattern(path: Path, files: Sequence[str], pattern: str) -> Found:
    compiled = re.compile(pattern)
    classes, strays = {}, []
    for name in files:
        match = compiled.search(name if "/" in pattern else name.rpartition("/")[2])
        if match and match[1]:
            classes[name] = normal(match[1])
        else:
            strays.append(name)
    if strays:
        msg = (
            f"{len(strays)} of {len(files)} images of {path} do not match the pattern of --tlbench-labels; correct the "
            f"pattern or move the images. Received: {pattern!r} and {first(sorted(strays))}"
        )
        raise DataError(msg)
    return Found(classes, notes=(f"The classes of {called(path)} are found in the names by {pattern!r}.",))


def _by_beginning(files: Sequence[str]) -> Found | None:
    """Classes before the first dot of names such as `cat.0.jpg`."""
    if len({name.rpartition("/")[0] for name in files}) != 1:
        return None
    lasts = {name: name.rpartition("/")[2].split(".") for name in files}
    counts = Counter(parts[0] for parts in lasts.values())
    if any(len(parts) < 3 for parts in lasts.values()) or len(counts) < 2 or min(counts.values()) < 2:
        return None
    shown = first([f"{name} ({count:,})" for name, count in sorted(counts.items())])
    note = f"The classes are the beginnings of the files' names, up to the first dot: {shown}."
    return Found({name: normal(parts[0]) for name, parts in lasts.items()}, notes=(note,))


def _by_folder(
    path: Path, files: Sequence[str], folders: Iterable[PurePosixPath], texts: Sequence[str]
) -> Found | None:
    """Classes from folders; None where all files stand in one folder."""
    by_parent: defaultdict[PurePosixPath, list[str]] = defaultdict(list)
    for name, parent in zip(files, (name.rpartition("/")[0] for name in files), strict=True):
        by_parent[PurePosixPath(parent)].append(name)
    if len(by_parent) < 2:
        return None
    upper = {above for folder in by_parent for above in folder.parents}
    beside = Counter(folder.parent for folder in by_parent if folder.parts)
    top = common(by_parent)

    def class_folder(folder: PurePosixPath) -> PurePosixPath | None:
        for candidate in reversed([folder, *folder.parents]):
            # A folder with class folders below it is none itself, unless it stands beside a folder of images.
            inside = candidate != top and candidate.is_relative_to(top)
            if inside and candidate in by_parent and (candidate not in upper or beside[candidate.parent] > 1):
                return candidate
        return None

    of_parent = {folder: class_folder(folder) for folder in by_parent}
    strays = [name for folder, names in by_parent.items() if of_parent[folder] is None for name in names]
    deeper = [name for folder, names in by_parent.items() if of_parent[folder] not in {None, folder} for name in names]

    # Copies are told by names here, and by content once it is read.
    by_root: defaultdict[PurePosixPath, dict[str, str]] = defaultdict(dict)
    class_of: dict[str, str] = {}
    for folder, names in by_parent.items():
        if (of := of_parent[folder]) is not None:
            for name in names:
                by_root[of.parent][below(name, of.parent)] = name
                class_of[name] = normal(of.name)
    root, *others = sorted(by_root, key=lambda folder: (len(folder.parts), folder))
    differing = [other for other in others if by_root[other].keys() != by_root[root].keys()]
    groups = _groups(top, {of for of in of_parent.values() if of is not None}) if differing else {}
    if differing and not groups:
        raise apart(path, root, differing[0])

    _check_filled(path, set(folders) - set(by_parent) - upper, {root, *others}, texts)
    notes = []
    copies: dict[str, str] = {}
    if others and not groups:
        copies = {by_root[other][name]: original for other in others for name, original in by_root[root].items()}
        notes.append(f"{called(path)} holds the same images {len(others) + 1} times; those in {str(root)!r} are used.")
    if deeper:
        notes.append(
            f"{counted(len(deeper), 'image', path)} taken for the class around their folder: {first(sorted(deeper))}."
        )
    classes = {name: class_name for name, class_name in class_of.items() if name not in copies}
    return Found(classes, None, copies, tuple(strays), tuple(notes), groups)


def _groups(top: PurePosixPath, class_folders: Iterable[PurePosixPath]) -> dict[str, str]:
    """Group of each class; none where a class stands in no group, or a name in several."""
    groups: dict[str, str] = {}
    for folder in class_folders:
        name = normal(folder.name)
        if folder.parent == top or name in groups:
            return {}
        groups[name] = normal(folder.relative_to(top).parts[0])
    return groups if len(set(groups.values())) > 1 else {}


def _check_filled(
    path: Path, empty: Iterable[PurePosixPath], roots: Iterable[PurePosixPath], texts: Sequence[str]
) -> None:
    with_texts = {above for name in texts for above in PurePosixPath(name).parents}
    for folder in sorted(empty):
        aside = folder in with_texts and _ASIDE.fullmatch(folder.name)
        if folder.parent in roots and not is_litter(str(folder)) and not aside:
            msg = f"Class {folder.name!r} of {path} has no images; fill its folder or remove it. Received: {folder}"
            raise DataError(msg)
