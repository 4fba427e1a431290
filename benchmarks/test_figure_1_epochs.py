"""Figure 1: how soon 8-classes -> cat/dog is where cat/dog ends.

With nothing frozen: where an epoch is a handful of steps, a head that alone is
trained has hardly moved after one. The poster does not say what it froze; with
everything but the head, the miniature refutes the claim (-0.125, 90 % interval
-0.230 to -0.020, should exceed -0.020; four seeds of Table 4's trials).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlbench import Curves, score, validation_accuracy

from .poster import CAT_DOG, EIGHT_CLASSES, NEGLIGIBLE, direct, moved


if TYPE_CHECKING:
    from tlbench import Claim, Study


def figure_1(study: Study) -> Curves:
    return Curves(
        "Figure 1",
        "accuracy of cat/dog and of 8-classes -> cat/dog over epochs",
        moved(study, EIGHT_CLASSES, CAT_DOG, "none"),
        direct(study, CAT_DOG),
    )


def first_epoch_reaches_the_last(study: Study) -> Claim:
    first = score(moved(study, EIGHT_CLASSES, CAT_DOG, "none"), validation_accuracy(1))
    last = score(direct(study, CAT_DOG), validation_accuracy(-1))
    return first.is_at_least(last, within=NEGLIGIBLE)


@pytest.mark.tlbench_figure(declare=figure_1)
def test_figure_1(figure):
    """Both curves have a point for every epoch of every seed that did not diverge."""
    assert all(len(curve.training) == len(curve.validation) > 0 for curve in figure.curves)


@pytest.mark.tlbench_claim(declare=first_epoch_reaches_the_last)
def test_one_transferred_epoch_is_worth_the_whole_direct_training(verdict):
    """8-classes -> cat/dog is after its first epoch where cat/dog is after its last."""
    assert verdict.supported, verdict
