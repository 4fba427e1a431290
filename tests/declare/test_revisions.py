"""Revisions of the code that trains and loads, and the sources that they stand for."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import sys
import tokenize

from pathlib import Path

import pytest

from pebble import Pebble

import tlbench

from tlbench.declare import revisions
from tlbench.declare.degraded import Degraded
from tlbench.declare.revisions import Revision
from tlbench.errors import ConfigurationError
from tlbench.networks.xception import Xception


PACKAGE = Path(tlbench.__file__).parent
RECORD = Path(__file__).with_name("revisions.json")

# Networks and degraded images of this package declare their revisions themselves.
DECLARED = (
    *revisions.REVISIONS,
    Revision("xception", Xception.REVISION, ("networks/xception.py",)),
    Revision("degraded", Degraded.REVISION, ("declare/degraded.py", "datasets/degradations.py")),
)

# Not in the sources of any revision: metrics score what is stored already, results and errors hold values, trials and
# environments stand in digests and keys themselves.
ELSEWHERE = {
    *(
        "scores/extras.py",
        "scores/listed.py",
        "scores/metrics.py",
        "store/results.py",
        "errors.py",
        "declare/trials.py",
        "declare/revisions.py",
    ),
    *("machine/environment.py", "machine/folders.py", "machine/installed.py"),
    *("machine/packages.py", "__init__.py"),
}


def code(text):
    """The lines of a source that compute: no comment, no docstring, no empty line."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not body:
            continue
        first = body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            lines[first.lineno - 1 : first.end_lineno] = [""] * (first.end_lineno - first.lineno + 1)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def part(text, name):
    """The lines of a class or function of a source."""
    (node,) = (node for node in ast.parse(text).body if getattr(node, "name", None) == name)
    return "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno]) + "\n"


def digest(revision):
    """SHA-256 over the code that a revision stands for, as hexadecimal digits."""
    sha256 = hashlib.sha256()
    for source in revision.sources:
        file, _, name = source.partition("::")
        text = (PACKAGE / file).read_text(encoding="utf-8")
        sha256.update(code(part(text, name) if name else text).encode())
    return sha256.hexdigest()


def recorded():
    return json.loads(RECORD.read_text(encoding="utf-8"))


@pytest.mark.parametrize("revision", DECLARED, ids=lambda revision: revision.name)
def test_code_that_can_move_a_score_does_not_change_under_the_same_revision(revision):
    """Whoever changes such code decides: a new revision, or the record that no score moves."""
    known = recorded()[revision.name]

    assert {"revision": revision.number, "code": digest(revision)} == known, (
        f"The code of revision {revision.name!r} has changed: {', '.join(revision.sources)}. If a score can move, add "
        "1 to its number (tlbench/declare/revisions.py, or REVISION of the network) and a line to CHANGELOG.md: every "
        "stored result that it made is trained again. Then, or if no score can move, run "
        "`python tests/declare/test_revisions.py` and commit tests/declare/revisions.json."
    )


def test_comments_docstrings_and_empty_lines_are_no_change():
    """All else is."""
    written = '"""About."""\n\n\ndef f(x):\n    """Add."""\n    # Why.\n    return x + 1  # Because.\n'
    other = '"""Else."""\ndef f(x):\n    """Sum.\n\n    Long.\n    """\n    return x + 1\n'

    assert code(written) == code(other)
    assert code(written) != code(other.replace("+ 1", "+ 2"))
    assert code(written) != code(other.replace("return x + 1", "return '# ' + x"))


@pytest.mark.parametrize("revision", DECLARED, ids=lambda revision: revision.name)
@pytest.mark.parametrize("change", ["x = 1\n", "\n\ndef more():\n    return 2\n"])
def test_a_change_of_any_listed_source_is_noticed(revision, change, tmp_path, monkeypatch):
    """A listed file or function that is read by nobody would be a hole."""
    before = digest(revision)
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    package = Path(tlbench.__file__).parent

    for changed in revision.sources:
        for source in revision.sources:
            file, _, _ = source.partition("::")
            place = tmp_path / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text((package / file).read_text(encoding="utf-8"), encoding="utf-8")
        file, _, name = changed.partition("::")
        text = (tmp_path / file).read_text(encoding="utf-8")
        if name:
            whole = part(text, name)
            text = text.replace(whole, whole + "    " + change.strip().replace("\n", "\n    ") + "\n")
        else:
            text += change
        (tmp_path / file).write_text(text, encoding="utf-8")

        assert before != digest(revision), changed


def test_every_module_that_training_imports_is_listed():
    """A new module on the training path belongs to a revision, unless this test says why not."""
    listed = {source.partition("::")[0] for revision in DECLARED for source in revision.sources}
    waiting, seen = ["train/training.py", "train/reference.py", "train/evaluating.py"], set()

    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "tlbench":
                base = (node.module or "").split(".")[1:]
                names = ["/".join([*base, alias.name]) for alias in node.names] + ["/".join(base)]
                waiting += [f"{name}.py" for name in names if (PACKAGE / f"{name}.py").is_file()]

    # What a dataset of files is, its digest says: pixels, labels and names of classes.
    assert {file for file in seen if not file.startswith("datasets/")} <= listed | ELSEWHERE


class Wide(Xception):
    """A network of a test's own, on a family of this package."""


class Versioned(Pebble):
    """A network that declares its revision."""

    REVISION = 3


def test_a_network_is_known_by_all_of_its_bases():
    """A class that declares a revision by its number, any other by its module's source."""
    here = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    pebble = hashlib.sha256(Path(sys.modules["pebble"].__file__).read_bytes()).hexdigest()

    assert {
        f"{__name__}.Wide": here,
        "tlbench.networks.xception.Xception": Xception.REVISION,
    } == revisions.of_class(Wide)
    assert {f"{__name__}.Versioned": 3, "pebble.Pebble": pebble} == revisions.of_class(Versioned)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("REVISION", "two", "REVISION of Odd must be an integer. Received: 'two'"),
        ("__module__", "nowhere", "source of Odd cannot be found"),
    ],
)
def test_a_network_whose_code_cannot_be_known_is_refused(name, value, message):
    """Its results could be read after any change."""
    odd = type("Odd", (), {name: value})

    with pytest.raises(ConfigurationError, match=message):
        revisions.of_class(odd)


if __name__ == "__main__":
    content = {revision.name: {"revision": revision.number, "code": digest(revision)} for revision in DECLARED}
    RECORD.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
