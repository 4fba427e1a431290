"""Layouts of folders and archives that people have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pictures import BLUE, GREEN, RED, WHITE, encoded, files, write_folder, write_zip

from tlbench.datasets.archives import Listing
from tlbench.datasets.layouts import arrange
from tlbench.datasets.splits import part_of
from tlbench.errors import ConfigurationError, DataError


PATH = Path("/somewhere/pets.zip")


def arranged(*names, **options):
    """The layout of some names of files."""
    return arrange(PATH, Listing(names, ()), **options)


def classes(layout):
    """The class of each file."""
    return {file: layout.class_names[label] for file, label in layout.files.items()}


def numbered(*folders, count=3):
    """Names of so many images in each folder."""
    return tuple(f"{folder}/{index}.jpg" for folder in folders for index in range(count))


def parts_of(layout):
    """The number of files in each part, by its number."""
    return {number: layout.parts.count(number) for number in sorted(set(layout.parts))}


@pytest.mark.parametrize(
    ("training", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Train", "VALID", "Test"),
        ("training", "validation", "testing"),
        ("training_set", "dev", "test_set"),
        ("data/train", "data/val", "data/test"),
        ("seg_train/seg_train", "seg_val/seg_val", "seg_test/seg_test"),
        ("train_images", "val-images", "test images"),
    ],
)
def test_usual_names_are_parts_of_a_split(training, validation, test):
    """Any case, depth and repetition of the names is read as the split that the data set has."""
    of_training = numbered(f"{training}/cat", f"{training}/dog", count=4)
    of_validation = numbered(f"{validation}/cat", f"{validation}/dog", count=1)
    layout = arranged(*of_training, *of_validation, *numbered(f"{test}/cat", f"{test}/dog", count=2))

    assert ("cat", "dog") == layout.class_names
    assert {0: 8, 1: 2, 2: 4} == parts_of(layout)
    assert layout.notes[0].startswith("pets.zip has a split of its own: training images from '")


@pytest.mark.parametrize(("name", "number"), [("train", 0), ("Validation", 1), ("test1", 2), ("train2017", 0)])
def test_a_name_stands_for_a_part(name, number):
    """The rule for names of folders, of files and of the values in a table."""
    assert number == part_of(name)


@pytest.mark.parametrize("name", ["trains", "contest", "tests", "trainer", "value", ""])
def test_another_name_stands_for_no_part(name):
    """Words that contain the names are classes like any other."""
    assert part_of(name) is None


def test_a_split_of_training_and_test_reads_as_a_dataset(read, tmp_path):
    """A folder and its archive give the same images, with the parts that their folders say."""
    contents = files("train/") | {"test/cat/1.png": encoded(WHITE), "test/dog/9.png": encoded(BLUE)}
    dataset = read(write_folder(tmp_path / "pets", contents))

    assert {"cat": 3, "dog": 3} == dataset.counts
    assert ("training", "test") == dataset.given
    assert [[255, 255, 255], [0, 0, 255]] == dataset.images[dataset.parts_given == 2][:, 0, 0].tolist()
    assert ("pets has a split of its own: training images from 'train', test images from 'test'.",) == dataset.notes
    assert dataset.digest == read(write_zip(tmp_path / "pets.zip", contents)).digest
    assert dataset.digest != read(write_folder(tmp_path / "other", {f"a/{k}": v for k, v in files().items()})).digest


def test_bad_files_leave_their_part(read, tmp_path):
    """Parts stay beside the images where files are left out."""
    contents = files("train/") | files("test/") | {"train/cat/0.png": b"bad"}

    dataset = read(write_folder(tmp_path / "pets", contents), skip_bad=True)

    assert 8 == len(dataset.images)
    assert [2, 2, 0, 0] == dataset.parts_given[dataset.labels == 0].tolist()


def test_a_class_that_training_lacks_is_named():
    """A network cannot know a class of the test images alone."""
    names = numbered("train/cat", "train/dog", "test/cat", "test/dog", "test/cow")

    with pytest.raises(DataError, match=r"The test images of .*, in 'test', have a class that .*lack.*Received: cow"):
        arranged(*names)


@pytest.mark.parametrize("lone", ["test/cow", "test/cow/calf"])
def test_a_lone_class_that_training_lacks_is_named(lone):
    """A folder with a name of its own is a class, not a pile of images without labels."""
    with pytest.raises(DataError, match="lack: add it there, or remove it"):
        arranged(*numbered("train/cat", "train/dog", lone))


def test_a_class_that_the_test_lacks_is_named(read, tmp_path):
    """Scores of each class need test images of each class."""
    contents = files("train/") | {"test/cat/1.png": encoded(), "test/cat/2.png": encoded()}

    with pytest.raises(DataError, match=r"needs images of each class.*Received: no test images of 'dog'"):
        read(write_folder(tmp_path / "pets", contents))


@pytest.mark.parametrize("unlabelled", ["test", "test/test", "test/unknown", "test1", "seg_pred/seg_pred"])
def test_images_without_labels_are_left_out_and_counted(unlabelled):
    """The labelled part is then split as any dataset."""
    layout = arranged(*numbered("train/cat", "train/dog"), *numbered(unlabelled, count=5))

    assert layout.parts is None
    assert 6 == len(layout.files)
    assert any("5 images of pets.zip were left out, having no labels" in note for note in layout.notes)


def test_predictions_beside_a_split_are_left_out():
    """The Intel image classification has a folder of images for a contest."""
    names = numbered("seg_train/seg_train/sea", "seg_train/seg_train/street", "seg_test/seg_test/sea")
    layout = arranged(*names, *numbered("seg_test/seg_test/street", "seg_pred/seg_pred"))

    assert {0: 6, 2: 6} == parts_of(layout)
    assert "3 images of pets.zip were left out, having no labels: those in 'seg_pred/seg_pred'." in layout.notes


def test_a_split_that_stands_twice_is_read_once(read, tmp_path):
    """Archives of Kaggle hold everything twice; contents are compared, and a note says so."""
    both = files("x/train/") | files("x/test/")
    twice = both | {f"x/{name}": content for name, content in both.items()}

    dataset = read(write_zip(tmp_path / "x.zip", twice))

    assert {"cat": 4, "dog": 4} == dataset.counts
    assert any("holds the same images 2 times; those in 'x' are used" in note for note in dataset.notes)
    with pytest.raises(DataError, match="must stand side by side"):
        read(write_zip(tmp_path / "y.zip", twice | {"x/x/test/cat/1.png": encoded(GREEN)}))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (numbered("val/cat", "valid/cat", "train/cat", "train/dog"), "'val' and 'valid'"),
        (numbered("cat/train", "cat/test", "dog/train", "dog/val"), "side by side at one place of"),
        (numbered("train", "test"), r"needs a folder of images for each class.*Received: 6 files in test; train"),
        (numbered("train2017", "val2017"), "Received: 6 files in train2017; val2017"),
        (numbered("train/cat", "train/dog", "test/cat", "test/dog", "extra"), "3 files of .*beside class folders"),
        (numbered("train/cat", "test/cat"), "needs a folder of images for each class"),
    ],
)
def test_splits_that_are_none_are_refused(names, message):
    """The message names the folders that cannot be told apart."""
    with pytest.raises(DataError, match=message):
        arranged(*names)


def test_a_class_may_be_called_train():
    """Trains beside cars are a class."""
    layout = arranged(*numbered("train", "car", "bus"))

    assert ("bus", "car", "train") == layout.class_names
    assert layout.parts is None


def test_names_that_begin_with_the_class_are_labels():
    """Kaggle's dogs and cats lie in one folder; their names say what they are."""
    layout = arranged("train/cat.0.jpg", "train/cat.1.jpg", "train/dog.0.jpg", "train/dog.1.jpg")

    assert {"cat": 2, "dog": 2} == {name: list(classes(layout).values()).count(name) for name in ("cat", "dog")}
    assert "up to the first dot: cat (2); dog (2)." in layout.notes[0]


