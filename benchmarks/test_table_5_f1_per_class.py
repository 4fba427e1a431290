"""Table 5: F1 of each class after person/other -> 8-classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlbench import Column, Confusion, Row, Table, f1, f1_lead, score

from .poster import EIGHT_CLASSES, PERSON_OTHER, TABLE_5, moved


if TYPE_CHECKING:
    from tlbench import Claim, Study


def table_5(study: Study) -> Table:
    arm = moved(study, PERSON_OTHER, EIGHT_CLASSES, "all")
    rows = []
    for name in study.class_names:
        published = {"F1": TABLE_5[name]} if name in TABLE_5 else {}
        rows.append(Row(name, {"F1": score(arm, f1(name))}, published))
    return Table(
        "Table 5",
        f"F1 by class of {arm.label}",
        "class",
        (Column("F1"),),
        tuple(rows),
        published_by="poster",
    )


def confusion(study: Study) -> Confusion:
    arm = moved(study, PERSON_OTHER, EIGHT_CLASSES, "all")
    labels = EIGHT_CLASSES.labels_of(study.class_names)
    title = f"what {arm.label} takes for what"
    return Confusion("Confusion", title, arm, labels, TABLE_5, published_by="poster")


def person_leads(study: Study) -> Claim:
    return score(moved(study, PERSON_OTHER, EIGHT_CLASSES, "all"), f1_lead("person")).is_positive()


@pytest.mark.tlbench_table(declare=table_5)
def test_table_5(table):
    """Every class has its F1."""
    assert table.filled


@pytest.mark.tlbench_figure(declare=confusion)
def test_confusion(figure):
    """Every class has images, unless every run has diverged."""
    rows = [sum(row) for row in figure.counts]
    assert all(rows) or not any(rows)


@pytest.mark.tlbench_claim(declare=person_leads)
def test_person_has_the_highest_f1(verdict):
    """A network that learned to tell persons from the rest knows persons best among eight classes."""
    assert verdict.supported, verdict
