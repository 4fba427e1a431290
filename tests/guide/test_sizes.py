"""Modules, classes and functions that are read at a sitting."""

from __future__ import annotations

import ast

from pathlib import Path


ROOT = Path(__file__).parents[2]

MODULE, CLASS, FUNCTION = 450, 250, 80


def test_nothing_is_longer_than_can_be_read():
    """450 lines of a module, 250 of a class, 80 of a function; what is longer is divided by subject."""
    longer = []
    for path in sorted([*(ROOT / "tlbench").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()
        if len(text.splitlines()) > MODULE:
            longer.append(name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > (CLASS if isinstance(node, ast.ClassDef) else FUNCTION):
                    longer.append(f"{name}::{node.name}")

    assert [] == longer
