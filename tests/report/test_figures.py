"""Figures: traced from results, told in words, drawn."""

from __future__ import annotations

import io
import itertools
import json

from dataclasses import replace
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
import reports

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text
from PIL import Image

from tlbench.declare.claims import Quantity, score
from tlbench.declare.trials import Arm, Random
from tlbench.judge.comparison import ArmChange
from tlbench.report import drawing
from tlbench.report.content import SCHEMA_VERSION, Report, load
from tlbench.report.drawing import INK, STYLE, picture
from tlbench.report.figures import (
    Bar,
    Bars,
    Calibration,
    Confusion,
    Curves,
    LearningCurves,
    Lines,
    Matrix,
    Pair,
    Point,
    Scatter,
    ScatterPoint,
    marks,
)
from tlbench.report.figures.calibration import LEAST_IMAGES, Bin, CalibrationSeries
from tlbench.report.figures.changes import Changes
from tlbench.report.figures.forest import MOST_CLAIMS, Forest
from tlbench.report.gallery import all_figures
from tlbench.report.records import TrialChange


# Formulas, markup, control characters, what XML cannot hold, other scripts, and names that are too long.
NAMES = (
    "$x^2$ %_<b>&\\ -->",
    "\x1b[31m \x00 \x07 \ufffe",
    "\U0001f600 \u202eabc",
    "\u0939\u093f\u0928\u094d\u0926\u0940",
    "\u05e9\u05dc\u05d5\u05dd \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u732b",
    "a\nb\r\n\tc",
    "_hidden",
    "an arm of a long name " * 12,
    "x" * 300,
    "",
)


@pytest.fixture
def arm(make_trial):
    trial = make_trial()
    return Arm("slow", trial.data, trial.task, trial.network, Random(), frozenset(), trial.recipe)


@pytest.fixture
def other(arm):
    return replace(arm, label="fast", recipe=arm.recipe.at(learning_rate=0.5))


@pytest.fixture
def declared(arm, other):
    """One figure of each kind, of two arms."""
    return {
        "curves": Curves("Figure 1", "curves", other, arm),
        "lines": Lines(
            "Lines",
            "lines",
            "learning rate",
            "accuracy",
            (("slow", (Point(0.1, score(arm), "137.8% (as printed)"),)), ("fast", (Point(0.5, score(other), "90%"),))),
            published_by="poster",
        ),
        "bars": Bars("Bars", "bars", "arm", "accuracy", (Bar("slow", score(arm), "85%"), Bar("fast", score(other)))),
        "matrix": Matrix(
            "Matrix",
            "gains",
            "from",
            "to",
            "gain",
            (Pair("frozen", "a", "b", score(other) - score(arm), "10%"), Pair("free", "b", "a", score(arm))),
        ),
        "confusion": Confusion("Confusion", "what is what", arm, ("cat", "dog"), {"cat": "0.5"}, published_by="poster"),
        "calibration": Calibration("Calibration", "how sure", (arm, other)),
        "learning_curves": LearningCurves(
            "Learning",
            "learning",
            "images",
            "accuracy",
            (("slow", (Point(10, score(arm)), Point(40, score(other)))), ("fast", (Point(10, score(other)),))),
            reference="slow",
        ),
        "scatter": Scatter(
            "Scatter",
            "one against the other",
            "accuracy of slow",
            "accuracy",
            (ScatterPoint("arms", "both", score(arm), score(other)), ScatterPoint("same", "", score(arm), score(arm))),
            x_unit="percent",
        ),
    }


KINDS = ("curves", "lines", "bars", "matrix", "confusion", "calibration", "learning_curves", "scatter")


@pytest.fixture
def results(arm, other, make_result):
    """Two seeds of each arm: 8 and 9 of 10 right, and 9 and 10."""
    found = {arm.trial(seed).digest: make_result(8 + seed, validation=(0.5, 0.75)) for seed in (0, 1)}
    return found | {other.trial(seed).digest: make_result(9 + seed, validation=(0.75, 1.0)) for seed in (0, 1)}


@pytest.fixture
def traced(declared, results):
    return {kind: figure.trace(lambda t: results.get(t.digest), [0, 1]) for kind, figure in declared.items()}


