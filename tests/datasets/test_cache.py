from __future__ import annotations

import json

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from tlbench.datasets.cache import cached, code_digest
from tlbench.datasets.dataset import Dataset
from tlbench.errors import DataError
from tlbench.machine.folders import default_folder


def make():
    """Make a dataset of six images that are easy to tell apart."""
    return Dataset(
        name="dots",
        images=np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3),
        labels=np.array([0, 0, 0, 1, 1, 1]),
        class_names=("few", "many"),
        stand_in="something else",
        notes=("A note.", "Another."),
    )


def refuse():
    """Fail where a cached dataset is made again."""
    pytest.fail("The dataset was made though it is cached.")


def entry_of(folder):
    """Find the one entry of a cache."""
    (entry,) = folder.iterdir()
    return entry


def test_what_comes_from_disk_equals_what_was_made(tmp_path):
    """The second call makes nothing and returns everything that the first one did."""
    cached("dots", make, tmp_path)

    dataset = cached("dots", refuse, tmp_path)
    made = make()

    assert np.array_equal(made.images, dataset.images)
    assert np.array_equal(made.labels, dataset.labels)
    assert (made.name, made.class_names, made.stand_in, made.notes) == (
        dataset.name,
        dataset.class_names,
        dataset.stand_in,
        dataset.notes,
    )


def test_images_are_memory_mapped_and_read_only(tmp_path):
    """Even the first call returns mapped images that nobody can change."""
    dataset = cached("dots", make, tmp_path)

    assert isinstance(dataset.images, np.memmap)
    assert not dataset.images.flags.writeable


def test_digest_comes_along(tmp_path):
    """The digest is stored and is the one that the images would give."""
    cached("dots", make, tmp_path)

    dataset = cached("dots", refuse, tmp_path)

    assert "digest" in vars(dataset)
    assert make().digest == dataset.digest


def test_given_parts_come_along(tmp_path):
    """A dataset's own split is stored beside its labels."""
    made = replace(make(), parts_given=np.array([0, 0, 2, 0, 2, 2], np.int8))
    cached("dots", lambda: made, tmp_path)

    dataset = cached("dots", refuse, tmp_path)

    assert [0, 0, 2, 0, 2, 2] == dataset.parts_given.tolist()
    assert made.digest == dataset.digest


def test_keys_have_their_own_entries(tmp_path):
    """Keys that differ in a character that no file name may have don't meet."""
    cached("dots/1", make, tmp_path)
    cached("dots:1", make, tmp_path)

    assert len(list(tmp_path.iterdir())) == 2


def test_nothing_unfinished_is_left_behind(tmp_path):
    """After publishing there is one entry with three files, and no scratch folder."""
    cached("dots", make, tmp_path)

    assert sorted(path.name for path in entry_of(tmp_path).iterdir()) == ["dataset.json", "images.npy", "labels.npy"]


def test_failing_to_make_leaves_nothing_behind(tmp_path):
    """What `make` raises reaches the caller, and the cache stays empty."""

    def fail():
        msg = "no images"
        raise DataError(msg)

    with pytest.raises(DataError, match="no images"):
        cached("dots", fail, tmp_path)

    assert list(tmp_path.iterdir()) == []


def truncate_images(entry):
    """Cut the images' file in half."""
    path = entry / "images.npy"
    path.write_bytes(path.read_bytes()[:200])


def empty_labels(entry):
    """Leave a file of no bytes."""
    (entry / "labels.npy").write_bytes(b"")


def remove_description(entry):
    """Take one file away."""
    (entry / "dataset.json").unlink()


def garble_description(entry):
    """Write what is not JSON."""
    (entry / "dataset.json").write_text("{")


def replace_description(entry):
    """Write JSON of another shape."""
    (entry / "dataset.json").write_text("[]")


def misname_classes(entry):
    """Name fewer classes than the labels have."""
    path = entry / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"class_names": ["few"]}))


