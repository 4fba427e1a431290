"""Table 3: the tasks that networks are transferred from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.poster import TABLE_3, direct
from tlbench.claims import ACCURACY, LOSS, MACRO_F1, score
from tlbench.report.tables import Column, Row, Table


if TYPE_CHECKING:
    from tlbench.study import Study


def table_3(study: Study) -> Table:
    rows = []
    for task, (accuracy, loss) in TABLE_3.items():
        arm = direct(study, task)
        cells = {metric.name: score(arm, metric) for metric in (ACCURACY, LOSS, MACRO_F1)}
        rows.append(Row(arm.label, cells, {"accuracy": accuracy, "loss": loss}))
    return Table(
        "Table 3",
        "accuracy and loss of source models, from random weights",
        "original task",
        (
            Column("accuracy"),
            Column("loss", "number", every_seed=False),
            Column("macro-F1", "number", every_seed=False),
        ),
        tuple(rows),
        published_by="poster",
    )


@pytest.mark.tlbench_table(declare=table_3)
def test_table_3(table):
    """Every source task is trained."""
    assert table.filled
