"""A study whose trials are never trained, and results that are planted in their stead."""

from __future__ import annotations

import numpy as np
import pytest

from tlbench.datasets.dataset import Split
from tlbench.declare.evaluations import Evaluation
from tlbench.declare.profiles import MINIATURE
from tlbench.declare.study import Study
from tlbench.declare.trials import DataReference, SavedWeights
from tlbench.judge.judging import judge as judge_together


SEEDS = 6


class Planted:
    """A result that nobody has computed."""

    def __init__(self, scores, arrays):
        self.scores, self.arrays = scores, arrays
        self.diverged, self.f1, self.validation_accuracy = False, {}, ()


@pytest.fixture(scope="session")
def study():
    """The miniature's network and recipe, and weights of a file."""
    return Study(
        profile="planted",
        data=DataReference("planted", "0" * 64, Split()),
        class_names=("airplane", "car", "cat", "dog", "flower", "fruit", "motorbike", "person"),
        network=MINIATURE.network,
        recipe=MINIATURE.recipe,
        pretrained=SavedWeights("photographs", "1" * 64),
        pretrained_name="photographs",
        seeds=tuple(range(SEEDS)),
    )


@pytest.fixture
def outcome_of():
    """A function that gives the outcome of a claim under planted results.

    The plan is a function from a trial and a readout, or None, to an accuracy and arrays; seeds add a little noise.
    """

    def judge(claim, plan):
        def result(work):
            trial, readout = (work.trial, work.readout) if isinstance(work, Evaluation) else (work, None)
            accuracy, arrays = plan(trial, readout)
            accuracy += 0.002 * np.random.default_rng([trial.seed, int(work.digest[:6], 16)]).normal()
            scores = {"accuracy": float(accuracy), "macro_f1": float(accuracy)}
            return Planted(scores, arrays)

        return judge_together([claim], result, [SEEDS])[0].outcome

    return judge


@pytest.fixture
def outcome_by_arm(outcome_of):
    """A function that gives the outcome of a claim where a function gives each of its arms an accuracy."""

    def judge(claim, accuracy):
        arms = {arm.trial(seed).digest: arm for arm in claim.arms for seed in range(SEEDS)}
        return outcome_of(claim, lambda trial, _readout: (accuracy(arms[trial.digest]), {}))

    return judge
