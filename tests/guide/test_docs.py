"""The guide's examples: what a reader copies is collected, planned and imported as it stands there."""

from __future__ import annotations

import importlib
import shlex
import shutil

from pathlib import Path

# pytester forgets what an inner run imports, and compiled modules cannot be imported twice.
import matplotlib.figure
import numpy as np
import pytest

from markdown_it import MarkdownIt
from PIL import Image

from tlbench.declare.trials import Arm
from tlbench.report import figures


ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs"
PAGES = sorted(path.relative_to(GUIDE).as_posix() for path in GUIDE.rglob("*.md") if "_build" not in path.parts)


def blocks(page, language):
    """Code blocks of a page as pairs of caption and code, whether they are directives or plain fences."""
    for token in MarkdownIt().parse((GUIDE / page).read_text(encoding="utf-8")):
        if token.type == "fence" and token.info.split()[-1:] == [language]:
            first, _, rest = token.content.partition("\n")
            named = first.startswith(":caption: ")
            yield (first.removeprefix(":caption: "), rest.lstrip("\n")) if named else ("", token.content)


def examples(page):
    """The Python files that a page shows, by name."""
    return dict(blocks(page, "python"))


def commands(page):
    """What a page runs pytest with, where it runs one of its own test files."""
    lines = [line for _, code in blocks(page, "console") for line in code.splitlines()]
    typed = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if line.startswith("$ pytest ")]
    return [words[1:] for words in typed if set(words) & set(examples(page))]


@pytest.fixture
def project(pytester):
    """A function that makes a project of a page's files, with images of leaves and the poster's benchmarks."""

    def make(page):
        shutil.copytree(ROOT / "benchmarks", pytester.path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
        pytester.makepyfile(
            **{name: (Path(__file__).parents[1] / f"{name}.py").read_text() for name in ("pebble", "tiny")}
        )
        pytester.makeini("[pytest]\ntlbench_profile = tiny\naddopts = -p tiny -p no:cacheprovider -p no:benchmark\n")
        for name, code in examples(page).items():
            (pytester.path / name).write_text(code)
        for index in range(20):
            image = pytester.path / "leaves" / ("oak" if index % 2 else "birch") / f"{index}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), index, np.uint8)).save(image)
        shutil.make_archive(str(pytester.path / "leaves"), "zip", pytester.path / "leaves")
        pytester.syspathinsert()
        return pytester

    return make


def test_every_python_block_says_which_file_it_is():
    """So that a reader knows where it goes, and the tests below try it."""
    assert [] == [(page, code) for page in PAGES for name, code in blocks(page, "python") if not name.endswith(".py")]


@pytest.mark.parametrize(
    ("page", "command"), [(page, shlex.join(command)) for page in PAGES for command in commands(page)]
)
def test_a_command_of_the_guide_plans_its_examples(page, command, project):
    """Claims, tables and figures of its files are declared, and all that they need is known."""
    # Drawing the source's images takes longer than all else.
    made = project(page)
    # Modules of the benchmarks may have been imported from where they really are.
    run = made.runpytest_subprocess if "benchmarks" in command else made.runpytest
    planned = run(*shlex.split(command), "--tlbench-plan", "--tlbench-source", "leaves.zip")

    planned.stdout.fnmatch_lines(["tlbench plan: * trials, 0 stored, * to train*"])
    assert 0 == planned.ret


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)])
def test_every_example_is_collected_or_can_be_imported(page, project):
    """Also those that no command of the page names."""
    made = project(page)
    tests = [name for name in examples(page) if name.startswith("test_")]
    for name in set(examples(page)) - {*tests, "conftest.py"}:
        importlib.import_module(Path(name).stem)
    collected = made.runpytest("--collect-only", "-q", *tests).stdout.str() if tests else ""

    assert [] == [name for name in tests if f"{name}::test_" not in collected]


def test_the_gallery_shows_each_kind_of_figure():
    """Every figure that a test can declare has a section with its picture."""
    kinds = {name for name in figures.__all__ if hasattr(getattr(figures, name), "trace")} - {"Figure"}
    sections = (GUIDE / "gallery.md").read_text(encoding="utf-8").split("\n## ")[1:]
    shown = {
        section.partition("\n")[0]
        for section in sections
        if ("](pocket/" in section or "](beyond/" in section) and "literalinclude" in section
    }

    assert {"Curves", "Bars"} < kinds
    assert kinds <= shown


def test_the_kind_of_figure_that_the_guide_adds_draws_what_is_there(project, make_trial, make_result, monkeypatch):
    """A seed that has not been run is left out of its text and its points."""
    monkeypatch.chdir(project("how-to/tables-and-figures.md").path)
    trial = make_trial()
    arm = Arm("A", trial.data, trial.task, trial.network, trial.initialisation, trial.frozen, trial.recipe)
    results = {arm.trial(0).digest: make_result(8)}
    drawn = (
        importlib.import_module("spread")
        .Spread("Figure 1", "spread", (arm,))
        .trace(lambda wanted: results.get(wanted.digest), [0, 1])
    )
    canvas = matplotlib.figure.Figure()
    drawn.draw(canvas)

    assert "A, seed 0: 80.0%" == drawn.text()
    assert [{"figure": "Figure 1", "arm": "A", "seed": 0, "accuracy": 0.8}] == list(drawn.records())
    assert 1 == len(canvas.axes[0].lines)
