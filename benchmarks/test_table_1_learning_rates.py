"""Table 1: random against transferred weights at three learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.poster import LEARNING_RATES, TABLE_1, initialised, table_of_scores
from tlbench.claims import ACCURACY, LOSS, MACRO_F1, score


if TYPE_CHECKING:
    from tlbench.claims import Claim
    from tlbench.report.tables import Table
    from tlbench.study import Study


def table_1(study: Study) -> Table:
    return table_of_scores(
        ("Table 1", "accuracy and loss with random and transferred weights, by learning rate", "weights"),
        [(initialised(study, weights, rate), printed) for (weights, rate), printed in TABLE_1.items()],
        (ACCURACY, LOSS, MACRO_F1),
        notes=(f"Transferred from: {study.pretrained_name}.",),
    )


def transferred_beats_random(study: Study, learning_rate: float) -> Claim:
    transferred = initialised(study, "transferred", learning_rate)
    return score(transferred).beats(score(initialised(study, "random", learning_rate)))


@pytest.mark.tlbench_table(declare=table_1)
def test_table_1(table):
    """Every learning rate is trained from random and from transferred weights."""
    assert table.filled


@pytest.mark.tlbench_claim(declare=transferred_beats_random)
@pytest.mark.parametrize("learning_rate", LEARNING_RATES)
def test_transferred_beats_random(verdict):
    """Transferred weights reach a higher accuracy than random ones."""
    assert verdict.supported, verdict
