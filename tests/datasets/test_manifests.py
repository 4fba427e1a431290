"""Tables of labels beside images."""

from __future__ import annotations

import json

import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import BLUE, GREEN, RED, WHITE, encoded, files, write_folder, write_tar, write_zip

from tlbench.datasets import manifests
from tlbench.errors import ConfigurationError, DataError


FLAT = {
    "a.png": encoded(RED),
    "b.png": encoded(GREEN),
    "c.png": encoded(BLUE),
    "d.png": encoded(WHITE),
}
ROWS = [("a.png", "cat"), ("b.png", "dog"), ("c.png", "cat"), ("d.png", "dog")]
SPLIT = [(*row, part) for row, part in zip(ROWS, ("train", "train", "test", "test"), strict=True)]


def separated(rows, header="path,label", delimiter=","):
    """Rows as CSV."""
    return "\n".join([header, *(delimiter.join(row) for row in rows)]).encode()


def lines(rows, *names):
    """Rows as JSON lines."""
    return "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows).encode()


def parquet(rows, *names):
    """Rows as Parquet."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("labels.csv", separated(ROWS)),
        ("labels.csv", separated(ROWS, "label;FileName", ";").replace(b"label;FileName", b" Filename;Category")),
        ("labels.csv", b"\xef\xbb\xbf" + separated(ROWS, "image,class")),
        ("labels.csv", separated(ROWS).replace(b"\n", b"\r\n")),
        ("labels.tsv", separated(ROWS, "file\ttarget", "\t")),
        ("labels.csv", separated([(name.removesuffix(".png"), label) for name, label in ROWS], "id,breed")),
        ("labels.csv", separated([(f"./{name}", label) for name, label in ROWS])),
        ("labels.jsonl", lines(ROWS, "file_name", "label")),
        ("labels.parquet", parquet(ROWS, "image_path", "label")),
    ],
)
@pytest.mark.parametrize("beside", [True, False])
def test_a_table_says_the_classes(read, tmp_path, name, table, beside):
    """Given as the path, or found beside its images, in any of its formats and with usual names of columns."""
    path = write_folder(tmp_path / "pets", FLAT | {name: table})
    dataset = read(path if beside else path / name)

    assert ("cat", "dog") == dataset.class_names
    assert [0, 0, 1, 1] == dataset.labels.tolist()
    assert [list(RED), list(BLUE), list(GREEN), list(WHITE)] == dataset.images[:, 0, 0].tolist()
    assert dataset.parts_given is None
    assert f"come from the table {name}" in dataset.notes[0]


@pytest.mark.parametrize("column", ["split", "Subset", "set", "partition"])
def test_a_table_says_the_split(read, tmp_path, column):
    """A third column is the data set's own split."""
    table = separated(SPLIT, f"path,label,{column}")
    dataset = read(write_folder(tmp_path / "pets", FLAT | {"labels.csv": table}))

    assert ("training", "test") == dataset.given
    assert [0, 2, 0, 2] == dataset.parts_given.tolist()
    assert any("a split of its own: the table says which images are for training and test" in n for n in dataset.notes)


@pytest.mark.parametrize("write", [write_zip, write_tar])
@pytest.mark.parametrize("top", ["", "pets/"])
def test_a_table_in_an_archive_is_read(read, tmp_path, write, top):
    """Nothing is unpacked for it."""
    contents = {f"{top}{name}": content for name, content in (FLAT | {"labels.csv": separated(ROWS)}).items()}

    assert {"cat": 2, "dog": 2} == read(write(tmp_path / "pets.tar", contents)).counts


def test_a_table_beside_the_folder_of_its_images_fits(read, tmp_path):
    """Kaggle has the names alone in the table and the images in a folder."""
    contents = {f"images/{name}": content for name, content in FLAT.items()}
    path = write_folder(tmp_path / "pets", contents | {"labels.csv": separated(ROWS)})

    assert {"cat": 2, "dog": 2} == read(path).counts
    assert read(path).digest == read(path / "labels.csv").digest


def test_images_that_a_table_lacks_are_left_out_and_counted(read, tmp_path):
    """So are images whose label is empty."""
    table = separated([*ROWS, ("e.png", "")])
    more = {f"{name}.png": encoded() for name in "ef"}
    dataset = read(write_folder(tmp_path / "pets", FLAT | more | {"labels.csv": table}))

    assert {"cat": 2, "dog": 2} == dataset.counts
    assert "1 image of pets was left out, having no label in the table." in dataset.notes
    assert "1 image of pets was left out, being in no row of labels.csv: f.png." in dataset.notes


def test_a_made_up_submission_is_no_table_of_labels(read, tmp_path):
    """Kaggle's examples of a submission would label every test image alike."""
    contents = {f"train/{name}": content for name, content in FLAT.items()} | {"test/1.png": encoded()}
    tables = {"train.csv": separated(ROWS), "sample_submission.csv": separated([("1.png", "cat")])}
    dataset = read(write_folder(tmp_path / "pets", contents | tables))

    assert {"cat": 2, "dog": 2} == dataset.counts


