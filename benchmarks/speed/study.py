"""The whole study by the default path and by the reference path, one after the other on one machine.

    python -m benchmarks.speed.study /tmp/study
    python -m benchmarks.speed.study /tmp/real -- --tlbench-data natural-images-30px.zip

What stands behind `--` goes to pytest. Both paths train everything, pretraining
included; then the default path runs again, with everything stored.
"""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import sys
import time

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from tabulate import tabulate

from tlbench.report import content, files


ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """One run of pytest.

    Attributes:
        seconds: Wall time of the process.
        verdicts: Outcomes by claim.
        trials: What the store's result.json says of each trial, by digest.
    """

    seconds: float
    verdicts: dict[str, str]
    trials: dict[str, dict[str, Any]]


def run(folder: Path, store: str, arguments: tuple[str, ...], *, plugin: str | None = None) -> Run:
    """Run the benchmarks in a process of their own.

    Args:
        folder: Where store, report and output go.
        store: Name of the store in it.
        arguments: For pytest.
        plugin: A module that pytest loads as a plugin.

    Raises:
        click.ClickException: pytest could not run them.
    """
    report = folder / f"{store}-report"
    command = [sys.executable, "-m", "pytest", "benchmarks", "--benchmark-skip", "-p", "no:cacheprovider"]
    command += ["-p", plugin] if plugin else []
    command += ["--tlbench-store", str(folder / store), "--tlbench-report", str(report), *arguments]
    click.echo(f"$ {shlex.join(command)}", err=True)
    with (folder / f"{store}.log").open("w", encoding="utf-8") as log:
        started = time.perf_counter()
        status = subprocess.run(command, cwd=ROOT, check=False, stdout=log, stderr=subprocess.STDOUT).returncode
        seconds = time.perf_counter() - started
    if status not in {0, 1}:  # 1 where a claim is refuted.
        msg = f"pytest could not run the benchmarks, see {log.name}. Received: exit status {status}"
        raise click.ClickException(msg)
    click.echo(f"  {seconds:.1f} s, exit status {status}", err=True)
    results = (folder / store).rglob("results/*/*/result.json")
    trials = [json.loads(path.read_text(encoding="utf-8")) for path in results]
    return Run(
        seconds,
        {claim.name: claim.outcome for claim in content.load(report / files.RESULTS).claims},
        {trial["digest"]: trial for trial in trials},
    )


def compare(default: Run, again: Run, reference: Run) -> str:
    """Times, ratios, and whether both paths come to the same, as Markdown."""
    whole = [
        ("default path, nothing stored", f"{default.seconds:.1f}", f"{reference.seconds / default.seconds:.2f}"),
        ("default path, everything stored", f"{again.seconds:.1f}", f"{reference.seconds / again.seconds:.1f}"),
        ("reference path, nothing stored", f"{reference.seconds:.1f}", "1"),
    ]
    headings = ["what", "seconds", "times as fast"]
    align = ("left", "right", "right")
    return "\n\n".join(
        [
            tabulate(whole, headings, tablefmt="github", colalign=align, disable_numparse=True),
            _by_kind(default, reference),
            _agreement(default, reference),
        ]
    )


def _by_kind(default: Run, reference: Run) -> str:
    """Median seconds of a trial, by what is trained; the first of a kind in a process traces."""
    seconds: defaultdict[tuple[int, str], list[tuple[float, float]]] = defaultdict(list)
    for digest in default.trials.keys() & reference.trials.keys():
        trial = default.trials[digest]
        frozen = trial["trial"]["frozen"]
        kind = len(trial["label_names"]), "+".join(frozen) or "nothing"
        seconds[kind].append((trial["seconds"], reference.trials[digest]["seconds"]))
    lines = []
    for (labels, frozen), pairs in sorted(seconds.items(), key=lambda item: (-len(item[1]), item[0])):
        fast, plain = (statistics.median(side) for side in zip(*pairs, strict=True))
        lines.append((labels, frozen, len(pairs), f"{fast:.1f}", f"{plain:.1f}", f"{plain / fast:.1f}"))
    headings = ["labels", "frozen", "trials", "median seconds, default", "reference", "ratio"]
    return tabulate(lines, headings, tablefmt="github", disable_numparse=True)


def _agreement(default: Run, reference: Run) -> str:
    changed = [
        f"{claim}: {default.verdicts.get(claim)} by default, {outcome} by the reference path"
        for claim, outcome in reference.verdicts.items()
        if default.verdicts.get(claim) != outcome
    ]
    shared = default.trials.keys() & reference.trials.keys()
    # A source's digest is part of what starts from it, and both paths train the same code: digests agree.
    differences = [
        abs(default.trials[digest]["scores"]["accuracy"] - reference.trials[digest]["scores"]["accuracy"])
        for digest in shared
        if default.trials[digest]["scores"] and reference.trials[digest]["scores"]
    ]
    equal = sum(difference == 0 for difference in differences)
    return (
        f"{len(default.trials)} and {len(reference.trials)} trials, {len(shared)} of them in both; {equal} end in the "
        f"same accuracy, and the mean difference is {np.mean(differences):.2%} (largest {np.max(differences):.2%}). "
        f"Verdicts: {len(reference.verdicts)}, differing {len(changed)}{''.join(f'; {each}' for each in changed)}."
    )


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("arguments", nargs=-1)
def main(folder: Path, arguments: tuple[str, ...]) -> None:
    """Time both paths; stores, reports and output go to FOLDER, ARGUMENTS to pytest."""
    if folder.exists() and any(folder.iterdir()):
        msg = f"The folder must be empty: what it holds would not be trained. Received: {folder}"
        raise click.UsageError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    default = run(folder, "default", arguments)
    again = run(folder, "default", arguments)
    reference = run(folder, "reference", ("--tlbench-reference", *arguments))
    click.echo(compare(default, again, reference))


if __name__ == "__main__":
    main()
