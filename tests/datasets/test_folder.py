from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import BLUE, GREEN, RED, WHITE, bytes_of, encoded, files, write_folder, write_tar, write_zip
from PIL import Image

from tlbench.datasets import archives as module
from tlbench.datasets import decoding, folder
from tlbench.datasets.folder import read_images
from tlbench.errors import ConfigurationError, DataError


WRITERS = {
    "folder": lambda path, contents: write_folder(path / "images", contents),
    "zip": lambda path, contents: write_zip(path / "images.zip", contents),
    "tar": lambda path, contents: write_tar(path / "images.tar", contents),
}


@pytest.fixture(params=WRITERS)
def write(request, tmp_path):
    """A function that writes files as a folder, as a zip archive and as a tar archive."""
    return lambda contents: WRITERS[request.param](tmp_path, contents)


@pytest.fixture
def pixel_of(read, tmp_path):
    """A function that returns the pixels, shape (4, 4, 3), of one encoded image."""

    def pixels(content):
        path = write_folder(tmp_path / "one", {"a/1": content, "b/1": encoded()})
        return read(path).images[0]

    return pixels


def test_classes_are_folders_in_the_order_of_their_names(write, read):
    """Each folder is a class; images are sorted by class and name, RGB and of the size asked for."""
    dataset = read(write(files()))

    assert ("cat", "dog") == dataset.class_names
    assert [0, 0, 1, 1] == dataset.labels.tolist()
    assert (4, 4, 4, 3) == dataset.images.shape
    assert [list(RED), list(GREEN), list(BLUE), list(WHITE)] == dataset.images[:, 0, 0].tolist()
    assert "images" == dataset.name
    assert () == dataset.notes


@pytest.mark.parametrize("top", ["", "./", "natural_images/", "a/b/c/"])
def test_class_folders_may_stand_at_any_depth(write, read, top):
    """What stands above the class folders is no matter."""
    assert ("cat", "dog") == read(write(files(top))).class_names


@pytest.mark.parametrize(
    ("file", "contents"),
    [
        ("x.zip", files()),
        ("x.zip", files("top/")),
        ("x.zip", dict(reversed(files().items()))),
        ("x.zip", {"cat/": b"", **files(), "dog/": b""}),
        ("x.tar", dict(reversed(files().items()))),
        ("x.tar", {"./": b"", "./cat/": b"", **files("./")}),
        ("x.tar.gz", files()),
        ("x.tar.bz2", files("top/")),
        ("x.tar.xz", files()),
    ],
)
def test_a_folder_and_its_archives_have_the_same_digest(read, tmp_path, file, contents):
    """Format, order and depth of an archive leave the images as they are."""
    expected = read(write_folder(tmp_path / "folder", files())).digest

    assert expected == read((write_zip if file == "x.zip" else write_tar)(tmp_path / file, contents)).digest


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_archives_may_be_packed_in_any_way(read, tmp_path, compression):
    """Whatever Python can unpack is read."""
    assert {"cat": 2, "dog": 2} == read(write_zip(tmp_path / "x.zip", files(), compression)).counts


def test_an_archive_is_known_by_its_content(read, tmp_path):
    """The suffix is no matter."""
    assert {"cat": 2, "dog": 2} == read(write_zip(tmp_path / "images.tar", files())).counts


@pytest.mark.parametrize("file", ["x.zip", "x.tar", "x.tgz", "x.tar.gz", "x.tar.xz", "x.TBZ2"])
def test_an_archive_is_called_by_its_name_without_suffix(read, tmp_path, file):
    """The dataset is called after its file unless a name is given."""
    path = write_zip(tmp_path / file, files())

    assert "x" == read(path).name
    assert "given" == read(path, name="given").name


def test_an_archive_is_not_unpacked(read, tmp_path):
    """Reading an archive writes nothing beside it."""
    path = write_zip(tmp_path / "x.zip", files())

    read(path)

    assert {"x.zip", "cache"} == {entry.name for entry in tmp_path.iterdir()}


def test_litter_is_ignored(write, read):
    """Hidden files and what file managers and archivers leave behind are neither images nor classes."""
    litter = dict.fromkeys(
        [
            ".DS_Store",
            "cat/.DS_Store",
            "cat/._1.png",
            "cat/Thumbs.db",
            "dog/desktop.ini",
            "__MACOSX/cat/._1.png",
            ".git/objects/ab",
            ".ipynb_checkpoints/1.png",
            "cat/@eaDir/1.png",
        ],
        b"litter",
    )

    assert {"cat": 2, "dog": 2} == read(write(files() | litter)).counts