def report_of(*figures, claims=()):
    return Report("", "0", {}, (), (), "Data: colours.", False, (), figures, claims, (), "pytest", None)


def test_epochs_to_match_are_counted_by_seed(traced):
    """The fast arm is after one epoch where the slow one ends."""
    assert {0: 1, 1: 1} == traced["curves"].epochs_to_match
    assert 1 == traced["curves"].crossing


def test_a_seed_that_was_not_run_is_left_out_of_curves(declared, results, arm):
    """It has nothing that the other could match."""
    del results[arm.trial(1).digest]
    drawn = declared["curves"].trace(lambda t: results.get(t.digest), [0, 1])

    assert {0: 1} == drawn.epochs_to_match
    assert 3 == len(drawn.curves)


def test_a_curve_that_never_gets_there_has_no_crossing(arm, other, make_result):
    """The caption says so."""
    results = {
        arm.trial(0).digest: make_result(validation=(0.5, 1.0)),
        other.trial(0).digest: make_result(validation=(0.5, 0.75)),
    }
    drawn = Curves("Figure 1", "curves", other, arm).trace(lambda t: results.get(t.digest), [0])

    assert drawn.crossing is None
    assert "The mean of fast does not reach the last one of slow." in drawn.caption


def test_the_text_of_curves_holds_both(traced):
    """Mean validation accuracy by epoch, and the epochs it took."""
    text = traced["curves"].text()

    assert "fast: 75.0% 100.0%" in text
    assert "slow: 50.0% 75.0%" in text
    assert "seed 0: 1" in text


def test_lines_hold_every_point_with_what_was_printed(traced):
    """A figure that was printed with a remark is told, and not drawn."""
    first, second = traced["lines"].points

    assert ("slow", 0.1, (0.8, 0.9), None) == (first.series, first.x, first.cell.numbers, first.cell.published_number)
    assert (0.9, 1.0) == second.cell.numbers
    assert "poster 137.8% (as printed), which is not drawn" in traced["lines"].text()
    assert "A figure that was printed with a remark is not drawn." in traced["lines"].caption


def test_bars_are_told_with_every_seed(traced):
    """Mean, interval, seeds, and what was published."""
    assert ["slow: 85.0% ±31.6, by seed 80.0% 90.0%; published 85%", "fast: 95.0% ±31.6, by seed 90.0% 100.0%"] == (
        traced["bars"].text().splitlines()
    )


def test_a_matrix_holds_differences(traced):
    """Of each pair that there is."""
    first, second = traced["matrix"].pairs

    assert [pytest.approx(0.1)] * 2 == list(first.cell.numbers)
    assert ("free", "b", "a") == (second.panel, second.row, second.column)


def test_a_scatter_pairs_values_by_seed(traced, declared, results, arm):
    """A seed that lacks one of the two is left out."""
    both, _ = traced["scatter"].points
    assert ((0, 0.8, 0.9), (1, 0.9, 1.0)) == both.by_seed
    assert "both, arms: accuracy of slow: 85.0% ±31.6, by seed 80.0% 90.0%; accuracy: 95.0%" in traced["scatter"].text()

    del results[arm.trial(0).digest]
    drawn = declared["scatter"].trace(lambda trial: results.get(trial.digest), [0, 1])
    canvas = Canvas()
    drawn.draw(canvas)
    (axes,) = canvas.axes

    assert ((1, 0.9, 1.0),) == drawn.points[0].by_seed
    assert not drawn.points[0].filled
    assert ["arms", "same"] == [text.get_text() for text in axes.get_legend().get_texts()]
    assert [90.0, 100.0] == [round(value, 6) for value in axes.collections[0].get_offsets()[0]]


def test_names_beside_marks_cover_neither_each_other_nor_marks():
    """Of marks that lie close together; a name that is far from its mark has a line to it."""
    canvas = Canvas(figsize=(6, 4))
    FigureCanvasAgg(canvas)
    axes = canvas.subplots()
    places = [(0.45, 0.50), (0.48, 0.51), (0.51, 0.50), (0.54, 0.49)]
    axes.scatter(*zip(*places, strict=True))
    axes.set(xlim=(0, 1), ylim=(0, 1))

    marks.names(axes, [(x, y, 0.02, f"source {number}") for number, (x, y) in enumerate(places)])

    written = [text for text in axes.texts if text.get_text()]
    boxes = [Text.get_window_extent(text) for text in written]
    centres = axes.transData.transform(places)
    assert not any(first.overlaps(second) for first, second in itertools.combinations(boxes, 2))
    assert not any(box.contains(*centre) for box in boxes for centre in centres)
    assert [max(map(abs, text.xyann)) > 12 for text in written].count(True) == len(axes.texts) - len(written) > 0


