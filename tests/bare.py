"""Python without some of the packages that are installed here: neither their modules nor their metadata are found."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from pathlib import Path

import pytest

import tlbench


class Bare:
    """An interpreter whose packages are links to those here, but for some.

    Args:
        folder: Made here, for the links.
        hidden: Beginnings of the names of packages that are left out.

    Attributes:
        home: Folder of Keras' own files.
    """

    def __init__(self, folder, hidden):
        folder.mkdir()
        installed = Path(pytest.__file__).parents[1]
        for path in installed.iterdir():
            if not re.match("|".join(hidden), path.name, re.IGNORECASE):
                (folder / path.name).symlink_to(path)
        # -S: the packages themselves are not on the path, only their links; processes that it starts keep to that.
        # tlbench is among them, or stands in a clone.
        clone = [where for where in [Path(tlbench.__file__).parents[1]] if where != installed]
        self._path = os.pathsep.join(map(str, [folder, *clone, Path(__file__).parent]))
        self.home = folder.with_name(f"{folder.name}-home")
        self.home.mkdir()

    def run(self, *arguments, cwd=None):
        """Run Python to its end, whatever that is; Keras is told no backend."""
        own = {"PYTHONPATH": self._path, "KERAS_HOME": str(self.home), "KERAS_BACKEND": ""}
        command = [sys.executable, "-S", "-P", *map(str, arguments)]
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
        )
