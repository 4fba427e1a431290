"""The plugin, in somebody else's project."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time

from pathlib import Path
from xml.etree import ElementTree as ET

# pytester forgets what an inner run imports, and compiled modules cannot be imported twice.
import jsonschema
import keras  # noqa: F401
import matplotlib.figure  # noqa: F401
import numpy as np
import pandas as pd  # noqa: F401
import PIL.Image  # noqa: F401
import pytest
import schema
import scipy.stats  # noqa: F401
import sklearn.metrics  # noqa: F401
import statsmodels.stats.power  # noqa: F401

from click.testing import CliRunner

import tlbench.training  # noqa: F401

from tlbench.cli import main
from tlbench.report import content


PEBBLE = Path(__file__).with_name("pebble.py").read_text()

# A profile that trains in seconds; the network is that of our own tests.
PROFILE = """
import numpy as np
from pebble import Pebble
from tlbench.datasets.dataset import Dataset, Split
from tlbench.profiles import Profile
from tlbench.trials import Recipe

def colours(size, classes=("cat", "dog", "person"), seed=0):
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(classes)), 30)
    images = generator.integers(0, 200, (len(labels), size, size, 3))
    images[np.arange(len(labels)), :, :, labels] += 40
    return Dataset("colours", images.astype(np.uint8), labels, classes, stand_in="photographs")

def pytest_tlbench_profiles():
    recipe = Recipe(learning_rate=1e-2, batch_size=8, epochs=2)
    split = Split(validation=0.2, test=0.3)
    return [Profile("tiny", colours, lambda size: colours(size, seed=1), Pebble(), recipe, split, recipe)]
"""

STUDY = '''
import pytest
from tlbench.claims import score
from tlbench.report.figures import Curves
from tlbench.report.tables import Column, Row, Table

FROZEN = ("entry", "middle", "exit")

def better_rate(study, rate):
    fast = study.random("fast", recipe=study.recipe.at(learning_rate=rate))
    return score(fast).beats(score(study.random("slow", recipe=study.recipe.at(learning_rate=1e-6))))

def rates(study):
    rows = [
        Row("fast", {"accuracy": score(study.random("fast"))}, {"accuracy": "99%"}),
        Row("moved", {"accuracy": score(study.transferred("moved", frozen=FROZEN))}),
    ]
    return Table("Table A", "two arms", "arm", (Column("accuracy"),), tuple(rows))

def curves(study):
    return Curves("Figure A", "two curves", study.random("fast"), study.transferred("moved", frozen=FROZEN))

@pytest.mark.tlbench_table(declare=rates)
def test_rates(table):
    assert table.filled

@pytest.mark.tlbench_claim(declare=better_rate)
@pytest.mark.parametrize("rate", [1e-2])
def test_better(verdict):
    """A network that moves learns more than one that does not."""
    assert verdict.supported, verdict

@pytest.mark.tlbench_figure(declare=curves)
def test_curves(figure):
    assert figure.epochs_to_match
'''


@pytest.fixture
def project(pytester):
    """A project of its own with a tiny profile and a study."""
    pytester.makepyfile(pebble=PEBBLE)
    pytester.makeconftest(PROFILE)
    pytester.makepyfile(test_study=STUDY)
    pytester.makeini(
        "[pytest]\ntlbench_profile = tiny\ntlbench_workers = 1\naddopts = -p no:cacheprovider -p no:benchmark\n"
    )
    return pytester


def test_a_study_runs_in_a_project_of_its_own(project):
    """Tables, figure and verdicts are printed and written; a second run trains nothing."""
    first = project.runpytest("--tlbench-report", "out")

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

    second = project.runpytest("--tlbench-report", "again")

    second.assert_outcomes(passed=3)
    second.stdout.fnmatch_lines(["tlbench plan: 10 trials, 10 stored, 0 to train"])
    second.stdout.no_fnmatch_line("*trial 1/*")
    again = json.loads((project.path / "again" / "results.json").read_text())
    assert results | {"created": ""} == again | {"created": ""}


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


def test_the_plan_is_shown_and_nothing_is_trained(project):
    """Each trial with what it serves, what it starts from and whether it is stored."""
    result = project.runpytest("--tlbench-plan")

    assert 0 == result.ret
    result.stdout.fnmatch_lines(
        ["*tlbench plan*", "*fast, seed 0*random*nothing*to train*", "10 trials serve *0 are stored, 10 to train*"]
    )
    assert not list((project.path).glob(".tlbench/results/*"))


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
            "*Table A: two arms*",
            "Trained 4 trials in * s; predicted * s (ratio *.*)",
            "The report is *",
        ]
    )
    third.stdout.fnmatch_lines(["tlbench plan: 7 trials, 7 stored, 0 to train", "The report is *"])
    third.stdout.no_fnmatch_line("Trained*")


def test_test_images_that_are_also_trained_on_are_counted(project):
    """Copies on both sides of the split raise every score, so the header names their number."""
    project.makeconftest(PROFILE.replace("(0, 200,", "(0, 1,"))

    result = project.runpytest("--tlbench-plan")

    # All images of a class are equal: each of the 27 that test has copies among those that train.
    result.stdout.fnmatch_lines(
        ["tlbench note: Test images of colours that are, pixel by pixel, also among those it trains on: 27."]
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
    result.stdout.fnmatch_lines(["inconclusive test_better*", "*not judged: inconclusive, one seed says nothing*"])


def test_an_inconclusive_claim_fails_where_asked_to(project):
    """`--tlbench-inconclusive fail` makes it a failure."""
    result = project.runpytest("-k", "better", "--tlbench-seeds", "1", "--tlbench-inconclusive", "fail")

    assert 1 == result.ret
    result.stdout.fnmatch_lines(["*not judged: inconclusive*"])


def test_a_refuted_claim_fails_and_still_has_its_row(project):
    """The verdict stands in the failure and in the report."""
    study = STUDY.replace("learning_rate=rate", "learning_rate=1e-7").replace(
        "learning_rate=1e-6", "learning_rate=1e-2"
    )
    project.makepyfile(test_study=study)

    result = project.runpytest("-k", "better or rates")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: refuted*", "*Table A*", "refuted *test_better*"])


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
        from tlbench.claims import score
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
    result.stderr.fnmatch_lines(["ERROR: Tables, and figures, need names of their own*Received: Table more than once"])


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


def test_a_claim_on_a_class_that_the_data_lack_is_skipped(project):
    """The reason names the class and those there are."""
    project.makepyfile(
        test_study="""
        import pytest
        from tlbench.claims import score
        from tlbench.tasks import Task

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