def test_a_second_copy_of_the_classes_is_left_out_and_noted(write, read):
    """The published archive holds everything twice; the upper copy is read, and a note says so."""
    once = read(write(files("natural_images/")))
    dataset = read(write(files("natural_images/") | files("data/natural_images/")))

    assert once.digest == dataset.digest
    assert {"cat": 2, "dog": 2} == dataset.counts
    assert "holds the same images 2 times; those in 'natural_images' are used." in dataset.notes[0]


@pytest.mark.parametrize(
    "other",
    [
        {"b/cat/3.png": encoded(), "b/dog/3.png": encoded()},
        {"b/cat/1.png": encoded(), "b/dog/1.png": encoded()},
        {**files("b/"), "b/dog/2.png": encoded(GREEN)},
        {"b/deeper/cat/1.png": encoded()},
        {"cow/1.png": encoded()},
    ],
)
def test_classes_in_two_places_that_are_no_copies_are_refused(write, read, other):
    """Folders of the same classes are not merged, and neither is silently left out, even if names are equal."""
    with pytest.raises(DataError, match=r"must stand side by side.*'(a|b|\.)' and others.*'(a|b|.*deeper)'"):
        read(write(files("a/") | other))


def test_what_was_decoded_comes_from_the_cache(read, tmp_path, monkeypatch):
    """Equal files are decoded once, from a folder and again after it was moved."""
    first = read(write_folder(tmp_path / "images", files()))
    monkeypatch.setattr(folder, "_decode", lambda *_, **__: pytest.fail("decoded again"))
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "images", tmp_path / "elsewhere" / "images")

    again = read(tmp_path / "elsewhere" / "images")

    assert first.digest == again.digest
    assert isinstance(again.images, np.memmap)


def test_reading_that_takes_long_is_logged(read, tmp_path, monkeypatch, caplog):
    """A line every few seconds says how far reading is."""
    monkeypatch.setattr(decoding, "_LOG_SECONDS", 0)
    caplog.set_level("INFO")

    read(write_folder(tmp_path / "images", files()))

    assert "Decoded 3 of 4 images of" in caplog.text


def test_changed_files_are_read_anew(write, read):
    """Another content under the same names, another size and other options are other entries of the cache."""
    first = read(write(files()))
    changed = read(write(files() | {"cat/1.png": encoded(BLUE)}))

    assert first.digest != changed.digest
    assert (4, 8, 8, 3) == read(write(files()), 8).images.shape
    assert first.digest == read(write(files()), skip_bad=True).digest


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(200, mode="L"), (200, 200, 200)),
        (encoded(1, mode="1"), WHITE),
        (encoded((0, 255, 255, 0), "JPEG", mode="CMYK"), RED),
        (encoded((255, 0, 0, 255), mode="RGBA"), RED),
        (encoded((255, 0, 0, 0), mode="RGBA"), WHITE),
        (encoded((0, 0, 0, 128), mode="RGBA"), (127, 127, 127)),
        (encoded((0, 0), mode="LA"), WHITE),
        (encoded(RED, "GIF"), RED),
        (encoded(0, "GIF", mode="P", transparency=0), WHITE),
        (encoded(RED, transparency=RED), WHITE),
        (encoded(0x80FF, mode="I;16"), (0x80, 0x80, 0x80)),
        (encoded(200, mode="I;16"), (0, 0, 0)),
        (encoded(65535, "TIFF", mode="I;16"), WHITE),
        (encoded(GREEN, "BMP"), GREEN),
        (encoded(GREEN, "PPM"), GREEN),
        (encoded(GREEN, "TIFF"), GREEN),
        (encoded((0, 0, 255), "JPEG", quality=100, subsampling=0), (0, 0, 254)),
    ],
)
def test_every_kind_of_image_becomes_rgb(pixel_of, content, expected):
    """Grey, palette, CMYK and 16-bit images are converted, and transparency is laid over white."""
    assert (np.abs(pixel_of(content).astype(int) - expected) <= 1).all()


