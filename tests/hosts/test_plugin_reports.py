"""What the plugin writes of a run, and what can be done with it."""

from __future__ import annotations

import shlex

from xml.etree import ElementTree as ET

import pytest

from click.testing import CliRunner
from projects import STUDY

from tlbench.hosts.cli import main
from tlbench.report import content


def test_a_refuted_claim_fails_and_still_has_its_row(project):
    """The verdict stands in the failure and in the report."""
    study = STUDY.replace("learning_rate=rate", "learning_rate=1e-7").replace(
        "learning_rate=1e-6", "learning_rate=1e-2"
    )
    project.makepyfile(test_study=study)

    result = project.runpytest("-k", "better or rates")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "refuted, *",
            "difference -* points, interval *",
            "by seed: -*",
            "accuracy of * against *",
            "refuted *test_better*",
        ]
    )


def test_one_trial_is_repeated_by_the_command_that_the_report_prints(project):
    """It ends in the same bits, from its stored source, and nothing in the store changes."""
    project.runpytest("--tlbench-report", "out", "--tlbench-seeds", "2")
    report = content.load(project.path / "out" / "results.json")
    (moved,) = (arm for arm in report.arms if arm.labels == ("moved",))
    command = content.repeat_command(report, moved.trials[1])
    before = {path: path.stat().st_mtime_ns for path in (project.path / ".tlbench").rglob("*") if path.is_file()}

    assert ["pytest", "--tlbench-seeds", "2", "--tlbench-repeat", moved.trials[1].digest[:12]] == shlex.split(command)
    repeated = project.runpytest(*shlex.split(command)[1:])

    assert 0 == repeated.ret
    repeated.stdout.fnmatch_lines(
        [
            "*trial 1/1 [[]moved, seed 1[]]*",
            f"moved, seed 1 ({moved.trials[1].digest[:12]}), again: accuracy *",
            "stored: accuracy *",
            "All probabilities of the test images are the same, bit for bit.",
        ]
    )
    repeated.stdout.no_fnmatch_line("*pretraining*")
    assert before == {
        path: path.stat().st_mtime_ns for path in (project.path / ".tlbench").rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("digest", ["", "0" * 64, "zebra"])
def test_a_digest_of_no_trial_cannot_be_repeated(project, digest):
    """The message says how many trials there are, and where they are listed."""
    result = project.runpytest(f"--tlbench-repeat={digest or ' '}", "--tlbench-seeds", "1")

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["ERROR: --tlbench-repeat must be the beginning of one trial's digest*--tlbench-plan*"])


def test_a_report_is_made_again_without_training(project):
    """From the store or from results.json, the same files, byte for byte."""
    project.runpytest("--tlbench-report", "out", "--tlbench-seeds", "2")
    first = {path.name: path.read_bytes() for path in (project.path / "out").iterdir()}

    for source, folder in ((".tlbench", "from-store"), ("out/results.json", "from-results")):
        made = CliRunner().invoke(main, ["report", source, "--to", folder])

        assert 0 == made.exit_code, made.output
        assert f"The report is {folder}/report.html" in made.output
        assert first == {path.name: path.read_bytes() for path in (project.path / folder).iterdir()}


def test_a_report_of_no_run_cannot_be_made(tmp_path):
    """The message says what to name."""
    made = CliRunner().invoke(main, ["report", str(tmp_path)])

    assert 2 == made.exit_code
    assert "name a results.json or the store of a run" in made.output


def test_two_tables_of_one_name_are_refused(project):
    """One's files would take the place of the other's."""
    project.makepyfile(
        test_study="""
        import pytest
        from tlbench.declare.claims import score
        from tlbench.report.tables import Column, Row, Table

        def table_of(study, rate):
            arm = study.random("an arm", recipe=study.recipe.at(learning_rate=rate))
            return Table("Table", "t", "arm", (Column("accuracy"),), (Row("x", {"accuracy": score(arm)}),))

        @pytest.mark.tlbench_table(declare=table_of)
        @pytest.mark.parametrize("rate", [0.1, 0.2])
        def test_table(table):
            assert table.filled
        """
    )

    result = project.runpytest()

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["ERROR: Tables and figures need names of their own*Received: table more than once"])


def test_a_selection_without_tests_writes_no_report(project):
    """What an earlier run has written stays."""
    project.runpytest("--tlbench-seeds", "1")
    before = (project.path / ".tlbench" / "report" / "results.json").read_bytes()

    result = project.runpytest("-k", "nothing")

    assert pytest.ExitCode.NO_TESTS_COLLECTED == result.ret
    assert before == (project.path / ".tlbench" / "report" / "results.json").read_bytes()


def test_a_single_claim_has_a_report_of_its_own(project):
    """Without the tables and figures that were not asked for."""
    project.runpytest("-k", "better", "--tlbench-seeds", "2")
    report = content.load(project.path / ".tlbench" / "report" / "results.json")

    assert (("test_better[0.01]",), (), ()) == (
        tuple(claim.name for claim in report.claims),
        report.tables,
        report.figures,
    )
    assert {"fast", "slow"} == {label for arm in report.arms for label in arm.labels}


def test_verdicts_are_properties_in_junits_xml(project):
    """Of the test that asked for them."""
    project.runpytest("--junitxml", "junit.xml", "--tlbench-seeds", "2")
    cases = ET.parse(project.path / "junit.xml").iter("testcase")
    properties = {
        case.get("name"): {each.get("name"): each.get("value") for each in case.iter("property")} for case in cases
    }

    assert {"tlbench_outcome", "tlbench_effect", "tlbench_difference", "tlbench_p"} == set(
        properties["test_better[0.01]"]
    )
    assert {} == properties["test_rates"]


def test_a_project_gets_the_report_by_a_hook(project):
    """Verdicts, trials and environments as values, once the files are written."""
    path = project.path / "conftest.py"
    path.write_text(
        f"{path.read_text()}\n\n"
        "def pytest_tlbench_report(report):\n"
        "    print('hooked', [claim.outcome for claim in report.claims], report.environments[0].backend)\n"
    )

    result = project.runpytest("-k", "better", "--tlbench-seeds", "1")

    result.stdout.fnmatch_lines(["The report is *", "hooked [[]'inconclusive'[]] *"])
