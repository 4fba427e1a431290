from __future__ import annotations

import io
import sys
import threading
import zipfile

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from PIL import Image

from tlbench.datasets.dataset import Dataset
from tlbench.datasets.folder import read_images
from tlbench.datasets.natural_images import COUNTS, HANDLE, count_differences, download, looks_like_natural_images
from tlbench.errors import DataError


def dataset_of(counts):
    """Make a dataset of so many black pixels of each class."""
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    return Dataset("NI", np.zeros((len(labels), 1, 1, 3), np.uint8), labels, tuple(counts))


def png():
    """Return the bytes of a small image."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def kaggle(monkeypatch, tmp_path):
    """Serve what a test appends as (status, type, body), in place of Kaggle; kagglehub caches in `tmp_path`."""
    answers, requests = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            status, content_type, body = answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Keep requests out of the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    # kagglehub has no setting for a port: this one makes it ask plain http://localhost, by way of a proxy.
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    for variable in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{server.server_port}")
    for variable in ("no_proxy", "NO_PROXY", "KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    monkeypatch.setenv("KAGGLEHUB_VERBOSITY", "error")
    monkeypatch.setenv("HOME", str(tmp_path))
    yield answers, requests
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_published_numbers_add_up():
    """Roy et al. published 6,899 images in eight classes."""
    assert 6899 == sum(COUNTS.values())
    assert sorted(COUNTS) == list(COUNTS)
    assert 8 == len(COUNTS)


def test_the_published_dataset_differs_in_nothing():
    """Where all counts are the published ones, there is nothing to warn of."""
    dataset = dataset_of(COUNTS)

    assert () == count_differences(dataset)
    assert looks_like_natural_images(dataset)


def test_every_difference_is_a_sentence():
    """Classes with more, fewer or no images, and classes that were not published, are named with both numbers."""
    counts = COUNTS | {"car": 969, "cat": 1, "zebra": 2}
    del counts["person"]

    assert (
        "Class car of NI has 969 images; 968 were published.",
        "Class cat of NI has 1 images; 885 were published.",
        "Class person of NI has 0 images; 986 were published.",
        "Class zebra of NI has 2 images; 0 were published.",
        "NI has 5,032 images in all; 6,899 were published.",
    ) == count_differences(dataset_of(counts))


def test_equal_totals_do_not_hide_a_difference():
    """An image that moved from one class to another is two differences."""
    counts = COUNTS | {"cat": 886, "dog": 701}

    assert 3 == len(count_differences(dataset_of(counts)))


def test_class_names_tell_natural_images():
    """Other classes are another dataset; other counts or another order of the classes are not."""
    assert looks_like_natural_images(dataset_of(dict.fromkeys(reversed(COUNTS), 1)))
    assert not looks_like_natural_images(dataset_of({"cat": 885, "dog": 702}))
    assert not looks_like_natural_images(dataset_of(COUNTS | {"zebra": 1}))


def test_a_downloaded_copy_is_found_in_the_cache(monkeypatch, tmp_path):
    """What kagglehub has downloaded is not downloaded again, and of its two copies one is taken."""
    pytest.importorskip("kagglehub")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    folder = tmp_path / "datasets" / HANDLE
    (folder / "natural_images").mkdir(parents=True)
    (folder.parent.parent / "1.complete").touch()

    assert folder / "natural_images" == download()


def test_an_archive_from_kaggle_is_downloaded_and_read(kaggle, tmp_path):
    """The pinned version is asked for, kept in kagglehub's cache, and read as any folder."""
    pytest.importorskip("kagglehub")
    answers, requests = kaggle
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for top in ("natural_images", "data/natural_images"):
            for class_name in ("cat", "dog"):
                archive.writestr(f"{top}/{class_name}/{class_name}_0000.png", png())
    answers.append((200, "application/zip", body.getvalue()))

    folder = download()
    dataset = read_images(folder, 4, cache=tmp_path / "cache")

    assert {"cat": 1, "dog": 1} == dataset.counts
    assert "natural_images" == dataset.name
    assert folder == download()
    ((_, request),) = requests
    assert '"datasetSlug": "natural-images"' in request
    assert '"datasetVersionNumber": 1' in request


@pytest.mark.parametrize(
    "answer",
    [
        (404, "application/json", b'{"code": 404, "message": "Not found"}'),
        (403, "application/json", b'{"code": 403, "message": "Forbidden"}'),
        (500, "text/plain", b"Internal Server Error"),
        (200, "application/zip", b"no archive"),
    ],
)
def test_a_failing_download_names_what_to_do_instead(kaggle, answer):
    """Whatever goes wrong between here and Kaggle, the way around it is in the message."""
    pytest.importorskip("kagglehub")
    answers, _ = kaggle
    answers.append(answer)

    with pytest.raises(DataError, match=r"could not be downloaded.*--tlbench-data PATH(?s:.*)Received: \w+: "):
        download()


def test_no_network_names_what_to_do_instead(kaggle, monkeypatch):
    """Without a connection the message names the option that needs none."""
    pytest.importorskip("kagglehub")
    for variable in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")

    with pytest.raises(DataError, match=r"natural-images/versions/1\) could not be downloaded.*--tlbench-data PATH"):
        download()

    assert [] == kaggle[1]


def test_without_kagglehub_the_extra_is_named(monkeypatch):
    """A missing kagglehub, which is optional, names the extra that brings it and the option that needs none."""
    monkeypatch.setitem(sys.modules, "kagglehub", None)

    with pytest.raises(DataError, match=r'pip install "tlbench\[download\]".*--tlbench-data PATH'):
        download()
