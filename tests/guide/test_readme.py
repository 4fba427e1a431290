"""The README shows real reports, and nothing in them is written by hand."""

from __future__ import annotations

import re

import click
import pytest
import reports

from benchmarks import readme
from tlbench.report import content


TEXT = readme.README.read_text(encoding="utf-8")
PARTS = readme.parts(TEXT)


def load(part):
    return content.load(readme.README.parent / part.folder / "results.json")


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.folder)
def test_the_readme_holds_what_the_report_says(part):
    """`python -m benchmarks.readme docs/real-images/results.json docs/real-images` puts it there."""
    report = load(part)

    assert TEXT == readme.replaced(TEXT, report, part.folder)
    assert "natural-images-30px, 6899 images" in report.header["dataset"]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.folder)
def test_what_the_readme_shows_is_there(part):
    """Every figure and page that it links to."""
    folder = readme.README.parent / part.folder

    for name in ("report.html", "report.md"):
        assert (folder / name).is_file()
    for path in re.findall(rf"\(({part.folder}/[^)]+)\)", TEXT):
        assert (readme.README.parent / path).is_file()


def test_only_the_part_of_the_folder_is_replaced():
    """Before and behind it, and between other marks, the README stays as it is."""
    old = "<!-- report: begin {} verdicts -->\nold\n<!-- report: end -->\n"
    text = f"before\n{old.format('docs/a')}between\n{old.format('docs/b')}behind"

    new = readme.replaced(text, reports.report(), "docs/b")

    assert new.startswith(
        f"before\n{old.format('docs/a')}between\n<!-- report: begin docs/b verdicts -->\n\n**Verdicts**"
    )
    assert new.endswith("<!-- report: end -->\nbehind")
    assert new == readme.replaced(new, reports.report(), "docs/b")


def test_a_readme_without_the_part_is_left_alone():
    """The message names its parts."""
    with pytest.raises(click.ClickException, match=r"no part for that folder; its parts: none\. Received: docs/a"):
        readme.replaced("nothing", reports.report(), "docs/a")


def test_a_part_shows_what_its_mark_names():
    """In the order of the names."""
    text = readme.Part("there", ("verdicts", "figures")).text(reports.report())

    assert "![Bars: bars](there/bars.png)" in text
    assert "**Table 1: a table**" not in text
    assert text.index("**Verdicts**") < text.index("![Bars: bars]")
    with pytest.raises(click.ClickException, match=r"shows figures, tables, verdicts, table-1, .*Received: pictures"):
        readme.Part("there", ("pictures",)).text(reports.report())