def test_an_animation_is_its_first_frame(pixel_of):
    """Later frames are left out."""
    frames = [Image.new("RGB", (6, 6), colour) for colour in (RED, GREEN)]
    content = bytes_of(frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert [list(RED)] == np.unique(pixel_of(content).reshape(-1, 3), axis=0).tolist()


def test_images_stand_upright(pixel_of):
    """An orientation in the EXIF data is applied."""
    image = Image.new("RGB", (8, 8), RED)
    image.paste(BLUE, (0, 0, 8, 4))
    exif = Image.Exif()
    exif[0x0112] = 3
    pixels = pixel_of(bytes_of(image, "PNG", exif=exif))

    assert [255, 0, 0] == pixels[0, 0].tolist()
    assert [0, 0, 255] == pixels[3, 0].tolist()


def test_images_are_squeezed_into_a_square(pixel_of):
    """Proportions are not kept, and nothing is cut off."""
    image = Image.new("RGB", (40, 10), RED)
    image.paste(BLUE, (20, 0, 40, 10))

    assert [RED, BLUE] == [tuple(pixel_of(bytes_of(image))[2, column].tolist()) for column in (0, 3)]


def test_shrinking_averages(pixel_of):
    """A fine pattern becomes grey rather than whichever pixel is hit."""
    pattern = np.indices((64, 64)).sum(axis=0) % 2 * 255
    pixels = pixel_of(bytes_of(Image.fromarray(pattern.astype(np.uint8))))

    assert (np.abs(pixels.astype(int) - 127) <= 2).all()


def test_a_large_photograph_is_what_it_is_when_decoded_in_full(pixel_of):
    """Decoding a JPEG at a fraction of its size, which saves time, moves no pixel by more than a little."""
    rows, columns = np.indices((256, 256))
    image = Image.fromarray(np.stack([rows, columns, (rows + columns) // 2], axis=-1).astype(np.uint8))
    content = bytes_of(image, "JPEG", quality=95)
    in_full = Image.open(io.BytesIO(content)).resize((4, 4), Image.Resampling.BILINEAR)

    assert np.abs(pixel_of(content).astype(int) - np.asarray(in_full)).max() <= 3


BAD = {
    "truncated": encoded(size=(64, 64), format="JPEG")[:-200],
    "truncated PNG": encoded(size=(64, 64))[:-30],
    "text": b"not an image",
    "empty": b"",
    "floats": encoded(0.5, "TIFF", mode="F"),
    "postscript": encoded(format="EPS"),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_file_that_is_no_image_is_named(write, read, content):
    """The message has the class, the file and the option that leaves such files out."""
    path = write(files() | {"dog/broken.jpg": content})

    with pytest.raises(DataError, match=r"1 of 5 files.*--tlbench-skip-bad.*Received: dog/broken.jpg \(.+\)"):
        read(path)


def test_files_that_are_no_images_are_left_out_where_asked(write, read):
    """The others are read, and a note counts those left out and names the first."""
    bad = {f"dog/bad{index}.jpg": b"bad" for index in range(7)}
    expected = read(write(files())).digest

    dataset = read(write(files() | bad), skip_bad=True)
    (note,) = dataset.notes

    assert {"cat": 2, "dog": 2} == dataset.counts
    assert "7 of 11 files" in note
    assert "dog/bad4.jpg (not an image of a known format); …" in note
    assert "bad5" not in note
    assert expected == dataset.digest


def test_a_class_of_nothing_but_bad_files_is_refused(write, read):
    """Leaving files out must not leave a class without any."""
    with pytest.raises(DataError, match=r"Class 'cow' of dataset 'images' has no images"):
        read(write(files() | {"cow/1.png": b"bad"}), skip_bad=True)


@pytest.mark.parametrize("stray", ["stray.png", "top/script.py", "top/stray.png"])
def test_files_beside_class_folders_are_named_or_left_out(write, read, stray):
    """A file in no class is an error like any other file that is no image of a class."""
    path = write(files("top/") | {stray: encoded()})

    with pytest.raises(DataError, match=rf"beside class folders.*--tlbench-skip-bad. Received: {stray}"):
        read(path)
    dataset = read(path, skip_bad=True)

    assert {"cat": 2, "dog": 2} == dataset.counts
    assert f"1 of 5 files of {path.name} were left out" in dataset.notes[0]


@pytest.mark.parametrize("limit", [30, 40])
def test_an_image_of_absurd_size_is_an_error(read, tmp_path, monkeypatch, limit):
    """What Pillow warns of or refuses is never decoded, whatever the program does with warnings."""
    path = write_folder(tmp_path / "images", files() | {"dog/bomb.png": encoded(size=(8, 8))})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit + 6)

    with pytest.raises(DataError, match=rf"bomb.png \(64 pixels, beyond the limit of {limit + 6}; scale it down"):
        read(path)

    assert limit + 6 == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({}, "needs a folder of images for each class. Received: no files"),
        ({"1.png": encoded(), "2.png": encoded()}, "Received: 2 files and no folder"),
        ({"cat/": b"", "dog/": b""}, "Received: no files"),
        ({"cat/1.png": encoded()}, "at least two classes, a folder each. Received: 'cat' alone in"),
        (files() | {"cow/": b""}, r"Class 'cow' of .* has no images; fill its folder or remove it"),
        (files("top/") | {"top/cow/": b""}, "Class 'cow' of .* has no images"),
        (files() | {"cow/calf/": b""}, "Class 'cow' of .* has no images"),
        (files() | {"cow/.DS_Store": b""}, "Class 'cow' of .* has no images"),
    ],
)
def test_folders_that_are_no_classes_are_refused(write, read, tmp_path, contents, message):
    """No class folders, one alone and empty ones each have their message."""
    (tmp_path / "images").mkdir()

    with pytest.raises(DataError, match=message):
        read(write(contents))


def test_a_missing_path_is_named(read, tmp_path):
    """The message says what a path may be."""
    with pytest.raises(DataError, match=r"a folder or of a zip or tar archive. Received: .*nowhere"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize("size", [0, -1])
def test_images_have_a_size(read, tmp_path, size):
    """A size of no pixels is refused."""
    with pytest.raises(ConfigurationError, match=f"image_size={size}"):
        read(write_folder(tmp_path / "images", files()), size)


@pytest.mark.parametrize("content", [b"", b"text", encoded(), zlib.compress(b"text")])
def test_another_file_is_no_archive(read, tmp_path, content):
    """A file that is neither zip nor tar is refused, whatever its name."""
    path = tmp_path / "images.zip"
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"must be a folder, or a zip or tar archive of one.*Received: .*images.zip"):
        read(path)


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_an_archive_cut_short_is_refused(read, tmp_path, suffix, share):
    """A download that broke off is never taken for a smaller dataset."""
    path = tmp_path / f"images.{suffix}"
    generator = np.random.default_rng(0)
    contents = {
        f"{name}/{index}.bmp": bytes_of(Image.fromarray(generator.integers(0, 256, (16, 16, 3), np.uint8)), "BMP")
        for name in ("cat", "dog")
        for index in range(20)
    }
    (write_zip if suffix == "zip" else write_tar)(path, contents)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(DataError, match=r"damaged"):
        read(path, skip_bad=True)


def test_a_tar_archive_cut_between_members_is_refused(read, tmp_path):
    """Such an archive is whole but for its end mark, which Python's own module does not ask for."""
    path = write_tar(tmp_path / "images.tar", files())
    path.write_bytes(path.read_bytes()[: 3 * 1024])

    with pytest.raises(DataError, match=r"images.tar cannot be read: it is damaged.*the end mark is missing"):
        read(path)


def test_a_tar_archive_with_a_broken_header_is_refused(read, tmp_path):
    """What follows a broken header must not get lost silently."""
    path = write_tar(tmp_path / "images.tar", files())
    content = bytearray(path.read_bytes())
    content[2 * 1024 : 2 * 1024 + 100] = b"\xff" * 100
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"it is damaged"):
        read(path)


def test_a_member_whose_checksum_is_wrong_is_named(read, tmp_path):
    """One broken member of a zip archive is like one broken file: named, or left out where asked."""
    path = write_zip(tmp_path / "images.zip", files(), zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(files()["dog/1.png"]) + 60] ^= 255
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"Received: dog/1.png \(Bad CRC-32"):
        read(path)

    assert {"cat": 2, "dog": 1} == read(path, skip_bad=True).counts


