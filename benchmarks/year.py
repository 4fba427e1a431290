"""Years of nights, drawn from stored real trials: false alarms of drift, and the delay until a drift is found.

    python -m benchmarks.year judge docs/sensitivity.md     # an hour and more on two busy cores
    python -m benchmarks.year page FOLDER                   # saved runs and history.html of one such year

The seeds are the same every night. A night repeats the stored scores of each seed, with a noise between nights on top:
the residual of a stored trial of the same arm, drawn at random. That is the worst case: a night is as far from the next
as one seed is from another. Each arm and each seed draws for itself; accuracy, macro-F1 and loss are those of the same
drawn trial.

A CPU repeats itself to the last bit until a version changes. It then draws once, and repeats that. A drift on such a
machine either moves the scores of equal nights, with nothing recorded that changes, or it comes with the versions.
"""

from __future__ import annotations

import multiprocessing
import os

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import click
import numpy as np

from scipy.stats import binomtest
from tabulate import tabulate

from benchmarks.drawn_nights import (
    ALARMING,
    CLAIMS,
    DAYS_OF_MONTH,
    DELAY,
    DRIFT_NIGHTS,
    LATEST_START,
    SOURCES,
    Stored,
    draws_of_nights,
    drift,
    most_power,
    watched,
)
from tlbench import Summary
from tlbench.judge import drift as judge
from tlbench.judge.drift import NIGHTS, REFERENCE_NIGHTS, drifts
from tlbench.judge.repeats import first_unequal
from tlbench.machine.environment import Environment, Surroundings
from tlbench.scores.listed import ACCURACY
from tlbench.store import baselines
from tlbench.store.baselines import SavedArm, SavedClaim


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Regime:
    """The noise between nights of a machine.

    Attributes:
        repeats: Whether nights repeat each other until a version changes.
        with_versions: Whether a drift shows only in new draws.
        seeds: Number of seeds; as many as are stored unless given.
    """

    repeats: bool = False
    with_versions: bool = False
    seeds: int | None = None


GPU, CPU, CPU_VERSIONS = (
    "as between seeds",
    "none, a new draw each month",
    "none, a new draw each month that alone brings the drift",
)
MANY_SEEDS = 64
REGIMES = {
    GPU: Regime(),
    CPU: Regime(repeats=True),
    CPU_VERSIONS: Regime(repeats=True, with_versions=True),
    f"{CPU_VERSIONS}, {MANY_SEEDS} seeds": Regime(repeats=True, with_versions=True, seeds=MANY_SEEDS),
}
QUIET = (GPU, CPU)

QUIET_YEARS = DRIFTING_YEARS = 200

BEGIN, END = "<!-- counted by benchmarks/year.py -->", "<!-- end of the years -->"


@dataclass(frozen=True)
class Year:
    """A drawn year.

    Delays are nights from the end of the drift to the first alarm after its start; None without an alarm. They are
    negative where the drift was found before its end.

    Attributes:
        alarms: Number of alarms: of runs of nights in which a quantity is said to drift, and of arms whose scores have
            changed while nothing recorded has.
        delay: Delay of the first alarm of either kind.
        by_scores: Delay of the first alarm for a drift.
    """

    alarms: int
    delay: int | None = None
    by_scores: int | None = None


def unexplained_nights(values: np.ndarray, draws: np.ndarray) -> list[int]:
    """First night of each arm whose scores have changed while no version has, as `tlbench.judge.repeats` tells it.

    Args:
        values: Scores, shape (nights, arms, seeds, metrics).
        draws: Number of the draw of each night; each has versions of its own where nights repeat each other.
    """
    equal = (values[1:] == values[:-1]).all(axis=(2, 3))
    # A machine whose nights all differ has the same versions throughout.
    same = draws[1:] == draws[:-1] if draws[-1] < len(draws) - 1 else np.ones(len(draws) - 1, dtype=bool)
    found = [
        first_unequal(bool(pair) if known else None for pair, known in zip(arm, same, strict=True)) for arm in equal.T
    ]
    return [pair[0] + 1 for pair in found if pair]


