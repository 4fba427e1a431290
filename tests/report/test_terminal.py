"""A report in a terminal: it fits, whatever stands in it."""

from __future__ import annotations

import pytest
import reports

from hypothesis import example, given
from hypothesis import strategies as st
from wcwidth import wcswidth

from tlbench.report import terminal
from tlbench.report.records import SeedScore
from tlbench.report.tables import Cell, Column, FilledRow, FilledTable, Value


def cell(*numbers, published=None):
    values = tuple(
        Value(seed, "finished" if isinstance(number, float) else number, number if isinstance(number, float) else None)
        for seed, number in enumerate(numbers)
    )
    return Cell(values, published)


def table(rows, notes=("A note.",)):
    columns = (Column("accuracy"), Column("loss", "number", every_seed=False))
    return FilledTable("Table 1", "a test", "arm", columns, tuple(rows), "poster", notes)


@pytest.fixture
def frozen():
    """Two arms of three seeds, held against a poster."""
    return table(
        [
            FilledRow(
                "none",
                {
                    "accuracy": cell(0.87, 0.88, 0.89, published="95.7%"),
                    "loss": cell(0.34, 0.34, 0.34, published="26.3%"),
                },
            ),
            FilledRow("all", {"accuracy": cell(0.6, 0.61, 0.62, published="78.6%"), "loss": cell(1.0, 1.1, 1.2)}),
        ]
    )


def widest(text):
    return max(map(wcswidth, text.splitlines()))


def test_a_wide_terminal_shows_every_seed(frozen):
    """Mean with its interval, each seed, what was published and the difference from it."""
    lines = terminal.table(frozen, 120).splitlines()

    assert (
        "arm    accuracy    by seed            poster    difference (points)    loss        poster    difference"
        == lines[0]
    )
    assert (
        "none   88.0% ±1.7  87.0% 88.0% 89.0%  95.7%     -7.7                   0.34 ±0.00  26.3%     +0.08" == lines[2]
    )
    assert ["A note.", "The poster prints loss in percent: its 26.3% is 0.26 here."] == lines[-2:]


def test_a_narrower_one_leaves_out_the_seeds_first(frozen):
    """The table is whole still."""
    text = terminal.table(frozen, 90)

    assert "87.0% 88.0% 89.0%" not in text
    assert 6 == len(text.splitlines())
    assert widest(text) <= 90


def test_what_is_still_too_wide_is_shown_in_parts(frozen):
    """Each part has the labels and whole columns."""
    text = terminal.table(frozen, 60)
    first, second = text.split("\n\n")

    assert first.splitlines()[0].split() == ["arm", "accuracy", "poster", "difference", "(points)"]
    assert second.splitlines()[0].split() == ["arm", "loss", "poster", "difference"]
    assert widest(text) <= 60


def test_a_diverged_seed_is_counted_out():
    """The mean says of how many it is."""
    shown = terminal.table(table([FilledRow("x", {"accuracy": cell(0.8, "diverged", 0.9)})]), 120)

    assert "85.0% ±31.6 (2 of 3 seeds)" in shown
    assert "80.0% diverged 90.0%" in shown


@pytest.mark.parametrize(("status", "shown"), [("diverged", "diverged"), ("not run", "not run")])
def test_a_cell_without_numbers_says_why(status, shown):
    """There is no mean to show."""
    text = terminal.table(table([FilledRow("x", {"accuracy": cell(status, status)})]), 80)

    assert ["x", *shown.split()] == text.splitlines()[2].split()[: 1 + len(shown.split())]


@example(label="0", published="0" * 47, width=80)
@given(
    label=st.text(min_size=1, max_size=200),
    published=st.one_of(st.none(), st.text(max_size=120)),
    width=st.sampled_from([80, 120]),
)
def test_no_line_of_a_table_is_wider_than_the_terminal(label, published, width):
    """Whatever a class, an arm or a printed figure is called."""
    rows = [FilledRow(label, {"accuracy": cell(0.5, 0.6, published=published), "loss": cell(1.0)})]

    assert widest(terminal.table(table(rows), width)) <= width


EFFECT = "difference +0.100, 90% interval +0.050 to +0.150; should exceed +0.000, p = 0.010"


def claim_of(name, statement="It is so.", **changes):
    return reports.claim(
        name,
        statement=statement,
        sentence=EFFECT,
        seeds=(SeedScore(0, 0.9, 0.8, 0.1), SeedScore(1, None, 0.8, None)),
        **changes,
    )


def test_a_claim_is_told_with_what_it_rests_on():
    """Behind its outcome: name, statement, effect, every seed, and macro-F1."""
    text = terminal.claim(claim_of("test_a", also={"macro_f1": claim_of("test_a")}), 200)

    assert [
        "test_a: It is so.",
        f"{EFFECT}; by seed 0: +10.0, 1: no score",
        f"on macro-F1 supported: {EFFECT}",
    ] == [line.strip() for line in text.splitlines()]


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_of_a_claim_is_wider_than_the_terminal(width):
    """The first one stands behind the outcome."""
    text = terminal.claim(claim_of("test_" + "x" * 150, "So it is. " * 30), width)

    assert widest(" " * terminal.INDENT + text) <= width


def test_control_characters_do_not_reach_the_terminal():
    """A class that is called so cannot clear the screen."""
    text = terminal.table(table([FilledRow("\x1b[2Jred\x07", {"accuracy": cell(0.5)})], notes=("\x1b[31m",)), 80)

    assert "\x1b" not in text
    assert "\x07" not in text


@given(st.text(max_size=200), st.integers(10, 120))
def test_a_live_line_fits(text, width):
    """Whatever a trial is called, wide characters counted twice."""
    assert wcswidth(terminal.cut_to_width(text, width)) <= width


def test_a_line_that_fits_is_left_alone():
    """And one that does not ends in dots."""
    assert "trial 1/2" == terminal.cut_to_width("trial 1/2", 9)
    assert "trial..." == terminal.cut_to_width("trial 1/2 [a]", 8)
