"""Tables: filled, and held against what was published."""

from __future__ import annotations

import json

import pytest
import reports

from tlbench.declare.claims import score
from tlbench.declare.trials import Arm, Random
from tlbench.report import formats, latex, markdown
from tlbench.report.tables import Cell, Column, FilledRow, FilledTable, Row, Table, Value, fill, number
from tlbench.scores.listed import ACCURACY, LOSS


@pytest.fixture
def arm(make_trial):
    trial = make_trial()
    return Arm("A", trial.data, trial.task, trial.network, Random(), frozenset(), trial.recipe)


@pytest.fixture
def table(arm):
    row = Row("first", {"accuracy": score(arm), "loss": score(arm, LOSS)}, {"accuracy": "78.6%"})
    columns = (Column("accuracy"), Column("loss", "number", every_seed=False))
    return Table("Table 1", "a test", "arm", columns, (row,), published_by="poster", notes=("A note.",))


def filled(table, arm, results):
    by_digest = {arm.trial(seed).digest: result for seed, result in enumerate(results)}
    return fill(table, lambda trial: by_digest[trial.digest], range(len(results)))


def cell(*numbers, published=None):
    return Cell(tuple(Value(seed, "finished", value) for seed, value in enumerate(numbers)), published)


def test_a_cell_holds_every_seed(table, arm, make_result):
    """Each with its number."""
    accuracy = filled(table, arm, [make_result(8), make_result(9)]).rows[0].cells["accuracy"]

    assert (Value(0, "finished", 0.8), Value(1, "finished", 0.9)) == accuracy.values


def test_a_diverged_run_has_no_number(table, arm, make_result):
    """It is no part of the mean, and the table is filled all the same."""
    shown = filled(table, arm, [make_result(8), make_result(diverged=True)])
    accuracy = shown.rows[0].cells["accuracy"]

    assert Value(1, "diverged", None) == accuracy.values[1]
    assert 0.8 == accuracy.mean
    assert shown.filled


def test_a_cell_without_results_is_not_run(table, arm):
    """An interrupted table still has its row."""
    shown = filled(table, arm, [None, None])

    assert ["not run", "not run"] == [value.status for value in shown.rows[0].cells["accuracy"].values]
    assert shown.rows[0].cells["accuracy"].mean is None
    assert not shown.filled


def test_the_interval_is_students():
    """Of 0.7, 0.8 and 0.9: standard error 0.1 / sqrt(3), t at 95 % with two degrees of freedom 2.91999."""
    assert pytest.approx(2.91999 * 0.1 / 3**0.5, rel=1e-4) == cell(0.7, 0.8, 0.9).half_width


def test_one_seed_has_no_interval():
    """One number says nothing of the noise between seeds."""
    assert cell(0.7).half_width is None


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("78.6%", 0.786),
        ("0.11", 0.11),
        ("334.1%", 3.341),
        ("-4 %", -0.04),
        ("-40.3 points", -0.403),
        ("+1 point", 0.01),
        ("137.8% (impossible, as printed)", None),
        ("n/a", None),
        ("", None),
        (None, None),
    ],
)
def test_what_was_printed_is_a_number_only_where_nothing_else_was(printed, expected):
    """A remark beside a figure means that it cannot be taken as it stands."""
    found = number(printed)

    assert expected == (found if expected is None else pytest.approx(found))


def test_the_difference_is_from_what_was_published():
    """In the unit of the values."""
    assert pytest.approx(0.014) == cell(0.75, 0.85, published="78.6%").difference
    assert cell(0.75, published="78.6% (as printed)").difference is None
    assert cell(0.75).difference is None


def test_records_are_json_with_every_seed(table, arm, make_result):
    """What is no number is null, with its status."""
    records = list(filled(table, arm, [make_result(8), make_result(diverged=True)]).records())

    assert records == json.loads(json.dumps(records, allow_nan=False))
    assert [("accuracy", 0, 0.8, "finished"), ("accuracy", 1, None, "diverged")] == [
        (record["column"], record["seed"], record["value"], record["status"]) for record in records[:2]
    ]


def test_records_have_a_line_for_each_cell_and_seed(table, arm, make_result):
    """Two columns under two seeds are four lines."""
    records = list(filled(table, arm, [make_result(8), make_result(9)]).records())

    assert 4 == len(records)
    assert ["table", "row", "column", "unit", "seed", "value", "status", "published"] == list(records[0])


def gains(*numbers, published=None, unit="points"):
    rows = (FilledRow("a", {"gain": cell(*numbers, published=published)}),)
    return FilledTable("Table 4", "gains", "task", (Column("gain", unit),), rows, "poster", ("A note.",))


def test_a_difference_of_shares_is_in_points_everywhere():
    """Its heading says so, its values have signs, and so has the difference from what was published."""
    table = gains(-0.14, -0.16, published="-40.3 points")
    (heading, cells), _, (by, printed), (apart, differences) = formats.columns(table, table.columns[0], every_seed=True)

    assert ("gain (points)", ["-15.0 ±6.3"]) == (heading, cells)
    assert ("poster", ["-40.3 points"]) == (by, printed)
    assert ("difference (points)", ["+25.3"]) == (apart, differences)
    assert "%" not in markdown.table(table)
    assert r"\%" not in latex.table(table, "").partition(r"\label")[2]
    assert {"difference of shares, 0.01 is a point"} == {record["unit"] for record in table.records()}


@pytest.mark.parametrize("unit", ["percent", "points", "nats", "number"])
def test_what_rounds_to_zero_has_no_sign(unit):
    """Neither a minus nor a plus."""
    assert formats.shown(-0.0004, unit).removesuffix("%") in {"0.0", "0.00"}
    assert formats.side(-0.0004, reports.claim(sides_in_points=True)) == "0.0 points"


def test_a_note_says_once_how_a_published_loss_counts():
    """In percent, where the measured one is in nats; a share needs no note."""
    table = gains(2.07, 1.5, published="207.54%", unit="nats")

    assert ["A note.", "The poster prints gain in percent: its 207.54% is 2.08 nats here."] == formats.notes(table)
    assert ["A note."] == formats.notes(gains(0.5, published="50%", unit="percent"))
    assert "2.08 nats here" in markdown.table(table)
    assert "2.08 nats here" in latex.table(table, "")


def test_a_table_names_its_trials(table, arm):
    """What it needs is known before anything is trained."""
    assert {arm.trial(0), arm.trial(1)} == set(table.trials([0, 1]))


def test_a_cell_may_be_a_difference(arm, make_result):
    """A gain is one score less another."""
    gain = Table("T", "t", "r", (Column("gain"),), (Row("x", {"gain": score(arm, ACCURACY) - score(arm)}),))

    assert 0.0 == filled(gain, arm, [make_result(8)]).rows[0].cells["gain"].mean


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [((0.341, 0.343), "0.34 ±0.01"), ((99.0, 99.5), "99.25 ±1.58"), ((141.3, 225.1), "183 ±265"), ((960.0,), "960")],
)
def test_counts_have_no_decimals(numbers, expected):
    """A plain number of a hundred and more counts something, such as images."""
    assert expected == formats.summary(cell(*numbers), "number")
    assert all("." not in text for text in formats.by_seed(cell(*numbers), "number").split() if float(text) >= 100)
