"""A report in MLflow and TensorBoard, by the real libraries."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

from dataclasses import replace
from importlib.util import find_spec

import pytest
import reports

from click.testing import CliRunner

from tlbench.errors import SinkError
from tlbench.hosts.cli import main
from tlbench.report import sinks


MlflowClient = pytest.importorskip("mlflow.tracking", reason="MLflow is not installed").MlflowClient
accumulators = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed"
)
tensor_util = pytest.importorskip("tensorboard.util.tensor_util", reason="TensorBoard is not installed")

HOSTILE = "a|b <c> $d% \x1b \U0001f600 " + "x" * 600


@pytest.fixture
def mlflow_store(tmp_path, monkeypatch):
    """A store of files, which the smallest package of MLflow can do; a server's is asked the same way."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlruns").as_uri()


def send(report, **targets):
    """What is said of it, when it has gone everywhere."""
    return list(sinks.send(report, targets))


def runs_of(uri):
    """All runs of the experiment, by kind."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("tlbench").experiment_id
    found = {"report": [], "trial": []}
    for run in client.search_runs([experiment]):
        found[run.data.tags["tlbench.kind"]].append(run)
    return client, found


def test_mlflow_has_a_run_for_each_trial_below_that_of_the_report(mlflow_store):
    """With facts, scores, histories and verdicts, and results.json as an artifact."""
    report = reports.mixed()
    send(report, mlflow=mlflow_store)
    client, found = runs_of(mlflow_store)

    (parent,) = found["report"]
    assert "refuted" == parent.data.tags["claim.test_refuted"]
    assert pytest.approx(report.claims[0].effect) == parent.data.metrics["difference/test_refuted"]
    assert ["results.json"] == [file.path for file in client.list_artifacts(parent.info.run_id)]
    assert {parent.info.run_id} == {run.data.tags["mlflow.parentRunId"] for run in found["trial"]}
    by_name = {run.info.run_name: run for run in found["trial"]}
    assert {f"{label}, seed {seed}" for label in "ABC" for seed in (0, 1)} == set(by_name)
    first = by_name["A, seed 0"]
    assert ("FINISHED", 0.8, "Pebble()") == (
        first.info.status,
        first.data.metrics["test_accuracy"],
        first.data.params["network"],
    )
    history = client.get_metric_history(first.info.run_id, "validation_accuracy")
    assert [(1, 0.5), (2, 0.8)] == [(metric.step, metric.value) for metric in history]
    assert 1500 == first.info.end_time - first.info.start_time
    assert "FAILED" == by_name["C, seed 0"].info.status
    assert "diverged" == by_name["C, seed 0"].data.tags["tlbench.status"]


def test_mlflow_is_not_sent_the_same_twice(mlflow_store):
    """Neither a report that differs in its date only, nor trials of another report."""
    sent = [
        *send(reports.report(), mlflow=mlflow_store),
        *send(reports.report(created="2026-11-26T12:00:00+00:00"), mlflow=mlflow_store),
        *send(reports.single(), mlflow=mlflow_store),
    ]
    _, found = runs_of(mlflow_store)

    assert ["4 new trials of 4", "0 new trials of 4", "0 new trials of 4"] == [line.split(": ")[-1] for line in sent]
    assert (2, 4) == (len(found["report"]), len(found["trial"]))


def test_mlflow_has_a_trial_of_two_arms_once(mlflow_store):
    """What is sent is known from then on."""
    arm = reports.arm("A")
    send(reports.report(arms=(arm, replace(arm, labels=("B",)))), mlflow=mlflow_store)

    assert ["A, seed 0", "A, seed 1"] == sorted(run.info.run_name for run in runs_of(mlflow_store)[1]["trial"])


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_mlflow_is_sent_anew_what_a_sending_broke_off_in(mlflow_store, monkeypatch, calls):
    """Be it the report's run or a trial's, so that in the end all is there once, and whole."""
    whole, left = MlflowClient.log_batch, iter(range(1, calls))
    dead = ConnectionError("the line is dead")

    def log_batch(client, *given):
        if next(left, None) is None:
            raise dead
        whole(client, *given)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", log_batch)
        with pytest.raises(SinkError, match=r"not sent to mlflow at .* Received: the line is dead"):
            send(reports.report(), mlflow=mlflow_store)
    send(reports.report(), mlflow=mlflow_store)
    _, found = runs_of(mlflow_store)

    assert (1, 4) == (len(found["report"]), len(found["trial"]))
    assert {"FINISHED"} == {run.info.status for run in found["report"] + found["trial"]}
    assert {0.8, 0.82, 0.6, 0.61} == {run.data.metrics["test_accuracy"] for run in found["trial"]}
    assert "supported" == found["report"][0].data.tags["claim.test_a"]


def test_mlflow_takes_more_than_fits_into_a_call(mlflow_store):
    """A thousand epochs, and hundreds of claims and headings."""
    epochs = tuple(number / 1000 for number in range(1000))
    header = {f"heading {number}": str(number) for number in range(250)}
    claims = tuple(reports.claim(f"test_{number}") for number in range(500))
    arms = (reports.arm("A", (0.8,), validation_accuracy=epochs),)
    send(reports.report(header=header, claims=claims, arms=arms), mlflow=mlflow_store)
    client, found = runs_of(mlflow_store)

    ((parent,), (trial,)) = found["report"], found["trial"]
    history = client.get_metric_history(trial.info.run_id, "validation_accuracy")
    assert list(epochs) == [metric.value for metric in sorted(history, key=lambda metric: metric.step)]
    assert header == parent.data.params
    assert 1000 == len(parent.data.metrics)
    assert 500 == len([tag for tag in parent.data.tags if tag.startswith("claim.")])


@pytest.mark.parametrize("name", [HOSTILE, "a/../b", "a/./b", "a//b", "../../b", "/b", "..", "", "a" * 199 + "/b"])
def test_mlflow_takes_any_name(mlflow_store, name):
    """Cut to what it takes, and its signs exchanged."""
    report = reports.report(
        header={name: HOSTILE}, claims=(reports.claim(name),), arms=(reports.arm(HOSTILE),), tables=(), figures=()
    )
    send(report, mlflow=mlflow_store)
    _, found = runs_of(mlflow_store)

    assert [HOSTILE[:497] + "..."] == list(found["report"][0].data.params.values())
    assert 2 == len(found["report"][0].data.metrics)
    assert 2 == len(found["trial"])


def test_mlflow_tells_names_apart_that_become_the_same(mlflow_store):
    """A verdict must not take another's place."""
    claims = (reports.claim("test_a[<]"), reports.claim("test_a[>]", "refuted"))
    send(reports.report(header={"a|b": "1", "a/b": "2"}, claims=claims), mlflow=mlflow_store)

    data = runs_of(mlflow_store)[1]["report"][0].data
    verdicts = {name: outcome for name, outcome in data.tags.items() if name.startswith("claim.")}
    assert ["refuted", "supported"] == sorted(verdicts.values())
    assert "supported" == verdicts["claim.test_a___"]
    assert ["1", "2"] == sorted(data.params.values())
    assert 4 == len(data.metrics)