def swap_images(entry):
    """Put images of another shape and as many bytes there."""
    np.save(entry / "images.npy", make().images.reshape(6, 2, 8, 3))


def empty_folder(entry):
    """Leave a folder without files."""
    for path in entry.iterdir():
        path.unlink()


def file_instead(entry):
    """Put a file where the folder was."""
    empty_folder(entry)
    entry.rmdir()
    entry.write_text("not a folder")


@pytest.mark.parametrize(
    "damage",
    [
        truncate_images,
        empty_labels,
        remove_description,
        garble_description,
        replace_description,
        misname_classes,
        swap_images,
        empty_folder,
        file_instead,
    ],
)
def test_damaged_entry_is_made_again(tmp_path, damage):
    """However an entry is damaged, the dataset is made again and stored for the next call."""
    cached("dots", make, tmp_path)
    damage(entry_of(tmp_path))

    remade = cached("dots", make, tmp_path)

    assert np.array_equal(make().images, remade.images)
    assert make().digest == cached("dots", refuse, tmp_path).digest
    assert len(list(tmp_path.iterdir())) == 1


def test_two_at_once_both_get_the_dataset(tmp_path):
    """Two processes that find nothing make it each, and one entry remains."""
    # Not threads: NumPy parses the headers of what it loads with `ast`, which some versions of Python sometimes
    # fail at in two threads (https://github.com/python/cpython/issues/106905).
    spawn = get_context("spawn")

    with spawn.Manager() as manager, ProcessPoolExecutor(2, spawn) as pool:
        digests = list(pool.map(_digest_of_cached, [tmp_path] * 2, [manager.Barrier(2, timeout=60)] * 2))

    assert [make().digest] * 2 == digests
    assert len(list(tmp_path.iterdir())) == 1


def _digest_of_cached(folder, barrier):
    def make_together():
        barrier.wait()
        return make()

    return cached("dots", make_together, folder).digest


def test_another_process_entry_is_taken_as_it_is(tmp_path):
    """An entry that appears while this process draws is neither replaced nor disturbed."""
    inodes = []

    def make_late():
        cached("dots", make, tmp_path)
        inodes.append((entry_of(tmp_path) / "images.npy").stat().st_ino)
        return make()

    cached("dots", make_late, tmp_path)

    assert inodes == [(entry_of(tmp_path) / "images.npy").stat().st_ino]


def test_folder_that_cannot_be_written_is_no_error(tmp_path, caplog):
    """Without a place for the cache the dataset is made every time, and a warning says so."""
    blocked = tmp_path / "file"
    blocked.write_text("")

    dataset = cached("dots", make, blocked)

    assert make().digest == dataset.digest
    assert "could not be cached" in caplog.text


def test_first_use_is_silent(tmp_path, caplog):
    """A cache that is merely empty is nothing to warn about."""
    cached("dots", make, tmp_path / "new")

    assert caplog.text == ""


def test_environment_variable_names_the_folder(tmp_path, monkeypatch):
    """TLBENCH_CACHE says where entries go when the caller doesn't."""
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path))

    cached("dots", make)

    assert tmp_path == default_folder()
    assert entry_of(tmp_path).name.startswith("dots-")


def test_default_folder_is_tlbenchs(monkeypatch):
    """Without the variable, or with an empty one, the user's cache folder is taken."""
    monkeypatch.setenv("TLBENCH_CACHE", "")

    assert "tlbench" in default_folder().parts


def test_code_digest_changes_with_the_code(tmp_path):
    """Code that differs in one character has another digest, and equal code the same."""
    first, second, third = (Path(tmp_path / name) for name in ("first.py", "second.py", "third.py"))
    first.write_text("RED = 1")
    second.write_text("RED = 2")
    third.write_text("RED = 1")

    assert code_digest(str(first)) != code_digest(str(second))
    assert code_digest(str(first)) == code_digest(str(third))
