"""The answer of a run in a few lines."""

from __future__ import annotations

from dataclasses import replace

import pytest
import reports

from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from tlbench.errors import ConfigurationError
from tlbench.report import answer, terminal


HOLDS, REFUTED, OPEN = (
    reports.claim(f"test_{outcome}", outcome) for outcome in ("supported", "refuted", "inconclusive")
)


@pytest.mark.parametrize(
    ("claims", "title"),
    [
        ((HOLDS,), "the claim is supported"),
        ((OPEN,), "the claim is inconclusive"),
        ((HOLDS, HOLDS), "all 2 claims are supported"),
        ((HOLDS, OPEN), "1 of 2 claims are supported, 1 is inconclusive"),
        ((REFUTED, OPEN, OPEN), "0 of 3 claims are supported, 1 is refuted, 2 are inconclusive"),
    ],
)
def test_the_title_counts_the_claims(claims, title):
    """By outcome; an outcome that no claim has is left out."""
    assert title == answer.title(reports.report(claims=claims))


def test_the_sentence_says_on_which_data_and_how_sure():
    """And by how many seeds and from which source."""
    report = reports.report(claims=(HOLDS, REFUTED, OPEN))
    report = replace(report, header=report.header | {"transferred from": "shapes"})

    assert (
        "1 of 3 claims are supported on colours, 1 is refuted, 1 is inconclusive (transferred from shapes; 2 seeds). "
        "At most 5% of such runs support any false claim, and at most 5% refute any true one."
        == answer.sentence(report)
    )


def test_the_sentence_says_where_nothing_is_decided():
    """By one seed."""
    report = reports.report(header={"dataset": "colours, 60 images", "seeds": "0"}, claims=(OPEN,))

    assert "The claim is inconclusive on colours (one seed, which decides nothing)." == answer.sentence(report)


def test_the_sentence_tells_the_comparison():
    """With the saved run."""
    report = reports.report(comparison=replace(reports.comparison(), outcome="not measured"))

    assert answer.sentence(report).endswith("The comparison with before (2026-11-24, keras 3.12) was not measured.")


def test_claims_that_ask_for_something_come_first():
    """Refuted, then inconclusive, then supported, each in the order of the tests."""
    claims = (HOLDS, OPEN, replace(HOLDS, name="b"), REFUTED, replace(OPEN, name="c"))

    assert ["test_refuted", "test_inconclusive", "c", "test_supported", "b"] == [
        c.name for c in answer.in_order(claims)
    ]


def test_an_effect_has_its_interval_and_p():
    """A claim with a diverged trial has neither."""
    assert ("+20.5 points", "[+15.5, +25.5]", "p 0.020") == answer.effect(HOLDS)
    assert ("", "", "") == answer.effect(reports.claim(left=(None, 0.5), right=(0.6, 0.61)))


def test_next_steps_name_refuted_claims_and_seeds():
    """None where all claims are supported."""
    more = replace(OPEN, seeds_needed=12)
    steps = answer.next_steps(reports.report(claims=(HOLDS, REFUTED, OPEN, more)))

    assert steps[0].startswith("Refuted: test_refuted. The report shows the trials")
    assert (
        "Inconclusive: more seeds may decide 2 of 2; --tlbench-max-seeds 7 to 12, by effect and noise so far."
        == steps[1]
    )
    assert [] == answer.next_steps(reports.report())


def test_diverged_trials_are_counted():
    """They leave claims inconclusive."""
    steps = answer.next_steps(reports.mixed())

    assert "Diverged: 1 of 6 trials; the report lists them." == steps[-1]


def test_a_job_summary_is_markdown():
    """Names are text in it, whatever stands in them."""
    report = reports.report(claims=(reports.claim("test_a[|x|]"),))

    lines = answer.job_summary(report, "out/report.html").splitlines()

    assert "### tlbench: the claim is supported" == lines[0]
    assert r"| test\_a\[\|x\|\] | supported | +20.5 points | \[+15.5, +25.5\] | 0.020 |" in lines
    assert "Report: `out/report.html`" == lines[-1]


@given(st.integers(40, 200), st.text(max_size=90), st.floats(-1, 1, allow_nan=False))
def test_a_claim_fits_a_line(width, name, effect):
    """At any width; numbers make room before the name does."""
    claim = replace(HOLDS, name=name, effect=effect, low=effect - 0.1, high=effect + 0.1)

    line = terminal.answer(claim, width)

    assert "\n" not in line
    assert wcswidth(line) <= width - terminal.INDENT


def test_headings_stand_above_their_columns():
    """With the unit; a narrow terminal has no interval."""
    for width in (120, 80, 50):
        headings, line = terminal.answer_headings([HOLDS], width), f"{'supported':13}{terminal.answer(HOLDS, width)}"
        assert headings.index("points") + 6 == line.index("+20.5") + 5
        assert headings.index("claim") == line.index("test_supported")
        assert ("interval" in headings) == ("[+15.5" in line) == (width > 50)


def test_a_long_name_keeps_both_ends():
    """The parameter stands at the end."""
    claim = replace(HOLDS, name=f"test_{'very_' * 30}long[0.01]")

    assert terminal.answer(claim, 100).startswith("  +20.5 [+15.5, +25.5]   0.020  test_very")
    assert terminal.answer(claim, 100).endswith("long[0.01]")


def test_parts_are_named():
    """None, some, or an error that names them all."""
    assert frozenset() == answer.parts("none")
    assert {"tables", "notes"} == answer.parts("tables, notes")
    with pytest.raises(ConfigurationError, match="takes tables, figures, verdicts, notes, trials or none"):
        answer.parts("table")
