"""Plans as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from tlbench.trials import ImageNet


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tlbench.trials import Trial


def describe(plan: Sequence[Trial], labels: Mapping[str, Sequence[str]], stored: Callable[[Trial], bool]) -> str:
    """A plan, a line for each trial, and what its trials share.

    Args:
        plan: In the order of training.
        labels: What the trial is called, by digest; a trial that serves several arms has several.
        stored: Whether a trial need not be trained.
    """
    number = {trial.digest: position for position, trial in enumerate(plan, start=1)}
    lines = []
    for trial in plan:
        if trial.source is not None:
            start = f"trial {number[trial.source.digest]}"
        else:
            start = "ImageNet" if isinstance(trial.initialisation, ImageNet) else "random"
        names = labels.get(trial.digest, ["source"])
        lines.append(
            [
                number[trial.digest],
                names[0] + "".join(f"\n= {name}" for name in names[1:]),
                trial.task.name,
                start,
                "+".join(flow for flow in trial.network.flow_ends if flow in trial.frozen) or "nothing",
                f"{trial.recipe.learning_rate:g}",
                trial.digest[:12],
                "stored" if stored(trial) else "to train",
            ]
        )
    headings = ["trial", "serves", "task", "starts from", "frozen", "rate", "digest", "state"]
    uses = sum(len(labels.get(trial.digest, ["source"])) for trial in plan)
    missing = sum(not stored(trial) for trial in plan)
    kinds = len({(trial.network, trial.task, trial.frozen) for trial in plan})
    summary = (
        f"{len(plan)} trials serve {uses} uses; {len(plan) - missing} are stored, {missing} to train. "
        f"They are of {kinds} kinds (network, task and frozen flows); those of a kind share a compiled network."
    )
    return f"{tabulate(lines, headings)}\n{summary}"
