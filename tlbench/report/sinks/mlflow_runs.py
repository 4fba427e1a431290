"""A report as runs of MLflow: one for the report, one below it for each trial."""

from __future__ import annotations

import hashlib
import io
import itertools
import os

from contextlib import redirect_stdout, suppress
from dataclasses import replace
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

import requests

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from tlbench.errors import SinkError
from tlbench.report.sinks.mlflow_names import cut_to_limit, named
from tlbench.report.sinks.points import points


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tlbench.report.content import Report
    from tlbench.report.records import ClaimRecord

EXPERIMENT = "tlbench"

DATABASES = ("sqlite:", "postgresql", "mysql", "mssql")

# What MLflow takes in one call is 1000 of all, and 100 of params and of tags.
METRICS, OTHERS = 800, 90

# Identifies runs, so that what was sent is not sent again.
KEY = "tlbench.key"


def send(report: Report, uri: str) -> str:
    """Send a report; trials and reports that are there already are left as they are.

    Args:
        report: What it says.
        uri: URI of the tracking server or store. The experiment is `MLFLOW_EXPERIMENT_NAME`'s, or `tlbench`.

    Returns:
        What was sent, in a line.

    Raises:
        SinkError: A database is named, which the smallest package of MLflow cannot open.
    """
    if uri.startswith(DATABASES) and find_spec("sqlalchemy") is None:
        msg = f"The report was not sent to mlflow; a database needs all of it: pip install mlflow. Received: {uri}"
        raise SinkError(msg)
    if uri.startswith(("http:", "https:")):
        # MLflow tries for minutes where nobody answers; any answer will do, certificates are for MLflow to judge.
        with suppress(requests.exceptions.SSLError):
            requests.head(uri, timeout=15)
    client = MlflowClient(tracking_uri=uri)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name)
    known, unfinished = _runs(client, experiment)
    moment = round(datetime.fromisoformat(report.created).timestamp() * 1000)

    def create(key: str, title: str, tags: dict[str, str]) -> str:
        # What an earlier sending broke off in is sent anew, whole; nothing lies below it.
        for old in unfinished.pop(key, ()):
            client.delete_run(old)
        run: str = client.create_run(experiment, moment, {KEY: key, **tags}, run_name=cut_to_limit(title)).info.run_id
        return run

    key = hashlib.sha256(replace(report, created="").text().encode()).hexdigest()
    parent = known.get(key)
    if parent is None:
        tags = {"tlbench.kind": "report", "tlbench.version": report.tlbench_version}
        parent = create(key, f"report {report.created[:16]}", tags)
        claims = named((claim.name, claim) for claim in report.claims)
        metrics = [Metric(metric, value, moment, 0) for metric, value in _verdicts(claims)]
        outcomes = [RunTag(f"claim.{name}", claim.outcome) for name, claim in claims.items()]
        _log(client, parent, metrics, report.header, outcomes)
        client.log_text(parent, report.text(), "results.json")
        _end(client, parent, "FINISHED", moment)

    sent = 0
    for arm, trial in ((of, each) for of in report.arms for each in of.trials):
        key = f"{trial.digest}@{report.environments[trial.environment].key}"
        if key in known:
            continue
        tags = {
            "tlbench.kind": "trial",
            "mlflow.parentRunId": parent,
            "tlbench.machine.environment": cut_to_limit(str(report.environments[trial.environment])),
            "tlbench.arms": cut_to_limit(" = ".join(arm.labels)),
            "tlbench.status": trial.status,
        }
        known[key] = run = create(key, f"{arm.labels[0]}, seed {trial.seed}", tags)
        metrics = [
            Metric(point.name if point.of == "epochs" else f"test_{point.name}", point.value, moment, point.epoch)
            for point in points(trial)
        ]
        metrics.append(Metric("seconds", trial.seconds, moment, len(trial.training_loss)))
        _log(client, run, metrics, arm.facts | {"seed": str(trial.seed), "digest": trial.digest}, [])
        status = "FINISHED" if trial.status == "finished" else "FAILED"
        _end(client, run, status, moment + round(trial.seconds * 1000))
        sent += 1
    return f"Sent to MLflow at {uri}, experiment {name}: {sent} new trials of {len(report.trials)}"


def _runs(client: MlflowClient, experiment: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Runs that are there, by key, and those that a sending broke off in."""
    known: dict[str, str] = {}
    unfinished: dict[str, list[str]] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            key = run.data.tags.get(KEY)
            if key and run.info.status == "RUNNING":
                unfinished.setdefault(key, []).append(run.info.run_id)
            elif key:
                known[key] = run.info.run_id
        if not (token := page.token):
            return known, unfinished


def _verdicts(claims: Mapping[str, ClaimRecord]) -> Iterator[tuple[str, float]]:
    for name, claim in claims.items():
        for what, value in (("difference", claim.effect), ("p", claim.adjusted_p)):
            if value is not None:
                yield f"{what}/{name}", value


def _log(
    client: MlflowClient, run: str, metrics: Iterable[Metric], params: Mapping[str, str], tags: Iterable[RunTag]
) -> None:
    named_params = [Param(name, cut_to_limit(value)) for name, value in named(params.items()).items()]
    parts = (_parts(metrics, METRICS), _parts(named_params, OTHERS), _parts(tags, OTHERS))
    for part in itertools.zip_longest(*parts, fillvalue=()):
        client.log_batch(run, *part)


def _end(client: MlflowClient, run: str, status: str, moment: int) -> None:
    # Of a server's, MLflow writes two lines for each run.
    with redirect_stdout(io.StringIO()):
        client.set_terminated(run, status, moment)


def _parts(values: Iterable[object], size: int) -> Iterator[list[object]]:
    values = list(values)
    return (values[start : start + size] for start in range(0, len(values), size))
