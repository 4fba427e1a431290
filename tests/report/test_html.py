"""report.html: one page, right for any report and harmless for any name."""

from __future__ import annotations

import re

from dataclasses import replace
from html.parser import HTMLParser

import pytest
import reports

from tlbench.report import drawing, files, html, markdown
from tlbench.report.gallery import all_figures
from tlbench.store.baselines import Commit


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]>--><!--",
    "javascript:alert(1)",
    "' onmouseover='alert(1)",
    "</style></title></svg><iframe src=//x>",
    "{{ 7 * 7 }} {% raw %}",
)


class Elements(HTMLParser):
    """Elements, identifiers and links of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.attributes, self.text = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Called by the parser, as the next."""
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.append((tag, name, value))
            if name == "id":
                self.ids.append(value)
            if name in {"href", "xlink:href"}:
                self.links.append(value)

    def handle_data(self, data):
        """Between elements."""
        self.text.append(data)


@pytest.fixture(scope="module", autouse=True)
def _without_png():
    """A page holds the SVG of a picture; drawing its PNG as well takes a third of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "_png", lambda _canvas: b"")
        yield


def page_of(report):
    figures = all_figures(report)
    return html.page(report, figures, {drawn.name: drawing.picture(drawn, report.data) for drawn in figures})


@pytest.fixture(scope="module", params=reports.ALL)
def made(request):
    report = reports.ALL[request.param]()
    return report, page_of(report)


def test_every_link_leads_to_an_element_of_the_page(made):
    """Identifiers are there once each, those of figures included."""
    elements = Elements(made[1])

    assert len(elements.ids) == len(set(elements.ids))
    # The shades of a matrix are an image within the page.
    links = [link for link in elements.links if not link.startswith("data:image/png;base64,")]
    assert all(link.startswith("#") for link in links)
    assert {link[1:] for link in links} <= set(elements.ids)


def test_nothing_is_loaded(made):
    """No element that would, and a policy that forbids it."""
    elements = Elements(made[1])

    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    assert not {"img", "link", "iframe", "object", "embed", "base", "form"} & set(elements.tags)
    assert not [each for each in elements.attributes if each[1] == "src"]
    assert ("meta", "content", policy) in elements.attributes
    assert "@import" not in made[1]
    assert not re.search(r"url\((?!#)", made[1])


def test_everything_of_the_report_is_there(made):
    """Claims, tables, figures, trials with the command that repeats each, and environments."""
    report, text = made
    elements = Elements(text)
    shown = "".join(elements.text)

    for claim in report.claims:
        assert claim.name in shown
        assert claim.sentence in shown
    for table in report.tables:
        assert f"{table.name}: {table.title}" in shown
    for drawn in all_figures(report):
        assert ("div", "aria-label", f"{drawn.name}: {drawn.title}") in elements.attributes
        assert all(line in shown for line in drawn.text().splitlines())
    for trial in report.trials.values():
        assert f"{report.repeat} {trial.digest[:12]}" in shown
    assert len(report.claims) + len(report.arms) == sum(
        value in {f"claim {c.outcome}" for c in report.claims} | {"arm"}
        for tag, name, value in elements.attributes
        if tag == "details" and name == "class"
    )


def test_a_page_is_the_same_each_time(made):
    """Byte for byte."""
    report, text = made

    assert text == page_of(report)


def test_verdicts_are_counted():
    """In words, not in colour alone."""
    shown = " ".join("".join(Elements(page_of(reports.mixed())).text).split())

    assert "✓ 0 supported ✗ 1 refuted ? 2 inconclusive" in shown


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("failed", "✗ Comparison failed: "),
        ("passed", "✓ Comparison passed: "),
        ("not measured", "? Comparison not measured: "),
    ],
)
def test_a_comparison_is_told_beside_the_verdicts(outcome, expected):
    """Above the claims, with the number of arms and claims that changed."""
    comparison = replace(reports.comparison(), outcome=outcome)
    shown = " ".join("".join(Elements(page_of(reports.report(comparison=comparison))).text).split())

    told = f"? 0 inconclusive {expected}arms: 1 regressed, 1 same; claims: 1 changed verdict Claims"
    assert told in shown


def test_parts_stand_in_the_order_of_the_contents():
    """From verdicts to what they rest on."""
    elements = Elements(page_of(reports.compared()))

    expected = ["claims", "fool", "figures", "tables", "comparison", "trials", "settings", "environments"]
    assert expected == [name for name in elements.ids if name in expected]
    assert [f"#{name}" for name in expected[:-1]] == elements.links[1 : len(expected)]


def test_the_bar_of_a_claim_is_told_in_words():
    """To whoever cannot see it, also while the claim is closed."""
    attributes = Elements(page_of(reports.single())).attributes

    assert ("svg", "aria-label", "difference told in a line") in attributes


def test_a_diverged_trial_is_told_as_such():
    """In the claim and in its arm."""
    text = page_of(reports.mixed())

    assert "<td>no score</td><td>60.0%</td><td>none</td>" in text
    assert '<td colspan="4">diverged</td>' in text


def test_a_failed_comparison_says_so():
    """With what has regressed above what has not."""
    text = page_of(reports.compared())

    assert '<p class="failed">FAILED: accuracy, macro-F1 or loss has regressed: A</p>' in text
    assert text.index(">regressed</td>") < text.index(">same</td>")
    assert 'aria-label="Old and new: accuracy of each trial in both runs"' in text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_wherever_it_stands(name):
    """Of classes, arms, claims, tables, paths and notes: no element, attribute or script comes of it."""
    # But for figures, where letters become outlines, as many as there are.
    harmless, text = (
        re.sub(r"<svg viewBox.*?</svg>", "", page_of(_named(each)), flags=re.DOTALL) for each in ("x", name)
    )

    expected, found = Elements(harmless), Elements(text)
    assert expected.tags == found.tags
    assert [each[:2] for each in expected.attributes] == [each[:2] for each in found.attributes]
    # Identifiers are numbers and digests; those of trials differ as the arms' names do.
    assert _without_digests(expected.ids) == _without_digests(found.ids)
    assert _without_digests(expected.links) == _without_digests(found.links)
    assert name in "".join(found.text)


def _without_digests(names):
    return [re.sub("trial-[0-9a-f]{16}$", "trial", name) for name in names]


def _named(name):
    claim = replace(reports.claim(name=name, arms=(name, "B")), statement=name, sentence=name, margin_reason=name)
    return reports.report(
        header={"dataset": name, name: name},
        notes=(name,),
        data=name,
        stand_in=True,
        repeat=f"pytest {name}",
        tables=(reports.table(name, name),),
        figures=(),
        claims=(claim,),
        arms=(reports.arm(name), reports.arm("B", (0.6, 0.61))),
        comparison=replace(reports.comparison(name), trials=()),
    )


def test_names_of_figures_are_text_too():
    """Their letters become outlines, and their words stand beside them."""
    name = HOSTILE[1]
    elements = Elements(page_of(reports.report(figures=reports.figures(name))))

    assert not {"img", "script"} & set(elements.tags) - {"script"}
    assert 1 == elements.tags.count("script")
    assert not [each for each in elements.attributes if each[1].startswith("on")]


def test_a_thousand_trials_are_a_page_of_less_than_five_megabytes(tmp_path):
    """With all of its files."""
    report = reports.large()
    files.write(report, tmp_path)

    assert 1000 == len(report.trials)
    assert (tmp_path / "report.html").stat().st_size < 5e6
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5e6


@pytest.mark.parametrize("kind", reports.ALL)
def test_any_report_is_written_whole(kind, tmp_path):
    """Page, Markdown, results, and files for each table and figure; twice the same bytes."""
    report = reports.ALL[kind]()
    for folder in ("one", "two"):
        files.write(report, tmp_path / folder)

    written = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert {"report.html", "report.md", "results.json"} <= set(written)
    assert 3 * len(report.tables) == sum(name.startswith("table-") for name in written)
    assert 2 * len(all_figures(report)) == sum(name.endswith((".svg", ".png")) for name in written)
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}


def test_the_page_names_the_commit_of_the_run():
    """And says nothing of it outside of git."""
    report = reports.report(commit=Commit("0123abcd", changed=True))

    assert "<dt>commit</dt><dd>0123abcd with changes</dd>" in page_of(report)
    assert "- commit: 0123abcd with changes" in markdown.page(report, ())
    assert "<dt>commit</dt>" not in page_of(reports.report())
    assert "- commit" not in markdown.page(reports.report(), ())


def test_the_data_is_said_once_outside_of_pictures():
    """Every picture has it, so that captions and notes need not repeat it."""
    text = page_of(reports.report())
    outside = re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)

    assert 1 == outside.count("Data: colours.")
    assert len(all_figures(reports.report())) == text.count("<!-- Data: colours. -->")
    assert 1 == markdown.page(reports.report(), all_figures(reports.report())).count("Data: colours.")


def test_figures_of_a_page_have_colours_for_the_dark():
    """Each of the style's colours is a variable, of which the page has a light and a dark value of more contrast."""
    text = page_of(reports.report(comparison=reports.comparison()))
    pictures = "".join(re.findall(r"<svg viewBox.*?</svg>", text, flags=re.DOTALL))

    assert "var(--figure-0)" in pictures
    for index, (light, dark) in enumerate(zip(drawing.COLOURS, drawing.COLOURS_ON_DARK, strict=True)):
        assert light.lower() not in pictures.lower()
        assert f"--figure-{index}: {light};" in text
        assert f"--figure-{index}: {dark};" in text
        assert _contrast(dark, "#15181b") > max(4.5, _contrast(light, "#15181b"))


def _contrast(one, other):
    """WCAG 2.2's ratio of two colours."""

    def luminance(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_sides_that_are_gains_are_in_points():
    """A gain of -14 % could be taken for a share of what was there."""
    claim = reports.claim(left=(-0.14, -0.15), right=(-0.3, -0.31), sides_in_points=True)
    text = page_of(reports.report(claims=(claim,)))

    assert "<td>-14.0 points</td><td>-30.0 points</td><td>+16.0 points</td>" in text
