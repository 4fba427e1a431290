"""matrix.html in a real browser: nothing is loaded, nothing is cut off, and a checker of accessibility is content."""

from __future__ import annotations

import pytest

from cells import matrix
from test_page_in_browser import browser, open_page, violations  # noqa: F401 - fixtures

from tlbench.judge.generality import generality
from tlbench.report import generality as pages


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The page of three cells and one that was not run."""
    folder = tmp_path_factory.mktemp("matrix")
    pages.write(generality(matrix()), folder)
    return folder / pages.PAGE


def test_the_page_opens_without_errors_and_asks_for_nothing(written, open_page):  # noqa: F811
    """But for the file itself; the answer and the figure are there to be seen."""
    page = open_page(written)

    assert ([], [written.as_uri()]) == (page.errors, page.requests)
    assert page.get_by_text("In the mean over 3 of 4 cells").is_visible()
    assert page.locator("#figure svg").bounding_box()["height"] > 200


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accessibility_checker_finds_nothing(written, open_page, scheme, width):  # noqa: F811
    """In either theme, on a phone and on a screen, with all that can be opened open."""
    page = open_page(written, color_scheme=scheme, viewport={"width": width, "height": 900})

    assert [] == [(found["id"], [node["html"][:120] for node in found["nodes"]]) for found in violations(page)]
    assert width >= page.evaluate("document.documentElement.scrollWidth")
