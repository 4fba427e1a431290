"""Saves a run, and compares it with a saved one."""

from __future__ import annotations

import shlex

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench import __version__
from tlbench.errors import StoreError
from tlbench.judge.comparison import compare
from tlbench.judge.history import drift_alarms
from tlbench.judge.verdicts import saved_claim
from tlbench.machine import environment
from tlbench.report.comparisons import describe
from tlbench.report.gathering import comparison_record
from tlbench.run.assembly import near
from tlbench.run.option_list import option
from tlbench.store import baselines, series
from tlbench.train import fingerprint


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlbench.report.records import ComparisonRecord
    from tlbench.run.assembly import Assembly
    from tlbench.run.commands import Command
    from tlbench.run.gathered import Gathered
    from tlbench.run.options import Options
    from tlbench.store.results import ResultOf


@dataclass
class Saving:
    """The outcome of saving and comparing a run.

    Attributes:
        outcome: `"passed"`, `"failed"` or `"not measured"`, of the comparison; passed where there was none.
        lines: Lines that tell a user about both.
        warnings: Sentences on a baseline that is missing, cannot be read or is of another machine.
        comparison: The comparison; None where there was none.
        drifted: Whether the run fails by a drift.
        saved: File of the saved run; None where nothing was saved.
        failed: Whether the run should have been saved, and could not be written.
    """

    outcome: str = "passed"
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    comparison: ComparisonRecord | None = None
    drifted: bool = False
    saved: Path | None = None
    failed: bool = False


def saved_run(
    assembly: Assembly, gathered: Gathered, result: ResultOf, *, peak_memory_bytes: int | None
) -> baselines.SavedRun:
    """Gather the content of a saved run.

    Args:
        assembly: Parts of the run.
        gathered: Trials of its plan, names of arms, verdicts, and claims that the images do not serve.
        result: Gives the result of a trial or an evaluation, or None where there is none.
        peak_memory_bytes: Peak memory of a process that has trained some of the trials; None where nothing was
            trained.
    """
    here = assembly.environment
    return baselines.SavedRun(
        name=assembly.options.save or "this run",
        created=baselines.now(),
        tlbench_version=__version__,
        commit=baselines.commit_of(Path.cwd()),
        header=assembly.header,
        surroundings=environment.surroundings(here),
        peak_memory_bytes=peak_memory_bytes,
        fingerprint=fingerprint.take(here).content(),
        arms=baselines.saved_arms(gathered.trials.values(), result, gathered.arms),
        claims=tuple(saved_claim(verdict, result) for verdict in gathered.verdicts),
        id=assembly.run,
        not_applicable=dict(gathered.not_applicable),
    )


def save_and_compare(run: baselines.SavedRun, options: Options, command: Command) -> Saving:
    """Compare a run with the saved run that the options name, and save it where the comparison allows that.

    Args:
        run: Content of the run.
        options: Options of the run.
        command: Command of the run.
    """
    saving = Saving()
    if options.compare:
        _compare(run, options, saving)
    if saving.outcome == "not measured":
        repeated = command.with_options("--tlbench-compare", options.compare or "", "--tlbench-fresh")
        saving.lines.append(f"To measure: {repeated}")
    if options.save and saving.outcome == "not measured":
        saving.lines.append(f"Not saved as {options.save!r}, since nothing of it, or too little, was measured.")
    elif options.save:
        # A failed run is part of its series, whose most telling nights would else be missing.
        _save(replace(run, failed=saving.outcome == "failed"), options, saving)
    if saving.outcome == "failed":
        saving.lines += _to_accept(options, command, saving)
    return saving


def _save(run: baselines.SavedRun, options: Options, saving: Saving) -> None:
    try:
        saving.saved = options.saved_runs.save(run)
    except StoreError as error:
        saving.failed = True
        saving.lines.append(f"Not saved: {error}")
        return
    marked = ", marked as failed: no run is compared with it until it is accepted" if run.failed else ""
    saving.lines.append(f"Saved as {saving.saved}{marked}")


def _to_accept(options: Options, command: Command, saving: Saving) -> Iterator[str]:
    """The command after which a failed run's changes are accepted."""
    if saving.saved:
        chosen = ""
        if (folder := near(options.store)) != option("--tlbench-store").default:
            chosen += f" --store {shlex.quote(folder)}"
        if options.baselines:
            chosen += f" --baselines {shlex.quote(near(Path(options.baselines)))}"
        yield f"To accept the changes: tlbench accept {saving.saved.stem.partition('_')[0]}{chosen}"
        return
    name = options.compare or ""
    name = name if baselines.is_name(name) else "NAME"
    yield f"To accept the changes: {command.with_options('--tlbench-save', name)}"
    if saving.drifted:
        yield f"To measure drift from that run on: tlbench accept {name}"


def _compare(run: baselines.SavedRun, options: Options, saving: Saving) -> None:
    machine, named = run.surroundings.machine, options.compare or ""
    try:
        folder = options.saved_runs.pull()
        found = baselines.find(named, folder, machine)
        if found is None:
            saving.warnings.append(
                f"nothing to compare with: no saved run {named!r} in {folder}; save one with --tlbench-save {named}."
            )
            return
        comparison = compare(baselines.load(found.path), run)
        if options.compare_fail.drift:
            worse, unexplained = drift_alarms([*_since_reference(found.path, named), run])
            comparison = replace(comparison, drifts=tuple(worse), unexplained=unexplained)
        record = comparison_record(comparison, options.compare_fail)
    except StoreError as error:
        saving.warnings.append(f"nothing to compare with: {error}")
        return
    if found.other_machine:
        saving.warnings.append(f"{found.path} is of another machine than this one, {machine}.")
    saving.lines.append(describe(record))
    saving.comparison, saving.outcome = record, record.outcome
    saving.drifted = bool(comparison.drifts) or comparison.unexplained is not None


def _since_reference(path: Path, named: str) -> list[baselines.SavedRun]:
    """The saved runs of a run's name on its machine, from the accepted one on; just the run where no series has it.

    Args:
        path: File of the run that another is compared with.
        named: Name, number or file by which it was asked for.
    """
    paths = series.series(path.parent.parent, path.parent.name, series.name_of(path))
    if path not in paths:
        return [baselines.load(path)]
    if not baselines.is_name(named):
        # A run of a lower number is compared with as it was then. Behind a run of a name, only failed nights follow.
        paths = paths[: paths.index(path) + 1]
    return [baselines.load(each) for each in paths[series.reference(paths) :]]