def test_a_confusion_matrix_counts_the_images_of_all_seeds(traced):
    """Ten of each seed, true classes in rows: the last of ten are wrong first, as the fixture has it."""
    assert ((9, 1), (2, 8)) == traced["confusion"].counts
    assert "dog is taken for cat 20%, dog 80%" in traced["confusion"].text()


def test_calibration_holds_bins_and_the_error_by_seed(traced):
    """All predictions have a probability of 0.9; eight of ten are right under seed 0, nine under seed 1."""
    slow = traced["calibration"].series[0]

    assert {"0": pytest.approx(0.1, abs=1e-6), "1": pytest.approx(0, abs=1e-6)} == slow.errors
    assert [(pytest.approx(0.9), pytest.approx(0.85), 20)] == [(b.confidence, b.accuracy, b.images) for b in slow.bins]


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_comes_back_from_json_as_it_was(kind, traced, tmp_path):
    """Its kind tells it from the others."""
    report = report_of(traced[kind])
    (tmp_path / "results.json").write_text(report.text(), encoding="utf-8")

    assert SCHEMA_VERSION == json.loads(report.text())["schema_version"]
    assert report == load(tmp_path / "results.json")


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_is_drawn_the_same_each_time(kind, traced):
    """As SVG and as PNG, byte for byte."""
    first, second = picture(traced[kind]), picture(traced[kind])

    assert first == second
    assert "<svg" in first.svg
    with Image.open(io.BytesIO(first.png)) as image:
        assert image.width > 1000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["missing", "diverged", "one seed"])
def test_a_figure_of_little_is_drawn_all_the_same(kind, what, declared, results, make_result):
    """Nothing has been run, everything has diverged, or there is a single seed; it is told in words as well."""
    seeds = [0] if what == "one seed" else [0, 1]
    outcomes = {
        "missing": lambda _trial: None,
        "diverged": lambda _trial: make_result(diverged=True),
        "one seed": lambda trial: results[trial.digest],
    }
    drawn = declared[kind].trace(outcomes[what], seeds)

    assert picture(drawn).png
    assert drawn.text()


@pytest.mark.parametrize("kind", KINDS)
def test_records_are_lines_of_equal_headings(kind, traced):
    """As a data frame needs them."""
    records = list(traced[kind].records())

    assert records
    assert 1 == len({tuple(record) for record in records})


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_says_what_it_shows_and_of_which_data(kind, traced):
    """It is understood where it has been copied to."""
    svg = picture(traced[kind], "Data: colours.").svg

    assert f"<!-- {traced[kind].name}: {traced[kind].title} -->" in svg
    assert "<!-- Data: colours. -->" in svg


@pytest.mark.parametrize("left", [0.51, 0.7, 0.88, 0.96, 1.0])
def test_nothing_touches_the_edge_of_a_picture(left):
    """The label of the last tick has room, wherever the axis ends."""
    forest = Forest((reports.claim(left=(left, left - 0.01), right=(0.5, 0.5)),))
    others = all_figures(reports.report(claims=(), comparison=reports.comparison())) if left == 1.0 else ()
    for figure in (forest, *others):
        with Image.open(io.BytesIO(picture(figure, "Data: colours. " * 20).png)) as image:
            pixels = np.asarray(image.convert("L"))

        border = [pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:]]
        assert {255} == {int(value) for part in border for value in np.unique(part)}, figure.kind


def test_bars_span_the_seeds_on_an_axis_that_fits(traced):
    """One that began at 0 would hide a difference of a few points."""
    canvas = Canvas()
    traced["bars"].draw(canvas)
    (axes,) = canvas.axes
    spans = [(patch.get_y(), patch.get_y() + patch.get_height()) for patch in axes.patches]

    assert [pytest.approx((80, 90)), pytest.approx((90, 100))] == spans
    assert 40 < axes.get_ylim()[0] < 80  # The interval of two seeds is wide.
    assert "The axis does not begin at 0." in traced["bars"].caption


