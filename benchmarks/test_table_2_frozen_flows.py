"""Table 2: which flows to freeze."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlbench import ACCURACY, BATCH_STATISTICS_ACCURACY, LOSS, Bar, Bars, score

from .poster import NEGLIGIBLE, TABLE_2, frozen, table_of_scores


if TYPE_CHECKING:
    from tlbench import Claim, Study, Table


def table_2(study: Study) -> Table:
    return table_of_scores(
        ("Table 2", "accuracy and loss of transferred weights with flows frozen", "flows"),
        [(frozen(study, flows), printed) for flows, printed in TABLE_2.items()],
        (ACCURACY, LOSS, BATCH_STATISTICS_ACCURACY),
        notes=(
            f"Transferred from: {study.pretrained_name}.",
            "Far more accuracy with batch statistics would mean that BatchNorm's moving statistics lag.",
        ),
    )


def frozen_flows(study: Study) -> Bars:
    by_depth = ("none", "entry", "entry+middle", "all")
    bars = tuple(Bar(flows, score(frozen(study, flows)), TABLE_2[flows][0]) for flows in by_depth)
    title = "accuracy of transferred weights with flows frozen"
    return Bars("Frozen flows", title, "frozen flows", "accuracy", bars, published_by="poster")


def entry_beats_entry_and_middle(study: Study) -> Claim:
    return score(frozen(study, "entry")).beats(score(frozen(study, "entry+middle")))


def none_beats_all(study: Study) -> Claim:
    return score(frozen(study, "none")).beats(score(frozen(study, "all")))


def none_is_at_least_as_good_as_entry(study: Study) -> Claim:
    return score(frozen(study, "none")).is_at_least(score(frozen(study, "entry")), within=NEGLIGIBLE)


@pytest.mark.tlbench_table(declare=table_2)
def test_table_2(table):
    """Every set of frozen flows is trained."""
    assert table.filled


@pytest.mark.tlbench_figure(declare=frozen_flows)
def test_frozen_flows(figure):
    """Every set of frozen flows is trained, or has diverged."""
    assert all(bar.cell.filled for bar in figure.bars)


@pytest.mark.tlbench_claim(declare=entry_beats_entry_and_middle)
def test_frozen_entry_beats_frozen_entry_and_middle(verdict):
    """The entry flow's weights are general enough to keep; the middle flow's gain from training."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=none_beats_all)
def test_training_every_flow_beats_training_the_head_alone(verdict):
    """Re-training is necessary to achieve peak accuracy."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=none_is_at_least_as_good_as_entry)
def test_freezing_nothing_is_at_least_as_good_as_freezing_entry(verdict):
    """With no flow frozen, transferred weights perform no worse than with the entry flow frozen."""
    assert verdict.supported, verdict
