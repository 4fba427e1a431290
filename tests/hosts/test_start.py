"""The start of a study in somebody's own project."""

from __future__ import annotations

import os
import subprocess
import sys

from pathlib import Path

import pytest

from click.testing import CliRunner

import tlbench

from tlbench.hosts.cli import main
from tlbench.hosts.commands import start
from tlbench.hosts.commands.start import FILES
from tlbench.machine import backends


def init(*arguments):
    return CliRunner().invoke(main, ["init", *map(str, arguments)])


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_first_claim_a_profile_and_workflows_are_written(tmp_path):
    """And the next command is named."""
    result = init(tmp_path / "leaves project")

    assert 0 == result.exit_code, result.output
    assert set(FILES.values()) == set(files(tmp_path / "leaves project"))
    assert result.output.endswith(f"Next: cd '{tmp_path}/leaves project' && pytest benchmarks\n")


def test_the_folder_is_that_of_the_command_unless_named(tmp_path, monkeypatch):
    """Paths are told as the user would type them."""
    monkeypatch.chdir(tmp_path)

    result = init()

    assert "written: benchmarks/conftest.py\n" in result.output
    assert result.output.endswith("\nNext: pytest benchmarks\n")


def test_no_file_is_overwritten(tmp_path):
    """Nor is any other written then; each file that is in the way is named."""
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "conftest.py").write_text("mine")

    result = init(tmp_path)

    assert 2 == result.exit_code
    assert f"tlbench init FOLDER. Received: {tmp_path / 'benchmarks' / 'conftest.py'}\n" in result.output
    assert {"benchmarks/conftest.py": "mine"} == files(tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error_in_a_line(tmp_path):
    """With a remedy."""
    (tmp_path / "benchmarks").write_text("a file")

    result = init(tmp_path)

    assert 2 == result.exit_code
    assert "Error: A file cannot be written; choose another folder" in result.output


def test_every_template_is_written():
    """And has the version of tlbench in place of a word."""
    templates = {path.name for path in (Path(start.__file__).parents[1] / "templates").iterdir()}

    assert {f"{name}.template" for name in FILES} == templates


def test_workflows_hold_against_githubs_schema(tmp_path):
    """With this version of tlbench and of its action, and with the backend of here."""
    pytest.importorskip("check_jsonschema")
    init(tmp_path)
    workflows = sorted((tmp_path / ".github" / "workflows").iterdir())
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows]

    checked = subprocess.run(command, check=False, capture_output=True, text=True)

    assert 0 == checked.returncode, checked.stdout
    assert f"actions/upgrade@v{tlbench.__version__}\n" in workflows[1].read_text()
    backend = backends.backend()
    assert f'"tlbench[{backend}]>={tlbench.__version__}" keras {backend}\n' in workflows[0].read_text()


@pytest.mark.slow
def test_the_run_that_follows_passes(tmp_path):
    """Its one claim is supported; the settings of the project's own tests do not reach it."""
    init(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '--no-such-option'\n")
    # A second process would trace every network again, on processors that other tests need.
    alone = os.environ | {"PYTEST_ADDOPTS": "--tlbench-workers 1"}

    command = [sys.executable, "-m", "pytest", "benchmarks"]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, env=alone)

    assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout
    assert (tmp_path / ".tlbench" / "report" / "report.html").is_file()
    assert not (tmp_path / "benchmarks" / ".tlbench").exists()
