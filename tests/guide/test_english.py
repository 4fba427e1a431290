"""Docstrings name the thing, then a verb; no docstring begins with a question word, and no entry with a pointer."""

from __future__ import annotations

import ast
import inspect
import re

from pathlib import Path

import pytest


ROOT = Path(__file__).parents[2]

QUESTION = re.compile(r"(What|Whether|Where|Who|Whose|How|Which)\b")
# "Of the run.", "Likewise.", "...": the reader has to look for the noun elsewhere.
POINTER = re.compile(r"(Of|Which|Its|Likewise|See|As)\b|\.\.\.")
PRONOUN = re.compile(r"(It|Its own|They|Them|That|Those|This|These|One|Both|All|Each|What|Who)\.?$")

SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):$")
ENTRY = re.compile(r" {4}(?=\S)(?:\*{0,2}[\w., ]+(?: \(.*?\))?: *)(?P<text>.*)")


def docstrings(path):
    """Each docstring of a module, cleaned, with the number of its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), inspect.cleandoc(text)


def entries(docstring):
    """The text of each argument, attribute, return value and error of a docstring, on one line."""
    section = ""
    found = []
    for line in docstring.splitlines():
        if heading := SECTION.match(line):
            section = heading[1]
            if section in {"Returns", "Yields"}:
                found.append("")
        elif line and not line.startswith(" "):
            section = ""
        elif section in {"Returns", "Yields"} and line:
            found[-1] += f" {line.strip()}"
        elif section and line:
            entry = ENTRY.match(line)
            if entry:
                found.append(entry["text"])
            elif found:
                found[-1] += f" {line.strip()}"
    return [text.strip() for text in found]


def breaches(docstring):
    """What a docstring breaks: `"docstring"` once, `"entry"` for each."""
    if QUESTION.match(docstring):
        yield "docstring"
    for text in entries(docstring):
        if POINTER.match(text) or PRONOUN.match(text):
            yield "entry"


def folders():
    """Modules by folder."""
    modules = sorted([*(ROOT / "tlbench").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])
    return {
        folder: [path for path in modules if path.parent == folder]
        for folder in sorted({path.parent for path in modules})
    }


@pytest.mark.parametrize(
    "modules",
    [pytest.param(modules, id=folder.relative_to(ROOT).as_posix()) for folder, modules in folders().items()],
)
def test_a_docstring_names_its_thing(modules):
    """In the package and in the study."""
    places = [
        (kind, f"{path.relative_to(ROOT)}:{line}")
        for path in modules
        for line, docstring in docstrings(path)
        for kind in breaches(docstring)
    ]

    assert [] == places


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("What a trial left.", ["docstring"]),
        ("Whatever a trial left.", []),
        ("How many there are.\n\nArgs:\n    n: Of them.\n    m: Their number.", ["docstring", "entry"]),
        ("Count.\n\nArgs:\n    n: Offered things.\n    m:\n        Likewise, on a line of its own.", ["entry"]),
        ("Count.\n\nAttributes:\n    n: ...\n    m: See `Trial`.\n    *others: It.", ["entry"] * 3),
        ("Count.\n\nReturns:\n    Which of them\n    it is.\n\nRaises:\n    ValueError: As above.", ["entry"] * 2),
        ("Count.\n\nArgs:\n    n: A trial\n        whose colon: Of no entry.\n\nSee: no section.\n    Of: it.", []),
    ],
)
def test_breaches_are_found(docstring, expected):
    """In the first word of a docstring, and of what it says of each argument, attribute, value and error."""
    assert expected == list(breaches(docstring))
