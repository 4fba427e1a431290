"""Years of nights, drawn from stored real trials: false alarms of drift, and the delay until a drift is found.

    python -m benchmarks.year judge docs/sensitivity.md     # ten minutes on two busy cores
    python -m benchmarks.year page FOLDER                   # saved runs and history.html of one such year

The seeds are the same every night. A night repeats the stored scores of each seed, with a noise between nights on top:
a share of the residual of a stored trial of the same arm, drawn at random. A share of 1 is the worst case: a night is
as far from the next as one seed is from another. Each arm and each seed draws for itself; accuracy, macro-F1 and loss
are those of the same drawn trial.

A CPU repeats itself to the last bit until a version changes. It then draws once, and repeats that.
"""

from __future__ import annotations

import json
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

from tabulate import tabulate

from tlbench import Summary
from tlbench.judge import drift as judge
from tlbench.judge.arm_changes import ALL_ARMS
from tlbench.judge.drift import NIGHTS, REFERENCE_NIGHTS, Watched, drifts
from tlbench.machine.environment import Environment, Surroundings
from tlbench.scores.listed import ACCURACY, METRICS
from tlbench.store import baselines
from tlbench.store.baselines import SavedArm, SavedClaim


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


ALARMING = [metric for metric in METRICS if metric.alarms]

SOURCES = {"real images": Path("docs/real-images/results.json"), "pocket": Path("docs/pocket/results.json")}

# Share of the noise between seeds, and whether a night draws its own or repeats the last until a version changes.
NOISES = {"as between seeds": (1.0, False), "none, a new draw each month": (1.0, True)}

# A drift of one standard deviation between seeds.
DRIFT_NIGHTS, DELAY = 60, 14

DAYS_OF_MONTH = 30

QUIET_YEARS, DRIFTING_YEARS = 60, 40

BEGIN, END = "<!-- counted by benchmarks/year.py -->", "<!-- end of the years -->"

# Claims about accuracy, as differences of two arms.
CLAIMS = {
    "transferred beats random, rate 0.01": ("transferred weights, rate 0.01", "random weights, rate 0.01"),
    "transferred beats random, rate 0.001": ("transferred weights, rate 0.001", "random weights, rate 0.001"),
    "transferred beats random, rate 0.0001": ("transferred weights, rate 0.0001", "random weights, rate 0.0001"),
    "none beats all": ("transferred weights, rate 0.001", "frozen all"),
    "entry beats entry+middle": ("frozen entry", "frozen entry+middle"),
}


