"""The plugin, in somebody else's project."""

from __future__ import annotations

import json
import subprocess
import sys

import jsonschema
import pytest
import schema

from projects import PROFILE, STUDY


def test_a_study_runs_in_a_project_of_its_own(project):
    """Tables, figure and verdicts are printed and written; a second run trains nothing."""
    first = project.runpytest("--tlbench-report", "out", "-v")

    first.assert_outcomes(passed=3)
    first.stdout.fnmatch_lines(
        [
            "tlbench: *profile tiny, 3 seeds",
            "tlbench dataset: colours, 90 images in 3 classes, digest *",
            "tlbench note: Dataset colours is a stand-in for photographs.",
            "tlbench plan: 10 trials, 0 stored, 10 to train",
            "*trial 1/10 [[]pretraining on colours[]]: accuracy * left",
            "*Table A: two arms*",
            "arm *accuracy *by seed *published*",
            "*Figure A: two curves*",
            "*tlbench verdicts*",
            "supported *test_better[[]0.01[]]: A network that moves learns more*",
        ]
    )
    results = json.loads((project.path / "out" / "results.json").read_text())
    jsonschema.validate(results, json.loads(schema.PATH.read_text(encoding="utf-8")))
    assert ["supported"] == [claim["outcome"] for claim in results["claims"]]
    assert ["Table A"] == [table["name"] for table in results["tables"]]
    assert 10 == sum(len(arm["trials"]) for arm in results["arms"])
    written = {path.name for path in (project.path / "out").iterdir()}
    assert {"report.html", "report.md", "table-a.md", "table-a.csv", "table-a.tex"} < written
    assert {"figure-a.png", "figure-a.svg", "figure-a.csv"} < written

    second = project.runpytest("--tlbench-report", "again", "-v")

    second.assert_outcomes(passed=3)
    second.stdout.fnmatch_lines(["tlbench plan: 10 trials, 10 stored, 0 to train"])
    second.stdout.no_fnmatch_line("*trial 1/*")
    again = json.loads((project.path / "again" / "results.json").read_text())
    assert results | {"created": ""} == again | {"created": ""}


def test_the_terminal_ends_with_the_answer(project):
    """A line for each claim, notes, and the report, on one screen; the header takes two lines."""
    result = project.runpytest("--tlbench-seeds", "2", "-k", "better or rates")

    lines = result.stdout.lines
    result.stdout.fnmatch_lines(
        [
            "tlbench study: colours (90 images in 3 classes), Pebble(*), transferred from *, 2 seeds",
            "tlbench plan: 7 trials, 0 stored, 7 to train",
            "*tlbench: the claim *",
            "verdict * points interval * p * claim",
            "* test_better[[]0.01[]]",
            "Note: *",
            "Trained 7 trials in *",
            "The report is *report.html",
        ]
    )
    (start,) = (number for number, line in enumerate(lines) if "tlbench: the claim" in line)
    assert len(lines) - start <= 12
    assert 2 == sum(line.startswith(("tlbench study", "tlbench plan", "tlbench note")) for line in lines)


@pytest.mark.parametrize(("quiet", "told"), [("-q", 2), ("-qq", 0)])
def test_a_quiet_run_tells_the_tally_and_the_report(project, quiet, told):
    """In two lines, and none with -qq; there are no lines of progress."""
    result = project.runpytest(quiet, "-k", "better or rates", "--tlbench-seeds", "2")

    lines = [line for line in result.stdout.lines if "tlbench" in line and not line.startswith("SKIPPED")]
    assert told == len(lines)
    result.stdout.no_fnmatch_line("*trial 1/*")
    if told:
        assert lines[0].startswith("tlbench: the claim ")


def test_parts_of_the_report_are_shown_where_asked_for(project):
    """By name; another name is refused."""
    chosen = ("-k", "better or rates", "--tlbench-seeds", "2")
    tables = project.runpytest(*chosen, "--tlbench-show", "tables")
    refused = project.runpytest(*chosen, "--tlbench-show", "tables,pictures")

    tables.stdout.fnmatch_lines(["*Table A: two arms*"])
    tables.stdout.no_fnmatch_line("*by seed 0:*")
    assert pytest.ExitCode.USAGE_ERROR == refused.ret
    refused.stderr.fnmatch_lines(["*--tlbench-show takes tables, figures, * or none, *Received: 'pictures'"])


