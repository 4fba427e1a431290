"""Saved runs: written, found and read back."""

from __future__ import annotations

import json
import math
import re
import subprocess

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tlbench.errors import ConfigurationError, StoreError
from tlbench.machine.environment import Surroundings, current, machine, surroundings
from tlbench.scores.listed import MACRO_F1
from tlbench.store import baselines
from tlbench.store.baselines import (
    Commit,
    SavedArm,
    SavedClaim,
    SavedRun,
    commit_of,
    find,
    latest,
    load,
    save,
    saved_arms,
    saved_runs,
)


@pytest.fixture
def run(environment, make_trial, make_result):
    """A run of one arm and one claim."""
    around = Surroundings(environment, {"keras": "3.15.1"}, "Linux-x86_64", "A CPU", 2, (), None, {"floatx": "float32"})
    trials = [make_trial(seed=seed) for seed in (0, 1)]
    arms = saved_arms(trials, lambda trial: make_result(8 + trial.seed), {trials[0].arm_digest: ["A"]})
    on_f1 = SavedClaim("c", "C.", 0.0, "inconclusive", {0: 0.1}, None, None, 7)
    claim = replace(on_f1, outcome="supported", also={"macro_f1": on_f1})
    return SavedRun(
        "mine", baselines.now(), "0.1.0", Commit("abc", changed=True), {}, around, 2**20, None, arms, (claim,)
    )


def test_a_run_is_read_as_it_was_written(run, tmp_path):
    """Every value is back, and of its type."""
    path = save(run, tmp_path)

    assert run == load(path)
    assert {0: 0.8, 1: 0.9} == {seed: summary.scores["accuracy"] for seed, summary in load(path).arms[0].trials.items()}
    assert tmp_path / "linux-x86-64_a-cpu_2cores" / "0001_mine.json" == path


def test_the_same_arm_has_the_same_name_in_any_version(make_trial, monkeypatch):
    """Its digest changes with tlbench's code; what it is compared by does not."""
    trial = make_trial(initialisation=make_trial(seed=5), frozen=frozenset({"entry"}))
    before = trial.digest, trial.arm_digest
    monkeypatch.setattr("tlbench.declare.revisions.of_class", lambda _network: {"network": "other code"})
    again = make_trial(initialisation=make_trial(seed=5), frozen=frozenset({"entry"}))

    assert before[0] != again.digest
    assert before[1] == again.arm_digest
    assert make_trial(seed=1).arm_digest == make_trial(seed=2).arm_digest != trial.arm_digest


def test_a_diverged_run_is_saved_as_such(make_trial, make_result, run, tmp_path):
    """JSON has no number for it."""
    trial = make_trial()
    arms = saved_arms([trial], lambda _trial: make_result(diverged=True), {})

    saved = load(save(replace(run, arms=arms), tmp_path)).arms[0]

    assert saved.trials[0].diverged
    assert ("source",) == saved.labels


def test_runs_are_counted(run, tmp_path):
    """The latest of a name is found, or any by its number."""
    first, second, other = (save(each, tmp_path) for each in (run, run, replace(run, name="other")))
    machine = run.surroundings.machine

    assert ["0001_mine.json", "0002_mine.json", "0003_other.json"] == [path.name for path in saved_runs(tmp_path)]
    assert second == find("mine", tmp_path, machine).path
    assert first == find("0001", tmp_path, machine).path == find("1", tmp_path, machine).path
    assert other == find(str(other), tmp_path, machine).path
    assert not find("mine", tmp_path, machine).other_machine
    assert find("neither", tmp_path, machine) is None
    assert find("mine", tmp_path / "nowhere", machine) is None


def test_a_run_of_another_machine_is_found_and_said_to_be(run, tmp_path):
    """This machine's own comes first."""
    elsewhere = save(replace(run, surroundings=replace(run.surroundings, processor="Another CPU")), tmp_path)
    machine = run.surroundings.machine

    found = find("mine", tmp_path, machine)
    assert (elsewhere, True) == (found.path, found.other_machine)
    here = save(run, tmp_path)
    assert here == find("mine", tmp_path, machine).path


def test_runs_saved_at_once_get_numbers_of_their_own(run, tmp_path):
    """Eight threads, eight whole files."""
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _n: save(run, tmp_path), range(8)))

    assert 8 == len(set(paths))
    assert {run.name} == {load(path).name for path in paths}
    assert [] == [path for path in paths[0].parent.iterdir() if path.name.startswith(".unfinished")]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "cannot be read; save it again"),
        (lambda _text: "[]", "is no saved run, since it does not say its schema_version"),
        (lambda text: text.replace('"schema_version": 2', '"schema_version": 3'), "newer tlbench.*Received: 3"),
        (lambda text: text.replace('"validation_accuracy"', '"validation"'), "is damaged.*validation_accuracy"),
        (lambda text: text.replace('"cores": 2', '"cores": "two"'), "is damaged.*cores"),
        (lambda _text: '{"schema_version": 1, "arms": [3]}', "is damaged.*Received: TypeError"),
    ],
    ids=["truncated", "something else", "newer", "missing key", "wrong type", "damaged before the upgrade"],
)
def test_what_is_no_saved_run_is_an_error(run, tmp_path, damage, message):
    """The file is named and stays as it is."""
    path = save(run, tmp_path)
    damaged = damage(path.read_text())
    path.write_text(damaged)

    with pytest.raises(StoreError, match=message) as raised:
        load(path)

    assert str(path) in str(raised.value)
    assert damaged == path.read_text()