@pytest.mark.parametrize(
    "file",
    ["../a.png", "x/../../a.png", "/etc/passwd", "..", "", "C:/a.png", r"..\a.png", r"\\server\a.png", "a\0.png"],
)
@pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl"])
@pytest.mark.parametrize("beside", [True, False])
def test_files_outside_of_the_folder_are_refused(read, tmp_path, file, name, beside):
    """A table from elsewhere must not make anybody read other files."""
    write_folder(tmp_path, {"a.png": encoded()})
    rows = [*ROWS, (file, "cat")]
    table = separated(rows) if name.endswith("csv") else lines(rows, "path", "label")
    path = write_folder(tmp_path / "pets", FLAT | {name: table})

    with pytest.raises(DataError, match=r"must name files in its own folder, by paths relative to that folder"):
        read(path if beside else path / name)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (separated([*ROWS, ("e.png", "cat")]), "1 of 5 files that labels.csv names are not beside.*Received: e.png"),
        (separated([*ROWS, ("a.png", "dog")]), "Received: a.png as 'cat' and 'dog'"),
        (separated([("a.png", "cat"), ("b.png", "cat")]), r"at least two classes. Received: \['cat'\]"),
        (separated(SPLIT, "path,label,split").replace(b"train", b"some"), "Received: 'some'"),
        (separated(SPLIT, "path,label,split").replace(b"train", b""), "must have a split for each image"),
        (separated(SPLIT, "path,label,split").replace(b"train", b"val"), "a split without training images"),
        (separated(ROWS, "path,weight"), "needs a column of files.*Received: path; weight"),
        (b"", "Received: no rows"),
        (b"path,label\n\xff,cat\n", "save it as UTF-8"),
    ],
)
def test_tables_that_say_no_classes_are_refused(read, tmp_path, table, message):
    """Each message names the table, and what is wrong with it."""
    path = write_folder(tmp_path / "pets", FLAT | {"labels.csv": table})

    with pytest.raises(DataError, match=message):
        read(path / "labels.csv")


@pytest.mark.parametrize(
    "line", [b"[]", b"1", b"{", b'{"path": "a.png", "label": [1]}', b'{"path": "a.png", "label": true}']
)
def test_lines_that_are_no_rows_are_refused(read, tmp_path, line):
    """A label is text or a whole number."""
    path = write_folder(tmp_path / "pets", FLAT | {"labels.jsonl": line})

    with pytest.raises(DataError, match=r"labels\.jsonl"):
        read(path / "labels.jsonl")


def test_two_tables_that_fit_are_refused(read, tmp_path):
    """Nobody can tell which labels are meant."""
    tables = {"a.csv": separated(ROWS), "b.csv": separated(ROWS)}

    with pytest.raises(DataError, match=r"give the path of one of them. Received: a.csv; b.csv"):
        read(write_folder(tmp_path / "pets", FLAT | tables))


def test_class_folders_outdo_a_table_that_agrees(read, tmp_path):
    """Other names of the same classes agree, too."""
    table = separated([(name, {"cat": "0", "dog": "1"}[name[:3]]) for name in files()])
    path = write_folder(tmp_path / "pets", files() | {"labels.csv": table})

    assert ("cat", "dog") == read(path).class_names
    assert ("1 text or annotation file of pets was left out: labels.csv.",) == read(path).notes
    assert ("0", "1") == read(path / "labels.csv").class_names


def test_class_folders_and_a_table_that_disagree_are_refused(read, tmp_path):
    """Folders such as `part 1` are no classes where a table has others."""
    table = separated([(name, name[4]) for name in files()])

    path = write_folder(tmp_path / "pets", files() | {"labels.csv": table})

    with pytest.raises(DataError, match=r"disagree on the classes.*Received: cat; dog by folder, 1; 2 in the table"):
        read(path)
    assert ("cat", "dog") == read(path, skip_bad=True).class_names
    assert ("1", "2") == read(path / "labels.csv").class_names


@pytest.mark.parametrize(("rows", "expected"), [(4, [0, 2, 0, 2]), (3, None)])
def test_class_folders_take_the_split_of_a_table(read, tmp_path, rows, expected):
    """A table with a part for each image, whose classes are the folders; one with fewer rows is text."""
    parts = ("train", "test", "train", "test")
    table = separated([(n, n[:3], p) for n, p in zip(files(), parts, strict=True)][:rows], "path,label,split")
    dataset = read(write_folder(tmp_path / "pets", files() | {"labels.csv": table}))
    given = dataset.parts_given

    assert ("cat", "dog") == dataset.class_names
    assert expected == (given if given is None else given.tolist())


def test_a_table_for_something_else_is_text(read, tmp_path):
    """Names of classes by number are no labels of images."""
    table = separated([("n01", "cat"), ("n02", "dog")], "id,label")

    assert ("cat", "dog") == read(write_folder(tmp_path / "pets", files() | {"names.csv": table})).class_names


def test_changed_images_of_a_table_are_read_anew(read, tmp_path):
    """The table's key of the cache has the contents of its images."""
    path = write_folder(tmp_path / "pets", FLAT | {"labels.csv": separated(ROWS)}) / "labels.csv"
    first = read(path)
    (path.parent / "a.png").write_bytes(encoded(WHITE))

    assert first.digest != read(path).digest


def test_a_table_of_absurd_size_is_refused(read, tmp_path, monkeypatch):
    """Nothing larger than any table is held in memory."""
    monkeypatch.setattr(manifests, "MEMBER_BYTES", 20)
    path = write_folder(tmp_path / "pets", FLAT | {"labels.csv": separated(ROWS)}) / "labels.csv"

    with pytest.raises(DataError, match="may have 20 bytes at most; divide it"):
        read(path)


def test_a_pattern_for_names_is_refused(read, tmp_path):
    """A table has labels."""
    path = write_folder(tmp_path / "pets", FLAT | {"labels.csv": separated(ROWS)}) / "labels.csv"

    with pytest.raises(ConfigurationError, match="has a column of labels; leave it out"):
        read(path, labels="(.)")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), suffix=st.sampled_from(["csv", "jsonl"])
)
def test_any_bytes_are_a_table_or_refused(tmp_path, content, suffix):
    """A broken table raises nothing but a DataError."""
    for header in (b"", b"path,label\n"):
        try:
            manifests.read(tmp_path, f"labels.{suffix}", header + content)
        except DataError:
            continue
