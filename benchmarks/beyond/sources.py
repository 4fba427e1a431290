"""Sources that a target can be transferred from, rated before and scored after fine-tuning."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tlbench import H_SCORE, LEEP, LOGME, NCE, TrainingFeatures, combined, score

from ..poster import CAT_DOG, EIGHT_CLASSES, PERSON_OTHER, direct, moved


if TYPE_CHECKING:
    from collections.abc import Callable

    from tlbench import Arm, Quantity, Reading, Study, Task

TASKS = {task.name: task for task in (EIGHT_CLASSES, PERSON_OTHER, CAT_DOG)}
# Rated by features alone; the others by the head too.
HEADLESS = ("pretrained", "random")
READINGS = (LOGME, H_SCORE, LEEP, NCE)


def sources(target: Task, reading: Reading = LOGME) -> tuple[str, ...]:
    """Names of the sources of a target that a score can rate."""
    others = tuple(name for name in TASKS if name != target.name)
    return others if reading in {LEEP, NCE} else others + HEADLESS


def network(study: Study, source: str) -> Arm:
    """The network of a source, before it is fine-tuned."""
    if source in TASKS:
        return direct(study, TASKS[source])
    start = study.random if source == "random" else study.transferred
    return start(f"{source} weights, untrained", task=EIGHT_CLASSES, recipe=study.recipe.at(epochs=0))


def rating(study: Study, reading: Reading, source: str, target: Task) -> Quantity:
    """A score of a source for a target, of features behind the last cut or of the head."""
    return score(network(study, source), reading, by=TrainingFeatures(study.cuts[-1], task=target))


def tuned(study: Study, source: str, target: Task) -> Quantity:
    """Accuracy of a target after fine-tuning all of a source."""
    if source in TASKS:
        return score(moved(study, TASKS[source], target, "none"))
    return score(direct(study, target) if source == "random" else study.transferred("pretrained", task=target))


def over_targets(study: Study, name: str, of: Callable[..., float], reading: Reading, unit: str) -> Quantity:
    """A number of `rankings` for a score, averaged over the targets."""
    groups = [[(source, target) for source in sources(target, reading)] for target in TASKS.values()]
    pairs = [pair for group in groups for pair in group]
    quantities = [rating(study, reading, *pair) for pair in pairs] + [tuned(study, *pair) for pair in pairs]
    return combined(f"{name} of {reading.name}", partial(of, sizes=tuple(map(len, groups))), *quantities, unit=unit)
