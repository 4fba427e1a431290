"""Table 1: random against transferred weights at three learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlbench import ACCURACY, LOSS, MACRO_F1, Calibration, Lines, Point, score

from .poster import LEARNING_RATES, TABLE_1, initialised, table_of_scores


if TYPE_CHECKING:
    from tlbench import Claim, Study, Table


def table_1(study: Study) -> Table:
    return table_of_scores(
        ("Table 1", "accuracy and loss with random and transferred weights, by learning rate", "weights"),
        [(initialised(study, weights, rate), printed) for (weights, rate), printed in TABLE_1.items()],
        (ACCURACY, LOSS, MACRO_F1),
        notes=(f"Transferred from: {study.pretrained_name}.",),
    )


def learning_rates(study: Study) -> Lines:
    def points(weights: str) -> tuple[Point, ...]:
        return tuple(
            Point(rate, score(initialised(study, weights, rate)), TABLE_1[weights, rate][0]) for rate in LEARNING_RATES
        )

    series = tuple((f"{weights} weights", points(weights)) for weights in ("random", "transferred"))
    title = "accuracy with random and transferred weights over learning rates"
    return Lines("Learning rates", title, "learning rate", "accuracy", series, published_by="poster")


def calibration(study: Study) -> Calibration:
    arms = tuple(initialised(study, weights, study.recipe.learning_rate) for weights in ("random", "transferred"))
    return Calibration("Calibration", "what the probabilities of random and transferred weights are worth", arms)


def transferred_beats_random(study: Study, learning_rate: float) -> Claim:
    transferred = initialised(study, "transferred", learning_rate)
    return score(transferred).beats(score(initialised(study, "random", learning_rate)))


@pytest.mark.tlbench_table(declare=table_1)
def test_table_1(table):
    """Every learning rate is trained from random and from transferred weights."""
    assert table.filled


@pytest.mark.tlbench_figure(declare=learning_rates)
def test_learning_rates(figure):
    """Every learning rate is trained from either weights, or has diverged."""
    assert all(point.cell.filled for point in figure.points)


@pytest.mark.tlbench_figure(declare=calibration)
def test_calibration(figure):
    """Every seed that did not diverge is tested on as many images as any other."""
    finished = [series for series in figure.series if series.errors]
    assert len({sum(each.images for each in series.bins) / len(series.errors) for series in finished}) <= 1


@pytest.mark.tlbench_claim(declare=transferred_beats_random)
@pytest.mark.parametrize("learning_rate", LEARNING_RATES)
def test_transferred_beats_random(verdict):
    """Transferred weights reach a higher accuracy than random ones."""
    assert verdict.supported, verdict
