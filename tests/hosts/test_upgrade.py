"""Studies in two environments; the packages are made here, so that environments take a second and no network."""

from __future__ import annotations

import json
import re
import sys
import time

from pathlib import Path

import click
import pytest

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import TLBENCH
from wheels import Venv, make_project, make_wheel

from tlbench.errors import EnvironmentFailure
from tlbench.hosts import isolation
from tlbench.hosts.cli import main
from tlbench.hosts.commands import upgrades
from tlbench.hosts.isolation import COMPLETE, prepare, run
from tlbench.hosts.requirements import Requirements
from tlbench.hosts.upgrade import Suite, bisect, upgrade


@pytest.fixture
def suite(tmp_path):
    told = []
    return Suite(("study.py",), tmp_path / "store", told.append)


def keras(version, *others):
    return Requirements((f"keras=={version}", *others), "tensorflow")


@pytest.mark.usefixtures("index")
def test_an_environment_is_made_once(tmp_path):
    """The second time it is found; it has what was asked for."""
    first = prepare(keras("1.0"), tmp_path)
    made = (first.folder / COMPLETE).stat().st_mtime_ns

    again = prepare(keras("1.0"), tmp_path)

    assert first == again
    assert made == (again.folder / COMPLETE).stat().st_mtime_ns
    expected = {"keras": "1.0", "tensorflow": "3.0", "other": "2.0", "tlbench": "9.9", "pytest": "9.9"}
    assert expected == first.packages
    assert first.folder != prepare(keras("2.0"), tmp_path).folder


@pytest.mark.usefixtures("index")
def test_each_side_has_the_backend_that_it_asks_for(tmp_path):
    """As the command makes it; neither has the other's."""
    backends = "--from-backend", "tensorflow", "--to-backend", "jax"

    ended = invoke("upgrade", "keras==1.0", "keras==1.0 jax==3.0", *backends, "--store", tmp_path / "store")

    made = [json.loads(path.read_text())["packages"] for path in (tmp_path / "store").rglob(COMPLETE)]
    assert ended.exit_code in {0, 1, 3}, ended.output
    assert [["jax"], ["tensorflow"]] == sorted(sorted({"jax", "tensorflow"} & set(packages)) for packages in made)


@pytest.mark.usefixtures("index")
def test_an_interrupted_environment_is_made_anew(tmp_path):
    """Without its last file it is not whole."""
    first = prepare(keras("1.0"), tmp_path)
    (first.folder / COMPLETE).unlink()
    (first.folder / "left-over").write_text("")

    again = prepare(keras("1.0"), tmp_path)

    assert first == again
    assert not (again.folder / "left-over").exists()


@pytest.mark.usefixtures("index")
def test_the_older_side_takes_over_what_the_change_does_not_name(tmp_path):
    """What differs is then what was changed; what cannot be taken over is left to the installer."""
    new = prepare(keras("2.0", "other==1.0"), tmp_path)

    assert "1.0" == prepare(keras("1.0"), tmp_path, like=prepare(keras("2.0"), tmp_path)).packages["keras"]
    assert "2.0" == prepare(keras("1.0"), tmp_path, like=new).packages["other"], "it is named, so it is free"
    old_only = prepare(keras("1.0", "other==1.0"), tmp_path, like=prepare(keras("2.0"), tmp_path))
    assert "1.0" == old_only.packages["other"]


@pytest.mark.usefixtures("index")
def test_an_install_that_fails_is_a_result_with_its_log(tmp_path):
    """It names what was wanted, the step and the log."""
    with pytest.raises(EnvironmentFailure, match="keras==77: install failed; all of it is in ") as raised:
        prepare(keras("77"), tmp_path)

    assert "keras==77" in raised.value.log.read_text()
    assert "install" == raised.value.step


@pytest.mark.usefixtures("index")
def test_an_import_that_fails_is_a_result_with_its_log(tmp_path):
    """A driver that lacks a symbol shows there."""
    with pytest.raises(EnvironmentFailure, match=r"keras==5\.0: import failed") as raised:
        prepare(keras("5.0"), tmp_path)

    assert "no symbol in this driver" in raised.value.log.read_text()