def test_a_job_gets_the_answer_as_markdown(project, monkeypatch):
    """Below what other steps of the job have written."""
    path = project.path / "summary.md"
    path.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))

    project.runpytest("-k", "better", "--tlbench-seeds", "2")

    lines = path.read_text().splitlines()
    assert "before" == lines[0]
    assert lines[1].startswith("### tlbench: the claim ")
    assert any(line.startswith("| test\\_better\\[0.01\\] | ") for line in lines)


def test_the_plan_is_shown_and_nothing_is_trained(project):
    """Each trial with what it serves, what it starts from and whether it is stored."""
    result = project.runpytest("--tlbench-plan")

    assert 0 == result.ret
    result.stdout.fnmatch_lines(
        ["*tlbench plan*", "*fast, seed 0*random*nothing*to train*", "10 trials serve *0 are stored, 10 to train*"]
    )
    assert not list((project.path).glob(".tlbench/results/*"))


def test_test_images_that_are_also_trained_on_are_counted(project):
    """Copies on both sides of the split raise every score, so the header names their number."""
    project.makeconftest(PROFILE.replace("(0, 200,", "(0, 1,"))

    result = project.runpytest("--tlbench-plan", "-v")

    # All images of a class are equal: each of the 27 that test has copies among those that train.
    result.stdout.fnmatch_lines(
        ["tlbench note: Test images of colours that are, pixel by pixel, also among those * on: 27 under the seed*"]
    )


@pytest.mark.usefixtures("project")
def test_collecting_reads_no_images_and_imports_no_backend():
    """Neither does the help."""
    code = (
        "import sys, pytest\n"
        "pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider'])\n"
        "pytest.main(['--help'])\n"
        "loaded = {'keras', 'tensorflow', 'jax', 'torch', 'pandas', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )

    process = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert 0 == process.returncode, process.stderr
    assert "3 tests collected" in process.stdout
    assert "--tlbench-plan" in process.stdout


def test_an_inconclusive_claim_is_skipped_with_its_reason(project):
    """One seed decides nothing."""
    result = project.runpytest("-k", "better", "--tlbench-seeds", "1", "-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["inconclusive *test_better*", "SKIPPED *inconclusive: one seed says nothing*"])


def test_an_inconclusive_claim_fails_where_asked_to(project):
    """`--tlbench-inconclusive fail` makes it a failure."""
    result = project.runpytest("-k", "better", "--tlbench-seeds", "1", "--tlbench-inconclusive", "fail")

    assert 1 == result.ret
    result.stdout.fnmatch_lines(
        ["inconclusive, one seed says nothing*", "by seed: +*", "accuracy of [[]fast[]] against accuracy of [[]slow[]]"]
    )


def test_a_claim_on_a_class_that_the_data_lack_is_skipped(project):
    """The reason names the class and those there are."""
    project.makepyfile(
        test_study="""
        import pytest
        from tlbench.declare.claims import score
        from tlbench.declare.tasks import Task

        def claim(study):
            return score(study.random("bird/cat", task=Task("bird/cat", bird=["bird"], cat=["cat"]))).is_positive()

        @pytest.mark.tlbench_claim(declare=claim)
        def test_bird(verdict):
            assert verdict.supported
        """
    )

    result = project.runpytest("-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*'bird/cat' needs the class 'bird'*cat, dog, person*"])


def test_a_test_may_ask_for_results_of_its_own(project):
    """The fixtures `study` and `trained` serve what is no claim."""
    project.makepyfile(
        test_study="""
        def test_accuracy(study, trained):
            arm = study.random("mine")

            assert 0 < trained(arm.trial(0)).accuracy <= 1
        """
    )

    project.runpytest().assert_outcomes(passed=1)


def test_a_test_gets_the_results_of_planned_trials_with_all_predictions(project):
    """Each is trained once, though the claim by itself needs no validation."""
    project.makepyfile(
        test_study="""
        import pytest
        from tlbench import score

        def learns(study):
            return score(study.random("mine")).is_positive()

        @pytest.mark.tlbench_claim(declare=learns)
        def test_learns(verdict):
            assert verdict.supported, verdict

        def test_curve(study, trained):
            result = trained(study.random("mine").trial(0))

            assert study.recipe.epochs == len(result.validation_accuracy)
            assert "batch_statistics_accuracy" in result.scores
        """
    )

    result = project.runpytest("--tlbench-seeds", "2")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["Trained 2 trials in *"])


