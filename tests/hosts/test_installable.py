"""What `tlbench upgrade` installs of tlbench itself, from every way of installing it."""

from __future__ import annotations

import py_compile
import shutil
import zipfile

from pathlib import Path

import pytest

from wheels import Venv, make_project, make_wheel

from tlbench.errors import ConfigurationError, StoreError
from tlbench.hosts.isolation import installable


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
    return make_project(tmp_path / "project", {"tlbench/__init__.py": MODULE.format(version=1)})


def again(venv, folder):
    """What installs the tlbench of an environment once more."""
    return installable(venv.package, venv.distributions, folder)


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

    (packed,) = again(first, tmp_path / "environments")

    assert original == contents(packed)
    assert "tlbench-9.9-py3-none-any.whl" == Path(packed).name
    assert "version 1\n" == make_venv("second").install(packed).run("tlbench")


def test_an_editable_installation_stays_one(make_venv, project, tmp_path):
    """What is edited later runs in both."""
    first = make_venv("first").install("--editable", project)

    arguments = installable(project / "tlbench", first.distributions, tmp_path / "environments")

    assert ("--editable", str(project)) == arguments
    second = make_venv("second").install(*arguments)
    assert str(project) == (second.site / "_tlbench.pth").read_text()


def test_a_folder_that_has_changed_since_is_not_what_is_installed(make_venv, project, tmp_path):
    """Nor one that is gone."""
    first = make_venv("first").install(project)
    (project / "tlbench" / "__init__.py").write_text(MODULE.format(version=2))

    (packed,) = again(first, tmp_path / "environments")

    assert MODULE.format(version=1).encode() == contents(packed)["tlbench/__init__.py"]


def test_other_code_under_the_same_version_is_another_wheel(make_venv, wheel, tmp_path):
    """And so another environment; the same code is packed once."""
    folder = tmp_path / "environments"
    first = again(make_venv("first").install(wheel), folder)
    same = again(make_venv("same").install(wheel), folder)
    other = again(make_venv("other").install(tlbench_wheel(tmp_path / "rebuilt", 2)), folder)

    assert first == same != other
    assert 2 == len(list(folder.rglob("*.whl")))
    assert not list(folder.rglob(".unfinished-*"))


def test_an_index_is_not_asked_again(make_venv, wheel, tmp_path):
    """It may have lost the version, or hold another build of it."""
    first = make_venv("first").install("--find-links", wheel.parent, "tlbench==9.9")
    original = contents(wheel)
    shutil.rmtree(wheel.parent)

    (packed,) = again(first, tmp_path / "environments")

    assert original == contents(packed)


def test_what_python_has_compiled_is_no_code_of_another_build(make_venv, wheel, tmp_path):
    """Listed by pip among the files that it has installed, and different wherever that was."""
    venv = make_venv("first").install(wheel)
    before = again(venv, tmp_path)
    compiled = Path(py_compile.compile(venv.package / "__init__.py"))
    with (venv.site / "tlbench-9.9.dist-info" / "RECORD").open("a") as record:
        record.write(f"{compiled.relative_to(venv.site).as_posix()},,\n")

    assert before == again(venv, tmp_path)


def test_code_that_python_finds_before_the_installed_is_the_one_that_runs(make_venv, wheel, project, tmp_path):
    """As with PYTHONPATH: another tlbench beside it is not what both sides of a comparison get."""
    venv = make_venv("first").install(wheel)
    elsewhere = make_project(tmp_path / "elsewhere", {"tlbench/__init__.py": ""})
    editable = make_venv("second").install("--editable", elsewhere)

    for installed in (venv.distributions, editable.distributions, ()):
        assert ("--editable", str(project)) == installable(project / "tlbench", installed, tmp_path)


def test_an_installation_that_lacks_a_file_is_refused(make_venv, wheel, tmp_path):
    """The message names the file and the remedy."""
    venv = make_venv("first").install(wheel)
    (venv.package / "templates" / "page.html").unlink()

    with pytest.raises(ConfigurationError, match=r"--force-reinstall tlbench\).* Received: .*page\.html is missing"):
        again(venv, tmp_path)


def test_an_installation_that_was_changed_is_refused(make_venv, wheel, tmp_path):
    """Its version no longer says what it is; code that one works on is installed from its folder."""
    venv = make_venv("first").install(wheel)
    (venv.package / "__init__.py").write_text(MODULE.format(version=2))

    with pytest.raises(ConfigurationError, match=r"with --editable to work on it\. .*__init__\.py has been changed"):
        again(venv, tmp_path)


def test_an_installation_that_does_not_say_its_files_is_refused(make_venv, wheel, tmp_path):
    """As one of a system's package manager may be."""
    venv = make_venv("first").install(wheel)
    (venv.site / "tlbench-9.9.dist-info" / "RECORD").unlink()

    with pytest.raises(ConfigurationError, match="no installation lists it among its files"):
        again(venv, tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error_with_its_remedy(make_venv, wheel, tmp_path):
    """Whoever runs it."""
    venv = make_venv("first").install(wheel)
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match=r"choose another folder with --store"):
        again(venv, tmp_path / "file" / "environments")