def test_hollow_marks_are_published_in_every_figure(traced):
    """And all that was measured is filled."""
    for kind in ("lines", "bars", "confusion"):
        canvas = Canvas()
        traced[kind].draw(canvas)
        marked = [line for axes in canvas.axes for line in axes.lines if line.get_marker() in set("osD^vP")]
        hollow = [line for line in marked if line.get_markerfacecolor() == "none"]

        assert hollow, kind
        assert len(hollow) < len(marked), kind
        assert "Hollow" in traced[kind].caption, kind


def test_a_bin_of_few_images_is_counted_and_not_drawn(traced):
    """One image alone would put it at 0 or 100 %."""
    bins = (Bin(0.25, 0.0, LEAST_IMAGES - 1), Bin(0.35, 0.4, LEAST_IMAGES), Bin(0.95, 0.9, 200))
    drawn = replace(traced["calibration"], series=(CalibrationSeries("slow", bins, {"0": 0.1}),))
    canvas = Canvas()
    drawn.draw(canvas)
    shares, counts = canvas.axes
    (line,) = [line for line in shares.lines if line.get_marker() == "o"]

    assert [35, 95] == pytest.approx(list(line.get_xdata()))
    assert [LEAST_IMAGES - 1, LEAST_IMAGES, 200] == [bar.get_height() for bar in counts.patches]
    assert [(21, 29), (31, 39), (91, 99)] == [
        pytest.approx((bar.get_x(), bar.get_x() + bar.get_width())) for bar in counts.patches
    ]
    assert "0.25: 0.00 (9)" in drawn.text()


def test_pairs_that_would_leave_a_matrix_mostly_empty_are_a_list(traced):
    """Four of nine pairs of three tasks have a line each, in a column for each panel."""
    pair = traced["matrix"].pairs[0]
    routes = (("a", "b"), ("a", "c"), ("b", "a"), ("c", "a"))
    drawn = replace(
        traced["matrix"],
        pairs=tuple(replace(pair, panel=panel, row=r, column=c) for panel in ("all", "none") for r, c in routes),
    )
    svg = picture(drawn).svg

    assert all(1 == svg.count(f"<!-- {row} \N{RIGHTWARDS ARROW} {column} -->") for row, column in routes)
    assert 8 == svg.count("<!-- +10.0 ")
    assert "empty" not in drawn.caption
    assert "empty cell" in traced["matrix"].caption


def test_gains_are_told_in_points(traced):
    """As everywhere."""
    first, _ = traced["matrix"].text().splitlines()

    assert "+10.0 " in first
    assert "%" not in first.partition(";")[0]


def test_a_report_without_claims_has_no_forest_plot(traced):
    """Only the figures that were declared."""
    assert (traced["bars"],) == all_figures(report_of(traced["bars"]))


def test_every_figure_knows_its_trials(declared, arm, other):
    """What it needs is trained before it is drawn."""
    for kind, figure in declared.items():
        wanted = {arm.trial(0), other.trial(0)} if kind != "confusion" else {arm.trial(0)}
        assert wanted == set(figure.trials([0])), kind
        assert {one.label for one in figure.arms} == ({"slow", "fast"} if kind != "confusion" else {"slow"})


@pytest.mark.parametrize(("turn", "name"), list(enumerate(NAMES)))
def test_any_name_can_be_drawn(turn, name, monkeypatch):
    """As XML, without a warning, whatever the font lacks and however long it is; every third figure in turn."""
    monkeypatch.setattr(drawing, "_png", lambda _canvas: b"")  # Of the same canvas.
    report = reports.report(
        figures=reports.figures(name),
        claims=(reports.claim(f"test_{name}"),),
        comparison=reports.comparison(name),
    )
    figures = all_figures(report)

    assert len(KINDS) + 2 == len(figures)
    # All figures write names by the same few functions, so that each need not meet every name.
    for figure in figures[turn % 3 :: 3]:
        assert ET.fromstring(picture(figure).svg).tag.endswith("svg"), figure.kind


