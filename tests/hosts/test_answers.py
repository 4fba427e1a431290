"""The comment, the JSON and the page that an upgrade leaves."""

from __future__ import annotations

import json

import pytest

from markdown_it import MarkdownIt

from tlbench.errors import StoreError
from tlbench.hosts import answers
from tlbench.hosts.answers import MARKER, Answer, of_comparison
from tlbench.judge.changes import ArmChange, ClaimChange, Ratio
from tlbench.report.records import ComparisonRecord


@pytest.fixture
def make_record():
    """A function that makes a comparison with some arms."""

    def make(arms=1, outcome="passed"):
        return ComparisonRecord(
            old="old (2026-11-28, keras 3.14.0)",
            new="new (2026-11-28, keras 3.15.1)",
            paired=True,
            versions=(("flag TLBENCH_ENVIRONMENT", "0", "1"), ("keras", "3.14.0", "3.15.1")),
            arms=tuple(ArmChange(f"arm {number}", "same", {}) for number in range(arms)),
            claims=(ClaimChange("test_a[1|2]", "same", "supported", "supported", None, "percent"),),
            ratios=(Ratio("training step", 10.0, 11.0, "ms", 1.1, (1.0, 1.2)),),
            numerics="as the first",
            fail_on="accuracy,claims",
            failures=("verdicts have changed: <b>c</b>",) if outcome == "failed" else (),
            trials=(),
            outcome=outcome,
        )

    return make


def html(answer):
    return MarkdownIt("commonmark").enable("table").render(answer.comment())


def test_a_comment_says_the_verdict_first(make_record):
    """Behind the marker, which nobody sees; what decides is open, the rest folded."""
    comment = of_comparison(make_record(), ("keras==3.14.0", "keras==3.15.1"), "uv.lock").comment()
    lines = comment.splitlines()

    assert [MARKER, "", "### tlbench: safe to upgrade", "", "uv.lock: keras==3.14.0 → keras==3.15.1"] == lines[:5]
    assert "- Fingerprint: as the first" in lines
    assert "ENVIRONMENT" not in comment
    assert comment.index("| keras") < comment.index("test\\_a") < comment.index("<details>") < comment.index("arm 0")


def test_a_comment_shows_names_as_they_are(make_record):
    """No name of a study or a package becomes HTML, a column or a link."""
    answer = of_comparison(make_record(outcome="failed"), ("<i>", "[x](y)"), "a|b.lock")

    assert "<b>" not in html(answer)
    assert "&lt;i&gt; → [x](y)" in html(answer)
    assert "<td>test_a[1|2]</td>" in html(answer)
    assert answer.regressed


def test_a_long_comparison_is_cut_at_a_table(make_record):
    """GitHub takes no comment of more than 65,536 characters; the page has the rest."""
    comment = of_comparison(make_record(arms=5000), ("old", "new"), "").comment()

    assert len(comment) < answers.LONGEST
    assert "arm 4999" not in comment
    assert "speed and memory" in comment
    assert "Too long for a comment, and on the page: arms." in comment


def test_output_cannot_end_its_block():
    """Whatever an installer prints."""
    answer = Answer("could-not-run", "old", "new", output="no such version\n```\n\x1b[31m# a heading")

    assert "<h1>" not in html(answer)
    assert "\x1b" not in answer.comment()
    assert not answer.regressed


def test_an_answer_is_written_with_its_words(tmp_path):
    """As programs read it; nothing was run, so there is no page."""
    Answer("unchanged", "old", "new", ("Nothing differs.",), file="uv.lock").write(tmp_path / "new")

    assert {"comment.md", "upgrade.json"} == {path.name for path in (tmp_path / "new").iterdir()}
    assert {
        "schema_version": 1,
        "verdict": "unchanged",
        "regressed": False,
        "old": "old",
        "new": "new",
        "file": "uv.lock",
        "reasons": ["Nothing differs."],
    } == json.loads((tmp_path / "new" / "upgrade.json").read_text())


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    """With the option that names it."""
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="choose another folder with --report"):
        Answer("unchanged", "old", "new").write(tmp_path / "file")
