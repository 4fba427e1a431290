"""history.html in a real browser: nothing is loaded, nothing is cut off, and a checker of accessibility is content."""

from __future__ import annotations

import nights
import pytest

from test_page_in_browser import browser, open_page, violations  # noqa: F401 - fixtures

from tlbench.judge.history import history
from tlbench.report import history as pages


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The page of sixty nights with a drift."""
    folder = tmp_path_factory.mktemp("history")
    pages.write(history(nights.series(nights=60, drop=0.03, keras_from=30), 0), folder, "nightly")
    return folder / pages.PAGE


def test_the_page_opens_without_errors_and_asks_for_nothing(written, open_page):  # noqa: F811
    """But for the file itself; the answer and every first chart are there to be seen."""
    page = open_page(written)

    assert ([], [written.as_uri()]) == (page.errors, page.requests)
    assert page.get_by_text("Drift: arm 0").is_visible()
    plots = page.locator("section > .course .plot svg")
    assert 9 == plots.count()
    assert all(plots.nth(number).bounding_box()["height"] > 100 for number in range(plots.count()))


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accessibility_checker_finds_nothing(written, open_page, scheme, width):  # noqa: F811
    """In either theme, on a phone and on a screen, with all that can be opened open."""
    page = open_page(written, color_scheme=scheme, viewport={"width": width, "height": 900})

    assert [] == [(found["id"], [node["html"][:120] for node in found["nodes"]]) for found in violations(page)]
    assert width >= page.evaluate("document.documentElement.scrollWidth")


def test_other_metrics_open_by_keyboard(written, open_page):  # noqa: F811
    """Tab comes to them, Enter opens them."""
    page = open_page(written)
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#arm summary')"):
            break
    page.keyboard.press("Enter")

    assert page.locator("#arm details[open] .plot").first.is_visible()
