"""report.html in a real browser: nothing is loaded, everything can be reached, by keyboard and by screen readers."""

from __future__ import annotations

import os
import shutil

from dataclasses import replace
from pathlib import Path

import pytest
import reports

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from tlbench.report import files
from tlbench.report.gallery import all_figures


# As root there is no sandbox; the others keep Chromium from asking its maker for updates.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

MISSING = (
    "no browser: 'playwright install chromium' or a package of the system's, such as Debian's chromium, brings one "
    "(TLBENCH_BROWSER=required makes this a failure)"
)


@pytest.fixture(scope="module")
def browser():
    """Playwright's own Chromium, or the system's."""
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path).is_file()
        found = None if own else next(filter(None, map(shutil.which, NAMES)), None)
        if not (own or found):
            if os.environ.get("TLBENCH_BROWSER") == "required":
                pytest.fail(MISSING)
            pytest.skip(MISSING)
        # One that is there and does not start is a failure.
        launched = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module", params=["whole", "mixed", "compared", "empty"])
def written(request, tmp_path_factory):
    """A report and its page."""
    report = reports.ALL[request.param]()
    folder = tmp_path_factory.mktemp("report")
    files.write(report, folder)
    return report, folder / "report.html"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The page of a report with everything."""
    folder = tmp_path_factory.mktemp("whole")
    files.write(reports.compared(), folder)
    return folder / "report.html"


@pytest.fixture
def open_page(browser):
    """A function that opens a page and tells what went wrong, and what was asked for."""
    contexts = []

    def open_page(path, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.errors, page.requests = [], []
        page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("request", lambda asked: page.requests.append(asked.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_a_page_opens_without_errors_and_asks_for_nothing(written, open_page):
    """But for the file itself; every figure and table is there to be seen."""
    report, path = written
    page = open_page(path)

    figures = page.locator("figure .picture svg")
    assert ([], [path.as_uri()]) == (page.errors, page.requests)
    assert len(all_figures(report)) == figures.count()
    assert all(figures.nth(number).bounding_box()["height"] > 100 for number in range(figures.count()))
    for table in report.tables:
        assert page.get_by_role("table", name=f"{table.name}: {table.title}").is_visible()


def test_a_claim_opens_by_keyboard(whole, open_page):
    """Tab comes to it, Enter opens it, and what it rests on is to be seen."""
    page = open_page(whole)
    for _ in range(50):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('details.claim > summary')"):
            break

    inside = page.locator("details.claim .inside").first
    assert not inside.is_visible()
    page.keyboard.press("Enter")
    assert inside.is_visible()
    assert inside.get_by_role("table").is_visible()


def test_a_link_to_a_trial_opens_its_arm(whole, open_page):
    """And the command that repeats it can be opened there."""
    page = open_page(whole)
    page.locator("details.claim > summary").first.click()
    page.get_by_role("link", name="seed 1, 82.0%").first.click()

    row = page.locator("tr:target")
    assert row.is_visible()
    assert row.evaluate("element => element === document.activeElement")
    row.get_by_text("repeat", exact=True).click()
    assert row.locator(".command").is_visible()
    assert row.locator(".command").inner_text().startswith("pytest --tlbench-repeat ")


def test_a_page_opens_where_a_link_points(whole, open_page):
    """Also when it is opened with that link."""
    page = open_page(whole)
    page.goto(f"{whole.as_uri()}#arm-1")
    page.reload()

    assert page.locator("#arm-1 .inside").is_visible()


def test_a_link_opens_again_what_was_closed(whole, open_page):
    """Though the address stays as it is."""
    page = open_page(whole)
    page.locator("details.claim > summary").first.click()
    link = page.locator(".under a[href='#arm-1']").first
    link.click()
    page.locator("#arm-1 > summary").click()
    closed = not page.locator("#arm-1 > .inside").is_visible()
    link.click()

    assert closed
    assert page.locator("#arm-1 > .inside").is_visible()


def test_an_address_that_leads_nowhere_is_no_error(whole, open_page):
    """Nor is one with a percent sign that stands for no character."""
    page = open_page(whole)
    page.evaluate("location.hash = '#%'")
    page.goto(f"{whole.as_uri()}#nowhere")
    page.reload()

    assert [] == page.errors


def violations(page):
    """Violations that a checker of accessibility finds on a page, with all that can be opened open."""
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    return Axe().run(page).response["violations"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accessibility_checker_finds_nothing_serious(written, open_page, scheme):
    """With all that can be opened open, in either theme."""
    page = open_page(written[1], color_scheme=scheme)

    serious = [
        (violation["id"], [node["html"][:120] for node in violation["nodes"]])
        for violation in violations(page)
        if violation["impact"] in {"serious", "critical"}
    ]
    assert [] == serious


@pytest.mark.parametrize("width", [360, 1400])
def test_a_page_does_not_scroll_sideways(whole, open_page, width):
    """Tables do, in boxes of their own."""
    page = open_page(whole, viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")

    assert width >= page.evaluate("document.documentElement.scrollWidth")


def test_captions_of_wide_tables_are_read_without_scrolling(open_page, tmp_path):
    """They keep to the width of a phone, and stay where they are while their table is moved."""
    title = "accuracy and loss with random and transferred weights, by learning rate"
    files.write(reports.report(tables=(replace(reports.table(), title=title),)), tmp_path)
    page = open_page(tmp_path / "report.html", viewport={"width": 360, "height": 800})
    caption = page.get_by_text(title)
    before = caption.bounding_box()
    moved = caption.evaluate("element => (element.closest('.scroll').scrollLeft = 60)")
    after = caption.bounding_box()

    assert 360 >= before["x"] + before["width"]
    assert (60, before["x"]) == (moved, after["x"])


def test_tables_are_not_cut_on_paper(whole, open_page):
    """They are as wide as a page of A4 within margins of 15 mm: 680 CSS pixels."""
    page = open_page(whole, viewport={"width": 680, "height": 960})
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")

    assert 680 >= page.evaluate("document.documentElement.scrollWidth")


def test_everything_is_open_on_paper(whole, open_page):
    """Histories and commands included, and closed again behind it."""
    page = open_page(whole)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    printed = page.locator("details:not([open])").count()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")

    assert 0 == printed
    assert 0 < page.locator("details:not([open])").count()