@pytest.mark.parametrize("kind", ["curves", "lines", "calibration"])
def test_a_name_with_an_underscore_is_in_the_legend(kind):
    """Where matplotlib would leave it out; SVG files have every text as a comment beside its shape."""
    drawn = next(figure for figure in reports.figures("_hidden") if figure.kind == kind)

    assert "_hidden" in picture(drawn).svg


def test_a_line_without_a_name_is_drawn(traced):
    """Nothing warns that the legend is empty."""
    points = tuple(
        replace(point, series="", cell=replace(point.cell, published=None)) for point in traced["lines"].points
    )

    assert picture(replace(traced["lines"], points=points)).png


def test_a_long_name_keeps_its_ends_and_its_whole_is_told():
    """Arms of a study begin alike, and what tells them apart comes last."""
    name = f"person/other -> 8-classes{' and more' * 20}, frozen entry"
    drawn = next(figure for figure in reports.figures(name) if figure.kind == "lines")
    svg = picture(drawn).svg

    assert "person/other -> " in svg.replace("&gt;", ">")
    assert ", frozen entry" in svg
    assert name not in svg.replace("&gt;", ">")
    assert name in drawn.text()


def test_texts_are_in_the_colour_that_a_page_replaces():
    """All but those in cells of a colour of their own, which are black or white."""
    for figure in all_figures(reports.report(comparison=reports.comparison())):
        with mpl.rc_context(STYLE):
            canvas = Canvas(layout="constrained")
            agg = FigureCanvasAgg(canvas)
            figure.draw(canvas)
            agg.draw()
        colours = {to_hex(text.get_color()) for text in canvas.findobj(Text) if text.get_text()}
        cells = {"#000000", "#ffffff"} if figure.kind in {"matrix", "confusion"} else set()
        assert INK in colours
        assert colours <= {INK} | cells, figure.kind


def test_a_crossing_is_named(traced):
    """The epoch stands beside the star."""
    assert "<!-- epoch 1 -->" in picture(traced["curves"]).svg
    assert "The star is where the mean of fast reaches the last one of slow." in traced["curves"].caption


def test_curves_without_results_claim_nothing(declared):
    """Neither that they cross nor that they do not."""
    drawn = declared["curves"].trace(lambda _trial: None, [0])

    assert "reach" not in drawn.caption
    assert "<!-- no finished trials -->" in picture(drawn).svg


def test_curves_of_many_seeds_say_how_many_are_drawn(declared, make_result):
    """The mean is of all."""
    drawn = declared["curves"].trace(lambda _trial: make_result(), range(31))

    assert "the first 30 seeds are drawn; the mean is of all" in drawn.caption
    assert "the first" not in declared["curves"].trace(lambda _trial: make_result(), range(30)).caption


def test_the_legend_of_calibration_has_every_seed(traced):
    """Where they are few."""
    assert "slow: ECE 5.0 % (by seed 10.0, 0.0)" in picture(traced["calibration"]).svg


def test_the_legend_of_calibration_has_the_range_of_many_seeds(declared, make_result):
    """Where there is no room for each: eight to ten of ten are right, with a probability of 0.9."""
    drawn = declared["calibration"].trace(lambda trial: make_result(8 + trial.seed % 3), range(6))

    assert "slow: ECE 6.7 % (by seed 0.0 to 10.0)" in picture(drawn).svg


def test_a_seed_that_diverged_is_left_out_of_what_is_summed(declared, arm, results, make_result):
    """The confusion matrix and the bins are of the other seed."""
    results[arm.trial(0).digest] = make_result(diverged=True)
    confusion, calibration, bars = (
        declared[kind].trace(lambda t: results.get(t.digest), [0, 1]) for kind in ("confusion", "calibration", "bars")
    )

    assert ((5, 0), (1, 4)) == confusion.counts
    assert ["1"] == list(calibration.series[0].errors)
    assert "slow: 90.0% (1 of 2 seeds), by seed diverged 90.0%; published 85%" == bars.text().splitlines()[0]


def test_a_pair_without_an_arm_is_blank(traced):
    """Two matrices of two rows and two columns hold the two pairs there are."""
    svg = picture(traced["matrix"]).svg

    assert 1 == svg.count("<!-- +10.0 -->")
    assert 1 == svg.count("<!-- +85.0 -->")
    assert 1 == svg.count("<!-- (+10.0) -->")
    assert 2 == svg.count("<!-- ±")


