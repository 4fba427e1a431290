"""Looking a whole store over: `tlbench doctor`."""

from __future__ import annotations

import json
import os
import shutil
import time

from dataclasses import replace

import numpy as np
import pytest

from click.testing import CliRunner

from tlbench.errors import StoreError
from tlbench.hosts.cli import main
from tlbench.store import folders
from tlbench.store.store import Store


WEIGHTS = {"dense/kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}


@pytest.fixture
def store(tmp_path, environment, make_trial, make_result):
    """Results of two environments, and one of the reference path."""
    folder = tmp_path / "store"
    other = replace(environment, keras_version="3.0.5")
    made = Store(folder, environment)
    for each in (made, Store(folder, other), Store(folder / "reference-1", environment)):
        each.save(make_trial(), make_result(), WEIGHTS)
    return made


def examine(store, *arguments):
    return CliRunner().invoke(main, ["doctor", "--store", str(store.folder), *arguments])


def content(store):
    return {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}


def age(path, days=2):
    moment = time.time() - days * 24 * 3600
    os.utime(path, (moment, moment))
    return path


def test_a_whole_store_is_clean(store):
    """Exit status 0; nothing is changed, with --repair neither."""
    before = content(store)

    for arguments in ([], ["--repair"]):
        result = examine(store, *arguments)
        assert 0 == result.exit_code, result.output
        assert "3 results and 0 saved runs were read: 0 damaged, 0 leftovers, 0 that cannot be read.\n" == result.output
    assert before == content(store)


def test_damaged_results_of_every_environment_are_found_and_set_aside(store):
    """Exit status 1, also where it was repaired; a second look finds nothing, and every file is there still."""
    first, second, third = sorted(store.folder.glob("**/results/*/*"))
    (first / "weights.npz").write_bytes((first / "weights.npz").read_bytes()[:-1])
    (second / "predictions.npz").unlink()
    (third / "result.json").write_text("{")
    before = content(store)

    found = examine(store)
    assert before == content(store)
    repaired = examine(store, "--repair")

    assert 1 == found.exit_code == repaired.exit_code
    for part in ("weights.npz has", "predictions.npz is missing", "result.json cannot be decoded", "3 damaged"):
        assert part in found.output
        assert part in repaired.output
    assert "--repair sets it aside" in found.output
    assert "set aside in damaged" in repaired.output
    assert {*before.values()} <= {*content(store).values()}
    assert 0 == examine(store).exit_code


def test_leftovers_are_removed_and_what_may_be_in_use_is_not(store, make_trial):
    """Old ones, and those of a trial whose lock nobody has; a trial that is being stored is left alone."""
    (place,) = store.folder.glob("results/*keras-3.15.1*/*")
    trial = make_trial(seed=1)
    removed = [
        place.with_name(f".unfinished-{trial.digest[:32]}-abc"),
        age_folder(place.with_name(".unfinished-xyz")),
        store.folder / ".unfinished-abcd-results.json",
        store.folder / ".store.json-abcd",
        store.folder / "report" / ".report.html.unfinished",
        store.folder / "baselines" / "machine" / ".unfinished-abcd",
        store.folder / "locks" / f"{place.parent.name}-{'0' * 32}.lock",
    ]
    kept = [
        store.folder / ".unfinished-efgh-results.json",
        place.with_name(".unfinished-young"),
        place.with_name(f".unfinished-{place.name}-abc"),
        store.folder / "locks" / f"{place.parent.name}-{'1' * 32}.lock",
    ]
    for path in (*removed, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent == place.parent:
            path.mkdir(exist_ok=True)
        else:
            path.touch()
    for path in removed[2:]:
        age(path)

    with store.lock(make_trial()):
        found = examine(store)
        assert all(path.exists() for path in (*removed, *kept))
        repaired = examine(store, "--repair")

    assert "0 damaged, 7 leftovers" in found.output
    assert "--repair removes it" in found.output
    assert 1 == repaired.exit_code
    assert [] == [path for path in removed if path.exists()]
    assert all(path.exists() for path in kept)
    assert "1 leftover" in examine(store).output, "the lock is free now"


def age_folder(path):
    path.mkdir()
    return age(path)


def test_a_lock_of_a_stored_trial_is_no_leftover(store, make_trial):
    """It is there after every run."""
    with store.lock(make_trial()):
        pass
    age(next(store.folder.glob("locks/*.lock")))

    assert 0 == examine(store).exit_code


def test_saved_runs_that_cannot_be_read_are_named_and_left(store):
    """They may be a newer tlbench's."""
    path = store.folder / "baselines" / "machine" / "0001_main.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"schema_version": 1, "name": ')

    result = examine(store, "--repair")

    assert 1 == result.exit_code
    assert "0001_main.json" in result.output
    assert "left as it is" in result.output
    assert "1 saved run were read: 0 damaged, 0 leftovers, 1 that cannot be read." in result.output
    assert path.exists()


@pytest.mark.parametrize("text", [None, "", "[]", "{"])
def test_a_marker_that_is_missing_or_broken_is_written_anew(store, environment, make_trial, text):
    """The results are read as before; the old one is kept."""
    marker = store.folder / "store.json"
    if text is None:
        marker.unlink()
    else:
        marker.write_text(text)

    assert 1 == examine(store).exit_code
    assert 1 == examine(store, "--repair").exit_code

    assert 0 == examine(store).exit_code
    assert {"schema_version": 1} == json.loads(marker.read_text())
    assert make_trial() in Store(store.folder, environment)
    assert (text is not None) == (store.folder / "damaged" / "store.json-1").exists()


def test_a_last_report_that_is_none_is_set_aside(store):
    """`tlbench report` would fail on it."""
    folders.keep_report(store.folder, "{")

    assert "is no JSON" in examine(store, "--repair").output
    assert 0 == examine(store).exit_code
    assert "{" == (store.folder / "damaged" / "results.json-1").read_text()


def test_what_is_no_store_cannot_be_looked_over(store, tmp_path):
    """Exit status 2: a folder that is not there, one of something else, and a newer tlbench's store."""
    (tmp_path / "photographs").mkdir()
    for folder in ("nowhere", "photographs"):
        result = CliRunner().invoke(main, ["doctor", "--store", str(tmp_path / folder)])
        assert 2 == result.exit_code
        assert f"There is no store; name one with --store. Received: {tmp_path / folder}" in result.output

    (store.folder / "store.json").write_text('{"schema_version": 99}')
    before = content(store)
    result = examine(store, "--repair")

    assert 2 == result.exit_code
    assert "written by a newer tlbench" in result.output
    assert before == content(store)


def test_a_store_that_cannot_be_repaired_says_so(store, monkeypatch):
    """The damaged result stays where it is."""
    place = next(store.folder.glob("results/*/*"))
    (place / "predictions.npz").unlink()

    def refused(*_arguments):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "rename", refused)
    result = examine(store, "--repair")

    assert 2 == result.exit_code
    assert "cannot be written" in result.output
    assert (place / "result.json").exists()


def test_a_copy_of_a_store_is_as_sound(store, tmp_path, environment, make_trial):
    """What is recorded does not depend on the folder or on times."""
    shutil.copytree(store.folder, tmp_path / "copy", copy_function=shutil.copyfile)

    assert Store(tmp_path / "copy", environment).load(make_trial()).accuracy == store.load(make_trial()).accuracy
    with pytest.raises(StoreError):
        store.load(make_trial(seed=5))
