"""The README shows a real report, and nothing in it is written by hand."""

from __future__ import annotations

import click
import pytest
import reports

from benchmarks import readme
from tlbench.report import content


FOLDER = readme.README.parent / "docs" / "real-images"


def test_the_readme_holds_what_the_report_of_the_real_images_says():
    """`python -m benchmarks.readme docs/real-images/results.json docs/real-images` puts it there."""
    report = content.load(FOLDER / "results.json")
    text = readme.README.read_text(encoding="utf-8")

    assert text == readme.replaced(text, readme.section(report, "docs/real-images"))
    assert "natural-images-30px, 6899 images" in report.header["dataset"]


def test_what_the_readme_shows_is_there():
    """Every figure and page that it links to."""
    report = content.load(FOLDER / "results.json")

    for name in ("report.html", "report.md"):
        assert (FOLDER / name).is_file()
    for line in readme.section(report, "docs/real-images").splitlines():
        if line.startswith("!["):
            assert (readme.README.parent / line.rpartition("(")[2].rstrip(")")).is_file()


def test_only_the_marked_part_is_replaced():
    """Before and behind it the README stays as it is."""
    text = f"before {readme.BEGIN} old {readme.END} behind"

    assert f"before {readme.BEGIN}\n\nnew \\1\n\n{readme.END} behind" == readme.replaced(text, "new \\1")


def test_a_readme_without_marks_is_left_alone():
    """The message names them."""
    with pytest.raises(click.ClickException, match="no part between"):
        readme.replaced("nothing", "new")


def test_a_section_has_figures_tables_and_verdicts():
    """Each with its name."""
    section = readme.section(reports.report(), "there")

    assert "![Bars: bars](there/bars.png)" in section
    assert "**Table 1: a table**" in section
    assert r"test\_a" in section