@pytest.mark.usefixtures("index")
def test_a_change_of_versions_is_compared(suite):
    """The arm that regressed, the verdict that changed and the version that did it are named."""
    comparison = upgrade(keras("1.0"), keras("3.0"), suite).comparison

    assert {"regressed"} == {arm.status for arm in comparison.arms}
    assert ["changed verdict"] == [claim.status for claim in comparison.claims]
    assert (("keras", "1.0", "3.0"),) == comparison.versions


@pytest.mark.parametrize("how", ["tox", "wheel", "editable"])
def test_a_study_is_compared_from_every_way_of_installing(index, tmp_path, monkeypatch, how):
    """By the command itself, although no index has this tlbench; tox's wheel is gone once it is installed."""
    for name, value in (("UV_NO_INDEX", "1"), ("UV_OFFLINE", "1"), ("UV_NO_CACHE", "1"), ("UV_FIND_LINKS", index)):
        monkeypatch.setenv(name, str(value))
    for wheel in index.glob("tlbench-*.whl"):
        wheel.unlink()
    here = Venv(tmp_path / "here")
    modules = own_modules() | {"tlbench/__main__.py": TLBENCH}
    if how == "editable":
        here.install("--editable", make_project(tmp_path / "project", modules))
    else:
        scripts = {"tlbench-9.9.dist-info/entry_points.txt": "[console_scripts]\ntlbench = tlbench.hosts.cli:main\n"}
        make_wheel(tmp_path, "tlbench", "9.9", modules | scripts)
        (wheel,) = tmp_path.glob("tlbench-*.whl")
        here.install(wheel)
        if how == "tox":
            wheel.unlink()
    # All that tlbench requires is borrowed.
    (here.site / "borrowed.pth").write_text(str(Path(click.__file__).parents[1]))
    command = ["upgrade", "keras==1.0", "keras==3.0", "--with", "pytest==9.9", "--store", tmp_path / "store"]

    ended = here.start("tlbench", *command)

    assert 1 == ended.returncode, ended.stderr
    assert "FAILED: verdicts have changed: c" in ended.stdout
    assert re.search(r"keras +1\.0 +3\.0", ended.stdout)
    editable = [
        json.loads(origin.read_text()).get("dir_info", {}).get("editable", False)
        for origin in (tmp_path / "store").rglob("tlbench-9.9.dist-info/direct_url.json")
    ]
    assert [how == "editable"] * 2 == editable


def own_modules():
    package = Path(isolation.__file__).parents[1]
    files = (path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(package.parent).as_posix(): path.read_bytes() for path in files}


@pytest.mark.usefixtures("index")
def test_other_requirements_of_an_editable_tlbench_are_another_environment(tmp_path, monkeypatch):
    """Its code is followed where it is, but what it requires is installed once."""
    project = make_project(tmp_path / "project", {"tlbench/__init__.py": "", "tlbench/__main__.py": TLBENCH})
    monkeypatch.setattr(isolation, "_tlbench", lambda _folder: ("--editable", str(project)))
    declaration = project / "pyproject.toml"

    first = prepare(keras("1.0"), tmp_path)
    declaration.write_text(declaration.read_text() + "\n[tool.ruff]\nline-length = 100\n")
    same = prepare(keras("1.0"), tmp_path)
    declaration.write_text(declaration.read_text().replace("[project]", "[project]\ndependencies = ['other']"))
    other = prepare(keras("1.0"), tmp_path)

    assert first.folder == same.folder != other.folder