EVIL_NAMES = [
    "../evil.png",
    "cat/../../evil.png",
    "..",
    "/etc/evil.png",
    "//server/evil.png",
    r"\evil.png",
    r"..\evil.png",
    r"cat\3.png",
    "C:/evil.png",
    r"c:\evil.png",
    "c:evil.png",
    "__MACOSX/../../evil.png",
]


@pytest.mark.parametrize("name", EVIL_NAMES)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_out_of_an_archive_are_refused(read, tmp_path, kind, name):
    """Parent folders, absolute names, drives and backslashes are refused by name, even among litter."""
    path = WRITERS[kind](tmp_path, files() | {name: encoded()})

    with pytest.raises(DataError, match=r"is refused: a member has a .*name.*Received: ") as refusal:
        read(path, skip_bad=True)

    assert repr(name) in str(refusal.value)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tar_archives_are_refused(read, tmp_path, kind):
    """Only files and folders are read."""
    path = tmp_path / "images.tar"
    with tarfile.open(write_tar(path, files()), "a") as archive:
        member = tarfile.TarInfo("cat/3.png")
        member.type, member.linkname = kind, "cat/1.png"
        archive.addfile(member)

    with pytest.raises(DataError, match=r"a member is a link or a device.*Received: 'cat/3.png'"):
        read(path, skip_bad=True)


