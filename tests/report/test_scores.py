"""Scores of the listed metrics, wherever a report tells scores."""

from __future__ import annotations

import json

from dataclasses import replace
from html import unescape

import numpy as np
import pytest
import reports

from tlbench.declare.claims import f1, score
from tlbench.declare.trials import Arm, Random
from tlbench.judge.comparison import FailOn, compare
from tlbench.machine.environment import Surroundings
from tlbench.report import comparisons, formats, html, markdown, terminal
from tlbench.report.gathering import arm_records, comparison_record
from tlbench.report.plans import describe_repetition
from tlbench.report.sinks.points import points
from tlbench.report.tables import Column, Row, Table, Value, fill
from tlbench.scores.listed import BRIER_SCORE, CALIBRATION_ERROR, LOSS, MACRO_F1, METRICS, TOP_5_ACCURACY
from tlbench.store.baselines import SavedRun, saved_arms


SEEDS = (0, 1, 2)


@pytest.fixture
def arm(make_trial):
    trial = make_trial()
    return Arm("A", trial.data, trial.task, trial.network, Random(), frozenset(), trial.recipe)


@pytest.fixture
def result_of(make_result):
    """A function that makes a trial's result for so many classes, drawn from its seed."""

    def make(trial, classes=8):
        generator = np.random.default_rng(trial.seed)
        tested, estimated_anew = generator.dirichlet(np.ones(classes), (2, 60)).astype(np.float32)
        return replace(
            make_result(label_names=tuple(f"class {number}" for number in range(classes))),
            labels=np.arange(60) % classes,
            probabilities=tested,
            batch_statistics_probabilities=estimated_anew,
        )

    return make


@pytest.fixture
def report(arm, result_of):
    """A report of one arm."""
    records, environments = arm_records([arm.trial(seed) for seed in SEEDS], result_of, {})
    return reports.report(arms=records, environments=environments, claims=(), figures=(), tables=())


def test_results_hold_every_metric_by_its_key(report, arm, result_of):
    """As numbers in the metric's own unit: shares from 0 to 1."""
    (stored,) = json.loads(report.text())["arms"]

    assert [result_of(arm.trial(seed)).scores for seed in SEEDS] == [trial["scores"] for trial in stored["trials"]]
    assert [metric.key for metric in METRICS] == list(stored["trials"][0]["scores"])


def test_the_page_has_a_column_for_every_metric(report):
    """In its unit; a metric that no trial has gets none."""
    page = unescape(html.page(report, (), {}))
    scores = report.arms[0].trials[0].scores

    cells = "".join(f"<td>{formats.score(scores[metric.key], metric.unit)}</td>" for metric in METRICS)
    assert "".join(f'<th scope="col">{metric.name}</th>' for metric in METRICS) in page
    assert cells in page
    assert '<th scope="col">top-5 accuracy</th>' not in html.page(reports.report(figures=()), (), {})


def test_a_trial_that_lacks_a_score_has_an_empty_cell(report):
    """Where another trial of the report has it."""
    first, *others = report.arms[0].trials
    lacking = replace(first, scores={key: value for key, value in first.scores.items() if key != "brier_score"})
    page = html.page(replace(report, arms=(replace(report.arms[0], trials=(lacking, *others)),)), (), {})

    assert 1 == page.count("<td></td>")


def test_sinks_get_every_metric(report):
    """A point for each, at the last epoch."""
    trial = report.arms[0].trials[0]

    found = {point.name: point.value for point in points(trial) if point.of == "test"}
    assert trial.scores == found
    assert {len(trial.validation_accuracy)} == {point.epoch for point in points(trial) if point.of == "test"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)
def test_a_metric_is_a_column_of_a_table(arm, result_of, metric):
    """Under its name, in its unit, in every format."""
    row = Row("A", {metric.name: score(arm, metric)})
    filled = fill(Table("Table 1", "one arm", "arm", (Column.of(metric),), (row,)), result_of, SEEDS)
    first = result_of(arm.trial(0)).scores[metric.key]

    assert first == filled.rows[0].cells[metric.name].numbers[0]
    shown = f"{first:.1%}" if metric.unit == "percent" else f"{first:.2f}"
    for text in (terminal.table(filled, 120), markdown.table(filled)):
        assert metric.name in text
        assert shown in text


