"""Degradations: the poster's trained networks on blurred, noisy and compressed test images; nothing is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlbench import Column, Lines, Margin, Point, Row, Table, mean, score

from .robustness import (
    SEVERITIES,
    degradations,
    kept,
    networks,
    random,
    rank_correlation,
    shown,
    transferred,
    under,
)


if TYPE_CHECKING:
    from tlbench import Claim, Study

MOST_PAIRS = Margin(
    0.5, "a rank correlation above one half: more than three of four pairs of networks keep their order"
)


def accuracies(study: Study) -> Table:
    arms = networks(study)
    rows = [Row("as they are", {arm.label: score(arm) for arm in arms})]
    rows += [Row(kind, {arm.label: under(kind, arm) for arm in arms}) for kind in SEVERITIES]
    told = [
        f"{kind}, {measure}: {', '.join(shown(kind, severity) for severity in severities)}."
        for kind, (measure, severities) in SEVERITIES.items()
    ]
    columns = tuple(Column(arm.label, every_seed=False) for arm in arms)
    notes = ("Means over four severities; no network was trained on degraded images.", *told)
    return Table("Degradations", "accuracy on degraded test images", "images", columns, tuple(rows), notes=notes)


def accuracy_over_severity(study: Study, kind: str) -> Lines:
    measure, severities = SEVERITIES[kind]
    series = tuple(
        (
            arm.label,
            (
                Point(0, score(arm), tick="none"),
                *(
                    Point(place, score(arm, on=images), tick=shown(kind, severity))
                    for place, (severity, images) in enumerate(zip(severities, degradations(kind), strict=True), 1)
                ),
            ),
        )
        for arm in networks(study)
    )
    return Lines(f"Degraded by {kind}", f"accuracy under {kind}", measure, "accuracy", series, axis="linear")


def transferred_keeps_more(study: Study, kind: str) -> Claim:
    return kept(study, kind, transferred(study)).beats(kept(study, kind, random(study)))


def order_is_kept(study: Study) -> Claim:
    return mean(rank_correlation(study, kind) for kind in SEVERITIES).is_positive(by=MOST_PAIRS)


def compression_harms_less(study: Study) -> Claim:
    arm = transferred(study)
    others = [kept(study, kind, arm) for kind in ("Gaussian blur", "Gaussian colour noise")]
    return kept(study, "JPEG compression", arm).beats(mean(others))


@pytest.mark.tlbench_table(declare=accuracies)
def test_degradations(table):
    """Every network is evaluated on every kind of degraded images."""
    assert table.filled


@pytest.mark.tlbench_figure(declare=accuracy_over_severity)
@pytest.mark.parametrize("kind", SEVERITIES)
def test_accuracy_over_severity(figure):
    """Every network is evaluated at every severity."""
    assert all(point.cell.filled for point in figure.points)


@pytest.mark.tlbench_claim(declare=transferred_keeps_more)
@pytest.mark.parametrize("kind", SEVERITIES)
def test_transferred_weights_keep_more_of_their_accuracy(verdict):
    """Transferred weights keep a larger share of their accuracy than random ones do.

    More training images make networks more robust (Djolonga et al. 2020, arXiv:2007.08558).
    """
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=order_is_kept)
def test_the_order_of_the_networks_is_kept(verdict):
    """Networks keep the order of their accuracies on degraded images.

    Accuracies on usual and on other images tend to rise together (Wenzel et al. 2022, arXiv:2207.09239).
    """
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=compression_harms_less)
def test_compression_harms_less_than_blur_and_noise(verdict):
    """Compression takes less of a transferred network's accuracy than blur and noise do.

    Networks are susceptible to blur and noise in particular (Dodge & Karam 2016, arXiv:1604.04004).
    """
    assert verdict.supported, verdict
