"""The plugin's saved runs, and runs held against them."""

from __future__ import annotations

import json

import pytest

from click.testing import CliRunner

from tlbench.hosts.cli import main
from tlbench.hosts.plugin import NOT_MEASURED


def better_than_it_was(project):
    """Make the losses of the run that is saved as `good` far better, so that any run after it has regressed."""
    (saved,) = project.path.glob(".tlbench/baselines/*/0001_good.json")
    content = json.loads(saved.read_text())
    for arm in content["arms"]:
        for scores in arm["trials"].values():
            scores["scores"]["loss"] -= 5
    saved.write_text(json.dumps(content))
    return saved


def test_a_run_is_saved_and_compared_with_a_later_one(project):
    """Nothing has changed, so nothing fails."""
    project.runpytest("--tlbench-save", "before").assert_outcomes(passed=3)
    plan = project.runpytest("--tlbench-plan", "--tlbench-seeds", "4")

    plan.stdout.fnmatch_lines(["About * s in 1 process, from * stored timings *; up to *.* GB, as in a saved run."])

    again = project.runpytest(
        "--tlbench-fresh", "--tlbench-compare", "before", "--tlbench-compare-fail", "accuracy,claims,fingerprint"
    )

    assert 0 == again.ret
    again.stdout.fnmatch_lines(
        [
            "tlbench plan: 10 trials, 0 stored, 10 to train*",
            "*tlbench comparison*",
            "before * -> this run *, paired by seed",
            "test_better*same*supported*",
            "mean of all arms*same*",
            "arms: * same; claims: 1 same",
            "passed (accuracy,claims,fingerprint)",
        ]
    )
    page = (project.path / ".tlbench" / "report" / "comparison.md").read_text()
    assert r"| test\_better\[0.01\] | same" in page
    assert '<h2 id="comparison-title">Comparison</h2>' in (
        project.path / ".tlbench" / "report" / "report.html"
    ).read_text(encoding="utf-8")

    (saved,) = project.path.glob(".tlbench/baselines/*/0001_before.json")
    saved.parent.rename(saved.parent.with_name("elsewhere"))
    project.runpytest("--tlbench-compare", "before", "--tlbench-compare-fail", "accuracy").stdout.fnmatch_lines(
        ["*BaselineWarning: *elsewhere/0001_before.json is of another machine than this one, *", "passed (accuracy)"]
    )


def test_a_run_that_measures_nothing_has_not_passed(project):
    """It is compared with itself: a status of its own, in terminal, page and JSON, and the command that measures."""
    chosen = ("-k", "rates", "--tlbench-seeds", "1")
    project.runpytest(*chosen, "--tlbench-save", "before")

    result = project.runpytest(*chosen, "--tlbench-compare", "before", "--tlbench-save", "before")

    assert NOT_MEASURED == result.ret
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "tlbench plan: 3 trials, 3 stored, 0 to train",
            "fast *not measured*0 of 1*every result is the same measurement in both runs",
            "training step *not measured",
            "arms: 3 not measured; claims: none in common",
            "NOT MEASURED: 3 of 3 arms rest on the same measurements in both runs: *; --tlbench-fresh *",
            "To measure: pytest -k rates --tlbench-seeds 1 --tlbench-compare before --tlbench-fresh",
            "Not saved as 'before', since nothing of it, or too little, was measured.",
        ]
    )
    result.stdout.no_fnmatch_line("passed (*")
    report = project.path / ".tlbench" / "report"
    comparison = json.loads((report / "results.json").read_text(encoding="utf-8"))["comparison"]
    assert "not measured" == comparison["outcome"]
    assert {"not measured"} == {arm["status"] for arm in comparison["arms"]}
    assert '<strong class="outcome">not measured</strong>' in (report / "report.html").read_text(encoding="utf-8")
    listed = CliRunner().invoke(main, ["compare", "before", "before", "--store", str(project.path / ".tlbench")])
    assert 3 == listed.exit_code

    lenient = project.runpytest(*chosen, "--tlbench-compare", "before", "--tlbench-compare-fail", "accuracy")
    assert 0 == lenient.ret
    lenient.stdout.fnmatch_lines(["NOT MEASURED: *"])
    lenient.stdout.no_fnmatch_line("passed (*")


