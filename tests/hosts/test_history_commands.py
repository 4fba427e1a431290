"""The commands history, accept and prune, and runs that fail by a drift."""

from __future__ import annotations

import copy
import json

from pathlib import Path

import nights
import pytest

from click.testing import CliRunner

from tlbench.hosts.cli import main
from tlbench.store import baselines


OF_SCHEMA_1 = Path(__file__).parents[1] / "store" / "baseline_of_schema_1.json"


@pytest.fixture
def make_store(tmp_path):
    """A function that makes a store of some nights."""

    def make(**settings):
        for run in nights.series(**settings):
            baselines.save(run, tmp_path / "store" / "baselines")
        return tmp_path / "store"

    return make


def invoke(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


def test_quiet_nights_pass(make_store):
    """Exit status 0, and a page in the store."""
    store = make_store(nights=8)

    result = invoke("history", "nightly", "--store", store)

    assert 0 == result.exit_code, result.output
    assert "Nothing has become worse than the accepted run 0001_nightly of 2026-01-01" in result.output
    assert {"history.html", "history.md", "history.csv"} == {path.name for path in (store / "history").iterdir()}


def test_a_drift_fails_until_it_is_accepted(make_store, tmp_path):
    """Exit status 1, with the command that accepts it."""
    store = make_store(nights=50, drop=0.03)

    result = invoke("history", "nightly", "--store", store, "--to", tmp_path / "page")
    accepted = invoke("accept", 50, "--store", store)
    again = invoke("history", "nightly", "--store", store)

    assert 1 == result.exit_code, result.output
    assert "Drift: " in result.output.splitlines()[0]
    assert f"To accept the drift: tlbench accept 0050 --store {store}" in result.output
    assert (tmp_path / "page" / "history.html").is_file()
    assert 0 == accepted.exit_code, accepted.output
    assert 0 == again.exit_code, again.output
    assert "0050_nightly of 2026-02-19" in again.output


def test_another_reference_can_be_named(make_store):
    """By number or name; an unknown one is an error."""
    store = make_store(nights=50, drop=0.03)

    assert 0 == invoke("history", "nightly", "--store", store, "--reference", 40).exit_code
    wrong = invoke("history", "--store", store, "--reference", "mine")
    assert 2 == wrong.exit_code
    assert "has no run of this name or number. Received: 'mine'" in wrong.output


def test_a_run_that_cannot_be_read_is_left_out_with_a_warning(make_store):
    """Unless it is the reference."""
    store = make_store(nights=6)
    paths = baselines.saved_runs(store / "baselines")
    paths[2].write_text("{", encoding="utf-8")

    result = invoke("history", "--store", store)
    paths[0].write_text("{", encoding="utf-8")
    without = invoke("history", "--store", store)

    assert 0 == result.exit_code, result.output
    assert "Warning: left out: The saved run" in result.output
    assert 2 == without.exit_code
    assert "The reference 0001_nightly cannot be read; accept another run" in without.output


@pytest.mark.parametrize("command", ["history", "prune"])
def test_an_unknown_series_is_an_error_that_names_the_others(make_store, command):
    """Of that machine, where one is named."""
    store = make_store(nights=2)

    result = invoke(command, "weekly", "--store", store)
    elsewhere = invoke(command, "nightly", "--store", store, "--machine", "another")

    assert (2, 2) == (result.exit_code, elsewhere.exit_code)
    assert "there are: nightly. Received: 'weekly'" in result.output
    assert "another" in elsewhere.output


def test_runs_of_older_versions_are_followed(tmp_path):
    """Whichever schema they have."""
    place = tmp_path / "baselines" / "a-machine"
    place.mkdir(parents=True)
    old = json.loads(OF_SCHEMA_1.read_text(encoding="utf-8"))
    for number in range(1, 4):
        for arm in old["arms"]:
            for trial in arm["trials"].values():
                trial["seconds"] += 1
        (place / f"000{number}_old.json").write_text(json.dumps(old), encoding="utf-8")

    result = invoke("history", "--store", tmp_path)

    assert 0 == result.exit_code, result.output
    assert "among" in result.output


def test_prune_lists_first_and_deletes_when_asked(make_store):
    """By a policy that it states; the series is still followed afterwards."""
    store = make_store(nights=60)
    chosen = ("prune", "nightly", "--store", store, "--nightly-days", 5, "--weekly-weeks", 2)

    listed = invoke(*chosen)
    kept = len(baselines.saved_runs(store / "baselines"))
    deleted = invoke(*chosen, "--delete")
    left = baselines.saved_runs(store / "baselines")

    assert (0, 0, 60) == (listed.exit_code, deleted.exit_code, kept)
    assert "every night of the last 5 days, then one a week for 2 weeks, then one a month" in listed.output
    assert "Add --delete to delete them." in listed.output
    assert f"Deleted: {60 - len(left)} of 60 runs." in deleted.output
    assert {f"{number:04}_nightly" for number in (*range(1, 29), *range(55, 61))} <= {path.stem for path in left}
    assert len(left) < 45
    assert 0 == invoke("history", "nightly", "--store", store).exit_code
    assert "To delete: 0 of" in invoke(*chosen).output


def test_saved_runs_are_read_from_another_place(make_store, tmp_path):
    """Any command that reads saved runs."""
    store = make_store(nights=3)
    (store / "baselines").rename(tmp_path / "runs")
    place = ("--store", store, "--baselines", tmp_path / "runs")

    for command in (("history",), ("accept", 2), ("show", "nightly"), ("list",), ("power", "1"), ("prune", "nightly")):
        result = invoke(*command, *place)
        assert 0 == result.exit_code, result.output
    assert "passed" in invoke("compare", 1, 2, *place).output
    assert (tmp_path / "runs" / "linux-x86-64_a-cpu_2cores" / "accepted.json").is_file()


def test_two_runs_have_no_drift(make_store):
    """A series has; the message says where to look."""
    store = make_store(nights=2)

    result = invoke("compare", 1, 2, "--store", store, "--fail", "drift")

    assert 2 == result.exit_code
    assert "--fail drift needs a series of runs" in result.output


def test_a_run_fails_by_a_drift(project):
    """Each night is within its noise of the last, and the accepted one is far away; the run says what to do."""
    chosen = ("-k", "rates", "--tlbench-seeds", "4", "--tlbench-fresh", "--tlbench-save", "nightly")
    project.runpytest(*chosen, "--tlbench-baselines", "runs").assert_outcomes(passed=1)
    (saved,) = project.path.glob("runs/*/0001_nightly.json")
    content = json.loads(saved.read_text(encoding="utf-8"))
    for number in range(1, 41):
        # A loss that has risen by a twentieth every night, up to what it is now.
        night = copy.deepcopy(content)
        for arm in night["arms"]:
            for seed, trial in arm["trials"].items():
                trial["scores"]["loss"] -= 2 - number / 20
                arm["runs"][seed] = f"night {number}"
        path = saved.with_name(f"{number:04}_nightly.json")
        path.write_text(json.dumps(night), encoding="utf-8")

    result = project.runpytest(
        *chosen, "--tlbench-baselines", "runs", "--tlbench-compare", "nightly", "--tlbench-compare-fail", "drift"
    )

    assert 1 == result.ret
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "FAILED: drift from the accepted run: *(loss +* nats over * night*, p < 0.001)*",
            "Saved as *0041_nightly.json, marked as failed: *",
            "To accept the changes: tlbench accept 0041 --baselines runs",
        ]
    )