def test_a_forest_tells_every_claim():
    """With its outcome, and without an effect where a run diverged."""
    forest = next(figure for figure in all_figures(reports.mixed()) if figure.kind == "forest")
    svg = picture(forest).svg

    assert ["refuted", "inconclusive", "inconclusive"] == [record["outcome"] for record in forest.records()]
    assert [True, True, False] == [record["difference"] is not None for record in forest.records()]
    assert "inconclusive: test_diverged: difference told in a line" == forest.text().splitlines()[2]
    assert "<!-- open -->" in svg
    assert 1 == svg.count("<!--   no score -->")


def test_a_forest_draws_points_and_other_numbers_apart():
    """A loss is 0.85 higher, not 85 points, and would make others' axis four times as long."""
    share = reports.claim("test_share")
    loss = reports.claim("test_loss", left=(2.9, 2.9), right=(2.0, 2.1), unit="number", ceiling=None)
    svg = {names: picture(Forest(claims)).svg for names, claims in (("both", (loss, share)), ("one", (loss,)))}

    assert ["percent", "number"] == [record["unit"] for record in Forest((share, loss)).records()]
    assert (1, 1) == (svg["both"].count("<!-- difference (points) -->"), svg["both"].count("<!-- difference -->"))
    assert (0, 1) == (svg["one"].count("<!-- difference (points) -->"), svg["one"].count("<!-- difference -->"))
    assert Forest((share, share)).height_inches < Forest((share, loss)).height_inches


def test_a_forest_grows_with_its_claims_up_to_a_height():
    """The rest is in its text, and the caption says so."""
    small, most, more = (Forest(tuple(reports.claim(f"test_{n}") for n in range(count))) for count in (2, 60, 61))

    assert small.height_inches < most.height_inches == more.height_inches
    assert f"Only the first {MOST_CLAIMS} of 61 are drawn." in more.caption
    assert "Only" not in most.caption
    assert "test_60" in more.text()
    assert 61 == len(list(more.records()))


def test_no_claims_are_a_forest_all_the_same():
    """Of nothing."""
    assert picture(Forest(())).png


def test_changes_name_arms_that_moved():
    """By letters, regressed ones first; those of marks that lie upon each other share a place."""
    trials = (
        TrialChange("sunk", 0, 0.8, 0.7),
        TrialChange("risen", 0, 0.6, 0.7),
        TrialChange("risen too", 0, 0.6, 0.7001),
        TrialChange("still", 0, 0.5, 0.5),
    )
    arms = (
        ArmChange("risen", "improved", {}),
        ArmChange("risen too", "improved", {}),
        ArmChange("sunk", "regressed", {}),
        ArmChange("still", "same", {}),
    )
    changes = Changes(replace(reports.comparison(), trials=trials, arms=arms))
    svg = picture(changes).svg

    for text in ("a: sunk", "b: risen", "c: risen too", "improved: 2", "regressed: 1", "others: 1", "a", "bc"):
        assert f"<!-- {text} -->" in svg
    assert "4 trials are in both runs; 1 score the same." == changes.text().splitlines()[0]
    assert "sunk (regressed), seed 0: 80.0% -> 70.0%" in changes.text()
    assert {"figure": "Old and new", "arm": "still", "seed": 0, "old": 0.5, "new": 0.5} == list(changes.records())[-1]


def test_changes_of_no_trials_say_so():
    """In the figure as well."""
    changes = Changes(replace(reports.comparison(), trials=()))

    assert "<!-- no finished trials -->" in picture(changes).svg
    assert "0 trials are in both runs; 0 score the same." == changes.text()


def test_what_is_made_of_a_report_is_drawn_the_same_each_time():
    """As what tests declare."""
    forest, changes = all_figures(reports.report(figures=(), comparison=reports.comparison()))

    assert ("forest", "changes") == (forest.kind, changes.kind)
    assert picture(forest) == picture(forest)
    assert picture(changes) == picture(changes)


