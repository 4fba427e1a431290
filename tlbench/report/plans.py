"""Plans as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tabulate import tabulate

from tlbench.declare.trials import Trial
from tlbench.networks import parts
from tlbench.scores.listed import METRICS


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from tlbench.declare.evaluations import Evaluation
    from tlbench.plan.forecast import Expected, Forecast
    from tlbench.store.results import Result


def describe(
    plan: Sequence[Trial],
    labels: Mapping[str, Sequence[str]],
    stored: Callable[[Trial], bool],
    graph: Callable[[Trial], Hashable],
    forecast: Forecast | None = None,
) -> str:
    """A plan, a line for each trial, and what its trials share.

    Args:
        plan: In the order of training.
        labels: What the trial is called, by digest; a trial that serves several arms has several.
        stored: Whether a trial need not be trained.
        graph: Gives the key under which a trial shares a compiled network.
        forecast: What those will take that must.
    """
    expected = forecast.expected if forecast else {}
    number = {trial.digest: position for position, trial in enumerate(plan, start=1)}
    lines = []
    for trial in plan:
        source = trial.initialisation
        start = f"trial {number[source.digest]}" if isinstance(source, Trial) else source.name.removesuffix(" weights")
        if trial.transferred is not None:
            start += f" in {'+'.join(parts.in_order(trial.network, trial.transferred))}"
        names = labels.get(trial.digest, ["source"])
        lines.append(
            [
                number[trial.digest],
                names[0] + "".join(f"\n= {name}" for name in names[1:]),
                trial.task.name,
                start,
                "+".join(parts.in_order(trial.network, trial.frozen)) or "nothing",
                f"{trial.recipe.learning_rate:g}" if trial.recipe.epochs else "untrained",
                trial.digest[:12],
                "stored" if stored(trial) else _to_train(expected.get(trial.digest)),
            ]
        )
    headings = ["trial", "serves", "task", "starts from", "frozen", "rate", "digest", "state"]
    uses = sum(len(labels.get(trial.digest, ["source"])) for trial in plan)
    missing = sum(not stored(trial) for trial in plan)
    networks = _number(len({graph(trial) for trial in plan}), "compiled network", "compiled networks")
    summary = (
        f"{len(plan)} trials serve {uses} uses; {len(plan) - missing} are stored, {missing} to train. "
        f"They share {networks}: one for each architecture, number of labels, frozen parts, optimizer and precision."
    )
    return f"{tabulate(lines, headings)}\n{summary}"


def describe_evaluations(
    evaluations: Sequence[Evaluation], plan: Sequence[Trial], stored: Callable[[Evaluation], bool]
) -> str:
    """The evaluations of a plan, a line for each.

    Args:
        evaluations: Evaluations, at least one.
        plan: Trials in the order of training.
        stored: Tells the evaluations whose result is stored.
    """
    number = {trial.digest: position for position, trial in enumerate(plan, start=1)}
    lines = [
        [number[each.trial.digest], each.name, each.digest[:12], "stored" if stored(each) else "to compute"]
        for each in evaluations
    ]
    missing = sum(not stored(each) for each in evaluations)
    summary = (
        f"{_number(len(evaluations), 'evaluation', 'evaluations')} of trained networks; "
        f"{len(evaluations) - missing} stored, {missing} to compute, without training."
    )
    return f"{tabulate(lines, ['of trial', 'evaluated', 'digest', 'state'])}\n{summary}"


def describe_size(plan: Sequence[Trial], forecast: Forecast, evaluations: int = 0, to_compute: int = 0) -> str:
    """The length of a plan, in a line.

    Args:
        plan: All its trials.
        forecast: Forecast of the trials that are not stored.
        evaluations: Number of evaluations of trained networks in the plan.
        to_compute: Number of evaluations that are not stored.
    """
    missing = len(forecast.expected) + forecast.unknown
    text = f"{len(plan)} trials, {len(plan) - missing} stored, {missing} to train"
    if forecast.expected:
        text += f", {_bound(forecast)} {duration(forecast.seconds, rough=True)}"
    if forecast.expected and forecast.unknown:
        text += f" for {len(forecast.expected)} of them"
    if evaluations:
        text += f"; {_number(evaluations, 'evaluation', 'evaluations')}, {to_compute} to compute"
    return text


def describe_forecast(forecast: Forecast, memory_bytes: int | None) -> str:
    """The time and memory that a plan takes, and the timings behind the forecast.

    Args:
        forecast: Forecast of the trials that are not stored; at least one.
        memory_bytes: What each process may hold; None where nothing tells.
    """
    lines = []
    if forecast.expected:
        text = (
            f"{_bound(forecast)} {duration(forecast.seconds)} "
            f"in {_number(forecast.processes, 'process', 'processes')}, "
            f"from {_number(forecast.timings, 'stored timing', 'stored timings')} of this environment"
            f"{_memory(memory_bytes, forecast.processes)}"
        )
        lines.append(f"{text[0].upper()}{text[1:]}")
        if forecast.frozen.trials:
            lines.append(_saved_by_freezing(forecast))
        if forecast.at_most:
            lines.append(f"Never timed, and taken for ones with less frozen, which take longer: {forecast.at_most}.")
        if forecast.unknown:
            lines.append(f"Of a kind never timed, and not counted: {forecast.unknown}.")
    else:
        lines.append("How long that takes is unknown: nothing like it was timed in this environment.")
    if memory_bytes is None:
        lines.append(
            "How much memory is unknown: no saved run of this machine trained these networks; --tlbench-save keeps one."
        )
    return "\n".join(lines)


def _saved_by_freezing(forecast: Forecast) -> str:
    frozen = forecast.frozen
    return (
        f"{_number(frozen.trials, 'trial', 'trials')} with frozen parts, whose outputs are computed once for each "
        f"image, take about {duration(frozen.seconds)} of one process; with nothing frozen "
        f"{'it' if frozen.trials == 1 else 'they'} would take about {duration(frozen.whole_seconds)}."
    )


def describe_outcome(seconds: float, forecast: Forecast) -> str:
    """The time that training took, beside its forecast.

    Args:
        seconds: From the first trial's start to the last one's end.
        forecast: Forecast of the trained trials, from results that had been stored before; at least one trial.
    """
    trained = len(forecast.expected) + forecast.unknown
    text = f"Trained {_number(trained, 'trial', 'trials')} in {duration(seconds)}; "
    if not forecast.expected:
        return f"{text}no prediction, since nothing of their kind had been timed"
    text += f"predicted {'at most ' if forecast.at_most else ''}{duration(forecast.seconds)}"
    if forecast.unknown:
        return f"{text} for {len(forecast.expected)} of them, the others being of a kind never timed"
    return f"{text} (ratio {seconds / forecast.seconds:.2f})"


def describe_repetition(name: str, trial: Trial, result: Result, stored: Result | None) -> list[str]:
    """A trial's repetition, beside its stored result.

    Args:
        name: What the trial is called.
        trial: Repeated trial.
        result: Result of the repetition.
        stored: What had been stored; None where nothing was.
    """
    lines = [f"{name} ({trial.digest[:12]}), again: {_scores(result)}, {duration(result.seconds)}"]
    if stored is None:
        return [*lines, "Nothing is stored of it to be held against."]
    lines.append(f"stored: {_scores(stored)}, {duration(stored.seconds)}, on {stored.environment}")
    if result.diverged or stored.diverged:
        return lines
    if np.array_equal(result.probabilities, stored.probabilities):
        return [*lines, "All probabilities of the test images are the same, bit for bit."]
    apart = np.abs(result.probabilities - stored.probabilities).max()
    changed = np.mean(result.probabilities.argmax(axis=1) != stored.probabilities.argmax(axis=1))
    lines.append(
        f"Probabilities of the test images differ by up to {apart:.2g}; {changed:.1%} are classified otherwise."
    )
    return lines


def _scores(result: Result) -> str:
    if result.diverged:
        return "diverged"
    return ", ".join(
        f"{metric.name} {result.scores[metric.key]:.4f}" for metric in METRICS if metric.key in result.scores
    )


def duration(seconds: float, *, rough: bool = False) -> str:
    """A time as people say it, such as `4 min 20 s`.

    Args:
        seconds: Not negative.
        rough: Leave seconds out of minutes.
    """
    whole = round(seconds)
    if whole < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if rough else f"{whole // 60} min {whole % 60} s"


def _to_train(expected: Expected | None) -> str:
    if expected is None:
        return "to train"
    return f"to train, {'at most ' if expected.at_most else ''}~{duration(expected.seconds)}"


def _bound(forecast: Forecast) -> str:
    return "at most about" if forecast.at_most else "about"


def _memory(memory_bytes: int | None, processes: int) -> str:
    if memory_bytes is None:
        return "."
    return f"; up to {memory_bytes / 1e9:.1f} GB{' in each' if processes > 1 else ''}, as in a saved run."


def _number(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
