"""results.json: read again, or refused with a reason."""

from __future__ import annotations

import json

import pytest
import reports

from tlbench.errors import StoreError
from tlbench.report import content


@pytest.mark.parametrize("kind", reports.ALL)
def test_a_report_comes_back_as_it_was(kind, tmp_path):
    """Every number, name and figure."""
    report = reports.ALL[kind]()
    (tmp_path / "results.json").write_text(report.text(), encoding="utf-8")

    assert report == content.load(tmp_path / "results.json")


def test_numbers_that_are_none_are_null():
    """JSON has neither NaN nor infinity."""
    text = reports.mixed().text()

    assert "NaN" not in text
    assert "Infinity" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read; name a results.json or the store of a run"),
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "Received: nothing"),
        ("{}", "Received: nothing"),
        ('{"schema_version": 1}', "reads schema_version 2; run the study again.*Received: 1"),
        ('{"schema_version": 99}', "Received: 99"),
        ('{"schema_version": 2}', "are damaged.*Received: "),
    ],
)
def test_what_is_no_report_is_refused(text, message, tmp_path):
    """The message says what to do instead."""
    if text is not None:
        (tmp_path / "results.json").write_text(text, encoding="utf-8")

    with pytest.raises(StoreError, match=message):
        content.load(tmp_path / "results.json")


@pytest.mark.parametrize("change", [{"figures": [{"kind": "pie"}]}, {"claims": [{}]}, {"arms": 3}, {"tables": [None]}])
def test_a_damaged_report_is_refused(change, tmp_path):
    """Whichever part of it."""
    damaged = json.loads(reports.report().text()) | change
    (tmp_path / "results.json").write_text(json.dumps(damaged), encoding="utf-8")

    with pytest.raises(StoreError, match="are damaged"):
        content.load(tmp_path / "results.json")
