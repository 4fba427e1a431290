"""Studies in two environments; the packages are made here, so that environments take a second and no network."""

from __future__ import annotations

import json
import re
import time

from pathlib import Path

import click
import pytest

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from wheels import Venv, make_project, make_wheel

from tlbench.errors import EnvironmentFailure
from tlbench.hosts import isolation
from tlbench.hosts.cli import main
from tlbench.hosts.isolation import COMPLETE, Requirements, prepare, run
from tlbench.hosts.upgrade import Suite, bisect, upgrade


KERAS = """
from importlib.metadata import version

class ops:
    zeros = staticmethod(lambda size: [0] * size)
"""

# Stands in for a whole study: one arm, whose accuracy is another from version 3 on.
PYTEST = """
import json, os, pathlib, sys
from importlib.metadata import version

if os.environ.get("STUDY") == "crashes":
    sys.exit("INTERNALERROR> it crashed")
store = pathlib.Path(sys.argv[sys.argv.index("--tlbench-store") + 1])
name = sys.argv[sys.argv.index("--tlbench-save") + 1]
keras = version("keras")
shift = 0.3 if keras >= "3" else 0.0
scores = {
    seed: dict(diverged=False, accuracy=0.8 + 0.01 * seed - shift, loss=0.5, macro_f1=0.8, f1={},
        batch_statistics_accuracy=0.8, validation_accuracy=[0.8], training_accuracy=[0.8], epoch_seconds=[1.0, 0.5],
        epoch_steps=5, epoch_images=160, seconds=2.0)
    for seed in range(4)
}
claim = dict(name="c", statement="C.", threshold=0.0, outcome="refuted" if shift else "supported",
    differences={seed: 0.1 + 0.001 * seed - shift for seed in range(4)}, p=0.01, adjusted_p=0.01, seeds_needed=None,
    on_macro_f1=None)
stored = os.environ.get("STUDY") == "is stored"
digests = {seed: f"digest {seed}" for seed in range(4)} if stored else {}
runs = {seed: "an earlier run" for seed in range(4)} if stored else {}
here = dict(backend="tensorflow", backend_version="1", keras_version=keras, device="cpu", device_name="cpu",
    python_version="3")
around = dict(environment=here, packages={"keras": keras}, platform="linux", processor="cpu", cores=2, gpus=[],
    driver=None, flags={})
run = dict(schema_version=1, name=name, created="2026-11-24T00:00:00+00:00", tlbench_version="0", commit=None,
    header={}, surroundings=around, peak_memory_bytes=None, fingerprint=None, claims=[claim],
    arms=[dict(arm="a", labels=["A"], description={}, digests=digests, trials=scores, runs=runs)])
path = store / "baselines" / "linux_cpu_2cores" / f"0001_{name}.json"
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps(run))
status = pathlib.Path(sys.argv[sys.argv.index("--tlbench-status") + 1])
status.write_text(json.dumps(dict(schema_version=1, trained=1, progress="trial 1/2 [A, seed 0]", saved=str(path))))
print("Saved.")
"""

# `python -m tlbench fingerprint --save PATH`: one quantity, which is another from version 2 on.
TLBENCH = """
import json, pathlib, sys
from importlib.metadata import version

value = 1.0 if version("keras") >= "2" else 0.5
here = dict(backend="tensorflow", backend_version="1", keras_version="1", device="cpu", device_name="cpu",
    python_version="3")
quantity = dict(stage="inference output", name="block1_conv1", tolerance=1e-6,
    absent=None,
    value=dict(shape=[1], rms=value, largest=value, projections=[value] * 16))
content = dict(schema_version=2, environment=here, quantities=[quantity])
pathlib.Path(sys.argv[-1]).write_text(json.dumps(content))
"""


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index of wheels that is all that uv can install from."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version in ("1.0", "2.0", "3.0", "4.0"):
        make_wheel(folder, "keras", version, {"keras/__init__.py": KERAS}, ["other"])
    make_wheel(folder, "keras", "5.0", {"keras/__init__.py": "raise ImportError('no symbol in this driver')"})
    for version in ("1.0", "2.0"):
        make_wheel(folder, "other", version, {"other.py": ""})
    make_wheel(folder, "tlbench", "9.9", {"tlbench/__init__.py": "", "tlbench/__main__.py": TLBENCH})
    make_wheel(folder, "pytest", "9.9", {"pytest/__init__.py": "", "pytest/__main__.py": PYTEST})
    for wheel in folder.glob("*.whl"):
        page = tmp_path / "simple" / wheel.name.partition("-")[0] / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        with page.open("a") as links:
            links.write(f'<a href="{wheel.as_uri()}">{wheel.name}</a>\n')
    # The first is the newer name of the second.
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("UV_INDEX_URL", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.setattr(isolation, "_tlbench", lambda _folder: ("tlbench==9.9", "pytest==9.9"))
    return folder


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
    assert {"keras": "1.0", "other": "2.0", "tlbench": "9.9", "pytest": "9.9"} == first.packages
    assert first.folder != prepare(keras("2.0"), tmp_path).folder


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
    comparison = upgrade(keras("1.0"), keras("3.0"), suite)

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
