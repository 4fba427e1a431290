"""Tables: filled, shown and written."""

from __future__ import annotations

import json

import pytest

from tlbench.claims import ACCURACY, LOSS, score
from tlbench.report.tables import Column, Row, Table, fill
from tlbench.trials import Arm, Random


@pytest.fixture
def arm(make_trial):
    trial = make_trial()
    return Arm("A", trial.data, trial.task, trial.network, Random(), frozenset(), trial.recipe)


@pytest.fixture
def table(arm):
    row = Row("first", {"accuracy": score(arm), "loss": score(arm, LOSS)}, {"accuracy": "137.8%"})
    columns = (Column("accuracy"), Column("loss", "number", every_seed=False))
    return Table("Table 1", "a test", "arm", columns, (row,), published_by="poster", notes=("A note.",))


def filled(table, arm, results):
    by_digest = {arm.trial(seed).digest: result for seed, result in enumerate(results)}
    return fill(table, lambda trial: by_digest[trial.digest], range(len(results)))


def test_a_table_shows_mean_seeds_and_what_was_published(table, arm, make_result):
    """Every seed stands beside the mean, and the printed figure as printed."""
    text = filled(table, arm, [make_result(8), make_result(9)]).text()

    assert "arm    accuracy    by seed      poster    loss" == text.splitlines()[0]
    assert "first  85.0%       80.0% 90.0%  137.8%    0.43" == text.splitlines()[2]
    assert "A note." == text.splitlines()[-1]


def test_a_diverged_run_is_shown_as_such(table, arm, make_result):
    """It is no part of the mean, and the mean says so."""
    shown = filled(table, arm, [make_result(8), make_result(diverged=True)])

    assert "80.0% (of 1 seeds)" in shown.text()
    assert "80.0% diverged" in shown.text()
    assert shown.filled


def test_a_cell_without_results_is_not_run(table, arm):
    """An interrupted table still has its row."""
    shown = filled(table, arm, [None, None])

    assert "not run" in shown.text()
    assert not shown.filled


def test_a_cell_whose_every_run_diverged_says_so(table, arm, make_result):
    """There is no number to show."""
    assert "first  diverged" in filled(table, arm, [make_result(diverged=True)]).text()


def test_records_are_json_with_every_seed(table, arm, make_result):
    """What is no number is null, with its status."""
    records = filled(table, arm, [make_result(8), make_result(diverged=True)]).records()

    assert records == json.loads(json.dumps(records, allow_nan=False))
    assert [("accuracy", 0, 0.8, "finished"), ("accuracy", 1, None, "diverged")] == [
        (record["column"], record["seed"], record["value"], record["status"]) for record in records[:2]
    ]


def test_a_data_frame_has_a_line_for_each_cell_and_seed(table, arm, make_result):
    """Two columns under two seeds are four lines."""
    frame = filled(table, arm, [make_result(8), make_result(9)]).frame()

    assert 4 == len(frame)
    assert ["table", "row", "column", "seed", "value", "status", "published"] == list(frame.columns)


def test_a_table_names_its_trials(table, arm):
    """What it needs is known before anything is trained."""
    assert {arm.trial(0), arm.trial(1)} == set(table.trials([0, 1]))


def test_github_markdown_is_a_table(table, arm, make_result):
    """Its lines start and end with a bar."""
    lines = filled(table, arm, [make_result(8)]).text("github").splitlines()

    assert all(line.startswith("|") and line.endswith("|") for line in lines[:3])


def test_a_cell_may_be_a_difference(arm, make_result):
    """A gain is one score less another."""
    gain = Table("T", "t", "r", (Column("gain"),), (Row("x", {"gain": score(arm, ACCURACY) - score(arm)}),))

    assert "0.0%" in filled(gain, arm, [make_result(8)]).text()