def invoke(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.usefixtures("index")
def test_the_command_says_safe_regressed_or_could_not_run(tmp_path):
    """By its exit status, and on one page."""
    store = "--store", tmp_path / "store"

    safe = invoke("upgrade", "keras==1.0", "keras==2.0", *store)
    regressed = invoke("upgrade", "keras==1.0", "keras==3.0", *store)
    failed = invoke("upgrade", "keras==77", "keras==3.0", *store)

    assert 0 == safe.exit_code, safe.output
    assert "passed (accuracy,claims,measured)" in safe.output
    assert "inference output of block1_conv1 differs" in safe.output, "the fingerprint comes first"
    assert 1 == regressed.exit_code
    assert "FAILED: verdicts have changed: c" in regressed.output
    assert 2 == failed.exit_code
    assert "could not run: keras==77: install failed" in failed.output


@pytest.fixture
def locks(tmp_path):
    """A function that writes two files of requirements with versions of Keras."""

    def write(old, new):
        for name, version in (("old", old), ("new", new)):
            (tmp_path / f"{name}.txt").write_text(f"keras=={version}\nother==1.0\n")
        return "--from", tmp_path / "old.txt", "--to", tmp_path / "new.txt"

    return write


@pytest.mark.usefixtures("index")
def test_lock_files_are_compared(tmp_path, locks):
    """Their versions of what matters; the answer is left for people and programs."""
    store = "--store", tmp_path / "store", "--report", tmp_path / "answer"

    safe = invoke("upgrade", *locks("1.0", "2.0"), *store)
    answered = json.loads((tmp_path / "answer" / "upgrade.json").read_text())["verdict"]
    regressed = invoke("upgrade", *locks("1.0", "3.0"), *store)

    assert 0 == safe.exit_code, safe.output
    assert "keras-1.0_tensorflow (2026-11-24T00:00, tensorflow 1, keras 1.0) -> keras-2.0_tensorflow" in safe.output
    assert "safe" == answered
    assert 1 == regressed.exit_code
    assert "regressed" == json.loads((tmp_path / "answer" / "upgrade.json").read_text())["verdict"]
    assert "FAILED: verdicts have changed: c" in (tmp_path / "answer" / "comment.md").read_text()


def test_lock_files_that_agree_are_not_run(tmp_path, locks, monkeypatch):
    """No environment is made, and the answer says so."""
    monkeypatch.setattr(isolation, "prepare", None)

    result = invoke("upgrade", *locks("1.0", "1.0"), "--report", tmp_path / "answer", "--store", tmp_path / "store")

    assert 0 == result.exit_code, result.output
    assert "Nothing that can move a score or a time differs, so nothing was run: keras==1.0" in result.output
    assert "unchanged" == json.loads((tmp_path / "answer" / "upgrade.json").read_text())["verdict"]
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("old", "new", "status", "verdict", "told"),
    [
        (
            "- pip: [tensorflow==1, torch==1]",
            "- pip: [tensorflow==1, torch==2]",
            0,
            "unchanged",
            "study runs on tensorflow",
        ),
        ("- cudnn=9.3", "- cudnn=9.4", 3, "not-measured", "PyPI does not have these packages"),
    ],
)
def test_a_change_that_no_run_can_show_is_told(tmp_path, old, new, status, verdict, told):
    """A backend that the study does not use is no failure; a library that only conda has was not measured."""
    pytest.importorskip("yaml")
    for name, text in (("old", old), ("new", new)):
        (tmp_path / f"{name}.yml").write_text(f"dependencies:\n- keras==1.0\n{text}\n")
    files = "--from", tmp_path / "old.yml", "--to", tmp_path / "new.yml"

    result = invoke("upgrade", *files, "--report", tmp_path / "answer", "--store", tmp_path / "store")

    assert status == result.exit_code, result.output
    assert verdict == json.loads((tmp_path / "answer" / "upgrade.json").read_text())["verdict"]
    assert told in (tmp_path / "answer" / "comment.md").read_text()
    assert told in result.output


@pytest.mark.usefixtures("index")
def test_a_side_that_cannot_be_installed_is_an_answer(tmp_path, locks):
    """With the last lines of the installer."""
    result = invoke("upgrade", *locks("1.0", "77"), "--report", tmp_path / "answer", "--store", tmp_path / "store")

    assert 2 == result.exit_code
    assert "could-not-run" == json.loads((tmp_path / "answer" / "upgrade.json").read_text())["verdict"]
    assert "keras==77" in (tmp_path / "answer" / "comment.md").read_text()


@pytest.mark.usefixtures("index")
def test_sides_with_other_variables_never_share_results(tmp_path):
    """The same packages under another name of the environment, which every result's key has."""
    plain = prepare(keras("1.0"), tmp_path)
    other = prepare(Requirements(("keras==1.0",), "tensorflow", variables=(("A", "1"),)), tmp_path)
    code = ["-c", "import os, sys; print(os.environ['TLBENCH_ENVIRONMENT'], os.environ.get('A'))"]

    assert [plain.folder.name, "None"] == run(plain, code, "variables").split()
    assert [other.folder.name, "1"] == run(other, code, "variables").split()
    assert plain.folder.name != other.folder.name
    assert plain.packages == other.packages


