"""matrix.html, matrix.md, matrix.json and matrix.csv: claims over cells."""

from __future__ import annotations

import csv
import json
import re

from dataclasses import replace

import pytest

from cells import cell, claim, matrix
from markdown_it import MarkdownIt
from test_html import HOSTILE, Elements

from tlbench.errors import ConfigurationError
from tlbench.judge.generality import generality
from tlbench.report import generality as pages
from tlbench.report.drawing import picture
from tlbench.report.figures.cells import CellsForest


@pytest.fixture(scope="module")
def found():
    return generality(matrix())


@pytest.fixture(scope="module")
def written(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix")
    pages.write(found, folder)
    return folder


def test_the_terminal_begins_with_the_answer(found):
    """Then a line for each claim, and the cells that were not run."""
    lines = pages.describe(found).splitlines()

    assert (
        "In the mean over 3 of 4 cells, the others not run, 1 of 3 claims is supported, 0 are refuted, and 2 are "
        "undecided; 1 is supported in every cell that can judge it." == lines[0]
    )
    assert ["supported", "3", "of", "3", "3", "+15.7", "points"] == lines[4].split()[:7]
    assert "test_holds" == lines[4].split()[-1]
    assert "Not run: stone · drawn: pytest ended with exit status 4" == lines[-1]


def test_the_figure_of_the_page_has_its_colours(written):
    """Each colour that a mark names by a variable has a value on a light page, and one on a dark page."""
    text = (written / pages.PAGE).read_text(encoding="utf-8")
    named = set(re.findall(r"var\((--figure-\d+)\)", text))

    assert named
    assert {2} == {len(re.findall(rf"{colour}: #", text)) for colour in named}


def test_the_page_has_every_verdict(found, written):
    """The answer comes first; a cell without an effect says why."""
    text = " ".join(Elements((written / pages.PAGE).read_text(encoding="utf-8")).text)

    assert text.index(pages.answer(found)) < text.index("Claims over all cells")
    for told in (
        "supported +20.0 points, +18.3 to +21.7",
        "inconclusive: a run diverged under seed 1",
        "not applicable: images lack the class face",
        "not run: pytest ended with exit status 4",
        "of 3 cells, at most 0.15 are expected to have one",
    ):
        assert told in text


def test_markdown_has_the_same_tables(written):
    """Claims over cells, verdicts, and the cells' settings."""
    tokens = MarkdownIt("commonmark").enable("table").parse((written / pages.TEXT).read_text(encoding="utf-8"))
    cells = [token.content for token in tokens if token.type == "inline"]

    assert 3 == sum(token.type == "table_open" for token in tokens)
    assert "supported +20.0 points, +18.3 to +21.7" in cells


def test_csv_has_a_line_for_each_cell_and_each_mean(written):
    """A mean's cell is empty."""
    with (written / pages.VALUES).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert 3 * (4 + 1) == len(rows)
    assert ["supported", "0.2"] == [rows[1]["outcome"], f"{float(rows[1]['difference']):.1f}"]
    assert ("", "supported") == (rows[4]["cell"], rows[4]["outcome"])


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_a_users_own_are_harmless(name, tmp_path):
    """Of cells and claims, in each kind of file."""
    cells = [cell(f"{name} {n}", claim(name, (0.1, 0.11, 0.12), cell=str(n))) for n in range(2)]
    pages.write(generality(cells), tmp_path)

    page = Elements((tmp_path / pages.PAGE).read_text(encoding="utf-8"))
    html = MarkdownIt().enable("table").render((tmp_path / pages.TEXT).read_text(encoding="utf-8"))
    assert 1 == page.tags.count("script")
    assert not {"img", "iframe"} & set(page.tags)
    assert not {"onerror", "onmouseover"} & {attribute for _, attribute, _ in page.attributes}
    assert [] == re.findall(r"<(script|iframe|img(?! src=\"matrix.png\"))", html)
    assert json.loads((tmp_path / pages.RESULTS).read_text())["claims"][0]["name"] == name


def test_a_figure_of_several_units_has_axes_of_their_own(found):
    """And a matrix without claims is drawn as well."""
    other = replace(found.claims[0], unit="nats")

    several = CellsForest(("a", "b", "c", "d"), (*found.claims, other))
    empty = CellsForest(("a",), ())

    assert several.height_inches > empty.height_inches
    for figure in (several, empty):
        assert picture(figure).svg.startswith("<?xml")
    assert "test_holds: 3 of 3 cells support it; mean supported" in several.text()


def test_claims_that_no_page_holds_are_left_out_and_counted(found):
    """The caption says so."""
    many = CellsForest(("a", "b", "c", "d"), tuple(replace(found.claims[0], name=f"test_{n}") for n in range(50)))

    assert "Only the first 40 of 50 claims are drawn." in many.caption


def test_nothing_to_say_is_said():
    """Of cells that could not be run."""
    assert "No cell has a verdict on any claim." == pages.answer(generality(matrix()[-1:]))


def test_a_folder_that_cannot_be_written_is_named(found, tmp_path):
    """With the option that names another."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="choose another folder with --tlbench-report"):
        pages.write(found, tmp_path / "file")
