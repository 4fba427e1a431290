"""The gain matrix: planted gains by which each claim holds or is refuted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.beyond import test_gain_matrix as experiment


CLAIMS = {
    "a_general_source_gains": ("none",),
    "frozen_specific_sources_transfer_negatively": (),
    "training_on_avoids_negative_transfer": (),
    "general_sources_gain_more": ("none",),
}


@pytest.fixture
def outcome(study, outcome_by_arm):
    """A function that gives the outcome of a claim: an accuracy of 0.6, and what the source and freezing add to it."""

    def of(claim, *, general=0.1, pretrained=0.1, frozen=-0.3):
        gains = {"8-classes": general, study.pretrained_name: pretrained}

        def accuracy(arm):
            source, arrow, _ = arm.label.partition(" -> ")
            return 0.6 + (gains.get(source, 0.0) if arrow else 0.0) + (frozen if arm.frozen else 0.0)

        return outcome_by_arm(getattr(experiment, claim)(study, *CLAIMS[claim]), accuracy)

    return of


OPPOSITE = {
    "a_general_source_gains": {"pretrained": -0.1},
    "frozen_specific_sources_transfer_negatively": {"frozen": 0.3},
    "training_on_avoids_negative_transfer": {"frozen": 0.3},
    "general_sources_gain_more": {"general": -0.1},
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_holds_where_general_sources_gain_and_freezing_loses(claim, outcome):
    """As the survey and the poster say."""
    assert "supported" == outcome(claim)


@pytest.mark.parametrize(("claim", "gains"), OPPOSITE.items())
def test_a_claim_is_refuted_by_its_opposite(claim, gains, outcome):
    """No claim holds whatever is measured."""
    assert "refuted" == outcome(claim, **gains)


def test_every_pair_of_different_tasks_stands_in_the_matrix_once(study):
    """Four tasks, and the study's source, with nothing frozen and with all but the head frozen."""
    pairs = experiment.gain_matrix(study).pairs

    assert 2 * (4 * 3 + 4) == len(pairs) == len({(pair.panel, pair.row, pair.column) for pair in pairs})


def test_the_miniature_has_the_posters_tasks(study):
    """An experiment on drawn images is for trying it; the claims are the same."""
    small = replace(study, profile="miniature")
    matrix = experiment.gain_matrix(small)

    assert {"8-classes", "person/other", "cat/dog"} == {pair.column for pair in matrix.pairs}
    assert 2 * (3 * 2 + 3) == len(matrix.pairs)
    for claim, arguments in CLAIMS.items():
        arms = {arm.label for arm in getattr(experiment, claim)(small, *arguments).arms}
        assert arms <= {arm.label for arm in matrix.arms}