def quiet_year(stored: Stored, noise: str, seed: int) -> Year:
    """A year in which nothing changes, but versions where a CPU repeats itself."""
    generator = np.random.default_rng([seed, 0])
    regime = REGIMES[noise]
    draws = draws_of_nights(generator, NIGHTS, repeats=regime.repeats)
    values = stored.nights(generator, draws, regime.seeds)
    before, alarms = set(), len(unexplained_nights(values, draws))
    for night in range(2, NIGHTS + 1):
        # A night that repeats the one before is judged as that one was.
        if draws[night - 1] == draws[night - 2]:
            continue
        judged = drifts(watched(stored, values[:night]))
        drifting = {(d.label, d.metric, d.status) for d in judged if d.status in {"worse", "better"}}
        alarms += len(drifting - before)
        before = drifting
    return Year(alarms)


def drifting_year(stored: Stored, noise: str, seed: int, *, one: bool) -> Year:
    """A year with a drift, of one arm or of all, that begins between the end of the reference and day 200."""
    generator = np.random.default_rng([seed, 1])
    regime = REGIMES[noise]
    start = int(generator.integers(REFERENCE_NIGHTS, LATEST_START))
    end = start + DRIFT_NIGHTS
    draws = draws_of_nights(generator, NIGHTS, repeats=regime.repeats)
    arms = generator.integers(0, len(stored.arms), 1) if one else np.arange(len(stored.arms))
    values = stored.nights(generator, draws, regime.seeds)
    values = values + drift(stored, arms, start, draws, with_versions=regime.with_versions)
    told = [night - end for night in unexplained_nights(values, draws) if start <= night < end + DELAY]
    for night in range(start + 1, end + DELAY + 1):
        if regime.with_versions and night > start + 1 and draws[night - 1] == draws[night - 2]:
            continue
        if any(found.status == "worse" for found in drifts(watched(stored, values[:night]))):
            return Year(1, min([night - end, *told]), night - end)
    return Year(len(told), min(told, default=None))


KINDS = ("quiet", "one arm", "all arms")


def _year(job: tuple[str, str, str, int]) -> Year:
    source, noise, kind, seed = job
    stored = Stored.read(SOURCES[source])
    # The accepted night is the same all year, and so is the noise between its seeds.
    with mock.patch.object(judge, "seed_noises", _remembered(judge.seed_noises)):
        if kind == "quiet":
            return quiet_year(stored, noise, seed)
        return drifting_year(stored, noise, seed, one=kind == "one arm")


