"""The command `tlbench matrix`: a study in several cells."""

from __future__ import annotations

import csv
import json
import re

import pytest

from cells import cell, claim
from click.testing import CliRunner
from projects import PEBBLE

from tlbench.errors import ConfigurationError, EnvironmentFailure
from tlbench.hosts import upgrade
from tlbench.hosts.cli import main
from tlbench.hosts.isolation import IsolatedEnvironment
from tlbench.hosts.matrix import cells
from tlbench.hosts.upgrade import Suite
from tlbench.machine import installed
from tlbench.store import baselines


def titles(axes, *further):
    return [settings.title for settings in cells(axes, further)]


def test_each_combination_is_a_cell():
    """Named after the values of the axes; a value given once is shared, and in no title."""
    found = cells(
        {
            "--tlbench-profile": (),
            "--tlbench-network": ("mobilenet:alpha=0.25", "vgg16"),
            "--tlbench-data": ("a/cats.zip", "b/dogs.zip"),
            "--tlbench-split": ("fixed",),
        }
    )

    assert [
        "mobilenet:alpha=0.25 · cats",
        "mobilenet:alpha=0.25 · dogs",
        "vgg16 · cats",
        "vgg16 · dogs",
    ] == [settings.title for settings in found]
    assert ("--tlbench-network", "vgg16", "--tlbench-data", "a/cats.zip", "--tlbench-split", "fixed") == (
        found[2].arguments
    )
    assert 4 == len({settings.folder for settings in found})


def test_the_miniature_stands_among_data():
    """It is a profile with images of its own, which replaces the shared profile."""
    found = cells({"--tlbench-profile": ("pocket",), "--tlbench-data": ("cats.zip", "miniature")})

    assert [
        {"--tlbench-profile": "pocket", "--tlbench-data": "cats.zip"},
        {"--tlbench-profile": "miniature"},
    ] == [settings.options for settings in found]
    assert ["pocket · cats", "miniature"] == [settings.title for settings in found]


def test_cells_beside_the_grid_take_their_own_options():
    """The others are shared; values given once make no cell without an axis."""
    pocket = "--tlbench-profile pocket --tlbench-data='my cats.zip'"
    named = f"cats: {pocket}"
    shared = {"--tlbench-split": ("fixed",)}

    assert ["miniature", "pocket · my cats"] == titles(shared, "--tlbench-profile miniature", pocket)
    assert {"--tlbench-split": "fixed", "--tlbench-profile": "pocket", "--tlbench-data": "my cats.zip"} == (
        cells(shared, ("--tlbench-profile miniature", pocket))[1].options
    )
    assert ["a", "b", "pocket · my cats"] == titles({"--tlbench-network": ("a", "b")}, pocket)
    assert ["a", "b", "cats"] == titles({"--tlbench-network": ("a", "b")}, named)


def test_equal_names_are_told_apart():
    """By the whole value, or by a number where titles show nothing of the difference."""
    weights = [f"--tlbench-source imagenet --tlbench-weights {name}.h5" for name in "ab"]

    assert ["x/cats.zip", "y/cats.zip"] == titles({"--tlbench-data": ("x/cats.zip", "y/cats.zip")})
    assert ["imagenet (1)", "imagenet (2)"] == titles({}, *weights)
    assert ["as the profile says (1)", "as the profile says (2)"] == (
        titles({}, "--tlbench-seeds 2", "--tlbench-seeds 3")
    )
    own = titles({"--tlbench-profile": ("miniature",)}, "--tlbench-seeds 9", "--tlbench-network vgg16")
    assert ["miniature", "vgg16"] == own, "a cell without what others differ in is told by what it has"
    assert 2 == len(titles({"--tlbench-data": ("miniature", "cats.zip", "miniature")})), "a cell is there once"


@pytest.mark.parametrize(
    ("axes", "further", "message"),
    [
        ({}, (), "A matrix needs two cells or more: .* Received: ''"),
        ({"--tlbench-network": ("vgg16", "vgg16")}, (), "Received: '--tlbench-network vgg16'"),
        ({}, ("--tlbench-store a",), "--cell takes .* each with a value. Received: '--tlbench-store a'"),
        ({}, ("--tlbench-data",), "--cell takes .* each with a value"),
        ({}, ("--tlbench-data 'a",), "The options of --cell cannot be read"),
        ({}, ("a name",), "--cell takes .* Received: 'a name'"),
    ],
)
def test_what_is_no_matrix_is_refused(axes, further, message):
    """With the remedy."""
    with pytest.raises(ConfigurationError, match=message):
        cells(axes, further)