def test_an_mlflow_server_that_is_not_there_is_told_soon():
    """MLflow by itself tries for minutes, at the end of each run."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Nobody listens.
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(SinkError, match=f"not sent to mlflow at {uri}; it is written.*Received: "):
            send(reports.report(), mlflow=uri)

    assert time.monotonic() - start < 20


@pytest.mark.skipif(find_spec("sqlalchemy") is not None, reason="all of MLflow is installed, which opens databases")
def test_a_database_asks_for_all_of_mlflow(tmp_path):
    """The smallest package of it knows files and servers."""
    with pytest.raises(SinkError, match=r"pip install mlflow\. Received: sqlite:///"):
        send(reports.report(), mlflow=f"sqlite:///{tmp_path}/mlflow.db")


def points_of(folder, tag):
    """Step and value of each point of a trial's log."""
    accumulator = accumulators.EventAccumulator(str(folder))
    accumulator.Reload()
    points = accumulator.Tensors(tag)
    return [(point.step, pytest.approx(tensor_util.make_ndarray(point.tensor_proto).item())) for point in points]


def test_tensorboard_has_curves_and_scores_of_each_trial(tmp_path):
    """In a folder of its own, below that of its environment and arm."""
    report = reports.mixed()
    send(report, tensorboard=str(tmp_path / "logs"))

    (environment,) = (tmp_path / "logs").iterdir()
    assert report.environments[0].key == environment.name
    (trial,) = (environment / "a").glob("seed-0-*")
    assert [(1, 0.5), (2, 0.8)] == points_of(trial, "epochs/validation_accuracy")
    assert [(2, 0.8)] == points_of(trial, "test/accuracy")
    assert 6 == len(list((tmp_path / "logs").glob("*/*/seed-*")))