@pytest.mark.parametrize(
    ("kind", "what"), [(stat.S_IFLNK, "a link"), (stat.S_IFCHR, "a device"), (stat.S_IFIFO, "a device")]
)
def test_links_and_devices_in_zip_archives_are_refused(read, tmp_path, kind, what):
    """The kind of a member stands in its external attributes."""
    path = write_zip(tmp_path / "images.zip", files())
    member = zipfile.ZipInfo("cat/3.png")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "../../etc/passwd")

    with pytest.raises(DataError, match=f"a member is {what}.*Received: 'cat/3.png'"):
        read(path, skip_bad=True)


@pytest.mark.parametrize("bit", [0x01, 0x40])
def test_encrypted_zip_archives_are_refused(read, tmp_path, bit):
    """Passwords are not asked for."""
    path = write_zip(tmp_path / "images.zip", files())
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= bit
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"a member is encrypted.*Received: 'cat/1.png'"):
        read(path, skip_bad=True)


def test_unknown_compression_is_refused(read, tmp_path):
    """A packing that Python lacks, such as deflate64, is no reason to leave every file out."""
    path = write_zip(tmp_path / "images.zip", files())
    content = path.read_bytes()
    entry = content.index(b"PK\x01\x02")
    for offset in (8, entry + 10):
        content = content[:offset] + struct.pack("<H", 9) + content[offset + 2 :]
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"packed in a way that Python cannot unpack.*Received: 'cat/1.png'"):
        read(path, skip_bad=True)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_that_stands_in_an_archive_twice_is_refused(read, tmp_path, kind):
    """Which of the two would be meant, nobody can tell."""
    path = WRITERS[kind](tmp_path, files() | {"./cat/1.png": encoded(BLUE)})

    with pytest.raises(DataError, match=r"a member stands in it twice.*Received: './cat/1.png'"):
        read(path)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_of_absurd_size_is_refused(read, tmp_path, kind, monkeypatch):
    """A declared size beyond any photograph's is refused before anything is unpacked."""
    monkeypatch.setattr(module, "MEMBER_BYTES", 10_000)
    path = WRITERS[kind](tmp_path, files() | {"cat/bomb.png": bytes(10_001)})

    with pytest.raises(DataError, match=r"would take 10,001 bytes, more than 10,000.*Received: 'cat/bomb.png'"):
        read(path, skip_bad=True)


@pytest.mark.parametrize("file", ["images.zip", "images.tar.gz"])
def test_an_archive_that_unpacks_to_absurd_size_is_refused(read, tmp_path, file, monkeypatch):
    """Many members that are each within the limit are not, when together they are many times the archive's size."""
    monkeypatch.setattr(module, "ARCHIVE_BYTES", 100_000)
    contents = files() | {f"cat/{index}.bin": bytes(100_000) for index in range(100)}
    path = (write_zip if file.endswith("zip") else write_tar)(tmp_path / file, contents)

    with pytest.raises(DataError, match=r"takes the unpacked size beyond [\d,]+ bytes.*Received: 'cat/\d+.bin'"):
        read(path, skip_bad=True)