def test_scores_that_nothing_explains_fail_the_series(tmp_path):
    """On a machine that repeats itself, until they are accepted."""
    commit = baselines.Commit("c" * 40, changed=False)
    for number in range(9):
        accuracies = {"a": [0.8, 0.81 if number < 8 else 0.811]}
        baselines.save(nights.night(number, accuracies, commit=commit), tmp_path / "baselines")

    result = invoke("history", "--store", tmp_path)
    accepted = invoke("accept", 9, "--store", tmp_path)
    again = invoke("history", "--store", tmp_path)

    assert (1, 0, 0) == (result.exit_code, accepted.exit_code, again.exit_code)
    assert "Scores have changed while nothing recorded has: a in 0009_nightly of 2026-01-09" in result.output
    assert f"To accept the change: tlbench accept 0009 --store {tmp_path}" in result.output


def test_failed_nights_are_shown_and_no_reference(make_store):
    """Not even the oldest of a series."""
    store = make_store(nights=6)
    paths = baselines.saved_runs(store / "baselines")
    for path in (paths[0], paths[4]):
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"failed": True}), encoding="utf-8")

    result = invoke("history", "--store", store)

    assert 0 == result.exit_code, result.output
    assert "the accepted run 0002_nightly of 2026-01-02" in result.output
    text = (store / "history" / "history.html").read_text(encoding="utf-8")
    assert 2 == text.count("<td>failed</td>")
    assert "; 2 failed their comparison" in text
