"""A report as runs of MLflow: one for the report, one below it for each trial."""

from __future__ import annotations

import hashlib
import itertools
import os
import re

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlbench.report.content import ArmRecord, ClaimRecord, Report, TrialRecord

EXPERIMENT = "tlbench"

# What MLflow takes in one call, and what the oldest of its servers take of a value.
BATCH, LONGEST_VALUE = 900, 500

# Identifies runs, so that what was sent is not sent again.
KEY = "tlbench.key"


def send(report: Report, uri: str) -> str:
    """Send a report; trials and reports that are there already are left as they are.

    Args:
        report: What it says.
        uri: Of the tracking server or store. The experiment is `MLFLOW_EXPERIMENT_NAME`'s, or `tlbench`.

    Returns:
        What was sent, in a line.
    """
    client = MlflowClient(tracking_uri=uri)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name)
    known = _known(client, experiment)
    moment = round(datetime.fromisoformat(report.created).timestamp() * 1000)

    key = hashlib.sha256(replace(report, created="").text().encode()).hexdigest()
    parent = known.get(key)
    if parent is None:
        tags = {KEY: key, "tlbench.kind": "report", "tlbench.version": report.tlbench_version}
        parent = client.create_run(experiment, moment, tags, run_name=f"report {report.created[:16]}").info.run_id
        params = [Param(_name(heading), _cut(value)) for heading, value in report.header.items()]
        metrics = [Metric(metric, value, moment, 0) for metric, value in _claims(report.claims)]
        outcomes = [RunTag(f"claim.{_name(claim.name)}", claim.outcome) for claim in report.claims]
        _log(client, parent, metrics, params, outcomes)
        client.log_text(parent, report.text(), "results.json")
        client.set_terminated(parent)

    sent = 0
    for arm, trial in ((of, each) for of in report.arms for each in of.trials):
        key = f"{trial.digest}@{report.environments[trial.environment].key}"
        if key in known:
            continue
        tags = {
            KEY: key,
            "tlbench.kind": "trial",
            "mlflow.parentRunId": parent,
            "tlbench.environment": _cut(str(report.environments[trial.environment])),
            "tlbench.arms": _cut(" = ".join(arm.labels)),
        }
        run = client.create_run(experiment, moment, tags, run_name=_cut(f"{arm.labels[0]}, seed {trial.seed}"))
        metrics = [Metric(metric, value, moment, step) for metric, value, step in _scores(trial)]
        _log(client, run.info.run_id, metrics, _params(arm, trial), [])
        client.set_terminated(run.info.run_id, "FINISHED" if trial.status == "finished" else "FAILED")
        sent += 1
    return f"Sent to MLflow at {uri}, experiment {name}: {sent} new trials of {len(report.trials)}"


def _known(client: MlflowClient, experiment: str) -> dict[str, str]:
    """Runs that are there, by key."""
    known: dict[str, str] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        known |= {run.data.tags[KEY]: run.info.run_id for run in page if KEY in run.data.tags}
        if not (token := page.token):
            return known


def _claims(claims: Iterable[ClaimRecord]) -> Iterator[tuple[str, float]]:
    for claim in claims:
        for what, value in (("difference", claim.effect), ("p", claim.p)):
            if value is not None:
                yield f"{what}/{_name(claim.name)}", value


def _scores(trial: TrialRecord) -> Iterator[tuple[str, float, int]]:
    last = len(trial.validation_accuracy)
    for name in ("accuracy", "loss", "macro_f1", "batch_statistics_accuracy"):
        if (value := getattr(trial, name)) is not None:
            yield f"test_{name}", value, last
    yield "seconds", trial.seconds, last
    for name in ("validation_accuracy", "training_accuracy", "training_loss"):
        for epoch, value in enumerate(getattr(trial, name), start=1):
            if value is not None:
                yield name, value, epoch


def _params(arm: ArmRecord, trial: TrialRecord) -> list[Param]:
    facts = arm.facts | {"seed": str(trial.seed), "digest": trial.digest}
    return [Param(_name(name), _cut(value)) for name, value in facts.items()]


def _log(
    client: MlflowClient, run: str, metrics: Iterable[Metric], params: Iterable[Param], tags: Iterable[RunTag]
) -> None:
    for part in itertools.zip_longest(_parts(metrics, BATCH), _parts(params, 90), _parts(tags, 90), fillvalue=()):
        client.log_batch(run, *part)


def _parts(values: Iterable[object], size: int) -> Iterator[list[object]]:
    values = list(values)
    return (values[start : start + size] for start in range(0, len(values), size))


def _name(text: str) -> str:
    """A name as MLflow takes it: letters, figures, and a few signs, up to 250 of them."""
    return re.sub(r"[^\w\-. /:]", "_", text, flags=re.ASCII).strip("./ ")[:200].replace("//", "/") or "_"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."
