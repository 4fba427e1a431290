"""Table 4: from specific tasks to general ones, and the reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlbench import ACCURACY, LOSS, Cell, Column, Matrix, Pair, Row, Table, score

from .poster import CAT_DOG, COLUMNS, EIGHT_CLASSES, PERSON_OTHER, TABLE_3, TABLE_4, direct, moved


if TYPE_CHECKING:
    from tlbench import Claim, Quantity, Study, Task

SPECIFIC = (PERSON_OTHER, CAT_DOG)


def table_4(study: Study) -> Table:
    rows = []
    for flows in ("all", "none"):
        for (source, target), (accuracy, loss) in TABLE_4.items():
            arm = moved(study, source, target, flows)
            cells = {
                "accuracy": score(arm),
                "gain": score(arm) - score(direct(study, target)),
                "loss": score(arm, LOSS),
            }
            # The poster does not say what it froze; its figures are those of everything but the head.
            published = {ACCURACY.name: accuracy, LOSS.name: loss} if flows == "all" else {}
            rows.append(Row(arm.label, cells, published))
    return Table(
        "Table 4",
        "accuracy and loss of destination models",
        "original task -> new task",
        (COLUMNS[ACCURACY], Column("gain", "points", every_seed=False), COLUMNS[LOSS]),
        tuple(rows),
        published_by="poster",
        notes=("Gain: accuracy less that of the new task learned from random weights (Table 3).",),
    )


def gain(study: Study, source: Task, target: Task, flows: str) -> Quantity:
    """Gain of a task in accuracy from another, over being learned from random weights."""
    return score(moved(study, source, target, flows)) - score(direct(study, target))


def printed(figure: str) -> float:
    """A figure of the poster as a number; 0 where it printed none."""
    return Cell((), figure).published_number or 0.0


def gains(study: Study) -> Matrix:
    pairs = []
    for frozen in ("all", "none"):
        for (source, target), (accuracy, _) in TABLE_4.items():
            # As in Table 4: what the poster printed is taken for the arm with everything but the head frozen.
            gained = printed(accuracy) - printed(TABLE_3[target][0])
            published = f"{100 * gained:+.1f} points" if frozen == "all" else None
            quantity = gain(study, source, target, frozen)
            pairs.append(Pair(f"frozen {frozen}", source.name, target.name, quantity, published))
    title = "gain in accuracy of a task from a network that was trained on another"
    return Matrix("Gains", title, "original task", "new task", "gain", tuple(pairs), published_by="poster")


def general_to_specific_gains_more(study: Study, frozen: str) -> Claim:
    to_specific = gain(study, EIGHT_CLASSES, PERSON_OTHER, frozen) + gain(study, EIGHT_CLASSES, CAT_DOG, frozen)
    to_general = gain(study, PERSON_OTHER, EIGHT_CLASSES, frozen) + gain(study, CAT_DOG, EIGHT_CLASSES, frozen)
    return (to_specific / 2).beats(to_general / 2)


def direct_beats_specific_to_general(study: Study, source: Task) -> Claim:
    return score(direct(study, EIGHT_CLASSES)).beats(score(moved(study, source, EIGHT_CLASSES, "all")))


@pytest.mark.tlbench_table(declare=table_4)
def test_table_4(table):
    """Every pair of tasks is trained, with everything but the head frozen and with nothing frozen."""
    assert table.filled


@pytest.mark.tlbench_figure(declare=gains)
def test_gains(figure):
    """Every pair of tasks has its gain, or a run has diverged."""
    assert all(pair.cell.filled for pair in figure.pairs)


@pytest.mark.tlbench_claim(declare=general_to_specific_gains_more)
@pytest.mark.parametrize("frozen", ["all", "none"])
def test_general_to_specific_gains_more_than_specific_to_general(verdict):
    """A specific task gains more from a general one than the reverse."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=direct_beats_specific_to_general)
@pytest.mark.parametrize("source", SPECIFIC, ids=lambda task: task.name)
def test_specific_to_general_is_worse_than_direct_training(verdict):
    """A general task is learned better directly than on top of a specific one, as the poster did it."""
    assert verdict.supported, verdict