@dataclass(frozen=True)
class Stored:
    """Scores of stored trials.

    Attributes:
        arms: Labels of the arms.
        scores: Scores, shape (arms, seeds, metrics).
    """

    arms: tuple[str, ...]
    scores: np.ndarray

    @classmethod
    def read(cls, path: Path) -> Stored:
        """Read the trials of a `results.json`."""
        arms = json.loads(path.read_text(encoding="utf-8"))["arms"]
        scores = [[[trial["scores"][m.key] for m in ALARMING] for trial in arm["trials"]] for arm in arms]
        return cls(tuple(arm["labels"][0] for arm in arms), np.array(scores))

    @property
    def noise(self) -> np.ndarray:
        """Standard deviation between seeds, at least a metric's least margin, shape (arms, metrics)."""
        return np.maximum(self.scores.std(axis=1, ddof=1), [metric.least_margin for metric in ALARMING])

    def nights(self, generator: np.random.Generator, share: float, *, repeats: bool, nights: int) -> np.ndarray:
        """Scores of quiet nights, shape (nights, arms, seeds, metrics).

        Args:
            generator: Source of the draws.
            share: Share of the noise between seeds that a night draws anew.
            repeats: Whether nights repeat each other until a version changes.
            nights: Number of nights.
        """
        arms, seeds, _ = self.scores.shape
        # Residuals of few trials are too small by what their mean takes of them.
        residuals = (self.scores - self.scores.mean(axis=1, keepdims=True)) * np.sqrt(seeds / (seeds - 1))
        draws = -(-nights // DAYS_OF_MONTH) if repeats else nights
        drawn = generator.integers(0, seeds, (draws, arms, seeds))
        noise = np.take_along_axis(residuals[None], drawn[..., None], axis=2)
        if repeats:
            # Versions change on days of their own, not on the first of a month.
            changes = np.sort(generator.choice(np.arange(1, nights), draws - 1, replace=False))
            noise = noise[np.searchsorted(changes, np.arange(nights), side="right")]
        return self.scores + share * noise


def drift(stored: Stored, arms: np.ndarray, start: int, nights: int) -> np.ndarray:
    """The change that a drift makes to the scores of some arms: worse by the noise between seeds, over `DRIFT_NIGHTS`.

    Args:
        stored: Arms and their noise.
        arms: Numbers of the arms that drift.
        start: First night of the drift.
        nights: Number of nights.

    Returns:
        Differences, shape (nights, arms, 1, metrics).
    """
    course = np.clip((np.arange(nights) - start) / DRIFT_NIGHTS, 0, 1)
    size = stored.noise * [-1 if metric.higher_is_better else 1 for metric in ALARMING]
    size[~np.isin(np.arange(len(stored.arms)), arms)] = 0
    return course[:, None, None, None] * size[:, None, :]


def watched(stored: Stored, values: np.ndarray) -> list[Watched]:
    """The quantities of some nights, as `tlbench history` watches them.

    Args:
        stored: Names the arms.
        values: Scores, shape (nights, arms, seeds, metrics).
    """
    found = [
        Watched(label, metric.key, values[:, arm, :, number], metric.least_margin, sign, metric.unit)
        for number, metric in enumerate(ALARMING)
        for sign in [1 if metric.higher_is_better else -1]
        for arm, label in enumerate(stored.arms)
    ]
    found += [
        Watched(ALL_ARMS, metric.key, values[..., number].mean(axis=1), metric.least_margin, sign, metric.unit)
        for number, metric in enumerate(ALARMING)
        for sign in [1 if metric.higher_is_better else -1]
    ]
    accuracy = values[..., ALARMING.index(ACCURACY)]
    found += [
        Watched(name, "", accuracy[:, stored.arms.index(better)] - accuracy[:, stored.arms.index(worse)], 0.005)
        for name, (better, worse) in CLAIMS.items()
    ]
    return found


@dataclass(frozen=True)
class Year:
    """A drawn year.

    Attributes:
        alarms: Number of alarms: of runs of nights in which a quantity is said to drift.
        delay: Nights from the end of the drift to the first alarm after its start; None without an alarm. Negative
            where the drift was found before its end.
    """

    alarms: int
    delay: int | None = None


def quiet_year(stored: Stored, noise: str, seed: int) -> Year:
    """A year in which nothing changes, but versions where a CPU repeats itself."""
    generator = np.random.default_rng([seed, 0])
    share, repeats = NOISES[noise]
    values = stored.nights(generator, share, repeats=repeats, nights=NIGHTS)
    before, alarms = set(), 0
    for night in range(2, NIGHTS + 1):
        drifting = {
            (d.label, d.metric, d.status) for d in drifts(watched(stored, values[:night])) if d.status != "steady"
        }
        alarms += len(drifting - before)
        before = drifting
    return Year(alarms)


def drifting_year(stored: Stored, noise: str, seed: int, *, one: bool) -> Year:
    """A year with a drift, of one arm or of all, that begins between the end of the reference and day 200."""
    generator = np.random.default_rng([seed, 1])
    share, repeats = NOISES[noise]
    start = int(generator.integers(REFERENCE_NIGHTS, 200))
    last = start + DRIFT_NIGHTS + DELAY
    values = stored.nights(generator, share, repeats=repeats, nights=last)
    arms = generator.integers(0, len(stored.arms), 1) if one else np.arange(len(stored.arms))
    values = values + drift(stored, arms, start, last)
    for night in range(start + 1, last + 1):
        if any(found.status == "worse" for found in drifts(watched(stored, values[:night]))):
            return Year(1, night - start - DRIFT_NIGHTS)
    return Year(0)


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
    rows = [(source, noise, kind) for kind in KINDS for source in SOURCES for noise in NOISES]
    jobs = [(*row, seed) for row in rows for seed in range(counts[row[2]])]
    found: dict[tuple[str, str, str], list[Year]] = {row: [] for row in rows}
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for job, year in zip(jobs, pool.map(_year, jobs, chunksize=4), strict=True):
            found[job[:3]].append(year)
            if len(found[job[:3]]) == counts[job[2]]:
                click.echo(f"{' / '.join(job[:3])}: {_told(found[job[:3]], job[2])}")
    tables = [_quiet_table(found), _drift_table(found)]
    before, _, rest = report.read_text(encoding="utf-8").partition(BEGIN)
    text = f"{before}{BEGIN}\n\n" + "\n\n".join(tables) + f"\n\n{END}{rest.partition(END)[2]}"
    report.write_text(text, encoding="utf-8")


def _told(years: list[Year], kind: str) -> tuple[str, ...]:
    if kind == "quiet":
        alarms = [year.alarms for year in years]
        none, one = (sum(count <= most for count in alarms) for most in (0, 1))
        return str(len(years)), _share(none, years), _share(one, years), str(max(alarms))
    delays = [year.delay for year in years if year.delay is not None]
    spread = np.percentile(delays, [50, 95]) if delays else []
    return str(len(years)), _share(len(delays), years), *(f"{value:+.0f}" for value in spread)


def _share(count: int, years: list[Year]) -> str:
    return f"{count} ({count / len(years):.1%})"


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
        "drift of", "trials", "noise between nights", "years", f"found within {DELAY} nights", "median delay",
        "95 % by",
    )  # fmt: skip
    rows = [
        (kind, source, noise, *_told(years, kind)) for (source, noise, kind), years in found.items() if kind != "quiet"
    ]
    return tabulate(rows, headings, tablefmt="github", disable_numparse=True)


@main.command("page")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--source", type=click.Choice(list(SOURCES)), default="real images", show_default=True)
@click.option("--noise", type=click.Choice(list(NOISES)), default="as between seeds", show_default=True)
@click.option("--quiet", is_flag=True, help="Without a drift.")
def page_command(folder: Path, source: str, noise: str, *, quiet: bool) -> None:
    """Save the runs of a year in FOLDER/baselines; a drift of one arm ends on its last night but `DELAY`."""
    stored = Stored.read(SOURCES[source])
    generator = np.random.default_rng(0)
    share, repeats = NOISES[noise]
    values = stored.nights(generator, share, repeats=repeats, nights=NIGHTS)
    if not quiet:
        arm = stored.arms.index("frozen entry")
        values = values + drift(stored, np.array([arm]), NIGHTS - DELAY - DRIFT_NIGHTS, NIGHTS)
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
