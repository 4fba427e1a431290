"""Figures: curves over epochs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from PIL import Image

from tlbench.report.figures import Figure, trace
from tlbench.trials import Arm, Random


@pytest.fixture
def figure(make_trial):
    trial = make_trial()
    slow = Arm("slow", trial.data, trial.task, trial.network, Random(), frozenset(), trial.recipe)
    fast = replace(slow, label="fast", recipe=trial.recipe.at(learning_rate=0.5))
    return Figure("Figure 1", "a test", fast, slow)


@pytest.fixture
def traced(figure, make_result):
    fast, slow = make_result(validation=(0.75, 1.0)), make_result(validation=(0.5, 0.75))
    results = {figure.arm.trial(0).digest: fast, figure.reference.trial(0).digest: slow}
    return trace(figure, lambda trial: results.get(trial.digest), [0, 1])


def test_epochs_to_match_are_counted_by_seed(traced):
    """The fast arm is after one epoch where the slow one ends; a seed that was not run is left out."""
    assert {0: 1} == traced.epochs_to_match


def test_the_text_holds_both_curves(traced):
    """Mean validation accuracy by epoch, and the epochs it took."""
    text = traced.text()

    assert "fast: 75.0% 100.0%" in text
    assert "slow: 50.0% 75.0%" in text
    assert "seed 0: 1" in text


def test_records_have_a_point_for_each_epoch(traced):
    """Two arms of two epochs under one seed are four points."""
    records = traced.records()

    assert 4 == len(records)
    assert [1, 2, 1, 2] == [record["epoch"] for record in records]


def test_a_diverged_run_is_left_out(figure, make_result):
    """It has no curve that could be compared."""
    drawn = trace(figure, lambda _trial: make_result(diverged=True), [0])

    assert {} == drawn.epochs_to_match
    assert "diverged under every seed" in drawn.text()


def test_a_drawn_figure_is_an_image(traced, tmp_path):
    """Of the format that its name says."""
    traced.draw(tmp_path / "figure.png")

    with Image.open(tmp_path / "figure.png") as image:
        assert "PNG" == image.format
        assert image.width > 500