def _remembered(seed_noises: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    known: dict[bytes, np.ndarray] = {}

    def remembered(accepted: np.ndarray, least: Sequence[float]) -> np.ndarray:
        key = accepted.tobytes()
        if key not in known:
            known[key] = seed_noises(accepted, least)
        return known[key]

    return remembered


@click.group()
def main() -> None:
    """Years of nights, drawn from stored trials."""


@main.command("judge")
@click.argument("report", type=click.Path(path_type=Path, exists=True))
@click.option("--processes", default=2, show_default=True, help="That draw years at once.")
@click.option("--quiet-years", default=QUIET_YEARS, show_default=True, help="Quiet years of each row.")
@click.option("--drifting-years", default=DRIFTING_YEARS, show_default=True, help="Years of each row with a drift.")
def judge_command(report: Path, processes: int, quiet_years: int, drifting_years: int) -> None:
    """Draw years, and write the tables into REPORT, between its markers."""
    # Small matrices: threads of a library would wait for each other.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    counts = {"quiet": quiet_years, "one arm": drifting_years, "all arms": drifting_years}
    rows = [
        (source, noise, kind)
        for kind in KINDS
        for source in SOURCES
        for noise in (QUIET if kind == "quiet" else REGIMES)
    ]
    # Quiet years take longest, and come last.
    jobs = [(*row, seed) for row in sorted(rows, key=lambda row: row[2] == "quiet") for seed in range(counts[row[2]])]
    found: dict[tuple[str, str, str], list[Year]] = {row: [] for row in rows}
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for job, year in zip(jobs, pool.map(_year, jobs, chunksize=4), strict=True):
            found[job[:3]].append(year)
            if len(found[job[:3]]) == counts[job[2]]:
                click.echo(f"{' / '.join(job[:3])}: {_told(found[job[:3]], job[2])}")
    tables = [_quiet_table(found), _drift_table(found), _bound_table()]
    before, _, rest = report.read_text(encoding="utf-8").partition(BEGIN)
    text = f"{before}{BEGIN}\n\n" + "\n\n".join(tables) + f"\n\n{END}{rest.partition(END)[2]}"
    report.write_text(text, encoding="utf-8")


def _told(years: list[Year], kind: str) -> tuple[str, ...]:
    if kind == "quiet":
        alarms = [year.alarms for year in years]
        none, one = (sum(count <= most for count in alarms) for most in (0, 1))
        return str(len(years)), _share(none, years), _share(one, years), str(max(alarms))
    delays = [year.delay for year in years if year.delay is not None]
    by_scores = sum(year.by_scores is not None for year in years)
    spread = [f"{value:+.0f}" for value in np.percentile(delays, [50, 95])] if delays else ["", ""]
    return str(len(years)), _share(len(delays), years), _share(by_scores, years), *spread


def _share(count: int, years: list[Year]) -> str:
    """A count of years, with the 95 % interval of its share (Clopper & Pearson 1934, Biometrika 26:404)."""
    low, high = binomtest(count, len(years)).proportion_ci(method="exact")
    return f"{count} ({100 * low:.1f} to {100 * high:.1f} %)"


def _quiet_table(found: dict[tuple[str, str, str], list[Year]]) -> str:
    headings = (
        "quiet nights",
        "noise between nights",
        "years",
        "no alarm",
        "at most one alarm",
        "most alarms in a year",
    )
    rows = [(source, noise, *_told(years, kind)) for (source, noise, kind), years in found.items() if kind == "quiet"]
    return tabulate(rows, headings, tablefmt="github", disable_numparse=True)


def _drift_table(found: dict[tuple[str, str, str], list[Year]]) -> str:
    headings = (
        "drift of",
        "trials",
        "noise between nights",
        "years",
        f"found within {DELAY} nights",
        "by the scores alone",
        "median delay",
        "95 % by",
    )
    rows = [
        (kind, source, noise, *_told(years, kind)) for (source, noise, kind), years in found.items() if kind != "quiet"
    ]
    return tabulate(rows, headings, tablefmt="github", disable_numparse=True)


BOUND_SEEDS, BOUND_YEARS = (4, 5, 8, 16, 32, MANY_SEEDS, np.inf), 20_000


def _bound_table() -> str:
    generator = np.random.default_rng(0)
    starts = generator.integers(REFERENCE_NIGHTS, LATEST_START, BOUND_YEARS)
    anew = generator.random((BOUND_YEARS, NIGHTS - 1)).argsort(axis=1)[:, : NIGHTS // DAYS_OF_MONTH] + 1
    monthly = generator.integers(0, DAYS_OF_MONTH, (BOUND_YEARS, 1)) + np.arange(0, NIGHTS, DAYS_OF_MONTH)
    rows = [
        [
            "any number" if np.isinf(seeds) else str(seeds),
            *(
                f"{most_power(Stored.read(path), seeds, changes, starts):.1%}"
                for path in SOURCES.values()
                for changes in (anew, monthly)
            ),
        ]
        for seeds in BOUND_SEEDS
    ]
    headings = ["seeds"] + [
        f"{source}, {days}" for source in SOURCES for days in ("days at random", f"every {DAYS_OF_MONTH} nights")
    ]
    return tabulate(rows, headings, tablefmt="github", disable_numparse=True)


@main.command("page")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--source", type=click.Choice(list(SOURCES)), default="real images", show_default=True)
@click.option("--noise", type=click.Choice(list(REGIMES)), default=GPU, show_default=True)
@click.option("--quiet", is_flag=True, help="Without a drift.")
def page_command(folder: Path, source: str, noise: str, *, quiet: bool) -> None:
    """Save the runs of a year in FOLDER/baselines; a drift of one arm ends on its last night but `DELAY`."""
    stored = Stored.read(SOURCES[source])
    generator = np.random.default_rng(0)
    regime = REGIMES[noise]
    draws = draws_of_nights(generator, NIGHTS, repeats=regime.repeats)
    values = stored.nights(generator, draws, regime.seeds)
    if not quiet:
        arm = np.array([stored.arms.index("frozen entry")])
        start = NIGHTS - DELAY - DRIFT_NIGHTS
        values = values + drift(stored, arm, start, draws, with_versions=regime.with_versions)
    for night in range(NIGHTS):
        baselines.save(saved_night(stored, values[night], night, generator), folder / "baselines")
    click.echo(f"tlbench history nightly --store {folder}")


def saved_night(stored: Stored, scores: np.ndarray, night: int, generator: np.random.Generator) -> baselines.SavedRun:
    """A night as a run would have saved it.

    Args:
        stored: Names the arms.
        scores: Scores, shape (arms, seeds, metrics).
        night: Number of the night, from 0.
        generator: Source of the noise between times.
    """
    run = f"night-{night}"
    # TensorFlow changes every two months, and the driver once; a driver in spring makes steps slower.
    slower = 1.08 if night >= NIGHTS // 2 else 1.0
    arms = []
    for number, label in enumerate(stored.arms):
        trials = {}
        for seed in range(scores.shape[1]):
            seconds = slower * generator.lognormal(0.0, 0.02)
            known = {metric.key: float(scores[number, seed, k]) for k, metric in enumerate(ALARMING)}
            trials[seed] = Summary(
                diverged=False,
                scores=known,
                f1={},
                validation_accuracy=(),
                training_accuracy=(),
                epoch_seconds=(3 * seconds, seconds, 1.01 * seconds),
                epoch_steps=10,
                epoch_images=320,
                seconds=6 * seconds,
            )
        digests = {seed: f"{label}-{seed}" for seed in trials}
        arms.append(SavedArm(label, (label,), {}, digests, trials, dict.fromkeys(trials, run)))
    accuracy = scores[..., ALARMING.index(ACCURACY)]
    claims = []
    for name, (better, worse) in CLAIMS.items():
        differences = accuracy[stored.arms.index(better)] - accuracy[stored.arms.index(worse)]
        by_seed = {seed: float(value) for seed, value in enumerate(differences)}
        measurements = {seed: (f"{name}-{seed}@{run}",) for seed in by_seed}
        outcome = "supported" if differences.mean() > 0 else "refuted"
        claims.append(SavedClaim(name, name, 0.0, outcome, by_seed, None, None, None, measurements=measurements))
    tensorflow = f"2.{16 + night // 61}.0"
    here = Environment("tensorflow", tensorflow, "3.15.1", "gpu", "NVIDIA H100", "3.11.7", driver="570.86")
    driver = "570.86" if night < NIGHTS // 2 else "575.51"
    packages = {"tensorflow": tensorflow, "keras": "3.15.1"}
    around = Surroundings(here, packages, "Linux-x86_64", "A CPU", 16, ("NVIDIA H100",), driver, {})
    created = (datetime(2026, 1, 1, 1, 17, tzinfo=UTC) + timedelta(days=night)).isoformat(timespec="seconds")
    commit = baselines.Commit(f"{night // 3:012x}".ljust(40, "0"), changed=False)
    return baselines.SavedRun(
        "nightly", created, "0.1.0", commit, {}, around, 2**30, None, tuple(arms), tuple(claims), run
    )


if __name__ == "__main__":
    main()