@pytest.mark.usefixtures("index")
def test_settings_alone_are_a_change(tmp_path):
    """Both sides are measured; a saved run is named after its side's settings."""
    same = "keras==1.0", "keras==1.0", "--store", tmp_path / "store"

    result = invoke("upgrade", *same, "--to-env", "OMP_NUM_THREADS=1", "--from-flag", "tf32=off")

    assert 0 == result.exit_code, result.output
    assert "keras-1.0-NVIDIA_TF32_OVERRIDE-0_tensorflow (" in result.output
    assert "-> keras-1.0-OMP_NUM_THREADS-1_tensorflow (" in result.output


@pytest.mark.usefixtures("index")
def test_arguments_of_pytest_follow_lock_files(locks, monkeypatch):
    """Without OLD and NEW in front of them."""
    asked = []
    monkeypatch.setattr(upgrades, "upgrade", lambda *_, **__: asked.append(_[-1]) or sys.exit(9))

    result = invoke("upgrade", *locks("1.0", "2.0"), "--seeds", "2", "--", "a.py", "b.py", "c.py", "--x")

    assert 9 == result.exit_code
    assert ("a.py", "b.py", "c.py", "--x", "--tlbench-seeds", "2") == asked[0].arguments


def test_the_interpreter_and_the_indexes_of_a_side_are_asked_for(tmp_path, monkeypatch):
    """From uv, which finds or downloads an interpreter."""
    commands = []
    monkeypatch.setattr(isolation, "_run", lambda command, *_: commands.append(list(map(str, command))))
    side = Requirements(("torch==2",), "torch", python="3.12", indexes=("https://download.pytorch.org/whl/cpu",))

    isolation._create(tmp_path, side, ("tlbench",), ())

    assert ["--python", "3.12", str(tmp_path)] == commands[0][-3:]
    assert ["--index", "https://download.pytorch.org/whl/cpu", "--index-strategy", "unsafe-best-match"] == (
        commands[1][-4:]
    )


@pytest.mark.usefixtures("index")
def test_sides_that_read_the_same_results_are_not_measured(tmp_path, monkeypatch):
    """As where nothing keeps them apart: exit status 3, and a bisection that would find nothing says why."""
    monkeypatch.setenv("STUDY", "is stored")
    store = "--store", tmp_path / "store"

    upgraded = invoke("upgrade", "keras==1.0", "keras==2.0", *store)
    bisected = invoke("bisect", "keras", "1", "2", "--versions", "1.0,2.0", "--metric", "accuracy", *store)

    assert 3 == upgraded.exit_code, upgraded.output
    assert "NOT MEASURED: 1 of 1 arms rest on the same measurements in both runs: A; --tlbench-fresh" in upgraded.output
    assert 2 == bisected.exit_code
    assert "both read the same stored results. Name versions that differ, or add --fresh." in bisected.output


@pytest.mark.usefixtures("index")
def test_an_isolated_environment_keeps_its_results_apart(tmp_path):
    """By its name, for all that no version of a backend says."""
    first, second = (prepare(keras(version), tmp_path) for version in ("1.0", "2.0"))

    names = [environment.variables()["TLBENCH_ENVIRONMENT"] for environment in (first, second)]

    assert [first.folder.name, second.folder.name] == names
    assert names[0] != names[1]


@pytest.mark.usefixtures("index")
def test_a_study_that_crashes_is_a_result_with_its_log(tmp_path, monkeypatch):
    """Its last lines are shown."""
    monkeypatch.setenv("STUDY", "crashes")

    result = invoke("upgrade", "keras==1.0", "keras==2.0", "--store", tmp_path / "store")

    assert 0 != result.exit_code
    assert "run failed" in result.output
    assert "INTERNALERROR> it crashed" in result.output


@pytest.mark.usefixtures("index")
def test_an_interrupted_upgrade_goes_on_where_it_was(tmp_path, monkeypatch):
    """What one side has saved stays; Ctrl-C says so."""
    store = tmp_path / "store"
    measure = Suite.measure

    def interrupted(suite, environment):
        if environment.packages["keras"] == "2.0":
            raise KeyboardInterrupt
        return measure(suite, environment)

    with monkeypatch.context() as patch:
        patch.setattr(Suite, "measure", interrupted)
        stopped = invoke("upgrade", "keras==1.0", "keras==2.0", "--store", store)
    kept = list((store / "baselines").glob("*/*.json"))

    assert 0 != stopped.exit_code
    assert "finished trials are kept" in stopped.output
    assert 1 == len(kept)
    assert 0 == invoke("upgrade", "keras==1.0", "keras==2.0", "--store", store).exit_code


