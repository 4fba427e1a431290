"""Runs of the plugin that share, stop, go on, or train another way."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from pathlib import Path

import numpy as np
import pytest

from projects import STUDY


@pytest.mark.slow
def test_a_killed_run_resumes_and_ends_as_if_it_had_not_been(project):
    """SIGKILL while two processes train: what is finished stays; predictions are those of an undisturbed run."""

    def finished(store):
        return {
            path.parent.name: path.stat().st_mtime_ns for path in project.path.glob(f"{store}/results/*/*/result.json")
        }

    workers = ("--tlbench-workers", "2")
    undisturbed = project.runpytest_subprocess("--tlbench-store", "undisturbed", *workers)
    undisturbed.assert_outcomes(passed=3)

    command = [sys.executable, "-m", "pytest", "--tlbench-store", "killed", *workers]
    with subprocess.Popen(command, cwd=project.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while len(finished("killed")) < 2:
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.01)
        process.kill()
    time.sleep(1)  # The processes that train see that it is gone, and end.
    before = finished("killed")
    assert 2 <= len(before) < 10
    time.sleep(3)
    assert before == finished("killed")

    project.runpytest_subprocess("--tlbench-store", "killed", *workers).assert_outcomes(passed=3)

    after = finished("killed")
    assert 10 == len(after)
    assert before == {digest: after[digest] for digest in before}
    for path in project.path.glob("undisturbed/results/*/*/predictions.npz"):
        with np.load(path) as expected, np.load(Path(str(path).replace("undisturbed", "killed"))) as received:
            assert all(expected[name].tobytes() == received[name].tobytes() for name in expected.files)


def test_what_is_missing_is_forecast_and_held_against_what_it_took(project):
    """From what one seed took; the plan trains nothing, and what has nothing to train says nothing of time."""
    first = project.runpytest("-k", "rates", "--tlbench-seeds", "1")
    plan = project.runpytest("-k", "rates", "--tlbench-plan")
    second = project.runpytest("-k", "rates")
    third = project.runpytest("-k", "rates")

    first.stdout.fnmatch_lines(
        [
            "tlbench plan: 3 trials, 0 stored, 3 to train",
            "Trained 3 trials in * s; no prediction, since nothing of their kind had been timed",
        ]
    )
    plan.stdout.fnmatch_lines(
        [
            "tlbench plan: 7 trials, 3 stored, 4 to train, about * s",
            "*fast, seed 0*stored",
            "*fast, seed 1*to train, ~* s",
            "7 trials serve * uses; 3 are stored, 4 to train. *",
            "About * s in 1 process, from 3 stored timings of this environment.",
            "How much memory is unknown: no saved run of this machine trained these networks; --tlbench-save *",
        ]
    )
    plan.stdout.no_fnmatch_line("Trained*")
    second.stdout.fnmatch_lines(
        [
            "tlbench plan: 7 trials, 3 stored, 4 to train, about * s",
            "Trained 4 trials in * s; predicted * s (ratio *.*)",
            "The report is *",
        ]
    )
    third.stdout.fnmatch_lines(["tlbench plan: 7 trials, 7 stored, 0 to train", "The report is *"])
    third.stdout.no_fnmatch_line("Trained*")


def test_workers_share_the_store_and_the_controller_reports(project):
    """Under pytest-xdist every trial is trained once, and the summary is printed once."""
    result = project.runpytest_subprocess("-n", "2", "-p", "xdist", "--tlbench-save", "together")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*tlbench: the claim is supported*", "supported *test_better*"])
    assert 10 == len(list(project.path.glob(".tlbench/results/*/*/result.json")))
    (saved,) = project.path.glob(".tlbench/baselines/*/0001_together.json")
    content = json.loads(saved.read_text())
    assert {"fast", "slow", "moved", "source"} == {arm["labels"][0] for arm in content["arms"]}
    assert ["test_better[0.01]"] == [claim["name"] for claim in content["claims"]]


def test_an_interrupted_run_is_not_saved(project):
    """Its trials are stored; as a baseline it would lack the rest."""
    project.makepyfile(test_study=f"{STUDY}\n\ndef test_stop():\n    raise KeyboardInterrupt\n")

    result = project.runpytest_inprocess(
        "-k", "rates or stop", "--tlbench-seeds", "1", "--tlbench-save", "half", no_reraise_ctrlc=True
    )

    assert pytest.ExitCode.INTERRUPTED == result.ret
    assert list(project.path.glob(".tlbench/results/*/*/result.json"))
    assert not list(project.path.glob(".tlbench/baselines/*/*.json"))


def test_seeds_are_added_to_what_few_do_not_decide(project):
    """Two arms alike but for noise: so few seeds do not tell them apart, and the header says how many there may be."""
    study = STUDY.replace("learning_rate=rate", "learning_rate=1e-3").replace(
        "learning_rate=1e-6", "learning_rate=1.3e-3"
    )
    project.makepyfile(test_study=study)

    result = project.runpytest("-v", "-k", "better", "--tlbench-seeds", "2", "--tlbench-max-seeds", "4")

    result.stdout.fnmatch_lines(["tlbench: *2 seeds, up to 4 where they do not decide", "tlbench plan: 4 trials*"])
    result.stdout.fnmatch_lines(["inconclusive*test_better*", "*by seed*0: *", "*3: *", "*on macro-F1 *"])
    assert 8 == len(list(project.path.glob(".tlbench/results/*/*/result.json")))


def test_the_reference_path_keeps_its_results_apart(project):
    """Nothing of the faster way is taken for it; weights are the same, and predictions but for their last bits."""
    chosen = ("-k", "better", "--tlbench-seeds", "1")
    project.runpytest(*chosen).assert_outcomes(skipped=1)  # One seed does not decide.

    result = project.runpytest(*chosen, "--tlbench-reference", "-v")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        [
            "tlbench training: one trial after the other, each by a fresh network and a plain fit (*)",
            "tlbench plan: 2 trials, 0 stored, 2 to train*",
        ]
    )
    fast, plain = (
        {path.parent.name: path.parent for path in project.path.glob(f"{store}/results/*/*/result.json")}
        for store in (".tlbench", ".tlbench/reference-1")
    )
    assert 2 == len(fast)
    assert fast.keys() == plain.keys()
    for digest, place in fast.items():
        with np.load(place / "weights.npz") as ours, np.load(plain[digest] / "weights.npz") as theirs:
            assert all(theirs[path].tobytes() == ours[path].tobytes() for path in theirs.files)
        with np.load(place / "predictions.npz") as ours, np.load(plain[digest] / "predictions.npz") as theirs:
            # The paths predict in batches of other sizes, see tests/train/test_reference.py.
            np.testing.assert_array_max_ulp(theirs["probabilities"], ours["probabilities"], 8)


def test_frozen_flows_can_be_computed_in_every_step(project):
    """The header says so."""
    result = project.runpytest("-k", "rates", "--tlbench-seeds", "1", "--tlbench-no-prefix-cache", "-v")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["tlbench training: in this process, frozen flows computed in every step"])


def test_fresh_workers_train_each_trial_once(project):
    """They take part in one run: none trains again what another has trained in it, and the report finds all of it."""
    project.makeini("[pytest]\ntlbench_profile = tiny\naddopts = -p no:cacheprovider -p no:benchmark\n")

    result = project.runpytest_subprocess(
        "-k", "rates or curves", "--tlbench-seeds", "1", "-n", "2", "-p", "xdist", "--tlbench-fresh"
    )

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["The report is *"])
    assert 3 == len(list(project.path.glob(".tlbench/results/*/*/result.json")))
    assert 1 == len({json.loads(path.read_text())["run"] for path in project.path.glob(".tlbench/results/*/*/*.json")})