def test_tensorboard_logs_are_replaced(tmp_path):
    """Points are not doubled, and what else lies in a folder stays."""
    for _ in range(2):
        send(reports.report(), tensorboard=str(tmp_path))
        (trial,) = tmp_path.glob("*/a/seed-0-*")
        (trial / "mine.txt").write_text("mine")

    assert [(1, 0.5), (2, 0.8)] == points_of(trial, "epochs/validation_accuracy")
    assert 2 == len(list(trial.iterdir()))


def test_tensorboard_takes_any_name(tmp_path):
    """A label stays in its folder."""
    send(reports.report(arms=(reports.arm("../../" + HOSTILE),)), tensorboard=str(tmp_path / "logs"))

    assert ["logs"] == [path.name for path in tmp_path.iterdir()]
    assert 2 == len(list((tmp_path / "logs").glob("*/*/seed-*")))


def test_what_cannot_be_reached_is_an_error_that_says_so(tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "logs").write_text("")

    with pytest.raises(SinkError, match=r"not sent to tensorboard at .*logs; it is written.*Received: "):
        send(reports.report(), tensorboard=str(tmp_path / "logs"))


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch):
    """As an import that fails tells it."""
    monkeypatch.setitem(sinks.SINKS, "mlflow", "tlbench.report.sinks.no_such_library")

    with pytest.raises(SinkError, match=r'pip install "tlbench\[mlflow\]"'):
        send(reports.report(), mlflow="http://127.0.0.1:9")


def test_the_command_writes_the_report_before_it_sends_it(tmp_path):
    """Where it cannot be sent, the exit status is 2 and the report is there."""
    (tmp_path / "results.json").write_text(reports.report().text(), encoding="utf-8")
    (tmp_path / "logs").write_text("")

    made = CliRunner().invoke(main, ["report", str(tmp_path / "results.json"), "--tensorboard", str(tmp_path / "new")])
    failed = CliRunner().invoke(
        main,
        ["report", str(tmp_path / "results.json"), "--to", str(tmp_path / "to"), "--tensorboard", "/dev/null/logs"],
    )

    assert 0 == made.exit_code, made.output
    assert f"Written for TensorBoard to {tmp_path / 'new'}: 4 trials" in made.output
    assert 2 == failed.exit_code
    assert (tmp_path / "to" / "report.html").is_file()


def test_one_place_that_fails_keeps_the_report_from_no_other(tmp_path, monkeypatch):
    """All are tried; what has failed is told at the end."""
    monkeypatch.setitem(sinks.SINKS, "mlflow", "tlbench.report.sinks.no_such_library")
    sent = sinks.send(reports.report(), {"mlflow": "http://127.0.0.1:9", "tensorboard": str(tmp_path / "logs")})

    assert f"Written for TensorBoard to {tmp_path / 'logs'}: 4 trials" == next(sent)
    with pytest.raises(SinkError, match="not sent to mlflow"):
        next(sent)


def test_a_run_sends_its_report_and_does_not_fail_where_it_cannot(project):
    """By options and by settings; the warning stands in the summary, below the report's place."""
    (project.path / "taken").write_text("")
    settings = project.path / "tox.ini"
    settings.write_text(f"{settings.read_text()}\ntlbench_tensorboard = logs\n")

    sent = project.runpytest("-k", "better", "--tlbench-seeds", "2")
    failed = project.runpytest("-k", "better", "--tlbench-seeds", "2", "--tlbench-tensorboard", "taken")
    both = project.runpytest("-k", "better", "--tlbench-seeds", "2", "--tlbench-mlflow", "mlruns:/no/such/store")

    trials = len(list((project.path / "logs").glob("*/*/seed-*")))
    assert "profile tiny" in sent.stdout.str()
    assert 4 == trials
    sent.stdout.fnmatch_lines(["The report is *report.html", f"Written for TensorBoard to *logs: {trials} trials"])
    failed.stdout.fnmatch_lines(["The report is *report.html", "Warning: The report was not sent to tensorboard at *"])
    both.stdout.fnmatch_lines(["Written for TensorBoard to *logs*", "Warning: The report was not sent to mlflow at *"])
    assert sent.ret == failed.ret == both.ret


def test_nothing_is_sent_where_nothing_is_asked_for():
    """Nor are the libraries imported, by that or by the plugin and the command."""
    code = (
        "import sys\n"
        "import tlbench.hosts.cli, tlbench.hosts.plugin\n"
        "from tlbench.report import sinks\n"
        "assert [] == list(sinks.send(None, {'mlflow': None, 'tensorboard': None}))\n"
        "print(sorted({'mlflow', 'tensorboard'} & set(sys.modules)))"
    )

    process = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert "[]" == process.stdout.strip()