@pytest.mark.usefixtures("index")
def test_what_is_interrupted_does_not_go_on_unseen(tmp_path):
    """The process is ended with the command that started it; well before its own 60 seconds are over."""
    environment = prepare(keras("1.0"), tmp_path)
    started = time.monotonic()

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(environment, ["-u", "-c", "import time; print('started'); time.sleep(60)"], "run", printed=interrupt)

    assert time.monotonic() - started < 30


@pytest.mark.usefixtures("index")
def test_the_first_version_that_differs_is_found(tmp_path):
    """By a claim or by the fingerprint; a version that cannot be imported is gone around."""
    arguments = ["keras", "1.0", "4.0", "--versions", "1.0,2.0,5.0,3.0,4.0", "--store", tmp_path / "store"]

    claim = invoke("bisect", *arguments, "--claim", "c")
    numerics = invoke("bisect", *arguments, "--metric", "fingerprint")

    assert 1 == claim.exit_code, claim.output
    assert "The verdict on c changes in keras 3.0; 2.0 is the last as 1.0." in claim.output
    assert "Could not be run, in between: 5.0." in claim.output
    assert "What changes: supported -> refuted" in claim.output
    assert "The fingerprint changes in keras 2.0; 1.0 is the last as 1.0." in numerics.output


@pytest.mark.usefixtures("index")
def test_nothing_to_find_is_said(tmp_path):
    """Exit status 0."""
    result = invoke("bisect", "keras", "1", "2", "--versions", "1.0,2.0", "--claim", "c", "--store", tmp_path / "store")

    assert 0 == result.exit_code
    assert "The verdict on c is at keras 2.0 as it is at 1.0." in result.output


@given(st.integers(2, 40), st.data())
def test_bisecting_finds_the_change_in_few_steps(count, data):
    """Wherever it is, and whichever versions cannot be run; never more than those that the halving needs and those."""
    versions = [str(n) for n in range(count)]
    change = data.draw(st.integers(1, count - 1))
    broken = data.draw(st.sets(st.integers(1, count - 2), max_size=3)) if count > 2 else set()
    asked = []

    def difference(version):
        asked.append(version)
        if int(version) in broken:
            raise EnvironmentFailure(version, "install", None, "")
        return "moved" if int(version) >= change else None

    found = bisect(versions, difference)

    runnable = [n for n in range(count) if n not in broken]
    assert str(min(n for n in runnable if n >= change)) == found.first_changed
    assert str(max(n for n in runnable if n < change)) == found.last_same
    assert "moved" == found.difference
    assert len(asked) == len(set(asked)) <= 2 + count.bit_length() + len(broken)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["upgrade", "keras=3", "keras==3.0"], "Not a requirement such as"),
        (["upgrade", "", "keras==3.0"], "An environment needs a requirement"),
        (
            ["upgrade", "keras==3.0"],
            "Name both sides, as OLD and NEW or with --from and --to. Received: OLD keras==3.0",
        ),
        (["upgrade", "--from", "a.lock"], "Name both sides, .* Received: --from a.lock"),
        (["upgrade", "--from", "a.lock", "--to", "b.lock"], "A lock file is not there"),
        (["upgrade", "keras==1", "keras==2", "--fail", "speed"], "--tlbench-compare-fail takes"),
        (["bisect", "keras", "1", "2"], "Give either --claim or --metric"),
        (["bisect", "keras", "2", "1", "--metric", "speed"], "must be older than the last"),
        (["bisect", "keras", "one", "two", "--metric", "speed"], "Not a version such as"),
        (["bisect", "keras", "1", "2", "--metric", "speed", "--versions", "1"], "takes two versions or more"),
        (["compare", "one", "other"], "No saved run is called so in .*; there are: none"),
        (["show", "one"], "No saved run is called so in"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_an_error_in_a_line(arguments, message, tmp_path):
    """Exit status 2, and no traceback."""
    result = invoke(*arguments, "--store", tmp_path / "store")

    assert 2 == result.exit_code
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert re.search(message, result.output)
