"""The gain matrix: positive and negative transfer between tasks (Pan & Yang 2010, doi:10.1109/TKDE.2009.191).

Each cell is the accuracy that a task gains from starting with the weights of a network that was trained on another
task, over random weights. Negative transfer is a gain below zero (Pan & Yang, section 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlbench import Matrix, Pair, Quantity, Task, mean, score

from ..poster import CAT_DOG, EIGHT_CLASSES, FROZEN, PERSON_OTHER, direct, moved
from .sizes import is_small


if TYPE_CHECKING:
    from tlbench import Claim, Study

VEHICLE_OTHER = Task("vehicle/other", vehicle=["airplane", "car", "motorbike"], other=...)

# All that is copied is trained further, or nothing of it.
FLOWS = ("none", "all")


def specific(study: Study) -> tuple[Task, ...]:
    """Tasks of few classes; the miniature's are the poster's."""
    return (PERSON_OTHER, CAT_DOG) if is_small(study) else (PERSON_OTHER, VEHICLE_OTHER, CAT_DOG)


def tasks(study: Study) -> tuple[Task, ...]:
    """The general task and the specific ones."""
    return EIGHT_CLASSES, *specific(study)


def gain(study: Study, source: Task | None, target: Task, flows: str) -> Quantity:
    """Gain in accuracy of a task over random weights; the source None is that of the study's transferred weights."""
    if source is not None:
        return score(moved(study, source, target, flows)) - score(direct(study, target))
    label = f"{study.pretrained_name} -> {target.name}, frozen {flows}"
    return score(study.transferred(label, task=target, frozen=FROZEN[flows])) - score(direct(study, target))


def mean_gain(study: Study, flows: str, pairs: list[tuple[Task | None, Task]]) -> Quantity:
    """Mean gain over some pairs of source and target."""
    return mean(gain(study, *pair, flows) for pair in pairs)


def gain_matrix(study: Study) -> Matrix:
    pairs = [
        Pair(
            f"frozen {flows}", source.name if source else "transferred", target.name, gain(study, source, target, flows)
        )
        for flows in FLOWS
        for source in (None, *tasks(study))
        for target in tasks(study)
        if source != target
    ]
    title = "gain in accuracy of a task from a network that was trained on another"
    return Matrix("Gain matrix", title, "original task", "new task", "gain", tuple(pairs), judged=True)


def a_general_source_gains(study: Study, flows: str) -> Claim:
    return mean_gain(study, flows, [(None, task) for task in tasks(study)]).is_positive()


def frozen_specific_sources_transfer_negatively(study: Study) -> Claim:
    pairs = [(source, target) for source in specific(study) for target in tasks(study) if source != target]
    return Quantity(()).beats(mean_gain(study, "all", pairs))


def training_on_avoids_negative_transfer(study: Study) -> Claim:
    pairs = [(source, target) for source in tasks(study) for target in tasks(study) if source != target]
    return mean_gain(study, "none", pairs).beats(mean_gain(study, "all", pairs))


def general_sources_gain_more(study: Study, flows: str) -> Claim:
    from_general = mean_gain(study, flows, [(EIGHT_CLASSES, task) for task in specific(study)])
    to_general = mean_gain(study, flows, [(task, EIGHT_CLASSES) for task in specific(study)])
    return from_general.beats(to_general)


@pytest.mark.tlbench_figure(declare=gain_matrix)
def test_gain_matrix(figure):
    """Every pair has its gain and the sign of the gain, or a run has diverged."""
    assert all(pair.cell.filled and pair.sign for pair in figure.pairs)


@pytest.mark.tlbench_claim(declare=a_general_source_gains)
@pytest.mark.parametrize("flows", FLOWS)
def test_transferred_weights_gain_over_all_tasks(verdict):
    """Weights of the study's source are worth more than random ones, on the mean over all tasks."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=general_sources_gain_more)
@pytest.mark.parametrize("flows", FLOWS)
def test_specific_tasks_gain_more_from_the_general_task_than_the_reverse(verdict):
    """The general task's network knows all classes of a specific task."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=frozen_specific_sources_transfer_negatively)
def test_frozen_networks_of_specific_tasks_transfer_negatively(verdict):
    """Frozen features of a specific task are worth less to another task than training from random weights."""
    assert verdict.supported, verdict


@pytest.mark.tlbench_claim(declare=training_on_avoids_negative_transfer)
def test_training_every_flow_avoids_negative_transfer(verdict):
    """The mean gain is higher where all that is copied is trained further than where it stays frozen."""
    assert verdict.supported, verdict