@pytest.fixture
def sessions(monkeypatch, tmp_path):
    """Sessions of pytest that train nothing; one with the network `broken` ends with an error. Gives their commands."""
    started = []

    def option(command, name):
        return command[command.index(name) + 1]

    def run(environment, command, step, *, printed, **_accept):
        started.append(command)
        network = option(command, "--tlbench-network")
        if network == "broken":
            log = tmp_path / "run.log"
            raise EnvironmentFailure(str(environment.requirements), step, log, "ERROR: no such family\n")
        missing = {"source": 10.0, f"arm of {network}": 30.0, f"unknown to {network}": None}
        plan = {"trials": ["stored", *missing], "missing": missing, "seconds": 20.0, "not_applicable": {}}
        reached = {"schema_version": 1, "claims": ["test_a"] + ["test_b"] * (network == "b")}
        if step == "plan":
            reached["plan"] = plan
        else:
            of_cell = cell(network, claim("test_a", (0.1, 0.11, 0.12), cell=network))
            reached["saved"] = str(baselines.save(of_cell.run, tmp_path / "baselines"))
        environment.folder.mkdir(parents=True, exist_ok=True)
        (environment.folder / "status.json").write_text(json.dumps(reached))
        printed()

    monkeypatch.setattr(upgrade, "run", run)
    return started


def invoke(*arguments):
    return CliRunner().invoke(main, ["matrix", *map(str, arguments)])


def networks(*names):
    return [word for name in names for word in ("--tlbench-network", name)]


def test_the_command_runs_every_cell_and_writes_the_matrix(sessions, tmp_path):
    """With the arguments of pytest as they are; the terminal begins with the answer."""
    store = "--tlbench-store", tmp_path / "store"

    result = invoke("benchmarks", "-k", "table_1 or table_2", *networks("a", "b"), "--tlbench-seeds", "3", *store)

    assert 0 == result.exit_code, result.output
    assert [["-P", "-m", "pytest", "benchmarks", "-k", "table_1 or table_2", "--tlbench-seeds", "3"]] * 2 == [
        command[:8] for command in sessions
    ]
    assert result.stdout.startswith("In the mean over 2 cells, 1 of 1 claims is supported")
    assert "cell 2 of 2" in result.stderr
    folder = tmp_path / "store" / "matrix"
    assert f"The matrix is {folder / 'matrix.html'}" in result.stdout
    assert ["a", "b"] == [each["title"] for each in json.loads((folder / "matrix.json").read_text())["cells"]]
    with (folder / "matrix.csv").open() as file:
        assert ["a", "b", ""] == [row["cell"] for row in csv.DictReader(file)]


def test_a_cell_that_cannot_be_run_leaves_the_others(sessions, tmp_path):
    """It is named with its error, and the exit status is 2."""
    result = invoke("study.py", *networks("a", "broken", "b"), "--tlbench-report", tmp_path / "here")

    assert 2 == result.exit_code
    assert 3 == len(sessions)
    assert "In the mean over 2 of 3 cells, the others not run" in result.stdout
    assert "Not run: broken: ERROR: no such family (all of it is in " in result.stdout
    assert (tmp_path / "here" / "matrix.html").is_file()


@pytest.mark.usefixtures("sessions")
def test_the_plan_counts_shared_trials_once(tmp_path):
    """The second cell needs the source that the first one trains: its time is its share of the forecast."""
    result = invoke("study.py", "--plan", *networks("a", "b"), "--tlbench-store", tmp_path / "store")

    assert 0 == result.exit_code, result.output
    rows = [line.split() for line in result.stdout.splitlines() if line[:2] in {"a ", "b "}]
    assert ["a", "1", "4", "1", "0", "3", "20", "s", "and", "1", "unknown"] == rows[0]
    # Three quarters of 20 s.
    assert ["b", "2", "4", "1", "1", "2", "15", "s", "and", "1", "unknown"] == rows[1]
    assert "5 trials to train in 2 cells, about 35 s, and 2 of them of a kind never timed." in result.stdout
    assert "test_b: 1 of 2 cells" in result.stdout


def agree(*arguments):
    return CliRunner().invoke(main, ["agree", *map(str, arguments)])


@pytest.fixture
def under_backends(monkeypatch, tmp_path):
    """Sessions whose verdict depends on the backend, of which torch is not installed; gives their environments."""
    used = []

    def run(environment, command, _step, **_accept):
        used.append((environment.variables()["KERAS_BACKEND"], command))
        of_backend = {"tensorflow": (0.1, 0.11, 0.12), "jax": (0.11, 0.1, 0.12), "torch": (-0.1, -0.11, -0.12)}
        backend = environment.requirements.backend
        outcome = "refuted" if backend == "torch" else "supported"
        measured = cell(backend, claim("test_a", of_backend[backend], outcome, cell=backend)).run
        environment.folder.mkdir(parents=True, exist_ok=True)
        reached = {"schema_version": 1, "saved": str(baselines.save(measured, tmp_path / "baselines"))}
        (environment.folder / "status.json").write_text(json.dumps(reached))

    def prepare(_suite, requirements, like=None):
        assert like is None
        used.append(requirements.all)
        return IsolatedEnvironment(requirements, tmp_path / "isolated", {})

    def version(name):
        return None if name == "torch" else "1.0"

    monkeypatch.setattr(upgrade, "run", run)
    monkeypatch.setattr(Suite, "prepare", prepare)
    monkeypatch.setattr(installed, "version", version)
    return used


