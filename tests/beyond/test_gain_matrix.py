"""The gain matrix: planted gains by which each claim holds or is refuted."""

from __future__ import annotations

import planted
import pytest

from benchmarks.beyond import test_gain_matrix as experiment


STUDY = planted.study()

CLAIMS = {
    "a_general_source_gains": ("none",),
    "frozen_specific_sources_transfer_negatively": (),
    "training_on_avoids_negative_transfer": (),
    "general_sources_gain_more": ("none",),
}


def accuracy(*, general=0.1, pretrained=0.1, frozen=-0.3):
    """A function from an arm to an accuracy: 0.6, and what the source and freezing add.

    Args:
        general: Gain from the task of all classes.
        pretrained: Gain from the study's source.
        frozen: Loss of what is frozen.
    """

    def of(arm, _images):
        source, arrow, _ = arm.label.partition(" -> ")
        gain = {"8-classes": general, STUDY.pretrained_name: pretrained}.get(source, 0.0) if arrow else 0.0
        return 0.6 + gain + (frozen if arm.frozen else 0.0)

    return of


OPPOSITE = {
    "a_general_source_gains": {"pretrained": -0.1},
    "frozen_specific_sources_transfer_negatively": {"frozen": 0.3},
    "training_on_avoids_negative_transfer": {"frozen": 0.3},
    "general_sources_gain_more": {"general": -0.1},
}


@pytest.mark.parametrize(("claim", "arguments"), CLAIMS.items())
def test_a_claim_holds_where_general_sources_gain_and_freezing_loses(claim, arguments):
    """As the survey and the poster say."""
    verdict = planted.verdict(getattr(experiment, claim)(STUDY, *arguments), accuracy())

    assert verdict.supported, verdict


@pytest.mark.parametrize(("claim", "planted_gains"), OPPOSITE.items())
def test_a_claim_is_refuted_by_its_opposite(claim, planted_gains):
    """No claim holds whatever is measured."""
    verdict = planted.verdict(getattr(experiment, claim)(STUDY, *CLAIMS[claim]), accuracy(**planted_gains))

    assert "refuted" == verdict.outcome, verdict


def test_every_pair_of_different_tasks_stands_in_the_matrix_once():
    """Four tasks, and the study's source, with nothing frozen and with all but the head frozen."""
    pairs = experiment.gain_matrix(STUDY).pairs

    assert 2 * (4 * 3 + 4) == len(pairs) == len({(pair.panel, pair.row, pair.column) for pair in pairs})