def test_the_column_of_one_label_is_a_share():
    """Readings have columns, too."""
    assert Column("F1 of cat", "percent", every_seed=False) == Column.of(f1("cat"), every_seed=False)


def test_a_cell_of_a_metric_that_does_not_apply_says_so(arm, result_of):
    """It is no diverged run, and the table is filled."""
    row = Row("A", {"top-5 accuracy": score(arm, TOP_5_ACCURACY)})
    table = Table("Table 1", "one arm", "arm", (Column.of(TOP_5_ACCURACY),), (row,))

    filled = fill(table, lambda trial: result_of(trial, 5), SEEDS)

    assert tuple(Value(seed, "no score", None) for seed in SEEDS) == filled.rows[0].cells["top-5 accuracy"].values
    assert filled.filled
    assert "no score" in markdown.table(filled)


def test_a_comparison_has_every_metric(arm, result_of, environment):
    """Those that decide in the table of arms, the others in one of their own."""
    around = Surroundings(environment, {}, "linux", "cpu", 2, (), None, {})
    trials = [arm.trial(seed) for seed in SEEDS]
    runs = [
        SavedRun(
            name,
            "",
            "",
            None,
            {},
            around,
            None,
            None,
            saved_arms(trials, result, {arm.trial(0).arm_digest: ["A"]}),
            (),
            name,
        )
        for name, result in (
            ("old", lambda trial: replace(result_of(trial), run="old")),
            ("new", lambda trial: replace(result_of(trial), run="new")),
        )
    ]
    record = comparison_record(compare(*runs), FailOn())
    tables = {title: (headings, rows) for title, headings, rows in comparisons.tables(record)}

    assert [{metric.key for metric in METRICS}] * 2 == [set(change.changes) for change in record.arms]
    headings, rows = tables["further scores, by which no arm is called regressed or improved"]
    assert [metric.name for metric in METRICS if not metric.alarms] == [
        heading.removesuffix(" (%)") for heading in headings[1:]
    ]
    assert all(all(row) for row in rows)


def test_a_repeated_trial_tells_every_metric(arm, result_of):
    """Held against what is stored."""
    trial = arm.trial(0)
    again, stored, *_ = describe_repetition("A, seed 0", trial, result_of(trial), result_of(trial))

    assert all(
        f"{metric.name} {result_of(trial).scores[metric.key]:.4f}" in line
        for metric in METRICS
        for line in (again, stored)
    )


def test_verdicts_beside_a_claims_own_are_told_by_the_metrics_name():
    """On the page, in Markdown and in the terminal, whichever metrics there are."""
    beside = {"macro_f1": reports.claim(outcome="refuted"), "balanced_accuracy": reports.claim(outcome="supported")}
    claim = reports.claim(also=beside)

    page = html.page(reports.report(claims=(claim,), figures=()), (), {})
    assert "<p>On macro-F1 refuted: difference told in a line.</p>" in page
    assert "<p>On balanced accuracy supported: difference told in a line.</p>" in page
    assert "on macro-F1 refuted: " in terminal.claim(claim, 200)
    headings, _, row = markdown.claims([claim]).splitlines()[:3]
    assert ["on macro-F1", "on balanced accuracy"] == [cell.strip() for cell in headings.split("|")[-3:-1]]
    assert ["refuted", "supported"] == [cell.strip() for cell in row.split("|")[-3:-1]]


@pytest.mark.parametrize(
    ("unit", "difference", "side"),
    [("percent", "+20.0 points", "80.0%"), ("nats", "+0.200 nats", "0.800"), ("number", "+0.200", "0.800")],
)
def test_a_claims_differences_are_told_in_its_unit(unit, difference, side):
    """On the page and in Markdown."""
    claim = reports.claim(left=(0.8, 0.8), right=(0.6, 0.6), unit=unit)

    assert f"| {difference} " in markdown.claims([claim])
    page = html.page(reports.report(claims=(claim,), figures=()), (), {})
    assert f"<td>{side}</td><td>{side.replace('8', '6', 1)}</td><td>{difference}</td>" in page


def test_lower_is_better_of_errors_alone():
    """A comparison calls a higher loss worse, and a higher accuracy better."""
    assert {LOSS, CALIBRATION_ERROR, BRIER_SCORE} == {metric for metric in METRICS if not metric.higher_is_better}
    assert MACRO_F1.higher_is_better
