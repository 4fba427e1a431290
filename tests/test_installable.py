"""What `tlbench upgrade` installs of tlbench itself, from every way of installing it."""

from __future__ import annotations

import shutil
import zipfile

from pathlib import Path

import pytest

from wheels import Venv, make_project, make_wheel

from tlbench.errors import ConfigurationError, StoreError
from tlbench.isolation import installable


MODULE = "def main():\n    print('version', {version})\n"


@pytest.fixture
def make_venv(tmp_path):
    """A function that makes a virtual environment."""
    return lambda name: Venv(tmp_path / name)


@pytest.fixture
def wheel(tmp_path):
    """A wheel of a small tlbench with a command."""
    return tlbench_wheel(tmp_path / "built", 1)


def tlbench_wheel(folder, version):
    folder.mkdir()
    make_wheel(
        folder,
        "tlbench",
        "9.9",
        {
            "tlbench/__init__.py": MODULE.format(version=version),
            "tlbench/templates/page.html": "<p>",
            "tlbench-9.9.dist-info/entry_points.txt": "[console_scripts]\ntlbench = tlbench:main\n",
            "tlbench-9.9.dist-info/licenses/LICENSE": "MIT",
        },
    )
    return folder / "tlbench-9.9-py3-none-any.whl"


@pytest.fixture
def project(tmp_path):
    """A folder that tlbench can be installed from."""
    return make_project(tmp_path / "project", {"tlbench.py": MODULE.format(version=1)})


def contents(wheel):
    with zipfile.ZipFile(wheel) as file:
        return {name: file.read(name) for name in file.namelist() if not name.endswith(("RECORD", "WHEEL"))}


@pytest.mark.parametrize("gone", [True, False], ids=["tox", "wheel"])
def test_a_wheel_is_packed_again_from_what_is_installed(make_venv, wheel, tmp_path, gone):
    """Also where it is gone, as tox's is: the same files, installed in another environment with their command."""
    original = contents(wheel)
    first = make_venv("first").install(wheel)
    first.run("tlbench")
    if gone:
        shutil.rmtree(wheel.parent)

    (packed,) = installable(first.distribution, tmp_path / "environments")

    assert original == contents(packed)
    assert "tlbench-9.9-py3-none-any.whl" == Path(packed).name
    assert "version 1\n" == make_venv("second").install(packed).run("tlbench")


def test_an_editable_installation_stays_one(make_venv, project, tmp_path):
    """What is edited later runs in both."""
    arguments = installable(make_venv("first").install("--editable", project).distribution, tmp_path / "environments")

    assert ("--editable", str(project)) == arguments
    second = make_venv("second").install(*arguments)
    assert str(project) == (second.site / "_tlbench.pth").read_text()


def test_a_folder_that_has_changed_since_is_not_what_is_installed(make_venv, project, tmp_path):
    """Nor one that is gone."""
    first = make_venv("first").install(project)
    (project / "tlbench.py").write_text(MODULE.format(version=2))

    (packed,) = installable(first.distribution, tmp_path / "environments")

    assert MODULE.format(version=1).encode() == contents(packed)["tlbench.py"]


def test_other_code_under_the_same_version_is_another_wheel(make_venv, wheel, tmp_path):
    """And so another environment; the same code is packed once."""
    folder = tmp_path / "environments"
    first = installable(make_venv("first").install(wheel).distribution, folder)
    again = installable(make_venv("again").install(wheel).distribution, folder)
    other = installable(make_venv("other").install(tlbench_wheel(tmp_path / "rebuilt", 2)).distribution, folder)

    assert first == again != other
    assert 2 == len(list(folder.rglob("*.whl")))
    assert not list(folder.rglob(".unfinished-*"))


def test_an_installation_that_lacks_a_file_is_refused(make_venv, wheel, tmp_path):
    """The message names the file and the remedy."""
    venv = make_venv("first").install(wheel)
    (venv.site / "tlbench" / "templates" / "page.html").unlink()

    with pytest.raises(ConfigurationError, match=r"--force-reinstall tlbench\)\. Received: .*page\.html"):
        installable(venv.distribution, tmp_path)


def test_an_installation_that_does_not_say_its_files_is_refused(make_venv, wheel, tmp_path):
    """As one of a system's package manager may be."""
    venv = make_venv("first").install(wheel)
    (venv.site / "tlbench-9.9.dist-info" / "RECORD").unlink()

    with pytest.raises(ConfigurationError, match="Received: no list of files"):
        installable(venv.distribution, tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error_with_its_remedy(make_venv, wheel, tmp_path):
    """Whoever runs it."""
    venv = make_venv("first").install(wheel)
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match=r"choose another folder with --store"):
        installable(venv.distribution, tmp_path / "file" / "environments")
