"""Layer by layer: which arms are trained, and planted accuracies by which each claim holds or is refuted."""

from __future__ import annotations

import pytest

from benchmarks.beyond import test_layer_by_layer as experiment
from benchmarks.beyond.sizes import depths


# The curves of Yosinski et al., section 4: accuracy of each kind from the first cut to the last.
AS_IN_THE_PAPER = {
    "BnB": (0.80, 0.78, 0.72, 0.70, 0.76, 0.80),
    "BnB+": (0.80, 0.80, 0.80, 0.80, 0.80, 0.80),
    "AnB": (0.80, 0.79, 0.76, 0.70, 0.60, 0.50),
    "AnB+": (0.81, 0.82, 0.82, 0.83, 0.83, 0.83),
    "random, frozen": (0.70, 0.50, 0.40, 0.30, 0.20, 0.15),
}

# Each claim's opposite, by the kinds that are other than in the paper.
OPPOSITE = {
    "middle_is_co_adapted": {"BnB": (0.60, 0.70, 0.75, 0.75, 0.70, 0.60)},
    "top_is_specific": {"AnB": (0.50, 0.60, 0.70, 0.75, 0.78, 0.80)},
    "fine_tuning_recovers": {"BnB+": (0.70, 0.70, 0.70, 0.70, 0.70, 0.70)},
    "transfer_generalises": {"AnB+": (0.70, 0.70, 0.70, 0.70, 0.70, 0.70)},
    "transferred_beat_random": {"AnB": (0.10, 0.10, 0.10, 0.10, 0.10, 0.10)},
}


@pytest.fixture
def outcome(study, outcome_by_arm):
    """A function that gives the outcome of a claim by planted curves; the network without copied layers has 80 %."""

    def of(claim, curves):
        def accuracy(arm):
            kind, _, cut = arm.label.rpartition(", ")
            return curves[kind][depths(study).index(cut)] if kind else 0.80

        return outcome_by_arm(getattr(experiment, claim)(study), accuracy)

    return of


@pytest.mark.parametrize("claim", OPPOSITE)
def test_a_claim_holds_by_the_curves_of_the_paper(claim, outcome):
    """The experiment's claims are those that the paper makes."""
    assert "supported" == outcome(claim, AS_IN_THE_PAPER)


@pytest.mark.parametrize(("claim", "curves"), OPPOSITE.items())
def test_a_claim_is_refuted_by_its_opposite(claim, curves, outcome):
    """No claim holds whatever is measured."""
    assert "refuted" == outcome(claim, AS_IN_THE_PAPER | curves)


def test_layers_are_copied_up_to_the_cut_and_frozen_without_a_plus(study):
    """A selffer network starts from the arm that learned the task from random weights under the same seed."""
    frozen, tuned = (experiment.arm(study, kind, "block3").trial(2) for kind in ("BnB", "BnB+"))
    transferred, floor = (experiment.arm(study, kind, "block3").trial(2) for kind in ("AnB", "random, frozen"))
    up_to_block_3 = {"block1", "block2", "block3"}

    assert [up_to_block_3, set(), up_to_block_3, up_to_block_3] == [
        set(trial.frozen) for trial in (frozen, tuned, transferred, floor)
    ]
    assert [up_to_block_3] * 3 + [None] == [trial.transferred for trial in (frozen, tuned, transferred, floor)]
    assert experiment.base(study).trial(2) == frozen.source == tuned.source
    assert study.pretrained == transferred.initialisation