def test_backends_that_agree_say_so(under_backends, tmp_path):
    """Each in a process of its own with the backend's name; what follows the backends is pytest's."""
    result = agree("tensorflow", "jax", "study.py", "-k", "a", "--tlbench-report", tmp_path / "here")

    assert 0 == result.exit_code, result.output
    assert ["tensorflow", "jax"] == [backend for backend, _ in under_backends]
    assert ["study.py", "-k", "a"] == under_backends[0][1][3:6]
    assert result.stdout.startswith("The claim has the same verdict under tensorflow and jax")
    assert (tmp_path / "here" / "agreement.md").is_file()


def test_a_backend_that_is_not_installed_gets_an_environment(under_backends, tmp_path):
    """With the Keras of this one; a changed verdict is exit status 1."""
    result = agree("tensorflow", "torch", "--tlbench-store", tmp_path)

    assert 1 == result.exit_code, result.output
    assert ("keras==1.0", "torch>=2.2") == under_backends[1][:2]
    assert "The claim has a changed verdict under tensorflow and torch. Beyond the noise" in result.stdout
    assert json.loads((tmp_path / "agreement" / "agreement.json").read_text())["backends"] == ["tensorflow", "torch"]


@pytest.mark.parametrize("arguments", [["tensorflow"], ["study.py", "jax", "torch"], ["jax", "jax"]])
def test_one_backend_agrees_with_nobody(arguments):
    """Backends come first, two or more."""
    result = agree(*arguments)

    assert 2 == result.exit_code
    assert "Name two or more of tensorflow, jax, torch first. Received:" in result.output


def test_a_run_that_names_two_networks_is_refused(pytester):
    """The last one would be taken without a word; an ini file's may be overruled."""
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider --tlbench-network mobilenet")
    pytester.makepyfile("def test_a(): pass")

    refused = pytester.runpytest("--tlbench-network=vgg16", "--tlbench-network", "mobilenet")
    accepted = pytester.runpytest("--tlbench-network", "vgg16")

    refused.stderr.fnmatch_lines(
        ["ERROR: A run has one network; `tlbench matrix` runs *. Received: --tlbench-network 2 times"]
    )
    assert pytest.ExitCode.USAGE_ERROR == refused.ret
    accepted.assert_outcomes(passed=1)


TWO_PROFILES = """
import numpy as np
from pebble import Pebble
from tlbench import Dataset, Profile, Recipe, Split

def colours(size, classes=("cat", "dog", "person"), seed=0):
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(classes)), 30)
    images = generator.integers(0, 200, (len(labels), size, size, 3))
    images[np.arange(len(labels)), :, :, labels % 3] += 40
    return Dataset(f"colours {seed}", images.astype(np.uint8), labels, classes)

def source(size):
    return colours(size, seed=9)

def pytest_tlbench_profiles():
    recipe, split = Recipe(learning_rate=1e-2, batch_size=8, epochs=2), Split(validation=0.2, test=0.3)
    few = lambda size: colours(size, ("cat", "dog"), seed=1)
    return [
        Profile(name, images, source, Pebble(), recipe, split, recipe)
        for name, images in [("all", colours), ("few", few)]
    ]
"""

STUDY = '''
import pytest
from tlbench import Task, score

def transferred_is_better(study):
    return score(study.transferred("transferred")).beats(score(study.random("random")))

def people_are_found(study):
    person = Task("person/other", person=["person"], other=...)
    return score(study.random("people", task=person)).is_positive()

@pytest.mark.tlbench_claim(declare=transferred_is_better)
def test_transferred(verdict):
    """Transferred weights are better."""
    assert verdict.supported, verdict

@pytest.mark.tlbench_claim(declare=people_are_found)
def test_people(verdict):
    """People are found."""
    assert verdict.supported, verdict
'''


@pytest.mark.slow
def test_cells_share_a_store(pytester, monkeypatch):
    """Two data sets of one network: the source is trained once, and a second matrix trains nothing."""
    pytester.makepyfile(pebble=PEBBLE, test_study=STUDY)
    pytester.makeconftest(TWO_PROFILES)
    pytester.makeini("[pytest]\ntlbench_workers = 1\n")
    monkeypatch.chdir(pytester.path)
    matrix = ["--tlbench-profile", "all", "--tlbench-profile", "few", "--tlbench-seeds", "2"]

    def stored():
        return {path: path.stat().st_mtime_ns for path in pytester.path.glob(".tlbench/results/*/*/result.json")}

    first = invoke(*matrix)
    trained = stored()
    second = invoke(*matrix)

    assert 0 == first.exit_code, first.output
    # The source, and for two seeds the arms of the first claim and that of the second; then the arms of the first.
    assert ["1/7", "1/4"] == re.findall(r"trial (1/\d)", first.stderr)
    assert 11 == len(trained)
    assert 0 == second.exit_code, second.output
    assert trained == stored()
    assert "trial" not in second.stderr
    found = json.loads((pytester.path / ".tlbench/matrix/matrix.json").read_text())
    claims = {each["name"]: each for each in found["claims"]}
    assert ["all", "few"] == [each["title"] for each in found["cells"]]
    assert 2 == claims["test_transferred"]["judged"]
    assert "not applicable" == claims["test_people"]["cells"][1]["status"]
    assert "person" in claims["test_people"]["cells"][1]["reason"]
