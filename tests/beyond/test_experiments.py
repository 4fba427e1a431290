"""The experiments as a user runs them, on images of noise: everything is trained, read, drawn and kept."""

from __future__ import annotations

import json
import shutil

from pathlib import Path

import pytest


ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(pytester):
    """A function that runs an experiment on the profile `tiny`, in a process of its own."""
    shutil.copytree(ROOT / "benchmarks", pytester.path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    pytester.makepyfile(**{name: (Path(__file__).parents[1] / f"{name}.py").read_text() for name in ("pebble", "tiny")})
    options = "tlbench_profile = tiny\ntlbench_workers = 1\ntlbench_seeds = 1\ntlbench_report = report"
    pytester.makeini(f"[pytest]\n{options}\naddopts = -p tiny -p no:cacheprovider -p no:benchmark\n")
    pytester.syspathinsert()
    return pytester.runpytest_subprocess


@pytest.mark.parametrize(
    ("experiment", "filled", "readouts", "figure", "cell"),
    [
        ("linear_probes", ["test_probes", "test_probes_by_depth"], 12, "lines", "linear probe at exit"),
        (
            "which_source",
            ["test_which_source", "test_rankings", "test_scores_and_accuracies"],
            12,
            "scatter",
            "nothing predicted<",
        ),
    ],
)
def test_an_experiment_trains_reads_and_draws(experiment, filled, readouts, figure, cell, run, pytester):
    """Claims about noise may fail; tables and figures are filled, and nothing is computed twice."""
    file = f"benchmarks/beyond/test_{experiment}.py"
    done = run(file, "-v")
    report = json.loads((pytester.path / "report" / "results.json").read_text())
    page = (pytester.path / "report" / "report.html").read_text()
    planned = run(file, "--tlbench-plan")

    trials = [trial for arm in report["arms"] for trial in arm["trials"]]
    read = [each for trial in trials for each in trial["evaluations"]]
    done.stdout.fnmatch_lines_random([f"*::{name} PASSED*" for name in filled])
    assert [figure] == [each["kind"] for each in report["figures"]]
    assert readouts == len(read)
    assert all(each["readout"] and each["status"] == "finished" for each in read)
    assert any(trial["training_loss"] == [] for trial in trials)
    assert f">{cell}" in page
    planned.stdout.fnmatch_lines([f"{readouts} evaluations of trained networks; {readouts} stored, 0 to compute*"])
