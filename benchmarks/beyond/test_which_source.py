"""Sources to transfer from: scores of one pass, held against the accuracy after fine-tuning.

LogME (You et al. 2021, arXiv:2102.11005), the regularised H-score (Ibrahim et al. 2021, arXiv:2110.06893), LEEP (Nguyen
et al. 2020, arXiv:2002.12462) and NCE (Tran et al. 2019, arXiv:1908.08142) rate networks on the target's training
images before anything is fine-tuned. LEEP and NCE read a source's own head, which files of weights lack.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from scipy import stats

from tlbench import H_SCORE, LOGME, Column, Margin, Row, Scatter, ScatterPoint, Table

from .rankings import best, picked, resampled_tau, tau
from .sources import READINGS, TASKS, over_targets, rating, sources, tuned


if TYPE_CHECKING:
    from tlbench import Claim, Reading, Study

CLOSE = Margin(
    0.03,
    "three points: the best of several accuracies lies above what its source is good for, by about a standard error of "
    "one accuracy, which is two points on some 400 images of cat/dog; a point more is a fair price for not fine-tuning "
    "every source",
)

NUMBERS = (
    ("accuracy of the pick", picked, "percent"),
    ("accuracy of the best", best, "percent"),
    ("Kendall's tau", partial(tau, of=stats.kendalltau), "number"),
    ("weighted tau", tau, "number"),
    ("low", partial(resampled_tau, quantile=0.05), "number"),
    ("high", partial(resampled_tau, quantile=0.95), "number"),
)


def which_source(study: Study) -> Table:
    rows = []
    for target in TASKS.values():
        for source in sources(target):
            able = [reading for reading in READINGS if source in sources(target, reading)]
            cells = {reading.name: rating(study, reading, source, target) for reading in able}
            rows.append(Row(f"{source} -> {target.name}", cells | {"accuracy": tuned(study, source, target)}))
    columns = (*(Column.of(reading, every_seed=False) for reading in READINGS), Column("accuracy", every_seed=False))
    title = "scores of sources, and accuracy after fine-tuning"
    notes = (f"Pretrained: {study.pretrained_name}.", "A score compares the sources of one target.")
    return Table("Sources", title, "source -> target", columns, tuple(rows), notes=notes)


def rankings(study: Study) -> Table:
    rows = tuple(
        Row(reading.name, {name: over_targets(study, name, of, reading, unit) for name, of, unit in NUMBERS})
        for reading in (LOGME, H_SCORE)
    )
    columns = tuple(Column(name, unit, every_seed=False) for name, _, unit in NUMBERS)
    notes = ("Means over the targets. Low and high: 90 % bootstrap interval of the weighted tau over sources.",)
    return Table("Rankings", "scores as ranks of sources", "score", columns, rows, notes=notes)


def scores_and_accuracies(study: Study) -> Scatter:
    points = tuple(
        ScatterPoint(target.name, source, rating(study, LOGME, source, target), tuned(study, source, target))
        for target in TASKS.values()
        for source in sources(target)
    )
    title = "LogME of sources, and accuracy after fine-tuning"
    return Scatter("Scores and accuracies", title, "LogME", "accuracy", points)


def pick_is_close_to_the_best(study: Study, reading: Reading) -> Claim:
    pick = over_targets(study, "accuracy of the pick", picked, reading, "percent")
    return pick.is_at_least(over_targets(study, "accuracy of the best", best, reading, "percent"), within=CLOSE)


def ranks_are_those_of_accuracy(study: Study, reading: Reading) -> Claim:
    return over_targets(study, "weighted tau", tau, reading, "number").is_positive()


@pytest.mark.tlbench_table(declare=which_source)
def test_which_source(table):
    """Every source is rated and fine-tuned."""
    assert table.filled


@pytest.mark.tlbench_table(declare=rankings)
def test_rankings(table):
    """Every score of features has its ranks."""
    assert table.filled


@pytest.mark.tlbench_figure(declare=scores_and_accuracies)
def test_scores_and_accuracies(figure):
    """Every source is rated and fine-tuned."""
    assert all(point.filled for point in figure.points)


@pytest.mark.tlbench_claim(declare=pick_is_close_to_the_best)
@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_the_source_that_a_score_picks_is_close_to_the_best(verdict):
    """Averaged over the targets, among the sources that the score can rate."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=ranks_are_those_of_accuracy)
@pytest.mark.parametrize("reading", [LOGME, H_SCORE], ids=lambda reading: reading.name)
def test_a_score_ranks_sources_as_accuracy_does(verdict):
    """Better than by chance: the weighted rank correlation is positive."""
    assert verdict.supported, verdict
