"""Planted scores: claims of an experiment judged by scores that a test makes up, so that each can be refuted."""

from __future__ import annotations

from dataclasses import dataclass, field

from tlbench.datasets.dataset import Split
from tlbench.declare.evaluations import Evaluation
from tlbench.declare.profiles import MINIATURE
from tlbench.declare.study import Study
from tlbench.declare.trials import DataReference, SavedWeights
from tlbench.judge.judging import judge


CLASSES = ("airplane", "car", "cat", "dog", "flower", "fruit", "motorbike", "person")


@dataclass(frozen=True)
class Planted:
    """The scores of a trial or an evaluation."""

    scores: dict[str, float]
    diverged: bool = False
    f1: dict[str, float] = field(default_factory=dict)
    validation_accuracy: tuple[float, ...] = ()


def study(network=MINIATURE.network):
    """A study of four seeds on images that nobody reads."""
    data = DataReference("planted", "0" * 64, Split(validation=0.1, test=0.45, training_images=960))
    weights = SavedWeights("planted weights", "1" * 64)
    return Study("miniature", data, CLASSES, network, MINIATURE.recipe, weights, weights.name, (0, 1, 2, 3))


def verdict(claim, accuracy, seeds=4):
    """The verdict on a claim, judged by itself.

    Args:
        claim: A declared claim.
        accuracy: Function from an arm and the images of an evaluation, None for a trial's own, to an accuracy. Seeds
            differ by a thousandth.
        seeds: Number of seeds.
    """
    found = {}
    for quantity in (claim.left, claim.right):
        for term in quantity.scores:
            for seed in range(seeds):
                found[term.work(seed).digest] = Planted({"accuracy": accuracy(term.arm, term.images) + 0.001 * seed})
                # An evaluation asks its trial whether it diverged.
                found.setdefault(term.arm.trial(seed).digest, Planted({"accuracy": accuracy(term.arm, None)}))

    def result(work):
        assert not isinstance(work, Evaluation) or work.trial.digest in found
        return found[work.digest]

    return judge([claim], result, [seeds])[0]
