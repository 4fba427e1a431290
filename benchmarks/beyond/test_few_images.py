"""Few images: how many images is transfer worth?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlbench import ACCURACY, Column, LearningCurves, Margin, Point, Row, Table, score

from .few_images import doublings, lead, mean_lead, number, sizes, trained, worth


if TYPE_CHECKING:
    from tlbench import Claim, Study

# Per class; 100 are left out, since they are all images of some profiles.
CLAIMED = (5, 10, 25, 50, "all")

TWICE = Margin(
    1.0,
    "one doubling, chosen by this suite: transfer that saves less than half of the images is a small gain",
)

HOW = (
    "Each number of images is trained by about as many steps as all of them, in batches of no more than there are; "
    "fewer images are a part of more, in the classes' proportions, and the test images are the same."
)


def images(study: Study) -> Table:
    rows = [
        Row(
            f"{count} images",
            {
                "random": score(trained(study, "random", count)),
                "transferred": score(trained(study, "transferred", count)),
                "lead": lead(study, count),
                "worth in images": worth(study, count),
            },
        )
        for count in sizes(study)
    ]
    columns = (Column.of(ACCURACY), Column("lead", "points", every_seed=False), Column("worth in images", "number"))
    named = (Column("random", every_seed=False), Column("transferred", every_seed=False), *columns[1:])
    notes = (
        HOW,
        f"Worth in images: as many as random weights need for the same accuracy; {sizes(study)[-1]} means all or more.",
    )
    return Table(
        "Few images", "accuracy by the number of training images", "trained on", named, tuple(rows), notes=notes
    )


def learning_curves(study: Study) -> LearningCurves:
    series = tuple(
        (weights, tuple(Point(count, score(trained(study, weights, count))) for count in sizes(study)))
        for weights in ("random", "transferred")
    )
    title = "accuracy over the number of training images"
    return LearningCurves("Learning curves", title, "training images", "accuracy", series, "random", HOW)


def transferred_beats_random(study: Study, per_class: int | str) -> Claim:
    return lead(study, number(study, per_class)).is_positive()


def lead_shrinks(study: Study) -> Claim:
    few, many = sizes(study)[:2], sizes(study)[-2:]
    return mean_lead(study, few).beats(mean_lead(study, many))


def worth_twice_the_images(study: Study, per_class: int) -> Claim:
    return doublings(study, number(study, per_class)).is_positive(by=TWICE)


@pytest.mark.tlbench_table(declare=images)
def test_few_images(table):
    """Both weights are trained on every number of images."""
    assert table.filled


@pytest.mark.tlbench_figure(declare=learning_curves)
def test_learning_curves(figure):
    """Both weights are trained on every number of images, or a run has diverged."""
    assert all(point.cell.filled for point in figure.points)


@pytest.mark.tlbench_claim(declare=transferred_beats_random)
@pytest.mark.parametrize("per_class", CLAIMED)
def test_transferred_beats_random_with_so_many_images(verdict):
    """Transferred weights beat random ones with any number of images.

    Transferred features give a boost that lingers after fine-tuning (Yosinski et al. 2014, arXiv:1411.1792).
    """
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=lead_shrinks)
def test_the_lead_shrinks_with_more_images(verdict):
    """The lead of transferred weights shrinks with more images.

    Pre-training counts in the low-data regime (Hernandez et al. 2021, arXiv:2102.01293).
    """
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=worth_twice_the_images)
@pytest.mark.parametrize("per_class", [5, 10, 25])
def test_transfer_is_worth_twice_the_images(verdict):
    """Random weights need more than twice the images to reach what transferred ones reach.

    So much data is transferred, in the terms of Hernandez et al. 2021 (arXiv:2102.01293); twice is this suite's.
    """
    assert verdict.supported, verdict