def test_names_that_begin_with_the_class_beside_images_without_labels():
    """Those that are to be predicted are left out."""
    names = ["train/cat.0.jpg", "train/cat.1.jpg", "train/dog.0.jpg", "train/dog.1.jpg", *numbered("test1")]
    layout = arranged(*names)

    assert 4 == len(layout.files)
    assert "3 images of pets.zip were left out, having no labels: those in 'test1'." in layout.notes


@pytest.mark.parametrize(
    "names",
    [("cat.0.jpg", "dog.0.jpg"), ("cat.0.jpg", "cat.1.jpg"), ("cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "dog.1.jpg", "x")],
)
def test_names_that_need_not_be_labels_are_none(names):
    """Two classes of two images each, and no other file, are the least."""
    with pytest.raises(DataError, match=r"a pattern that finds the class.*--tlbench-labels"):
        arranged(*names)


def test_a_pattern_finds_the_class_in_the_name():
    """The pets of Oxford: a breed, a number."""
    names = ["images/great_dane_1.jpg", "images/great_dane_2.jpg", "images/Bengal_1.jpg", "annotations/list.txt"]
    layout = arranged(*names, labels=r"^(.+)_\d+\.jpg$")

    assert ("Bengal", "great_dane") == layout.class_names
    assert r"found in the names by '^(.+)_\\d+\\.jpg$'" in layout.notes[0]


def test_a_pattern_with_a_slash_searches_the_path():
    """A class that stands above other folders is found, too."""
    layout = arranged(*numbered("cat/film 1", "cat/film 2", "dog/film 1"), labels="^([^/]+)/")

    assert ("cat", "dog") == layout.class_names


def test_a_pattern_leaves_the_split():
    """Parts are folders, where the pattern finds classes in names."""
    names = [f"{part}/{kind}_{index}.jpg" for part in ("train", "test") for kind in "ab" for index in range(2)]

    assert {0: 4, 2: 4} == parts_of(arranged(*names, labels="^(.)_"))


def test_names_that_do_not_match_the_pattern_are_named():
    """No image is left out silently."""
    with pytest.raises(DataError, match=r"1 of 3 images .*do not match.*Received: '\^\(\.\)_' and cat.jpg"):
        arranged("a_1.jpg", "b_1.jpg", "cat.jpg", labels="^(.)_")


@pytest.mark.parametrize(("pattern", "message"), [("(", "no regular expression"), ("a", "0 groups"), ("(a)(b)", "2 g")])
def test_a_pattern_has_one_group(read, tmp_path, pattern, message):
    """A pattern is checked before anything is read."""
    with pytest.raises(ConfigurationError, match=rf"--tlbench-labels.*{message}"):
        read(tmp_path, labels=pattern)


def test_a_pattern_is_part_of_the_key_of_the_cache(read, tmp_path):
    """Other labels of the same files are another dataset."""
    path = write_folder(tmp_path / "x", {name.replace("/", "_"): content for name, content in files().items()})

    assert ("cat", "dog") == read(path, labels="^(.+)_").class_names
    assert ("1", "2") == read(path, labels=r"_(.+)\.").class_names


def test_classes_in_groups_are_classes():
    """The note has the task that labels by the groups."""
    layout = arranged(*numbered("animals/cat", "animals/dog", "vehicles/car"))

    assert ("car", "cat", "dog") == layout.class_names
    assert "Task('vehicles/animals', vehicles=['car'], animals=['cat', 'dog'])" in layout.notes[0]


def test_the_task_of_groups_can_be_pasted():
    """Names of groups that are no names in Python are written as a mapping."""
    from tlbench.declare.tasks import Task

    (note,) = arranged(*numbered("big cats/lion", "big cats/tiger", "pets/dog")).notes
    task = eval(note[note.index("Task(") : note.rindex(".")], {"Task": Task})

    assert ("big cats", "pets") == tuple(sorted(task.labels_of(("dog", "lion", "tiger"))))


def test_groups_in_parts_of_a_split_are_read():
    """A split and groups may meet."""
    layout = arranged(*numbered("train/a/cat", "train/b/car", "test/a/cat", "test/b/car"))

    assert ("car", "cat") == layout.class_names
    assert {0: 6, 2: 6} == parts_of(layout)
    assert any("stand in groups: b, a" in note for note in layout.notes)


def test_deeper_folders_of_a_class_are_part_of_it():
    """A folder with images of its own, beside another, is a class with everything in it."""
    layout = arranged(*numbered("cat", "cat/more", "dog"))

    assert {"cat": 6, "dog": 3} == {name: list(classes(layout).values()).count(name) for name in ("cat", "dog")}
    assert "3 images of pets.zip were taken for the class around their folder: cat/more/0.jpg" in layout.notes[0]


@pytest.mark.parametrize(
    "texts",
    [
        ("README.md", "LICENSE", "labels.csv"),
        ("pets/README.md", "pets/classes.txt", "pets/info.pdf"),
        ("pets/cat/0.xml", "pets/cat/1.txt", "pets/dog/0.json"),
        ("annotations/cat/0.xml", "annotations/1.xml", "annotations/2.xml"),
        ("Annotations/cat/0.mat", "Annotations/dog/1.mat", "Annotations/dog/2"),
        ("pets/annotations/cat/0.xml", "pets/annotations/dog/1.xml", "pets/annotations/2.xml"),
    ],
)
def test_text_files_are_left_out_and_counted(texts):
    """Descriptions and annotations are neither images nor classes."""
    layout = arranged(*numbered("pets/cat", "pets/dog"), *texts)

    assert 6 == len(layout.files)
    assert (f"3 text or annotation files of pets.zip were left out: {'; '.join(sorted(texts))}.",) == layout.notes


def test_lock_files_of_office_programs_are_left_out_and_counted():
    """They carry the name of the file that is open."""
    layout = arranged(*numbered("cat", "dog"), "cat/~$1.jpg")

    assert 6 == len(layout.files)
    assert "1 lock file of pets.zip was left out" in layout.notes[0]


def test_a_class_of_texts_alone_is_empty():
    """A class folder whose images are missing is no folder of annotations."""
    with pytest.raises(DataError, match=r"Class 'cow' of .* has no images"):
        arranged(*numbered("cat", "dog"), "cow/readme.txt")


def test_annotations_with_images_are_no_text():
    """Masks could be classes; the message names both places."""
    with pytest.raises(DataError, match="must stand side by side"):
        arranged(*numbered("images/cat", "images/dog", "annotations/cat", "annotations/dog", count=2)[:-1])


def test_many_names_are_arranged_quickly():
    """A hundred thousand names take seconds, not minutes."""
    layout = arranged(*(f"train/{index % 1000}/{index}.jpg" for index in range(100_000)))

    assert 1000 == len(layout.class_names)


@pytest.mark.parametrize("colour", [RED, GREEN])
def test_pixels_of_parts_are_those_of_their_files(read, tmp_path, colour):
    """The order of labels, parts and images is the same."""
    contents = {f"{part}/{kind}/1.png": encoded(WHITE) for part in ("train", "val", "test") for kind in "ab"}
    dataset = read(write_folder(tmp_path / "x", contents | {"val/b/1.png": encoded(colour)}))

    (found,) = np.flatnonzero((dataset.images[:, 0, 0] != WHITE).any(axis=1))

    assert (1, 1) == (dataset.labels[found], dataset.parts_given[found])
