"""Images in Parquet and Arrow files."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from pictures import BLUE, GREEN, RED, WHITE, encoded, files, write_folder

from tlbench.datasets import parquet
from tlbench.errors import ConfigurationError, DataError


pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

COLOURS = (RED, GREEN, BLUE, WHITE)


def table(labels=(0, 1, 0, 1), names=("cat", "dog"), images=None, **columns):
    """A table as the Hugging Face Hub has it: images as bytes and path, and numbered classes."""
    images = images or [{"bytes": encoded(colour), "path": f"{i}.png"} for i, colour in enumerate(COLOURS)]
    features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features if names else {}}})}
    return pa.table({"image": images[: len(labels)], "label": list(labels), **columns}).replace_schema_metadata(
        metadata
    )


def save(path, contents):
    """Write tables as Parquet files, or as Arrow streams by their suffix."""
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".arrow"):
            with pa.ipc.new_stream(path / name, content.schema) as writer:
                writer.write_table(content)
        else:
            pq.write_table(content, path / name)
    return path


def test_a_file_of_images_is_a_dataset(read, tmp_path):
    """Names of the classes come from the table's metadata."""
    dataset = read(save(tmp_path, {"pets.parquet": table()}) / "pets.parquet")

    assert "pets" == dataset.name
    assert ("cat", "dog") == dataset.class_names
    assert [0, 0, 1, 1] == dataset.labels.tolist()
    assert [list(RED), list(BLUE), list(GREEN), list(WHITE)] == dataset.images[:, 0, 0].tolist()
    assert dataset.parts_given is None


@pytest.mark.parametrize(
    ("training", "test"),
    [
        ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet"),
        ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
        ("train.parquet", "test.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
        ("train/data-00000-of-00001.arrow", "test/data-00000-of-00001.arrow"),
    ],
)
def test_files_of_parts_are_a_split(read, tmp_path, training, test):
    """Names of files and folders say the part, beside the texts of a repository."""
    path = save(write_folder(tmp_path / "pets", {"README.md": b"---"}), {training: table(), test: table((1, 0))})
    dataset = read(path)

    assert ("training", "test") == dataset.given
    assert {"cat": 3, "dog": 3} == dataset.counts
    assert [list(GREEN), list(RED)] == [
        dataset.images[(dataset.parts_given == 2) & (dataset.labels == label)][0, 0, 0].tolist() for label in (0, 1)
    ]
    assert "pets has a split of its own: its files are for training and test." in dataset.notes


def test_shards_are_one_part(read, tmp_path):
    """Rows follow each other over the files of a part."""
    contents = {f"train-0000{index}-of-00002.parquet": table() for index in range(2)}

    assert {"cat": 4, "dog": 4} == read(save(tmp_path / "pets", contents)).counts


def test_a_saved_data_set_is_read_by_its_state(read, tmp_path):
    """Caches that the library leaves beside a saved data set are no part of it."""
    state = json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}).encode()
    path = write_folder(tmp_path / "pets", {"train/state.json": state, "dataset_dict.json": b"{}"})
    save(path, {"train/data-00000-of-00001.arrow": table(), "train/tmp.arrow": table((1, 1))})

    assert {"cat": 2, "dog": 2} == read(path).counts


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"_data_files": [], "_indices_data_files": [{"filename": "x"}]}, "flatten_indices"),
        ({"_data_files": [{"filename": "../../other.arrow"}]}, "must name files beside it"),
        ({"_data_files": [{"filename": ".."}]}, "must name files beside it"),
    ],
)
def test_states_that_lead_elsewhere_are_refused(read, tmp_path, state, message):
    """A selection has no rows of its own, and files elsewhere are not read."""
    path = write_folder(tmp_path / "pets", {"state.json": json.dumps(state).encode()})
    save(tmp_path, {"other.arrow": table(), "pets/data.arrow": table()})

    with pytest.raises(DataError, match=message):
        read(path)


def test_labels_may_be_names(read, tmp_path):
    """Text is the name of the class; other columns are no matter."""
    content = table(("dog", "cat", "dog", "cat"), names=(), width=[1, 2, 3, 4])

    assert ("cat", "dog") == read(save(tmp_path, {"x.parquet": content}) / "x.parquet").class_names


def test_numbers_without_names_are_names(read, tmp_path):
    """Classes are then called by their numbers."""
    assert ("3", "5") == read(save(tmp_path, {"x.parquet": table((3, 5, 3, 5), names=())}) / "x.parquet").class_names


