"""A report in MLflow and TensorBoard, by the real libraries."""

from __future__ import annotations

from dataclasses import replace

import pytest
import reports

from click.testing import CliRunner
from mlflow.tracking import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from tlbench.cli import main
from tlbench.errors import SinkError
from tlbench.report import sinks


HOSTILE = "a|b <c> $d% \x1b \U0001f600 " + "x" * 600


@pytest.fixture
def mlflow_store(tmp_path, monkeypatch):
    """A store of files, which the smallest package of MLflow can do; a server's is asked the same way."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlruns").as_uri()


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
    sinks.send(report, {"mlflow": mlflow_store})
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
    assert "FAILED" == by_name["C, seed 0"].info.status


def test_mlflow_is_not_sent_the_same_twice(mlflow_store):
    """Neither a report that differs in its date only, nor trials of another report."""
    first = sinks.send(reports.report(), {"mlflow": mlflow_store})
    again = sinks.send(reports.report(created="2026-11-26T12:00:00+00:00"), {"mlflow": mlflow_store})
    other = sinks.send(reports.single(), {"mlflow": mlflow_store})
    _, found = runs_of(mlflow_store)

    assert first[0].endswith("4 new trials of 4")
    assert again[0].endswith("0 new trials of 4") == other[0].endswith("0 new trials of 4")
    assert (2, 4) == (len(found["report"]), len(found["trial"]))


def test_mlflow_takes_any_name(mlflow_store):
    """Cut to what it takes, and its signs exchanged."""
    report = reports.report(
        header={HOSTILE: HOSTILE}, claims=(reports.claim(HOSTILE),), arms=(reports.arm(HOSTILE),), tables=(), figures=()
    )
    sinks.send(report, {"mlflow": mlflow_store})

    assert 2 == len(runs_of(mlflow_store)[1]["trial"])


def points_of(folder, tag):
    """Step and value of each point of a trial's log."""
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    points = accumulator.Tensors(tag)
    return [(point.step, pytest.approx(make_ndarray(point.tensor_proto).item())) for point in points]


def test_tensorboard_has_curves_and_scores_of_each_trial(tmp_path):
    """In a folder of its own, below that of its environment and arm."""
    report = reports.mixed()
    sinks.send(report, {"tensorboard": str(tmp_path / "logs")})

    (environment,) = (tmp_path / "logs").iterdir()
    assert report.environments[0].key == environment.name
    (trial,) = (environment / "a").glob("seed-0-*")
    assert [(1, 0.5), (2, 0.8)] == points_of(trial, "epochs/validation_accuracy")
    assert [(2, 0.8)] == points_of(trial, "test/accuracy")
    assert 6 == len(list((tmp_path / "logs").glob("*/*/seed-*")))


def test_tensorboard_logs_are_replaced(tmp_path):
    """Points are not doubled, and what else lies in a folder stays."""
    for _ in range(2):
        sinks.send(reports.report(), {"tensorboard": str(tmp_path)})
        (trial,) = tmp_path.glob("*/a/seed-0-*")
        (trial / "mine.txt").write_text("mine")

    assert [(1, 0.5), (2, 0.8)] == points_of(trial, "epochs/validation_accuracy")
    assert 2 == len(list(trial.iterdir()))


def test_tensorboard_takes_any_name(tmp_path):
    """A label stays in its folder."""
    sinks.send(reports.report(arms=(reports.arm("../../" + HOSTILE),)), {"tensorboard": str(tmp_path / "logs")})

    assert ["logs"] == [path.name for path in tmp_path.iterdir()]
    assert 2 == len(list((tmp_path / "logs").glob("*/*/seed-*")))


def test_what_cannot_be_reached_is_an_error_that_says_so(tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "logs").write_text("")

    with pytest.raises(SinkError, match=r"not sent to tensorboard at .*logs; it is written.*Received: "):
        sinks.send(reports.report(), {"tensorboard": str(tmp_path / "logs")})


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch):
    """As an import that fails tells it."""
    monkeypatch.setitem(sinks.SINKS, "mlflow", "tlbench.report.sinks.no_such_library")

    with pytest.raises(SinkError, match=r'pip install "tlbench\[mlflow\]"'):
        sinks.send(reports.report(), {"mlflow": "http://127.0.0.1:9"})


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


def test_nothing_is_sent_where_nothing_is_asked_for():
    """No library is imported either."""
    assert [] == sinks.send(replace(reports.report()), {"mlflow": None, "tensorboard": None})