def test_workers_share_the_store_and_the_controller_reports(project):
    """Under pytest-xdist every trial is trained once, and the summary is printed once."""
    result = project.runpytest_subprocess("-n", "2", "-p", "xdist", "--tlbench-save", "together")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*Table A: two arms*", "*tlbench verdicts*", "supported *test_better*"])
    assert 10 == len(list(project.path.glob(".tlbench/results/*/*/result.json")))
    (saved,) = project.path.glob(".tlbench/baselines/*/0001_together.json")
    content = json.loads(saved.read_text())
    assert {"fast", "slow", "moved", "source"} == {arm["labels"][0] for arm in content["arms"]}
    assert ["test_better[0.01]"] == [claim["name"] for claim in content["claims"]]


def test_a_quiet_run_has_no_lines_of_progress(project):
    """-q leaves the tables and verdicts."""
    result = project.runpytest("-q", "-k", "better", "--tlbench-seeds", "2")

    result.stdout.no_fnmatch_line("*trial 1/*")
    result.stdout.fnmatch_lines(["*tlbench verdicts*"])


def test_a_project_without_claims_is_left_alone(pytester):
    """No store, no images, no report: a line in the header is all."""
    pytester.makepyfile("def test_one(): pass")

    result = pytester.runpytest("-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["tlbench: *profile miniature*"])
    result.stdout.no_fnmatch_line("*verdicts*")
    assert not (pytester.path / ".tlbench").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tlbench-profile", "huge"], "*--tlbench-profile must be one of miniature, thumbnail, poster*'huge'*"),
        (["--tlbench-seeds", "0"], "*--tlbench-seeds must be at least 1. Received: 0*"),
        (["--tlbench-seeds", "-2"], "*--tlbench-seeds must be at least 1. Received: -2*"),
        (["--tlbench-seeds", "two"], "*--tlbench-seeds must be a whole number. Received: 'two'*"),
        (["--tlbench-data", "nowhere.zip"], "*--tlbench-data names a file or folder that is not there*nowhere.zip*"),
        (["--tlbench-source", "nowhere"], "*--tlbench-source must be embedded, imagenet or an image folder*nowhere*"),
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


def test_a_run_is_saved_and_compared_with_a_later_one(project):
    """Nothing has changed, so nothing fails."""
    project.runpytest("--tlbench-save", "before").assert_outcomes(passed=3)
    plan = project.runpytest("--tlbench-plan", "--tlbench-seeds", "4")

    plan.stdout.fnmatch_lines(["About * s in 1 process, from * stored timings *; up to *.* GB, as in a saved run."])

    again = project.runpytest("--tlbench-compare", "before", "--tlbench-compare-fail", "accuracy,claims,fingerprint")

    assert 0 == again.ret
    again.stdout.fnmatch_lines(
        [
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
    project.runpytest("--tlbench-compare", "before").stdout.fnmatch_lines(
        ["Warning: *elsewhere/0001_before.json is of another machine than this one, *", "passed (accuracy,claims)"]
    )


def test_a_regression_fails_the_run_and_is_not_saved(project):
    """The command that accepts it is printed; verdicts of the tests themselves may all be fine."""
    project.runpytest("-k", "rates", "--tlbench-save", "good")
    (saved,) = project.path.glob(".tlbench/baselines/*/0001_good.json")
    content = json.loads(saved.read_text())
    for arm in content["arms"]:
        for scores in arm["trials"].values():
            scores["loss"] -= 5
    saved.write_text(json.dumps(content))

    result = project.runpytest("-k", "rates", "--tlbench-save", "good", "--tlbench-compare=good")

    result.assert_outcomes(passed=1)
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    result.stdout.fnmatch_lines(
        [
            "FAILED: accuracy, macro-F1 or loss has regressed: *",
            "To accept what has changed: pytest -k rates *--tlbench-save good",
            "Not saved as 'good', since it failed the comparison.",
        ]
    )
    assert [saved] == list(project.path.glob(".tlbench/baselines/*/*.json"))


@pytest.mark.parametrize(
    ("reference", "content", "message"),
    [
        ("nothing", None, "Warning: nothing to compare with: no saved run 'nothing' in *--tlbench-save nothing.*"),
        ("old.json", '{"schema_ver', "Warning: nothing to compare with: The saved run *old.json cannot be read*"),
        ("old.json", '{"schema_version": 99}', "Warning: nothing to compare with: *newer tlbench*Received: 99*"),
    ],
)
def test_what_cannot_be_compared_with_is_a_warning(project, reference, content, message):
    """The run's own results count, and are saved."""
    if content is not None:
        (project.path / reference).write_text(content)

    result = project.runpytest(
        "-k", "rates", "--tlbench-seeds", "2", "--tlbench-compare", reference, "--tlbench-autosave"
    )

    assert 0 == result.ret
    result.stdout.fnmatch_lines([message, "Saved as *0001_20*_autosaved.json"])


def test_an_interrupted_run_is_not_saved(project):
    """Its trials are stored; as a baseline it would lack the rest."""
    project.makepyfile(test_study=f"{STUDY}\n\ndef test_stop():\n    raise KeyboardInterrupt\n")

    result = project.runpytest_subprocess("-k", "rates or stop", "--tlbench-seeds", "1", "--tlbench-save", "half")

    assert pytest.ExitCode.INTERRUPTED == result.ret
    assert list(project.path.glob(".tlbench/results/*/*/result.json"))
    assert not list(project.path.glob(".tlbench/baselines/*/*.json"))


def test_seeds_are_added_to_what_few_do_not_decide(project):
    """Two arms alike but for noise: so few seeds do not tell them apart, and the header says how many there may be."""
    study = STUDY.replace("learning_rate=rate", "learning_rate=1e-3").replace(
        "learning_rate=1e-6", "learning_rate=1.3e-3"
    )
    project.makepyfile(test_study=study)

    result = project.runpytest("-k", "better", "--tlbench-seeds", "2", "--tlbench-max-seeds", "4")

    result.stdout.fnmatch_lines(["tlbench: *2 seeds, up to 4 where they do not decide", "tlbench plan: 4 trials*"])
    result.stdout.fnmatch_lines(["inconclusive*test_better*", "*by seed*0: *", "*3: *", "*on macro-F1 *"])
    assert 8 == len(list(project.path.glob(".tlbench/results/*/*/result.json")))


def test_the_reference_path_keeps_its_results_apart(project):
    """Nothing of the faster way is taken for it, and it comes to the same predictions."""
    chosen = ("-k", "better", "--tlbench-seeds", "2")
    project.runpytest(*chosen).assert_outcomes(skipped=1)  # Two seeds do not decide.

    result = project.runpytest(*chosen, "--tlbench-reference")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        [
            "tlbench training: one trial after the other, each by a fresh network and a plain fit (*)",
            "tlbench plan: 4 trials, 0 stored, 4 to train*",
        ]
    )
    fast, plain = (
        {path.parent.name: np.load(path)["probabilities"] for path in project.path.glob(f"{store}/results/*/*/pred*")}
        for store in (".tlbench", ".tlbench/reference")
    )
    assert 4 == len(fast)
    assert fast.keys() == plain.keys()
    assert all(fast[digest].tobytes() == plain[digest].tobytes() for digest in fast)


def test_frozen_flows_can_be_computed_in_every_step(project):
    """The header says so."""
    result = project.runpytest("-k", "rates", "--tlbench-seeds", "1", "--tlbench-no-prefix-cache")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["tlbench training: in this process, frozen flows computed in every step"])


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
