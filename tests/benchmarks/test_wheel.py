"""The built wheel, installed alone: the public names and the poster's study, outside any clone."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import zipfile

from pathlib import Path

import pytest
import uv


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built as `pip install` builds it, without the network."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """A folder in which the wheel is installed, and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--offline", "--no-deps", "--target", folder, wheel]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture
def run(site, tmp_path):
    """A function that runs Python in an empty folder with the installed wheel before all else."""

    def run(*arguments):
        # The tests' folder has the tiny profile, and nothing of tlbench.
        variables = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), str(ROOT / "tests")])}
        folder = tmp_path / "empty"
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-P", *arguments]
        return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, env=variables)

    return run


def test_the_wheel_installs_one_package_with_the_whole_study(wheel):
    """No folder `benchmarks` at the top, where it would be in the way of a project's own."""
    names = zipfile.ZipFile(wheel).namelist()
    study = {path.name for path in [*(ROOT / "benchmarks").rglob("test_*.py"), ROOT / "benchmarks" / "poster.py"]}

    assert {"tlbench", "tlbench-0.1.0.dist-info"} == {name.partition("/")[0] for name in names}
    assert study <= {Path(name).name for name in names if name.startswith("tlbench/benchmarks/")}
    assert "tlbench/py.typed" in names


def test_pypi_shows_the_readme_with_links_that_lead_somewhere(wheel):
    """Pictures as files of the release, pages as GitHub shows them; nothing is relative to PyPI's page."""
    metadata = email.message_from_bytes(zipfile.ZipFile(wheel).read("tlbench-0.1.0.dist-info/METADATA"))
    text = metadata.get_payload()
    source = (ROOT / "README.md").read_text(encoding="utf-8")
    relative = re.findall(r"(!?)\[[^\]]*\]\((?!https?://|#)([^)]+)\)", source)
    pictures, pages = ({path for mark, path in relative if mark == each} for each in ("!", ""))

    assert "text/markdown" == metadata["Description-Content-Type"]
    assert not re.search(r"\]\((?!https?://|#)", text)
    assert pictures
    assert all(f"](https://raw.githubusercontent.com/tlbench/tlbench/v0.1.0/{path})" in text for path in pictures)
    assert all(f"](https://github.com/tlbench/tlbench/blob/v0.1.0/{path})" in text for path in pages)


def test_the_public_names_can_be_imported(run, site):
    """From where the wheel is installed."""
    ended = run("-c", "from tlbench import *; import tlbench; print(tlbench.__file__, len(tlbench.__all__) > 50)")

    assert f"{site / 'tlbench' / '__init__.py'} True\n" == ended.stdout


def test_the_study_is_planned_from_an_empty_folder(run, site):
    """`pytest --pyargs tlbench.benchmarks` finds every claim, and needs no file of the user's."""
    planned = run(
        "-m", "pytest", "--pyargs", "tlbench.benchmarks", "-p", "tiny", "--tlbench-profile", "tiny", "--tlbench-plan"
    )
    listed = run("-m", "pytest", "--pyargs", "tlbench.benchmarks", "--collect-only", "--quiet", "-m", "tlbench_claim")
    module = run("-c", "import tlbench.benchmarks.poster as poster; print(poster.__file__)")

    assert 0 == planned.returncode, planned.stdout
    assert "trials, 0 stored" in planned.stdout
    assert 12 == sum("::test_" in line for line in listed.stdout.splitlines())
    assert f"{site / 'tlbench' / 'benchmarks' / 'poster.py'}\n" == module.stdout
