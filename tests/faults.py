"""A disk that is full, or read-only, from some moment on."""

from __future__ import annotations

import io
import os

from pathlib import Path


def path_of(descriptor):
    """The path of an open file; None where the system does not say."""
    link = Path(f"/proc/self/fd/{descriptor}")
    return link.readlink() if link.exists() else None


class Disk:
    """Counts what is written to a folder, and refuses it from some moment on, as the system would.

    Files are created, folders made, names changed and files synced through functions of `os` and `io`, whoever writes.

    Args:
        monkeypatch: Of the test.
        folder: What is elsewhere is written.
    """

    def __init__(self, monkeypatch, folder):
        self.writes = 0
        self._first_refused, self._error = None, 0
        self._folder = str(folder)
        self._files = set()
        real_open, real_os_open, real_fsync = io.open, os.open, os.fsync

        def opened(path, mode="r", *arguments, **named):
            if set(mode) & set("wxa+"):
                self._write(path)
            return real_open(path, mode, *arguments, **named)

        def os_opened(path, flags, *arguments, **named):
            if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                self._write(path)
            return real_os_open(path, flags, *arguments, **named)

        def synced(descriptor):
            self._write(path_of(descriptor) or self._folder)
            real_fsync(descriptor)

        monkeypatch.setattr(io, "open", opened)
        monkeypatch.setattr(os, "open", os_opened)
        monkeypatch.setattr(os, "fsync", synced)
        for name in ("mkdir", "rename", "replace"):
            monkeypatch.setattr(os, name, self._before(getattr(os, name)))

    def refuse(self, first, error):
        """Refuse a write and all that follow.

        Args:
            first: Which, counted from now on, from 1.
            error: Its number, for instance `errno.ENOSPC`.
        """
        self._first_refused, self._error = self.writes + first, error

    def accept(self):
        """Write again, as after making room."""
        self._first_refused = None

    def _before(self, real):
        def checked(path, *arguments, **named):
            self._write(path)
            return real(path, *arguments, **named)

        return checked

    def _write(self, path):
        if isinstance(path, int) or not str(Path(os.fspath(path)).absolute()).startswith(self._folder):
            return
        self.writes += 1
        if self._first_refused is not None and self.writes >= self._first_refused:
            raise OSError(self._error, os.strerror(self._error), str(path))
