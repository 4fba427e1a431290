"""Table 1: random against transferred weights at three learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.poster import LEARNING_RATES, TABLE_1, initialised
from tlbench.claims import ACCURACY, LOSS, MACRO_F1, score
from tlbench.report.tables import Column, Row, Table


if TYPE_CHECKING:
    from tlbench.claims import Claim
    from tlbench.study import Study


def table_1(study: Study) -> Table:
    rows = []
    for (weights, rate), (accuracy, loss) in TABLE_1.items():
        arm = initialised(study, weights, rate)
        cells = {metric.name: score(arm, metric) for metric in (ACCURACY, LOSS, MACRO_F1)}
        rows.append(Row(arm.label, cells, {"accuracy": accuracy, "loss": loss}))
    return Table(
        "Table 1",
        "accuracy and loss with random and transferred weights, by learning rate",
        "weights",
        (
            Column("accuracy"),
            Column("loss", "number", every_seed=False),
            Column("macro-F1", "number", every_seed=False),
        ),
        tuple(rows),
        published_by="poster",
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