def test_a_file_of_absurd_size_is_not_read_to_its_end(read, tmp_path, monkeypatch):
    """In a folder, too, what is larger than any photograph is no image."""
    monkeypatch.setattr(module, "MEMBER_BYTES", 10_000)
    path = write_folder(tmp_path / "images", files() | {"cat/bomb.png": bytes(10_001)})

    with pytest.raises(DataError, match=r"Received: cat/bomb.png \(more than 10,000 bytes\)"):
        read(path)


def test_a_declared_size_is_not_trusted(read, tmp_path):
    """A zip member that holds more than it says is broken, not read on."""
    path = write_zip(tmp_path / "images.zip", files())
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", 10)
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"Received: cat/1.png \("):
        read(path)


def link(target, path):
    """Make a link, where the system lets us."""
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("The system makes no links.")


def test_links_in_a_folder_are_followed(read, tmp_path):
    """A class folder or an image may be a link, also to what stands elsewhere: the folder is the user's own."""
    elsewhere = write_folder(tmp_path / "elsewhere", files())
    path = write_folder(tmp_path / "images", {"cat/1.png": encoded(RED)})
    link(elsewhere / "dog", path / "dog")
    link(elsewhere / "cat" / "2.png", path / "cat" / "2.png")

    assert read(elsewhere).digest == read(path).digest


def test_links_in_a_circle_are_refused(read, tmp_path):
    """A link to a folder that it stands in would have no end."""
    path = write_folder(tmp_path / "images", files())
    link(path, path / "cat" / "again")

    with pytest.raises(DataError, match=r"leads back to a folder that it stands in; remove it. Received: 'cat/again/'"):
        read(path)


@pytest.mark.parametrize("target", ["nowhere", "lost.png"])
def test_links_to_nowhere_are_refused(read, tmp_path, target):
    """A link whose target is gone, or is the link itself, is named."""
    path = write_folder(tmp_path / "images", files())
    link(target, path / "cat" / "lost.png")

    with pytest.raises(DataError, match=r"a link that leads nowhere; remove it. Received: 'cat/lost.png'"):
        read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="There are no pipes in the file system.")
def test_pipes_in_a_folder_are_not_waited_for(read, tmp_path):
    """Reading a pipe would never end."""
    path = write_folder(tmp_path / "images", files())
    os.mkfifo(path / "cat" / "pipe.png")

    with pytest.raises(DataError, match=r"neither a file nor a folder.*Received: 'cat/pipe.png'"):
        read(path)
    with pytest.raises(DataError, match=r"must be a folder, or a zip or tar archive"):
        read(path / "cat" / "pipe.png")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names.")
def test_names_need_not_be_text(read, tmp_path):
    """File names that are no UTF-8 are read as well."""
    path = write_folder(tmp_path / "images", files())
    try:
        (path / "cat" / "1.png").rename(path / "cat" / os.fsdecode(b"\xff.png"))
    except OSError:
        pytest.skip("The file system takes text only.")

    assert {"cat": 2, "dog": 2} == read(path).counts


def test_composed_and_decomposed_names_are_the_same_class(read, tmp_path):
    """A file system may take letters and accents apart; class names and their order do not depend on that."""
    composed, decomposed = (
        {f"{name}/1.png": encoded(), "f/1.png": encoded(BLUE)} for name in ("\u00e9", "e\N{COMBINING ACUTE ACCENT}")
    )

    first = read(write_zip(tmp_path / "composed.zip", composed))
    second = read(write_zip(tmp_path / "decomposed.zip", decomposed))

    assert ("f", "\u00e9") == second.class_names
    assert first.digest == second.digest


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Whole archives, as bytes."""
    path = tmp_path_factory.mktemp("archives")
    return [
        write_zip(path / "x.zip", files()).read_bytes(),
        write_tar(path / "x.tar", files()).read_bytes(),
        write_tar(path / "x.tar.gz", files()).read_bytes(),
        write_tar(path / "x.tar.xz", files()).read_bytes(),
    ]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_broken_archives_never_break_more_than_themselves(archives, tmp_path, data):
    """Whatever bytes are changed, an archive is read or a DataError says why not."""
    content = bytearray(data.draw(st.sampled_from(archives)))
    changes = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for position, value in data.draw(st.lists(changes, min_size=1, max_size=4)):
        content[position] = value
    path = tmp_path / "broken"
    path.write_bytes(content)

    with contextlib.suppress(DataError):
        dataset = read_images(path, 2, skip_bad=True, cache=tmp_path / "cache")

        assert len(dataset.images) <= 4
