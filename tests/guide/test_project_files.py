"""Files for people who carry on: versions agree, and the paths that pages name are there."""

from __future__ import annotations

import re
import tomllib

from pathlib import Path

import pytest

from packaging.requirements import Requirement

import tlbench

from tlbench.machine import installed
from tlbench.machine.packages import backend_of


ROOT = Path(__file__).parents[2]
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "docs/explanation/architecture.md")


def test_a_version_is_the_same_wherever_it_stands():
    """In the package, the project's metadata, the citation, and the guide's use of the action."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    action = re.search(r"actions/upgrade@v(.+)$", (ROOT / "docs" / "how-to" / "ci.md").read_text(), re.MULTILINE)

    assert tlbench.__version__ == project["version"] == cited[1] == action[1]


def test_an_installation_brings_no_backend_but_that_of_its_extra():
    """From the oldest version that is supported; with or without CUDA."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {Requirement(text).name for text in project["dependencies"]}
    oldest = {
        (prefix, name): [str(Requirement(text).specifier) for text in project["optional-dependencies"][prefix + name]]
        for prefix in ("", "gpu-")
        for name in installed.BACKENDS
    }

    assert "keras" in required
    assert not [name for name in required if backend_of(name)]
    assert {(p, name): [f">={installed.OLDEST[name]}"] for p in ("", "gpu-") for name in installed.BACKENDS} == oldest


@pytest.mark.parametrize("page", PAGES)
def test_a_page_links_to_files_that_are_there(page):
    """Also to files outside the guide, of which Sphinx knows nothing."""
    path = ROOT / page
    linked = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8"))

    assert linked or page == "SECURITY.md"
    assert [] == [link for link in linked if not (path.parent / link).exists()]


def test_the_architecture_names_each_folder_of_the_package():
    """In the table of folders, and no other folder."""
    folders = {path.parent.name for path in (ROOT / "tlbench").glob("*/__init__.py")}
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")

    assert folders == set(re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE))


def test_every_contract_of_the_imports_names_each_folder():
    """A new folder belongs into the layers, and into each list of those that may not import something."""
    folders = {f"tlbench.{path.parent.name}" for path in (ROOT / "tlbench").glob("*/__init__.py")}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    by_name = {contract["name"]: set(contract.get("source_modules", ())) for contract in contracts}

    assert folders <= {f"tlbench.{name.strip()}" for layer in layers for name in layer.split("|")}
    assert folders - {"tlbench.hosts"} <= by_name["Only hosts know pytest and click"]
    assert folders - {"tlbench.machine"} <= by_name["Only the machine's backends know TensorFlow, JAX and PyTorch"]
