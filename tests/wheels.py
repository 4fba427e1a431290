"""Wheels that tests make, projects that they build, and virtual environments that they install them in."""

from __future__ import annotations

import os
import subprocess
import sys

from importlib import metadata

import uv

from wheel.wheelfile import WheelFile


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
    with WheelFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:  # It records the files' hashes.
        for path, text in contents.items():
            wheel.writestr(path, text)


# A build backend of a few lines: an editable wheel needs no more than a path, any other the module.
BACKEND = """
import zipfile
from pathlib import Path

NAME = "tlbench-9.9-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\\nName: tlbench\\nVersion: 9.9\\n"
WHEEL = "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build(folder, files):
    scripts = "[console_scripts]\\ntlbench = tlbench.hosts.cli:main\\n"
    files |= {f"tlbench-9.9.dist-info/{name}": text for name, text in
        {"METADATA": METADATA, "WHEEL": WHEEL, "entry_points.txt": scripts}.items()}
    record = "".join(f"{path},,\\n" for path in files) + "tlbench-9.9.dist-info/RECORD,,\\n"
    with zipfile.ZipFile(Path(folder) / NAME, "w") as wheel:
        for path, text in (files | {"tlbench-9.9.dist-info/RECORD": record}).items():
            wheel.writestr(path, text)
    return NAME

def build_editable(folder, config_settings=None, metadata_directory=None):
    return build(folder, {"_tlbench.pth": str(Path.cwd())})

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return build(folder, {str(path): path.read_text() for path in Path("tlbench").rglob("*.py")})
"""

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tlbench"
version = "9.9"
scripts = { tlbench = "tlbench.hosts.cli:main" }
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

    def start(self, command, *arguments):
        """Run a command to its end, whatever that is, with no code from elsewhere."""
        words = [self.folder / "bin" / command, *map(str, arguments)]
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(words, check=False, capture_output=True, text=True, env=variables)

    def run(self, command):
        """What a command prints, which ends well."""
        ended = self.start(command)
        ended.check_returncode()
        return ended.stdout

    @property
    def package(self):
        """Where the code of tlbench is, if it is not editable."""
        return self.site / "tlbench"

    @property
    def site(self):
        """Where packages are."""
        (site,) = self.folder.glob("lib/python*/site-packages")
        return site

    @property
    def distributions(self):
        """The tlbench that is installed, as Python finds it."""
        return tuple(metadata.distributions(name="tlbench", path=[str(self.site)]))


def make_project(folder, modules):
    """A folder that tlbench 9.9 can be installed from.

    Args:
        folder: Made here.
        modules: Text or bytes by path.
    """
    for path, content in {"pyproject.toml": PROJECT, "backend.py": BACKEND, **modules}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder
