"""The whole study by the default path and by the reference path, one after the other on one machine.

    python -m benchmarks.speed.study /tmp/study
    python -m benchmarks.speed.study /tmp/real -- --tlbench-data natural-images-30px.zip
    python -m benchmarks.speed.study /tmp/truth --reference-threads 1

What stands behind `--` goes to pytest. Both paths train everything, pretraining
included; then the default path runs again, with everything stored.

How many threads add sums up decides how they are rounded. The reference path has
as many as the backend takes, as a plain script has, unless it is given as many as
each process of the default path has: then both must come to the same.
"""

from __future__ import annotations

import hashlib
import json
import os
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

from tlbench.machine import backends
from tlbench.report import content, files
from tlbench.train import prefixes


ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """One run of pytest.

    Attributes:
        seconds: Wall time of the process.
        verdicts: Outcomes by claim.
        trials: What the store's result.json says of each trial, by digest, and a digest of its `predictions`.
    """

    seconds: float
    verdicts: dict[str, str]
    trials: dict[str, dict[str, Any]]


def run(
    folder: Path,
    store: str,
    arguments: tuple[str, ...],
    *,
    plugin: str | None = None,
    threads: int | None = None,
) -> Run:
    """Run the benchmarks in a process of their own.

    Args:
        folder: Where store, report and output go.
        store: Name of the store in it.
        arguments: For pytest.
        plugin: A module that pytest loads as a plugin.
        threads: That the process computes with; None to leave it to the backend, and to the processes it starts.

    Raises:
        click.ClickException: pytest could not run them.
    """
    report = folder / f"{store}-report"
    command = [sys.executable, "-m", "pytest", "benchmarks", "--benchmark-skip", "-p", "no:cacheprovider"]
    command += ["-p", plugin] if plugin else []
    command += ["--tlbench-store", str(folder / store), "--tlbench-report", str(report), *arguments]
    variables = backends.thread_variables(threads) if threads else {}
    click.echo(f"$ {shlex.join([*(f'{name}={value}' for name, value in variables.items()), *command])}", err=True)
    with (folder / f"{store}.log").open("w", encoding="utf-8") as log:
        started = time.perf_counter()
        status = subprocess.run(
            command, cwd=ROOT, check=False, stdout=log, stderr=subprocess.STDOUT, env=os.environ | variables
        ).returncode
        seconds = time.perf_counter() - started
    if status not in {0, 1}:  # 1 where a claim is refuted.
        msg = f"pytest could not run the benchmarks, see {log.name}. Received: exit status {status}"
        raise click.ClickException(msg)
    click.echo(f"  {seconds:.1f} s, exit status {status}", err=True)
    trials = [_trial(path) for path in (folder / store).rglob("results/*/*/result.json")]
    return Run(
        seconds,
        {claim.name: claim.outcome for claim in content.load(report / files.RESULTS).claims},
        {trial["digest"]: trial for trial in trials},
    )


def _trial(path: Path) -> dict[str, Any]:
    with np.load(path.with_name("predictions.npz")) as arrays:
        predictions = hashlib.sha256(arrays["probabilities"].tobytes()).hexdigest()
    with np.load(path.with_name("weights.npz")) as arrays:
        weights = prefixes.digest(dict(arrays))
    return json.loads(path.read_text(encoding="utf-8")) | {"predictions": predictions, "weights": weights}


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
    kinds: defaultdict[tuple[int, str], list[tuple[dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    for digest in default.trials.keys() & reference.trials.keys():
        fast, plain = default.trials[digest], reference.trials[digest]
        kinds[len(fast["label_names"]), "+".join(fast["trial"]["frozen"]) or "nothing"].append((fast, plain))
    lines = []
    for (labels, frozen), pairs in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0])):
        default_seconds, seconds = (
            statistics.median(trial["seconds"] for trial in side) for side in zip(*pairs, strict=True)
        )
        equal = sum(fast["predictions"] == plain["predictions"] for fast, plain in pairs)
        times = f"{default_seconds:.1f}", f"{seconds:.1f}", f"{seconds / default_seconds:.1f}"
        lines.append((labels, frozen, len(pairs), *times, equal))
    headings = ["labels", "frozen", "trials", "median seconds, default", "reference", "ratio", "the same bits"]
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
    same, same_weights = (
        sum(default.trials[digest][what] == reference.trials[digest][what] for digest in shared)
        for what in ("predictions", "weights")
    )
    return (
        f"{len(default.trials)} and {len(reference.trials)} trials, {len(shared)} of them in both; {same_weights} end "
        f"in the same weights and {same} make the same predictions bit for bit, {equal} end in the same accuracy, "
        f"and the mean difference is "
        f"{np.mean(differences):.2%} (largest {np.max(differences):.2%}). "
        f"Verdicts: {len(reference.verdicts)}, differing {len(changed)}{''.join(f'; {each}' for each in changed)}."
    )


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("arguments", nargs=-1)
@click.option(
    "--reference-threads", type=click.IntRange(min=1), help="Of the reference path.  [default: the backend's choice]"
)
def main(folder: Path, arguments: tuple[str, ...], reference_threads: int | None) -> None:
    """Time both paths; stores, reports and output go to FOLDER, ARGUMENTS to pytest."""
    if folder.exists() and any(folder.iterdir()):
        msg = f"The folder must be empty: what it holds would not be trained. Received: {folder}"
        raise click.UsageError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    default = run(folder, "default", arguments)
    again = run(folder, "default", arguments)
    reference = run(folder, "reference", ("--tlbench-reference", *arguments), threads=reference_threads)
    click.echo(compare(default, again, reference))


if __name__ == "__main__":
    main()