def test_a_project_without_claims_is_left_alone(pytester):
    """No store, no images, no report, no line in the header."""
    pytester.makepyfile("def test_one(): pass")

    result = pytester.runpytest("-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("tlbench*")
    assert not (pytester.path / ".tlbench").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--tlbench-profile", "huge"],
            "*must be one of miniature, thumbnail, pocket, poster*'huge'*",
        ),
        (["--tlbench-seeds", "0"], "*--tlbench-seeds must be at least 1. Received: 0*"),
        (["--tlbench-seeds", "-2"], "*--tlbench-seeds must be at least 1. Received: -2*"),
        (["--tlbench-seeds", "two"], "*--tlbench-seeds must be a whole number. Received: 'two'*"),
        (["--tlbench-data", "nowhere.zip"], "*--tlbench-data names a file or folder that is not there*nowhere.zip*"),
        (
            ["--tlbench-source", "nowhere"],
            "*--tlbench-source must be photographs, imagenet, formula, a weights file, or an image folder*nowhere*",
        ),
        (["--tlbench-max-seeds", "2"], "*--tlbench-max-seeds must be at least the number of seeds, 4. Received: 2*"),
        (["--tlbench-save", "1"], "*A saved run is named with letters*Received: '1'*"),
        (["--tlbench-compare-fail", "speed"], "*--tlbench-compare-fail takes accuracy*Received: 'speed'*"),
        (["--tlbench-inconclusive", "pass"], "*--tlbench-inconclusive must be skip or fail. Received: 'pass'*"),
        (["--tlbench-profile", "miniature", "--tlbench-data", "."], "*The profile miniature has its own images*"),
        (["--tlbench-weights", "."], "*--tlbench-weights is a file of ImageNet weights, and the source is another*"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_options_are_usage_errors(pytester, arguments, message):
    """One line that names the option and the value; exit status 4."""
    pytester.makepyfile("def test_one(): pass")

    result = pytester.runpytest_subprocess(*arguments)

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines([message])


def test_ini_settings_are_options(project):
    """What stands in the ini file need not be typed."""
    project.makeini(
        "[pytest]\ntlbench_profile = tiny\ntlbench_seeds = 2\ntlbench_store = here\ntlbench_workers = 1\n"
        "addopts = -p no:cacheprovider\n"
    )

    result = project.runpytest("-k", "better")

    result.stdout.fnmatch_lines(["tlbench: *2 seeds", "tlbench plan: 4 trials*"])
    assert (project.path / "here" / "store.json").is_file()


def test_gpu_without_a_gpu_is_a_usage_error(project):
    """It names the backend and what it sees, and never falls back."""
    result = project.runpytest_subprocess("--gpu")

    if result.ret == pytest.ExitCode.OK:
        pytest.skip("this machine has a GPU")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*--gpu needs a GPU that the backend sees. Received: tensorflow * sees 0 GPUs*"])


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("tlbench_claim()", "*the marker tlbench_claim takes declare=function*Received: nothing*"),
        ("tlbench_claim(declare=print, seeds=3)", "*the marker tlbench_claim takes declare=function*seeds=3*"),
        ("tlbench_table('Table 1')", "*the marker tlbench_table takes declare=function*'Table 1'*"),
    ],
)
def test_a_misused_marker_is_a_usage_error(pytester, marker, message):
    """It names the test and what was received."""
    pytester.makepyfile(f"import pytest\n@pytest.mark.{marker}\ndef test_one(): pass")

    result = pytester.runpytest_subprocess()

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines([message])


def test_a_declaration_that_needs_a_missing_parameter_is_a_usage_error(project):
    """The function's parameters are those of the test."""
    project.makepyfile(test_study=STUDY.replace('@pytest.mark.parametrize("rate", [1e-2])\n', ""))

    result = project.runpytest_subprocess()

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(
        ["*test_better: what it declares depends on rate, which the test has no parameter for*"]
    )


def test_a_store_of_a_newer_schema_is_a_usage_error(project):
    """It is left as it is."""
    store = project.path / ".tlbench"
    store.mkdir()
    (store / "store.json").write_text('{"schema_version": 99}')

    result = project.runpytest_subprocess()

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*was written by a newer tlbench*Received: 99*"])
    assert ["store.json"] == [path.name for path in store.iterdir()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tlbench-workers", "0"), "*--tlbench-workers must be at least 1. Received: 0"),
        (("--tlbench-workers", "two"), "*--tlbench-workers must be a whole number. Received: 'two'"),
        (
            ("--tlbench-workers", "2", "--tlbench-reference"),
            "*--tlbench-workers must be 1 with --tlbench-reference: it shares nothing. Received: 2",
        ),
    ],
    ids=["none", "no number", "reference"],
)
def test_a_number_of_processes_that_makes_no_sense_is_a_usage_error(project, arguments, message):
    """Before anything is trained."""
    result = project.runpytest(*arguments)

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines([message])