def test_figures_made_of_a_report_take_no_name_of_another(traced):
    """Nor one whose file would be that of another figure, or of a table."""
    report = reports.report(
        figures=(replace(traced["bars"], name="all claims"),),
        tables=(reports.table("Old and new"),),
        comparison=reports.comparison(),
    )

    assert ["all claims", "All claims 2", "Old and new 2"] == [figure.name for figure in all_figures(report)]


@pytest.mark.parametrize("name", ["Blues", "PuOr"])
def test_numbers_in_cells_can_be_read_on_any_shade(name):
    """In black or in white, with the contrast that WCAG asks of small text, 4.5 to 1."""
    for shade in mpl.colormaps[name](np.linspace(0, 1, 501)):
        linear = np.where(shade[:3] <= 0.04045, shade[:3] / 12.92, ((shade[:3] + 0.055) / 1.055) ** 2.4)
        luminance = float(linear @ [0.2126, 0.7152, 0.0722])
        contrast = {"black": (luminance + 0.05) / 0.05, "white": 1.05 / (luminance + 0.05)}

        assert contrast[marks.ink(shade)] >= 4.5, shade


def test_a_confusion_matrix_of_nothing_has_no_cells(declared, make_result):
    """A share of 0 would be one that was measured."""
    drawn = declared["confusion"].trace(lambda _trial: make_result(diverged=True), [0])
    canvas = Canvas()
    drawn.draw(canvas)
    matrix = canvas.axes[0]

    assert ["no finished trials"] == [text.get_text() for text in matrix.texts]
    assert [] == list(matrix.images)
    assert "cat is taken for - (no finished trials)" in drawn.text()


def test_the_text_of_curves_tells_the_crossing_of_means(traced):
    """The star that is drawn, and the training accuracy of the dotted lines."""
    assert "The mean of [fast] reaches the last one of [slow]: epoch 1" in traced["curves"].text()
    assert "slow, training: 50.0% 75.0%" in traced["curves"].text()


def test_places_stand_at_a_linear_axis_by_their_names(arm, other, results):
    """Cuts of a network are no numbers: text, records and ticks name them, and 0 is a place."""
    points = (Point(0, score(arm), tick="input"), Point(1, score(other), tick="block1"))
    drawn = Lines("Depth", "depth", "cut", "accuracy", (("network", points),), axis="linear")
    drawn = drawn.trace(lambda trial: results.get(trial.digest), [0, 1])
    canvas = Canvas()
    drawn.draw(canvas)
    (axes,) = canvas.axes

    assert ["input", "block1"] == [label.get_text() for label in axes.get_xticklabels()]
    assert ("linear", [0, 1]) == (axes.get_xscale(), list(axes.get_xticks()))
    assert "network, cut block1" in drawn.text()
    assert {"input", "block1"} == {record["place"] for record in drawn.records()}


def test_differences_of_a_judged_matrix_have_signs(arm, other, make_result):
    """Above zero, below zero and undecided, all pairs together; a difference of zero under every seed has no sign."""
    seeds = [0, 1, 2, 3]
    rights = {"slow": (4, 5, 4, 5), "fast": (8, 9, 9, 8)}
    found = {each.trial(seed).digest: make_result(rights[each.label][seed]) for each in (arm, other) for seed in seeds}
    gain = score(other) - score(arm)
    quantities = {"up": gain, "down": Quantity(()) - gain, "none": score(arm) - score(arm)}
    pairs = tuple(Pair("free", name, "task", quantity) for name, quantity in quantities.items())

    def traced(judged, of=seeds):
        matrix = Matrix("Gains", "gains", "from", "to", "gain", pairs, judged=judged)
        return matrix.trace(lambda work: found.get(work.digest), of)

    signs = {pair.row: pair.sign for pair in traced(True).pairs}

    assert {"up": "above zero", "down": "below zero", "none": "undecided"} == signs
    assert "(Holm, 3 pairs): 1 above zero, 1 below zero, 1 undecided." in traced(True).caption
    assert "below zero" in traced(True).text()
    assert {"above zero", "below zero", "undecided"} == {record["sign"] for record in traced(True).records()}
    assert {None} == {pair.sign for pair in traced(False).pairs}
    assert {None} == {pair.sign for pair in traced(True, [*seeds, 4]).pairs}  # A seed has no result yet.
    assert {"undecided"} == {pair.sign for pair in traced(True, [0]).pairs}
