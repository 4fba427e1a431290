"""Names from a user's data in Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io

import pytest

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tlbench.report import escaping, latex, markdown
from tlbench.report.files import as_csv
from tlbench.report.names import file_name
from tlbench.report.tables import Cell, Column, FilledRow, FilledTable, Value


HOSTILE = (
    "<script>alert(1)</script>",
    "a|b",
    "[x](javascript:alert(1))",
    "![x](http://127.0.0.1/x.png)",
    "`rm -rf /`",
    "*bold* _it_ ~~gone~~ $x^2$ # &amp; \\",
    "line\nbreak\r\n# heading\n- item",
    "=HYPERLINK(1)",
    "\\input{/etc/passwd} 100% {}",
    "\x1b[31mred\x07",
    "| --- |",
)


def table_named(name):
    """A table with one name wherever a name can stand."""
    cell = Cell((Value(0, "finished", 0.5),), published=name)
    return FilledTable(name, name, name, (Column(name),), (FilledRow(name, {name: cell}),), name, (name,))


def texts_of(tokens):
    """What a reader sees of parsed Markdown, and which kinds of things it is made of."""
    texts, kinds = [], set()
    for token in tokens:
        for child in token.children or [token]:
            kinds.add(child.type)
            if child.type == "text":
                texts.append(child.content)
    return texts, kinds


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_shows_a_name_as_it_is(name):
    """A parser finds one table and text in it: no link, image, HTML, code or emphasis."""
    texts, kinds = texts_of(MarkdownIt("gfm-like", {"linkify": False}).parse(markdown.table(table_named(name))))

    shown = " ".join(escaping.one_line(name).split())
    assert not kinds & {"link_open", "image", "html_inline", "html_block", "code_inline", "em_open", "strong_open"}
    assert not kinds & {"heading_open", "bullet_list_open", "s_open", "fence"}
    assert shown in [" ".join(text.split()) for text in texts]


@given(st.text(min_size=1).filter(lambda text: escaping.one_line(text).strip()))
def test_markdown_of_any_text_is_that_text(text):
    """Whatever is escaped is shown again by a parser, but for blanks, which it may join."""
    line = escaping.one_line(text).strip()
    # In a table's cell, as names stand: at the start of a line of its own some would begin a list.
    page = f"| {escaping.markdown(line)} |\n|---|\n"
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(page)
    shown = "".join(
        child.content for token in tokens if token.type == "inline" for child in token.children if child.type == "text"
    )

    assert line == shown


@pytest.mark.parametrize("name", HOSTILE)
def test_latex_leaves_no_command_of_a_name(name):
    """Every special character of a name is escaped."""
    text = latex.table(table_named(name), name)

    for command in ("\\input", "\\href", "\n#", "~~"):
        assert command not in text
    assert 1 == text.count("\\begin{tabular}")
    assert text.count("{") - text.count("\\{") == text.count("}") - text.count("\\}")


@given(st.text())
def test_latex_of_any_text_is_balanced(text):
    """No brace, percent sign or dollar of a name is left to LaTeX."""
    escaped = escaping.latex(text)
    bare = escaped
    for rule in ("\\textbackslash{}", "\\textasciitilde{}", "\\^{}", "\\ensuremath{<}", "\\ensuremath{>}"):
        bare = bare.replace(rule, "")
    for rule in ("\\&", "\\%", "\\$", "\\#", "\\_", "\\{", "\\}"):
        bare = bare.replace(rule, "")

    assert not set(bare) & set("&%$#_{}~^\\")


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_holds_no_formula(name):
    """A spreadsheet would run what starts like one; an apostrophe before it makes it text."""
    lines = list(csv.reader(io.StringIO(as_csv(table_named(name).records()))))

    for cell in lines[1]:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_csv_keeps_numbers():
    """A negative number is no formula."""
    cell = Cell((Value(0, "finished", -0.25),))
    table = FilledTable("T", "t", "r", (Column("gain"),), (FilledRow("x", {"gain": cell}),), "poster", ())
    (record,) = csv.DictReader(io.StringIO(as_csv(table.records())))

    assert "-0.25" == record["value"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "CON", "..", "", "/", "é", "x" * 300, "a\x00b"])
def test_a_file_stays_in_its_folder(name):
    """Whatever a table is called."""
    found = file_name(name)

    assert found
    assert not set(found) & set("/\\.\0")
    assert len(found) < 100


def test_names_that_differ_are_different_files():
    """Also where only signs tell them apart."""
    assert file_name("Table 1") != file_name("Table-1!")
    assert "table-1" == file_name("Table 1")


def test_no_table_takes_the_place_of_the_reports_own_files():
    """Nor of what Windows keeps for devices."""
    assert "report" != file_name("Report")
    assert "con" != file_name("CON")
