"""results.json: read again, or refused with a reason."""

from __future__ import annotations

import json

import pytest
import reports

from tlbench.errors import StoreError
from tlbench.report import content, files


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
        ('{"schema_version": 1}', "reads schema_version 3 to 7; run the study again.*Received: 1"),
        ('{"schema_version": 99}', "Received: 99"),
        ('{"schema_version": 3}', "are damaged.*Received: "),
        ('{"schema_version": 3, "claims": [3]}', "are damaged.*Received: "),
        ('{"schema_version": 4}', "are damaged.*Received: "),
        ('{"schema_version": 4, "arms": [3]}', "are damaged.*Received: "),
        ('{"schema_version": 5}', "are damaged.*Received: "),
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


def test_a_name_that_is_no_utf_8_is_written_all_the_same(tmp_path):
    """As Python reads it from a file system: in pages, tables and figures a question mark stands for what is none."""
    name = b"caf\xe9".decode(errors="surrogateescape")
    report = content.printable(
        reports.report(
            header={"store": name},
            arms=(reports.arm(name),),
            claims=(reports.claim(name),),
            tables=(reports.table(name, name),),
            figures=reports.figures(name),
        )
    )
    files.write(report, tmp_path)

    assert "caf?" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert report == content.load(tmp_path / "results.json")


def test_names_that_can_be_written_are_left_alone():
    """Emoji and all."""
    report = reports.report(notes=("\U0001f600 caf\xe9",))

    assert content.printable(report) is report