OF_SCHEMA_1 = Path(__file__).with_name("baseline_of_schema_1.json")


def test_a_run_of_schema_1_is_read_with_the_scores_it_has():
    """Scores that its tlbench did not know are absent, and a diverged trial has none."""
    run = load(OF_SCHEMA_1)
    old = json.loads(OF_SCHEMA_1.read_text())
    trials = {arm.labels[0]: arm.trials for arm in run.arms}

    known = ("accuracy", "macro_f1", "loss", "batch_statistics_accuracy")
    before = old["arms"][0]["trials"]["0"]
    assert {key: before[key] for key in known} == trials["strong"][0].scores
    assert (before["f1"], tuple(before["validation_accuracy"])) == (
        trials["strong"][0].f1,
        trials["strong"][0].validation_accuracy,
    )
    assert (True, {}) == (trials["unstable"][1].diverged, trials["unstable"][1].scores)
    supported, diverged = run.claims
    assert old["claims"][0]["on_macro_f1"]["differences"] == {
        str(seed): value for seed, value in supported.also["macro_f1"].differences.items()
    }
    assert [{"macro_f1"}, {"macro_f1"}] == [set(claim.also) for claim in (supported, diverged)]


def test_a_run_of_schema_1_is_saved_again_in_the_present_schema(tmp_path):
    """Nothing is lost, and nothing is invented."""
    run = load(OF_SCHEMA_1)

    again = load(save(run, tmp_path))

    assert run == again


def test_a_score_that_a_saved_run_lacks_is_absent(run, tmp_path):
    """It is neither zero nor NaN, and the rest of the run is read."""
    path = save(run, tmp_path)
    content = json.loads(path.read_text())
    del content["arms"][0]["trials"]["0"]["scores"]["macro_f1"]
    path.write_text(json.dumps(content))

    first, second = load(path).arms[0].trials.values()

    assert "macro_f1" not in first.scores
    assert "macro_f1" in second.scores
    assert math.isnan(MACRO_F1.value(first))


def test_a_missing_file_is_an_error(tmp_path):
    """It names the path."""
    with pytest.raises(StoreError, match=re.escape(str(tmp_path / "gone.json"))):
        load(tmp_path / "gone.json")


def test_a_folder_that_cannot_be_written_is_an_error(run, tmp_path):
    """The remedy is another one."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="--tlbench-store"):
        save(run, tmp_path / "file")


@pytest.mark.parametrize("name", ["", "0001", "a/b", "../a", "a b", "ä"])
def test_a_name_that_is_no_file_name_is_refused(run, tmp_path, name):
    """Digits alone count runs."""
    with pytest.raises(ConfigurationError, match="Received"):
        save(replace(run, name=name), tmp_path)


def test_the_commit_is_that_of_the_folder(tmp_path):
    """None outside of git; changed where a file is not committed."""
    assert commit_of(tmp_path) is None

    def git(*arguments):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True, capture_output=True)

    git("init")
    git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--allow-empty", "-m", "one")
    clean = commit_of(tmp_path)
    (tmp_path / "new").write_text("")

    assert re.fullmatch("[0-9a-f]{40}", clean.revision)
    assert not clean.changed
    assert commit_of(tmp_path).changed


def test_the_file_says_its_schema(run, tmp_path):
    """First of all, for a reader."""
    content = json.loads(save(run, tmp_path).read_text())

    assert ("schema_version", 2) == next(iter(content.items()))
    assert isinstance(SavedArm(**content["arms"][0]), SavedArm)


def test_the_latest_runs_of_a_machine_are_read(run, tmp_path):
    """The latest first; what cannot be read is left out, and so are those of other machines."""
    paths = [save(replace(run, name=name), tmp_path) for name in ("first", "damaged", "third")]
    paths[1].write_text('{"schema_ver')
    elsewhere = replace(run.surroundings, processor="Another CPU")
    save(replace(run, surroundings=elsewhere), tmp_path)

    assert ["third", "first"] == [found.name for found in latest(tmp_path, run.surroundings.machine)]
    assert ["third"] == [found.name for found in latest(tmp_path, run.surroundings.machine, most=1)]
    assert not list(latest(tmp_path / "nowhere", run.surroundings.machine))


def test_a_machine_has_one_name():
    """Whether it is asked for itself or for all that surrounds a run."""
    here = current()

    assert surroundings(here).machine == machine(here)
