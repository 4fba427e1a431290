"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os

from pathlib import Path

import faults
import pytest

from tlbench.store.publishing import publish


def test_a_file_is_synced_then_renamed_then_its_folder_is_synced(tmp_path, monkeypatch):
    """After a loss of power it is the old one or the new one."""
    events, fsync, replace = [], os.fsync, os.replace

    def synced(descriptor):
        events.append(("sync", faults.path_of(descriptor)))
        fsync(descriptor)

    def replaced(old, new, **named):
        events.append(("rename", Path(new)))
        replace(old, new, **named)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    path = tmp_path / "file.json"
    publish(path, "one\n")

    assert b"one\n" == path.read_bytes()
    assert ["sync", "rename", "sync"] == [kind for kind, _ in events]
    assert path != events[0][1]
    assert [path, tmp_path] == [event[1] for event in events[1:]]


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, moment):
    """Whether it is full when the file is made, synced or renamed; nothing half written stays."""
    path = tmp_path / "file.json"
    publish(path, "one")
    disk = faults.Disk(monkeypatch, tmp_path)
    disk.refuse(moment, errno.ENOSPC)

    with pytest.raises(OSError, match="No space left"):
        publish(path, "two")

    assert "one" == path.read_text()
    assert [path] == list(tmp_path.iterdir())


def test_a_file_is_replaced_and_has_the_rights_of_any_new_file(tmp_path):
    """Others may read it who may read the folder."""
    for text in ("one", "two"):
        publish(tmp_path / "file.json", text)
    (tmp_path / "other").write_text("")

    assert "two" == (tmp_path / "file.json").read_text()
    assert (tmp_path / "other").stat().st_mode == (tmp_path / "file.json").stat().st_mode