def test_another_environment_is_measured(project, monkeypatch):
    """Nothing stored is read under another flag: the comparison is a real one."""
    chosen = ("-k", "rates", "--tlbench-seeds", "1")
    project.runpytest(*chosen, "--tlbench-save", "before")
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")

    result = project.runpytest(*chosen, "--tlbench-compare", "before", "--tlbench-compare-fail", "accuracy,measured")

    result.stdout.fnmatch_lines(
        ["tlbench plan: 3 trials, 0 stored, 3 to train*", "flag NVIDIA_TF32_OVERRIDE *-*0", "fast *not judged*1 of 1*"]
    )
    assert 0 == result.ret


def test_a_regression_fails_the_run_until_it_is_accepted(project):
    """It is saved and marked, and no baseline; verdicts of the tests themselves may all be fine."""
    chosen = ("-k", "rates", "--tlbench-seeds", "2")
    project.runpytest(*chosen, "--tlbench-save", "good")
    better_than_it_was(project)

    compared = (*chosen, "--tlbench-fresh", "--tlbench-save", "good", "--tlbench-compare=good")
    result = project.runpytest(*compared)
    again = project.runpytest(*compared)

    result.assert_outcomes(passed=1)
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    result.stdout.fnmatch_lines(
        [
            "FAILED: accuracy, macro-F1 or loss has regressed: *",
            "Saved as *0002_good.json, marked as failed: no run is compared with it until it is accepted",
            "To accept the changes: tlbench accept 0002",
        ]
    )
    assert pytest.ExitCode.TESTS_FAILED == again.ret
    again.stdout.fnmatch_lines(["To accept the changes: tlbench accept 0003"])
    store = str(project.path / ".tlbench")
    listed = CliRunner().invoke(main, ["list", "--store", store]).output.splitlines()
    assert [False, True, True] == ["failed its comparison" in line for line in listed if "_good" in line]

    accepted = CliRunner().invoke(main, ["accept", "0002", "--store", store])
    assert 0 == accepted.exit_code, accepted.output
    passed = project.runpytest(*compared)
    assert pytest.ExitCode.OK == passed.ret
    passed.stdout.fnmatch_lines(["passed (*", "Saved as *0004_good.json"])


def test_a_failed_run_that_is_not_saved_says_how_to_save_it(project):
    """By the same command without the comparison."""
    project.runpytest("-k", "rates", "--tlbench-save", "good")
    saved = better_than_it_was(project)

    result = project.runpytest("-k", "rates", "--tlbench-fresh", "--tlbench-compare=good")

    result.stdout.fnmatch_lines(["To accept the changes: pytest -k rates --tlbench-fresh --tlbench-save good"])
    assert [saved] == list(project.path.glob(".tlbench/baselines/*/*.json"))


@pytest.mark.parametrize(
    ("reference", "content", "message"),
    [
        (
            "nothing",
            None,
            "nothing to compare with: no saved run 'nothing' in *--tlbench-save nothing.*",
        ),
        (
            "old.json",
            '{"schema_ver',
            "nothing to compare with: The saved run *old.json cannot be read*",
        ),
        (
            "old.json",
            '{"schema_version": 99}',
            "nothing to compare with: *newer tlbench*Received: 99*",
        ),
    ],
)
def test_what_cannot_be_compared_with_is_a_warning(project, reference, content, message):
    """The run's own results count, and are saved."""
    if content is not None:
        (project.path / reference).write_text(content)

    result = project.runpytest(
        "-k", "rates", "--tlbench-seeds", "1", "--tlbench-compare", reference, "--tlbench-autosave"
    )

    assert 0 == result.ret
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines([f"*BaselineWarning: {message}"])
    result.stdout.fnmatch_lines(["Saved as *0001_20*_autosaved.json"])


def test_a_missing_baseline_fails_where_warnings_are_errors(project):
    """As the project's own configuration asks, in a line and without a traceback."""
    result = project.runpytest(
        *("-k", "rates", "--tlbench-seeds", "1", "--tlbench-compare", "nothing"),
        *("-W", "error::tlbench.hosts.plugin.BaselineWarning"),
    )

    assert pytest.ExitCode.TESTS_FAILED == result.ret
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["FAILED: nothing to compare with: no saved run 'nothing' in *"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
