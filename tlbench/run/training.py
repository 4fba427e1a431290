"""The training of a run: its executor, and single trials again."""

from __future__ import annotations

import contextlib
import tempfile

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError, StoreError
from tlbench.judge.judging import looks, outcomes_so_far
from tlbench.run.progress import Progress, StatusDisplay, Stopwatch
from tlbench.store.store import Store
from tlbench.train.executors.inline import Inline
from tlbench.train.executors.processes import Processes
from tlbench.train.prefixes import PrefixCache
from tlbench.train.runner import LocalTraining, Runner
from tlbench.train.worker import Setup, Worker


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tlbench.declare.claims import Claim
    from tlbench.declare.evaluations import Work
    from tlbench.declare.trials import Trial
    from tlbench.judge.decisions import Outcome
    from tlbench.machine.environment import Environment
    from tlbench.run.assembly import Assembly
    from tlbench.run.gathered import Labels
    from tlbench.run.progress import Display
    from tlbench.run.status import StatusFile
    from tlbench.scores.listed import Scored
    from tlbench.store.results import Result
    from tlbench.train.runner import Executor
    from tlbench.train.worker import Listener, Trainer


def make_runner(assembly: Assembly, stopwatch: Stopwatch, warn: Callable[[str], None]) -> Runner:
    """Make the runner of a run's trials.

    Args:
        assembly: Parts of the run.
        stopwatch: Receives the progress of training.
        warn: Receives sentences that a user should know.
    """
    options = assembly.options
    if options.reference:
        make_trainer = partial(_make_reference_trainer, assembly.environment)
    else:
        folder = None if options.no_prefix_cache else assembly.store.folder / "prefixes"
        make_trainer = partial(_make_trainer, assembly.environment, folder)
    setup = Setup(assembly.environment, assembly.datasets, assembly.weights, make_trainer)
    executor = _make_executor(assembly, setup, stopwatch, warn)
    return Runner(assembly.store, executor, warn, stopwatch.watched)


def make_stopwatch(
    assembly: Assembly,
    labels: Labels,
    missing: Sequence[Work],
    claims: Sequence[Claim],
    display: Display,
    status: StatusFile,
) -> Stopwatch:
    """Make what follows the progress of a run.

    Args:
        assembly: Parts of the run.
        labels: Labels of trials.
        missing: Trials and evaluations that the store lacks.
        claims: Claims of the run.
        display: Shows the progress.
        status: File of the state of the run.
    """
    seeds = assembly.study.seeds
    progress = Progress(
        partial(labels.first, unknown="outside the plan"),
        missing,
        StatusDisplay(display, status),
        assembly.graph,
        assembly.options.processes,
        [frozenset(trial.digest for trial in claim.trials(seeds)) for claim in claims],
        partial(outcomes, assembly, claims, {}),
    )
    return Stopwatch(progress, status)


def outcomes(
    assembly: Assembly, claims: Sequence[Claim], known: dict[str, Scored], ready: Sequence[int]
) -> dict[Outcome, int]:
    """Count the outcomes of claims so far, see `outcomes_so_far`.

    Args:
        assembly: Parts of the run.
        claims: Claims of the run.
        known: Results that were read before, by digest; those that are read now are added.
        ready: Numbers of the claims whose trials are stored. A claim whose evaluations are not stored yet, or whose
            results are damaged, waits all the same.
    """
    seeds, store = assembly.study.seeds, assembly.store

    def result(work: Work) -> Scored:
        if work.digest not in known:
            known[work.digest] = getattr(loaded := store.load(work), "summary", loaded)
        return known[work.digest]

    stored = []
    for number in ready:
        with contextlib.suppress(StoreError):
            for work in claims[number].work(seeds):
                result(work)
            stored.append(number)
    at_looks = looks(assembly.options.seeds, assembly.options.max_seeds)
    return outcomes_so_far(claims, stored, result, at_looks)


def repeat(assembly: Assembly, trial: Trial, stopwatch: Stopwatch, warn: Callable[[str], None]) -> Result:
    """Train a trial again, from its stored source, and leave the store as it is.

    Args:
        assembly: Parts of the run.
        trial: The trial to repeat.
        stopwatch: Receives the progress of training.
        warn: Receives sentences that a user should know.
    """
    with tempfile.TemporaryDirectory(prefix="tlbench-repeat-") as folder:
        store = Store(Path(folder), assembly.environment)
        if trial.source is not None and trial.source in assembly.store:
            assembly.store.copy(trial.source, store)
        runner = make_runner(replace(assembly, store=store), stopwatch, warn)
        try:
            return runner.result(trial)
        finally:
            runner.close()


def find(digest: str, trials: Sequence[Trial]) -> Trial:
    """Find a trial by the beginning of its digest.

    Args:
        digest: Beginning of the digest, as hexadecimal digits.
        trials: Trials of a run, each once.

    Raises:
        ConfigurationError: No trial's digest begins so, or several do.
    """
    found = [trial for trial in trials if trial.digest.startswith(digest.lower())]
    if len(found) != 1:
        msg = (
            f"--tlbench-repeat must be the beginning of one trial's digest, of those that the collected tests "
            f"need; --tlbench-plan lists them. Received: {digest!r}, which {len(found)} of {len(trials)} begin with"
        )
        raise ConfigurationError(msg)
    return found[0]


def _make_executor(assembly: Assembly, setup: Setup, listener: Listener, warn: Callable[[str], None]) -> Executor:
    # A new executor is a file in `tlbench/train/executors/` and a line here.
    inline = Inline(LocalTraining(assembly.store, Worker(setup, listener)), assembly.kind)
    count, threads = assembly.options.processes, assembly.options.threads
    return (
        Processes(count, threads, assembly.store, setup, assembly.kind, listener, inline, warn) if count > 1 else inline
    )


def _make_trainer(environment: Environment, folder: Path | None) -> Trainer:
    # Imported here, as below: what is stored already is judged without a backend.
    from tlbench.train.device_arrays import DeviceArrays, capacity_bytes
    from tlbench.train.training import Trainer

    device_arrays = DeviceArrays(bytes_) if (bytes_ := capacity_bytes(environment.device)) else None
    try:
        prefix_cache = PrefixCache(folder=folder) if folder is not None else None
    except OSError:  # Where nothing can be written, memory is left.
        prefix_cache = PrefixCache()
    return Trainer(environment, prefix_cache, device_arrays)


def _make_reference_trainer(environment: Environment) -> Trainer:
    from tlbench.train.reference import ReferenceTrainer

    return ReferenceTrainer(environment)