def test_rows_without_labels_are_left_out(read, tmp_path):
    """The Hub's test images of a contest have the label -1."""
    dataset = read(save(tmp_path / "pets", {"train.parquet": table(), "test.parquet": table((-1, -1, -1))}))

    assert dataset.parts_given is None
    assert ("3 images of pets were left out, having no label.",) == dataset.notes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (table((0, 2)), r"must count the 2 classes from 0. Received: 2"),
        (table(([0], [1]), names=()), r"must be whole numbers or names of classes.*Received: \[0\]"),
        (table((0.5, 1.5), names=()), "Received: 0.5"),
        (table((0, 0)), r"at least two classes. Received: \['cat'\]"),
        (table(images=[{"bytes": None, "path": "/etc/passwd"}] * 4), "no bytes, only a path"),
        (table(images=[{"bytes": b"text", "path": ""}] * 4), "not an image of a known format"),
    ],
)
def test_tables_that_are_no_images_are_refused(read, tmp_path, content, message):
    """Nothing but bytes in the table is read, and each row needs one class."""
    path = save(tmp_path, {"x.parquet": content}) / "x.parquet"

    with pytest.raises(DataError, match=message):
        read(path)


def test_bad_rows_are_left_out_where_asked(read, tmp_path):
    """A row is named by its file and number."""
    images = [{"bytes": encoded(colour), "path": ""} for colour in COLOURS]
    images[2]["bytes"] = b"bad"
    path = save(tmp_path, {"x.parquet": table(images=images)}) / "x.parquet"
    dataset = read(path, skip_bad=True)

    assert {"cat": 1, "dog": 2} == dataset.counts
    assert "#00000002 (not an image" in dataset.notes[0]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a/train.parquet", "b/train.parquet"), "several places; give the path of one of them. Received: a; b"),
        (("train.parquet", "more.parquet"), "some are not; rename or move them. Received: more.parquet"),
    ],
)
def test_tables_that_do_not_belong_together_are_refused(read, tmp_path, names, message):
    """Configurations of a repository are data sets of their own."""
    with pytest.raises(DataError, match=message):
        read(save(tmp_path / "pets", dict.fromkeys(names, table())))


def test_other_tables_are_refused(read, tmp_path):
    """A folder of tables without images names their columns."""
    with pytest.raises(DataError, match=r"needs a column of images as bytes.*Received: size"):
        read(save(tmp_path / "x", {"x.parquet": pa.table({"size": [1]})}))


def test_a_table_of_absurd_size_is_refused(read, tmp_path, monkeypatch):
    """The size that a table declares is compared before its images are unpacked."""
    monkeypatch.setattr(parquet, "ARCHIVE_BYTES", 100)
    monkeypatch.setattr(parquet, "ARCHIVE_RATIO", 1)
    images = [{"bytes": bytes(100_000), "path": ""}] * 4
    path = save(tmp_path, {"x.parquet": table(images=images)}) / "x.parquet"

    with pytest.raises(DataError, match=r"is refused: it unpacks to [\d,]+ bytes, more than"):
        read(path)
    with pytest.raises(DataError, match=r"is refused: it unpacks to .*Received: a table of labels"):
        parquet.records(path.read_bytes())


@pytest.mark.parametrize("name", ["x.parquet", "x/train.parquet", "x/data.arrow"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_broken_table_is_refused(read, tmp_path, name, share):
    """A download that broke off is never taken for a smaller data set."""
    path = save(tmp_path, {name: table()}) / name
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    with pytest.raises(DataError, match=r"damaged|cannot be read"):
        read(tmp_path / name.partition("/")[0])


def test_a_missing_pyarrow_is_named(read, tmp_path, monkeypatch):
    """The message has the command that installs it."""
    path = save(tmp_path, {"x.parquet": table()}) / "x.parquet"
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(DataError, match=r'pip install "tlbench\[parquet\]". Received: .*x.parquet'):
        read(path)


def test_images_beside_a_table_are_read_as_folders(read, tmp_path):
    """A folder of images is not a folder of tables."""
    path = save(write_folder(tmp_path / "pets", files()), {"numbers.parquet": pa.table({"size": [1]})})

    assert {"cat": 2, "dog": 2} == read(path).counts


def test_a_pattern_for_names_is_refused(read, tmp_path):
    """A table has labels."""
    with pytest.raises(ConfigurationError, match="has a column of labels; leave it out"):
        read(save(tmp_path, {"x.parquet": table()}) / "x.parquet", labels="(.)")


def test_pixels_follow_their_labels(read, tmp_path):
    """Rows of several batches keep their order."""
    grey = [(value, value, value) for value in range(100)]
    images = [{"bytes": encoded(colour), "path": ""} for colour in grey]
    dataset = read(save(tmp_path, {"x.parquet": table([i % 2 for i in range(100)], images=images)}) / "x.parquet")

    assert [*range(0, 100, 2), *range(1, 100, 2)] == dataset.images[:, 0, 0, 0].tolist()
    assert np.repeat([0, 1], 50).tolist() == dataset.labels.tolist()
