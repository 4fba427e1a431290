"""Claims on scores of sources, judged on planted results: each can be supported, and each can be refuted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scipy import stats

from benchmarks.beyond import test_which_source as experiment
from benchmarks.beyond.rankings import best, picked, resampled_tau, tau
from benchmarks.beyond.sources import READINGS, TASKS, sources
from tlbench.declare.trials import Random, Trial


FEATURES = READINGS[:2]


def origin(trial):
    """Name of the source that a trial starts from, or is."""
    if trial.recipe.epochs == 0 or not isinstance(trial.initialisation, Trial):
        trained = trial.recipe.epochs > 0 and isinstance(trial.initialisation, Random)
        start = "random" if isinstance(trial.initialisation, Random) else "pretrained"
        return trial.task.name if trained else start
    return trial.initialisation.task.name


def arrays(quality):
    """Features and a head that know as much of the labels as the quality says, from 0 to 1."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 90)
    known = np.eye(3)[labels]
    guesses = generator.dirichlet(np.ones(3), 90)
    head = (quality * known + (2 - quality) * guesses) / 2  # A head that knows more is always right.
    return {
        "features": quality * known + (1 - quality) * generator.normal(size=(90, 3)),
        "head": head,
        "labels": labels,
    }


def plan(qualities, accuracies):
    """Rated by the qualities of sources, and after fine-tuning as accurate as the others say."""

    def result(trial, readout):
        if readout is not None:
            return 0.0, arrays(qualities[origin(trial)])
        # A task that is learned from random weights is fine-tuned from them.
        start = "random" if isinstance(trial.initialisation, Random) else origin(trial)
        return accuracies[start], {}

    return result


ORDER = dict(zip([*TASKS, "pretrained", "random"], [0.3, 0.5, 0.7, 0.9, 0.1], strict=True))
REVERSED = {name: 1 - value for name, value in ORDER.items()}


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
@pytest.mark.parametrize(
    ("accuracies", "outcome"), [(ORDER, "supported"), (REVERSED, "refuted")], ids=["same", "reversed"]
)
def test_the_claim_on_picks_follows_the_results(reading, accuracies, outcome, study, outcome_of):
    """A score that rates the worst source highest is refuted."""
    claim = experiment.pick_is_close_to_the_best(study, reading)

    assert outcome == outcome_of(claim, plan(ORDER, accuracies))


@pytest.mark.parametrize("reading", FEATURES, ids=lambda reading: reading.name)
@pytest.mark.parametrize(
    ("accuracies", "outcome"), [(ORDER, "supported"), (REVERSED, "refuted")], ids=["same", "reversed"]
)
def test_the_claim_on_ranks_follows_the_results(reading, accuracies, outcome, study, outcome_of):
    """Ranks in the reverse order are refuted."""
    claim = experiment.ranks_are_those_of_accuracy(study, reading)

    assert outcome == outcome_of(claim, plan(ORDER, accuracies))


def test_a_score_of_heads_rates_trained_sources_alone():
    """Files of weights have no head, and an untrained one knows nothing."""
    target = TASKS["cat/dog"]

    assert ("8-classes", "person/other") == sources(target, READINGS[2]) == sources(target, READINGS[3])
    assert ("8-classes", "person/other", "pretrained", "random") == sources(target)


# Two targets: the first with three sources, in the right order, and the second with two, in the reverse order.
VALUES = (*(1.0, 2.0, 3.0), *(5.0, 4.0), *(0.5, 0.6, 0.9), *(0.2, 0.4))
SIZES = (3, 2)


def test_numbers_of_rankings_are_means_over_targets():
    """By hand."""
    assert picked(VALUES, SIZES) == pytest.approx((0.9 + 0.2) / 2)
    assert best(VALUES, SIZES) == pytest.approx((0.9 + 0.4) / 2)
    assert tau(VALUES, SIZES, of=stats.kendalltau) == pytest.approx(0)
    assert tau(VALUES, SIZES) == pytest.approx(0)


def test_the_resampled_correlation_surrounds_the_correlation():
    """The same each time; perfect ranks stay perfect in every sample."""
    generator = np.random.default_rng(0)
    ratings = generator.normal(size=8)
    noisy = (*ratings, *(ratings + generator.normal(size=8)))
    low, high = (resampled_tau(noisy, (8,), quantile) for quantile in (0.05, 0.95))

    assert low < tau(noisy, (8,)) < high
    assert (low, high) == tuple(resampled_tau(noisy, (8,), quantile) for quantile in (0.05, 0.95))
    assert resampled_tau((*ratings, *ratings), (8,), 0.05) == pytest.approx(1)
    assert math.isfinite(resampled_tau((1.0, 2.0, 0.3, 0.4), (2,), 0.05))
