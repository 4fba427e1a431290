"""Claims on linear probes, judged on planted results: each can be supported, and each can be refuted."""

from __future__ import annotations

import pytest

from benchmarks.beyond import test_linear_probes as experiment
from benchmarks.beyond.sizes import depths
from tlbench.declare.trials import Random


CLAIMS = {
    "deeper is better": experiment.deeper_is_better_transferred,
    "deeper is no better": experiment.deeper_is_no_better_random,
    "transferred beats random": experiment.transferred_beats_random,
}


def plan(study, transferred, random):
    """Accuracy of probes at the first cut and at the last, straight in between."""
    cuts = depths(study)

    def accuracy(trial, readout):
        first, last = random if isinstance(trial.initialisation, Random) else transferred
        share = 1.0 if readout is None else cuts.index(readout.cut) / (len(cuts) - 1)
        return first + (last - first) * share, {}

    return accuracy


@pytest.mark.parametrize(
    ("claim", "transferred", "random", "outcome"),
    [
        ("deeper is better", (0.4, 0.8), (0.4, 0.4), "supported"),
        ("deeper is better", (0.8, 0.4), (0.4, 0.4), "refuted"),
        ("deeper is no better", (0.4, 0.8), (0.5, 0.4), "supported"),
        ("deeper is no better", (0.4, 0.8), (0.5, 0.5), "supported"),
        ("deeper is no better", (0.4, 0.8), (0.4, 0.6), "refuted"),
        ("transferred beats random", (0.4, 0.8), (0.5, 0.4), "supported"),
        ("transferred beats random", (0.8, 0.4), (0.4, 0.6), "refuted"),
    ],
)
def test_a_claim_on_probes_follows_the_results(claim, transferred, random, outcome, study, outcome_of):
    """Nothing of the outcome is decided beforehand."""
    assert outcome == outcome_of(CLAIMS[claim](study), plan(study, transferred, random))


def test_networks_are_probed_before_and_after_training(study):
    """Those that are not trained have no epochs; trained ones have the study's."""
    epochs = {name: experiment.network(study, name).recipe.epochs for name in experiment.NETWORKS}

    assert {
        "random, untrained": 0,
        "random, trained": study.recipe.epochs,
        "transferred, untrained": 0,
        "transferred, trained": study.recipe.epochs,
    } == epochs


def test_the_first_and_the_last_third_do_not_overlap(study):
    """Two cuts of six at each end."""
    shallow, deep = experiment.ends(study)

    assert depths(study)[:2] == shallow
    assert depths(study)[-2:] == deep
