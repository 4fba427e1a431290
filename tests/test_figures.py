"""Figures: traced from results, told in words, drawn."""

from __future__ import annotations

import io
import json

from dataclasses import replace

import pytest

from PIL import Image

from tlbench.claims import score
from tlbench.report.content import SCHEMA_VERSION, Report, load
from tlbench.report.drawing import picture
from tlbench.report.figures import (
    Bar,
    Bars,
    Calibration,
    Confusion,
    Curves,
    Lines,
    Matrix,
    Pair,
    Point,
    all_figures,
    caption,
)
from tlbench.report.figures.forest import Forest
from tlbench.trials import Arm, Random


HOSTILE = "$x^2$ %_<b>&\\ \x1b[31m \U0001f600 \u202eabc"


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
    }


KINDS = ("curves", "lines", "bars", "matrix", "confusion", "calibration")


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


def test_any_name_can_be_drawn(arm, make_result):
    """Dollar signs make no formula, and what the font lacks is a box and no warning."""
    named = replace(arm, label=HOSTILE)
    figures = [
        Curves(HOSTILE, HOSTILE, named, named),
        Bars(HOSTILE, HOSTILE, HOSTILE, HOSTILE, (Bar(HOSTILE, score(named), HOSTILE),), published_by=HOSTILE),
        Confusion(HOSTILE, HOSTILE, named, (HOSTILE, "dog")),
        Calibration(HOSTILE, HOSTILE, (named,)),
        Lines(HOSTILE, HOSTILE, HOSTILE, HOSTILE, ((HOSTILE, (Point(1, score(named)),)),)),
        Matrix(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, (Pair(HOSTILE, HOSTILE, HOSTILE, score(named)),)),
    ]

    for figure in figures:
        drawn = figure.trace(lambda _trial: make_result(9, label_names=(HOSTILE, "dog")), [0])
        assert "<svg" in picture(drawn).svg


def test_a_caption_names_the_data(traced):
    """What they stand in for is part of that sentence."""
    assert caption(traced["bars"], report_of()).startswith("Bars. Dots are seeds")
    assert caption(traced["bars"], report_of()).endswith("Data: colours.")


def test_a_report_without_claims_has_no_forest_plot(traced):
    """Only the figures that were declared."""
    assert (traced["bars"],) == all_figures(report_of(traced["bars"]))


def test_every_figure_knows_its_trials(declared, arm, other):
    """What it needs is trained before it is drawn."""
    for kind, figure in declared.items():
        wanted = {arm.trial(0), other.trial(0)} if kind != "confusion" else {arm.trial(0)}
        assert wanted == set(figure.trials([0])), kind
        assert {one.label for one in figure.arms} == ({"slow", "fast"} if kind != "confusion" else {"slow"})


def test_no_claims_are_a_forest_all_the_same():
    """Of nothing."""
    assert picture(Forest(())).png
