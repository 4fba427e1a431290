"""The figure of learning curves: what it fits, and how many images a point is said to be worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from matplotlib.figure import Figure as Canvas

from tlbench.declare.claims import score
from tlbench.declare.trials import Arm, Random
from tlbench.report.figures import LearningCurves, Point


SIZES = (10, 40, 160, 640)

SEEDS = (0, 1, 2)


@pytest.fixture
def make_drawn(make_trial, make_result):
    """A function that traces two curves of given right answers of 100, by size; None has diverged under seed 0."""

    def make(slow, fast, seeds=SEEDS, reference="slow"):
        results, series = {}, []
        for label, rights in (("slow", slow), ("fast", fast)):
            points = []
            for size, right in zip(SIZES, rights, strict=True):
                trial = make_trial()
                recipe = trial.recipe.at(learning_rate=size / 1e3, epochs=1 + (label == "fast"))
                arm = Arm(label, trial.data, trial.task, trial.network, Random(), frozenset(), recipe)
                points.append(Point(size, score(arm)))
                for seed in seeds:
                    results[arm.trial(seed).digest] = result_of(make_result, right, seed)
            series.append((label, tuple(points)))
        figure = LearningCurves("Few", "few", "images", "accuracy", tuple(series), reference, "Steps are equal.")
        return figure.trace(lambda trial: results.get(trial.digest), list(seeds))

    return make


def result_of(make_result, right, seed):
    """A result of 100 images, of which some are right: one more for each seed."""
    if right is None and seed == 0:
        return make_result(diverged=True)
    labels = np.arange(100) % 2
    predicted = np.where(np.arange(100) < (right or 50) + seed, labels, 1 - labels)
    probabilities = np.eye(2, dtype=np.float32)[predicted] * 0.8 + 0.1
    return replace(make_result(), labels=labels, probabilities=probabilities, batch_statistics_probabilities=None)


def test_the_curves_are_power_laws_of_the_means(make_drawn):
    """Errors of 65, 35, 20 and 12.5 hundredths halve with every factor of four, above 5 hundredths."""
    drawn = make_drawn((35, 65, 80, 87), (60, 70, 80, 90), seeds=(0,))
    law = next(fit.law for fit in drawn.fits if fit.series == "slow")

    assert 0.5 == pytest.approx(law.exponent, abs=0.03)
    assert 0.05 == pytest.approx(law.asymptote, abs=0.02)
    assert f"slow: error = {law.scale:.3g} x images^-{law.exponent:.3g} + {law.asymptote:.3g}" in drawn.text()


def test_a_point_is_worth_the_images_of_the_reference(make_drawn):
    """By the reference's means: 60 hundredths lie halfway between those of 10 and 40 images."""
    drawn = make_drawn((50, 70, 80, 90), (60, 70, 85, 97))
    worths = {worth.x: worth for worth in drawn.worths}

    assert 20 == pytest.approx(worths[10].images.size)
    assert "40" == str(worths[40].images)
    assert "more than 640" == str(worths[640].images)
    assert drawn.text().endswith("fast with 640 images is worth more than 640 of slow")
    assert worths[10].low.size <= 20 <= worths[10].high.size


def test_one_seed_has_no_interval(make_drawn):
    """The number stands alone."""
    drawn = make_drawn((50, 70, 80, 90), (60, 70, 85, 97), seeds=(0,))

    assert {None} == {end for worth in drawn.worths for end in (worth.low, worth.high)}
    assert "fast with 10 images is worth 20 of slow" in drawn.text()


def test_a_seed_that_diverged_is_left_out_of_the_worth(make_drawn):
    """Of the curve as of the point: seeds are paired."""
    with_all = make_drawn((50, 70, 80, 90), (60, 70, 85, 97), seeds=(1, 2))
    without = make_drawn((50, 70, 80, 90), (60, None, 85, 97), seeds=(0, 1, 2))

    assert "more than" not in with_all.worths[0].told("slow")
    assert 4 == len(without.worths)


def test_means_that_determine_no_law_are_joined(make_drawn):
    """The caption names them; the note on training stands last."""
    drawn = make_drawn((50, 50, 50, 50), (60, 70, 80, 90))
    canvas = Canvas()
    drawn.draw(canvas)

    assert ["fast"] == [fit.series for fit in drawn.fits]
    assert "The means of slow determine no such curve, and are joined by lines." in drawn.caption
    assert drawn.caption.endswith("Steps are equal.")
    lines = [len(line.get_xdata()) for line in canvas.axes[0].lines if len(line.get_xdata()) > 1]
    assert sorted([4, 100]) == sorted(lines)


def test_without_a_reference_nothing_is_worth_anything(make_drawn):
    """Curves and points are left."""
    drawn = make_drawn((50, 70, 80, 90), (60, 70, 85, 97), reference=None)

    assert () == drawn.worths
    assert "worth" not in drawn.text() + drawn.caption
