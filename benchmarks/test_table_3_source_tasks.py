"""Table 3: the tasks that networks are transferred from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlbench import ACCURACY, LOSS, MACRO_F1

from .poster import TABLE_3, direct, table_of_scores


if TYPE_CHECKING:
    from tlbench import Study, Table


def table_3(study: Study) -> Table:
    return table_of_scores(
        ("Table 3", "accuracy and loss of source models, from random weights", "original task"),
        [(direct(study, task), printed) for task, printed in TABLE_3.items()],
        (ACCURACY, LOSS, MACRO_F1),
    )


@pytest.mark.tlbench_table(declare=table_3)
def test_table_3(table):
    """Every source task is trained."""
    assert table.filled
