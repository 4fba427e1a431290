"""The names that `import tlbench` offers, and the pages of the guide that list them."""

from __future__ import annotations

import re
import subprocess
import sys

from collections import Counter
from pathlib import Path

import pytest

import tlbench


PAGES = sorted((Path(__file__).parents[2] / "docs" / "reference" / "api").glob("*.md"))


def test_the_pages_list_the_public_names_and_no_others():
    """Each by a directive of Sphinx, once, on whichever page."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    listed = re.findall(r"^\.\. auto(?:class|data|exception|function):: (\S+)$", text, re.MULTILINE)

    assert sorted(tlbench.__all__) == sorted(listed)


def test_every_public_name_can_be_read_and_is_listed_by_dir():
    """Completion in an interpreter offers them."""
    assert set(tlbench.__all__) <= set(dir(tlbench))
    assert all(getattr(tlbench, name) is not None for name in tlbench.__all__)


def test_a_star_import_imports_the_public_names():
    """`from tlbench import *` asks for `__all__`, which the module does not hold."""
    imported = {}
    exec("from tlbench import *", imported)

    assert set(tlbench.__all__) == imported.keys() - {"__builtins__"}


def test_a_name_that_is_not_public_is_an_error_that_names_it():
    """Submodules do not become attributes either, unless they are imported."""
    with pytest.raises(AttributeError, match=r"no public name 'scroe'; tlbench\.__all__ lists them"):
        _ = tlbench.scroe
    with pytest.raises(ImportError, match="scroe"):
        exec("from tlbench import scroe")


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import tlbench", "numpy tlbench.public"),
        ("from tlbench import *", "keras pandas matplotlib scipy sklearn statsmodels pytest tlbench.hosts"),
    ],
)
def test_importing_tlbench_imports_no_more_than_it_needs(statement, unwanted):
    """A backend takes seconds to import, and pandas half of one."""
    code = f"import sys; {statement}; print(sorted(set({unwanted.split()!r}) & sys.modules.keys()))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert "[]\n" == printed


def test_the_package_says_that_it_has_types():
    """Type checkers read the annotations of a package that has this file (PEP 561)."""
    assert (Path(tlbench.__file__).parent / "py.typed").is_file()


def test_no_other_class_has_the_name_of_a_public_one():
    """A reader who meets `Point` or `Run` in the code knows which it is; so does a search."""
    defined = Counter(
        name
        for path in Path(tlbench.__file__).parent.rglob("*.py")
        for name in re.findall(r"^(?:class )?([A-Z]\w*[a-z]\w*)(?:\(.*\))?(?::| = )", path.read_text(), re.MULTILINE)
    )

    assert [] == [name for name in tlbench.__all__ if defined[name] > 1]
    assert {"Run", "Point"} < {name for name, count in defined.items() if count == 1}
