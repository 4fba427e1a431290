"""history.html, history.md and history.csv: the course of each arm, claim and speed figure."""

from __future__ import annotations

import csv
import re

from dataclasses import replace

import nights
import pytest

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from test_html import HOSTILE, Elements

from tlbench.errors import ConfigurationError
from tlbench.judge import history as judge
from tlbench.report import history as pages
from tlbench.report.courses import chart, dates, sparkline, summary
from tlbench.report.ticks import nice_ticks


@pytest.fixture(scope="module")
def drifted():
    """Sixty nights of which the last half have lost three points in one arm, since another Keras."""
    return judge.history(nights.series(nights=60, drop=0.03, keras_from=30), 0)


@pytest.fixture(scope="module")
def quiet():
    """Twelve quiet nights."""
    return judge.history(nights.series(nights=12), 0)


def test_the_page_opens_with_the_answer(drifted):
    """Before any fact: what drifts, against which run."""
    text = " ".join(Elements(pages.page(drifted, "nightly")).text)

    assert "Drift: arm 0" in pages.answer(drifted)
    assert "worse than the accepted run nightly of 2026-01-01." in pages.answer(drifted)
    assert text.index(pages.answer(drifted)) < text.index("60, 2026-01-01 to 2026-03-01")


def test_quiet_nights_say_so(quiet):
    """With the number of quantities that were looked at."""
    assert (
        "Nothing has become worse than the accepted run nightly of 2026-01-01, among 13 quantities of arms and claims."
        == pages.answer(quiet)
    )
    assert "Change points" not in pages.describe(quiet)


def test_a_single_night_judges_nothing():
    """Nor is it called quiet: an arm of one seed has no noise to hold a drift against."""
    found = judge.history([nights.night(0, {"a": [0.8]})], 0)

    assert pages.answer(found).startswith("Nothing can be judged against the accepted run nightly")
    assert "<h1>History: one</h1>" in pages.page(found, "one")


def test_an_improvement_is_told_and_is_no_alarm():
    """It is news all the same."""
    found = judge.history(nights.series(nights=60, drop=-0.03), 0)

    assert [] == found.alarms
    assert "arm 0" in pages.answer(found)
    assert "become better" in pages.answer(found)


def test_every_course_is_drawn_and_told(drifted):
    """Each chart has its sentence for those who cannot see it."""
    page = Elements(pages.page(drifted, "nightly"))

    labels = [value for tag, name, value in page.attributes if tag == "div" and name == "aria-label"]
    drawn = [label for label in labels if " at first, " in label]
    assert len(drifted.courses) == len(drawn) == page.tags.count("svg")
    assert "change point: 2026-01-31" in next(label for label in drawn if label.startswith("arm 0, accuracy"))
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_a_change_of_versions_is_marked_and_listed(drifted):
    """By the same number."""
    page = pages.page(drifted, "nightly")

    assert "keras 3.15.1 → 3.16.0" in page
    assert re.search(r'<span class="number" style="left:50\.8%">1</span>', page)


def test_names_are_harmless():
    """Of arms, claims, runs and versions, in each kind of file."""
    for name in HOSTILE:
        runs = [nights.night(number, {name: [0.8, 0.81]}, claims={f"c {name}": [0.1, 0.2]}) for number in range(3)]
        found = judge.history(runs, 0, [name] * 3)
        page = Elements(pages.page(found, name))
        html = MarkdownIt().enable("table").render(pages.markdown(found, name))

        assert 1 == page.tags.count("script")
        assert not {"img", "iframe"} & set(page.tags)
        assert not {"onerror", "onmouseover"} & {attribute for _, attribute, _ in page.attributes}
        assert not re.search(r"<(script|img|iframe)", html)


def test_markdown_says_the_same(drifted):
    """The answer first, then tables."""
    text = pages.markdown(drifted, "nightly")
    html = MarkdownIt().enable("table").render(text)

    assert text.startswith("# History: nightly\n\n**Drift: arm 0")
    assert ["Drift", "Change points", "Claims", "Arms", "Speed and memory", "Versions"] == re.findall(
        r"<h2>(.*?)</h2>", html
    )
    assert 6 == html.count("<table>")


def test_files_are_written_and_the_values_are_those_of_the_points(drifted, tmp_path):
    """A row for each point of each course."""
    pages.write(drifted, tmp_path / "new" / "folder", "nightly")

    with (tmp_path / "new" / "folder" / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(len(course.points) for course in drifted.courses) == len(rows)
    of_arm = [float(row["mean"]) for row in rows if (row["label"], row["metric"]) == ("arm 0", "accuracy")]
    (course,) = [c for c in drifted.courses if (c.label, c.metric) == ("arm 0", "accuracy")]
    assert [point.mean for point in course.points] == of_arm


def test_a_folder_that_cannot_be_made_is_a_usage_error(quiet, tmp_path):
    """It names the option."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(ConfigurationError, match="choose another folder with --to"):
        pages.write(quiet, tmp_path / "file" / "folder", "nightly")


def test_without_the_engine_the_page_says_that_no_step_was_looked_for(quiet):
    """In the page, in Markdown and in a terminal."""
    found = replace(quiet, steps_known=False)

    assert "tlbench[history]" in pages.page(found, "n")
    assert "tlbench\\[history\\]" in pages.markdown(found, "n")
    assert "tlbench[history]" in pages.describe(found)


def test_a_gap_is_not_bridged():
    """Two stretches of a line, around a night that measured nothing."""
    runs = nights.series(nights=6)
    runs[3] = replace(runs[2], created=runs[3].created, id="read")
    found = judge.history(runs, 0)
    (course,) = found.of("claim")

    drawn = chart(course, found)

    assert (2, 2) == (len(drawn.mean), len(drawn.band))
    assert "in 5 of 6 nights" in summary(course, found)


@given(st.floats(-1e3, 1e3, allow_subnormal=False), st.floats(1e-6, 1e3))
def test_ticks_are_few_and_within_the_axis(low, size):
    """Whatever the values."""
    ticks = nice_ticks(low, low + size)

    assert 2 <= len(ticks) <= 5
    assert (0.0 in ticks) == (low <= 0 <= low + size) or [low, low + size] == ticks
    assert all(low - 1e-9 * abs(low) - 1e-9 <= tick <= low + size + 1e-9 * abs(low + size) + 1e-9 for tick in ticks)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.7, 0.9, [0.7, 0.8, 0.9]), (-0.16, 0.2, [-0.1, 0.0, 0.1, 0.2]), (0.752, 0.853, [0.8, 0.85])],
)
def test_ticks_are_round(low, high, expected):
    """As a person would choose them."""
    assert expected == pytest.approx(nice_ticks(low, high))


def test_dates_are_few(quiet):
    """The first and the last among them."""
    assert ("2026-01-01", "2026-01-12", 5) == (dates(quiet)[0], dates(quiet)[-1], len(dates(quiet)))


def test_a_sparkline_rises_and_falls_with_its_course(drifted):
    """A constant course is a flat line."""
    by_name = {(course.label, course.metric): course for course in drifted.courses}
    line = sparkline(by_name["arm 0", "accuracy"])
    flat = judge.history([nights.night(number, {"a": [0.5, 0.5]}) for number in range(3)], 0)

    assert 24 == len(line)
    assert max(line[:12]) > max(line[12:])
    assert "▄▄▄" == sparkline(flat.courses[0])
