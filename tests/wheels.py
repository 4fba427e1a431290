"""Wheels that tests make, projects that they build, and virtual environments that they install them in."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile

from importlib import metadata

import uv


def make_wheel(folder, name, version, files, requires=()):
    """A pure Python wheel of some modules."""
    information = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    contents = {
        **files,
        f"{information}/METADATA": metadata,
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in contents) + f"{information}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in (contents | {f"{information}/RECORD": record}).items():
            wheel.writestr(path, text)


# A build backend of a few lines: an editable wheel needs no more than a path, any other the module.
BACKEND = """
import zipfile
from pathlib import Path

NAME = "tlbench-9.9-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\\nName: tlbench\\nVersion: 9.9\\n"
WHEEL = "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build(folder, files):
    files |= {"tlbench-9.9.dist-info/METADATA": METADATA, "tlbench-9.9.dist-info/WHEEL": WHEEL}
    record = "".join(f"{path},,\\n" for path in files) + "tlbench-9.9.dist-info/RECORD,,\\n"
    with zipfile.ZipFile(Path(folder) / NAME, "w") as wheel:
        for path, text in (files | {"tlbench-9.9.dist-info/RECORD": record}).items():
            wheel.writestr(path, text)
    return NAME

def build_editable(folder, config_settings=None, metadata_directory=None):
    return build(folder, {"_tlbench.pth": str(Path.cwd())})

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return build(folder, {str(path): path.read_text() for path in Path().rglob("tlbench*/*.py")} or
        {"tlbench.py": Path("tlbench.py").read_text()})
"""

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tlbench"
version = "9.9"
"""


class Venv:
    """A virtual environment that installs from local files only."""

    def __init__(self, folder):
        self.folder = folder
        self._uv("venv", "--quiet", "--python", sys.executable, folder)

    def _uv(self, *arguments):
        command = [uv.find_uv_bin(), *map(str, arguments)]
        variables = os.environ | {"UV_NO_INDEX": "1", "UV_OFFLINE": "1", "UV_NO_CACHE": "1", "UV_FIND_LINKS": ""}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=variables)

    def install(self, *what):
        """Install wheels or folders."""
        self._uv("pip", "install", "--quiet", "--no-deps", "--python", self.folder / "bin" / "python", *what)
        return self

    def run(self, command):
        """What a command prints."""
        return subprocess.run([self.folder / "bin" / command], check=True, capture_output=True, text=True).stdout

    @property
    def site(self):
        """Where packages are."""
        (site,) = self.folder.glob("lib/python*/site-packages")
        return site

    @property
    def distribution(self):
        """The tlbench that is installed."""
        (found,) = metadata.distributions(name="tlbench", path=[str(self.site)])
        return found


def make_project(folder, modules):
    """A folder that tlbench 9.9 can be installed from.

    Args:
        folder: Made here.
        modules: Text by path.
    """
    for path, text in {"pyproject.toml": PROJECT, "backend.py": BACKEND, **modules}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder
