"""The rate at which a comparison of runs speaks where nothing has changed, and where something has.

    python -m benchmarks.sensitivity train docs/sensitivity.json     # an hour on two cores; goes on where it was
    python -m benchmarks.sensitivity judge docs/sensitivity.json docs/sensitivity.md

`train` trains the miniature study healthy and with each fault planted, and keeps what every trial scored. `judge`
draws runs of four seeds from these trials, compares them as `--tlbench-compare` does, and counts. Every seed draws a
split of its own, as in any run.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import tempfile

from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from tabulate import tabulate

from benchmarks import (
    poster,
    test_figure_1_epochs,
    test_table_1_learning_rates,
    test_table_2_frozen_flows,
    test_table_4_tasks,
    test_table_5_f1_per_class,
)
from benchmarks.faults import CONDITIONS
from tlbench import ACCURACY, MINIATURE, Options, Run, Summary
from tlbench.judge.comparison import FailOn, compare
from tlbench.judge.judging import judge
from tlbench.judge.verdicts import saved_claim
from tlbench.machine import backends, environment
from tlbench.store.baselines import SavedArm, SavedRun
from tlbench.store.older import summary_of_1
from tlbench.train.prefixes import PrefixCache


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench import Arm, Claim, Study, Trial

# A run of the miniature has so many.
SEEDS = MINIATURE.seeds

HEALTHY_SEEDS, FAULTY_SEEDS = 16, 5

QUIET_COMPARISONS = 102

SLOWER = 1.5

SPEED = FailOn(speed=1.2)


def arms_of_tables_1_and_2(study: Study) -> list[Arm]:
    rates = [poster.initialised(study, w, r) for r in poster.LEARNING_RATES for w in ("random", "transferred")]
    return rates + [poster.frozen(study, flows) for flows in ("all", "entry", "entry+middle")]


def arms_of_tables_3_and_4(study: Study) -> list[Arm]:
    direct = [poster.direct(study, task) for task in (poster.PERSON_OTHER, poster.CAT_DOG)]
    return direct + [poster.moved(study, *pair, flows) for flows in ("all", "none") for pair in poster.TABLE_4]


def claims_of(study: Study) -> list[Claim]:
    """The study's claims, under short names."""
    tables = test_table_4_tasks
    named = {
        f"transferred beats random[{rate}]": test_table_1_learning_rates.transferred_beats_random(study, rate)
        for rate in poster.LEARNING_RATES
    }
    named |= {
        "entry beats entry+middle": test_table_2_frozen_flows.entry_beats_entry_and_middle(study),
        "none beats all": test_table_2_frozen_flows.none_beats_all(study),
        "none is as good as entry": test_table_2_frozen_flows.none_is_at_least_as_good_as_entry(study),
        "person leads": test_table_5_f1_per_class.person_leads(study),
        "first epoch reaches the last": test_figure_1_epochs.first_epoch_reaches_the_last(study),
    }
    for flows in ("all", "none"):
        named[f"general to specific gains more[{flows}]"] = tables.general_to_specific_gains_more(study, flows)
    for task in tables.SPECIFIC:
        named[f"direct beats {task.name} to general"] = tables.direct_beats_specific_to_general(study, task)
    return [claim.named(name, "") for name, claim in named.items()]


# By condition, arm and seed.
Trials = dict[str, dict[str, dict[int, Summary]]]


def read_trials(path: Path) -> Trials:
    if not path.is_file():
        return {}
    return {
        condition: {
            arm: {int(seed): Summary(**_tuples(scores)) for seed, scores in by_seed.items()}
            for arm, by_seed in arms.items()
        }
        for condition, arms in json.loads(path.read_text(encoding="utf-8")).items()
    }


def _tuples(scores: dict[str, Any]) -> dict[str, Any]:
    # The file began with saved runs of schema 1.
    scores = scores if "scores" in scores else summary_of_1(scores)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in scores.items()}


def write_trials(trials: Trials, path: Path) -> None:
    def rounded(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 6)
        if isinstance(value, dict):
            return {name: rounded(item) for name, item in value.items()}
        return [rounded(item) for item in value] if isinstance(value, (list, tuple)) else value

    content = {
        condition: {
            arm: {seed: rounded(asdict(scores)) for seed, scores in by_seed.items()} for arm, by_seed in arms.items()
        }
        for condition, arms in trials.items()
    }
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def run_of_miniature(store: Path) -> Run:
    """A run of the miniature; nothing is read from its store, nor written to it."""
    return Run(
        Options(
            profile=MINIATURE,
            seeds=SEEDS,
            max_seeds=SEEDS,
            store=store,
            report=store / "report",
            compare_fail=FailOn(),
        )
    )


@click.group()
def main() -> None:
    """Counts of comparisons that speak, and of those that should."""


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--processes", default=2, show_default=True, help="That train at once, with a thread each.")
def train(path: Path, processes: int) -> None:
    """Train what PATH lacks, and add it there."""
    trials = read_trials(path)
    jobs = [
        (name, seed)
        for name, condition in CONDITIONS.items()
        for seed in range(FAULTY_SEEDS if condition.fault else HEALTHY_SEEDS)
        if any(seed not in trials.get(name, {}).get(label, {}) for label in _labels(name))
    ]
    # Before a process imports a backend.
    os.environ |= backends.thread_variables(1)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for (name, seed), scores in zip(jobs, pool.map(_train, *zip(*jobs, strict=True)), strict=True):
            for label, score in scores.items():
                trials.setdefault(name, {}).setdefault(label, {})[seed] = score
            mean = np.mean([summary.scores[ACCURACY.key] for summary in scores.values()])
            click.echo(f"{name}, seed {seed}: {len(scores)} arms, mean accuracy {mean:.1%}")
            write_trials(trials, path)


@cache
def _run() -> Run:
    return run_of_miniature(Path(tempfile.gettempdir()) / "tlbench-sensitivity")


def _arms(name: str) -> list[Arm]:
    condition, study = CONDITIONS[name], _run().study
    arms = arms_of_tables_1_and_2(study) + (arms_of_tables_3_and_4(study) if not condition.fault else [])
    return [arm for arm in arms if condition.affects(arm)]


def _labels(name: str) -> list[str]:
    return [arm.label for arm in _arms(name)]


@lru_cache(maxsize=1)
def _own_trainer(name: str) -> Any:
    return _make_trainer(prefix_cache=CONDITIONS[name].prefix_cache)


@cache
def _shared_trainer() -> Any:
    return _make_trainer(prefix_cache=True)


def _make_trainer(*, prefix_cache: bool) -> Any:
    from tlbench.train.training import Trainer

    return Trainer(_run().assembly.environment, PrefixCache() if prefix_cache else None, capacity=16)


@cache
def _pretrained_weights() -> Any:
    pretrained = _run().study.pretrained
    return _shared_trainer().train(pretrained, _run().assembly.datasets[pretrained.data.digest], None)[1]


def _train(name: str, seed: int) -> dict[str, Summary]:
    """Train the arms of a condition under one seed, in a process that stays; return their scores by label."""
    run, condition = _run(), CONDITIONS[name]
    weights_of = {run.study.pretrained.digest: _pretrained_weights()}
    trainer = _own_trainer(name) if condition.own_networks else _shared_trainer()

    def trained(trial: Trial) -> Summary:
        source = weights_of[trial.source.digest] if trial.source else None
        result, weights_of[trial.digest] = trainer.train(trial, run.assembly.datasets[trial.data.digest], source)
        return result.summary

    scores = {}
    with condition.patch():
        for arm in _arms(name):
            trial = condition.change(arm.trial(seed))
            if trial.source and trial.source.digest not in weights_of:
                trained(trial.source)
            scores[arm.label] = trained(trial)
    return scores


@dataclass(frozen=True)
class Pool:
    """Trials that runs are drawn from.

    Attributes:
        trials: By condition, arm and seed.
        study: Whose claims are judged.
    """

    trials: Trials
    study: Study

    def seeds(self, condition: str) -> list[int]:
        """Under which all arms of a condition were trained."""
        return sorted(set.intersection(*(set(by_seed) for by_seed in self.trials[condition].values() if by_seed)))

    def run(self, condition: str, seeds: Sequence[int], seconds: float = 1.0) -> SavedRun:
        """A run of some seeds, as one of the miniature would have been saved.

        Args:
            condition: Arms that it does not affect are healthy.
            seeds: Seeds of its trials.
            seconds: Factor by which its steps take longer.
        """
        arms = [*arms_of_tables_1_and_2(self.study), *arms_of_tables_3_and_4(self.study)]
        chosen: dict[Trial, Summary] = {}
        saved = []
        for arm in arms:
            of_arm = self.trials[condition].get(arm.label) or self.trials["healthy"][arm.label]
            scores = {
                seed: replace(
                    of_arm[seed], epoch_seconds=tuple(seconds * epoch for epoch in of_arm[seed].epoch_seconds)
                )
                for seed in seeds
            }
            chosen |= {arm.trial(position): scores[seed] for position, seed in enumerate(seeds)}
            saved.append(SavedArm(arm.label, (arm.label,), {}, {}, scores))
        verdicts = judge(claims_of(self.study), chosen.__getitem__, [len(seeds)])
        claims = [saved_claim(verdict) for verdict in verdicts]
        # Judged as seeds 0, 1, ...; compared under their own numbers, by which runs are paired.
        claims = [replace(c, differences=dict(zip(seeds, c.differences.values(), strict=True))) for c in claims]
        around = environment.Surroundings(environment.current(), {}, "", "", 1, (), None, {})
        return SavedRun(condition, "", "", None, {}, around, None, None, tuple(saved), tuple(claims))


@dataclass(frozen=True)
class Alarms:
    """Findings of a comparison."""

    scores: bool
    verdicts: bool
    speed: bool

    @property
    def any(self) -> bool:
        """True where the comparison has found anything."""
        return self.scores or self.verdicts or self.speed


def alarms(old: SavedRun, new: SavedRun) -> Alarms:
    comparison = compare(old, new)
    return Alarms(
        scores=any(arm.status in {"regressed", "improved"} for arm in comparison.arms),
        verdicts=any(claim.status == "changed verdict" for claim in comparison.claims),
        speed=bool(comparison.failures(SPEED)),
    )


def quiet(pool: Pool) -> list[Alarms]:
    """Comparisons of the healthy study with itself under other seeds.

    The seeds are shuffled and dealt into runs again and again; the comparisons of a deal share no seed, so that those
    of all deals overlap no more than so many of so few seeds must.
    """
    generator = np.random.default_rng(0)
    found: list[Alarms] = []
    while len(found) < QUIET_COMPARISONS:
        dealt = generator.permutation(pool.seeds("healthy"))
        for start in range(0, len(dealt) - 2 * SEEDS + 1, 2 * SEEDS):
            old, new = (sorted(map(int, dealt[first : first + SEEDS])) for first in (start, start + SEEDS))
            found.append(alarms(pool.run("healthy", old), pool.run("healthy", new)))
    return found[:QUIET_COMPARISONS]


def loud(pool: Pool, condition: str, *, paired: bool, seconds: float = 1.0) -> list[Alarms]:
    """Comparisons of the healthy study with a faulty one, under the same seeds or under others."""
    generator = np.random.default_rng(0)
    found = []
    for new in itertools.combinations(pool.seeds(condition)[:FAULTY_SEEDS], SEEDS):
        others = [seed for seed in pool.seeds("healthy") if seed not in new]
        old = new if paired else sorted(int(seed) for seed in generator.permutation(others)[:SEEDS])
        found.append(alarms(pool.run("healthy", old), pool.run(condition, new, seconds)))
    return found


@main.command("judge")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.argument("report", type=click.Path(path_type=Path))
def judge_command(path: Path, report: Path) -> None:
    """Count alarms among the trials of PATH, and write the tables into REPORT, between its markers."""
    tables = count(Pool(read_trials(path), run_of_miniature(path.parent).study))
    before, _, rest = report.read_text(encoding="utf-8").partition(BEGIN)
    text = f"{before}{BEGIN}\n\n" + "\n\n".join(tables) + f"\n\n{END}{rest.partition(END)[2]}"
    report.write_text(text, encoding="utf-8")
    click.echo("\n\n".join(tables))


def count(pool: Pool) -> list[str]:
    """Tables of alarms: where nothing changed, and with each fault."""
    headings = ("comparisons", "scores", "verdicts", "speed:1.2", "any")
    rows = [("healthy, other seeds", *_counts(quiet(pool)))]
    tables = [tabulate(rows, ("nothing changed", *headings), tablefmt="github", disable_numparse=True)]
    for paired in (True, False):
        rows = [
            (condition.fault, *_counts(loud(pool, name, paired=paired)))
            for name, condition in CONDITIONS.items()
            if condition.fault and name in pool.trials
        ]
        rows.append((f"a step {SLOWER} times slower", *_counts(loud(pool, "healthy", paired=paired, seconds=SLOWER))))
        title = f"fault, {'the same seeds' if paired else 'other seeds'}"
        tables.append(tabulate(rows, (title, *headings), tablefmt="github", disable_numparse=True))
    return tables


BEGIN, END = "<!-- counted by benchmarks/sensitivity.py -->", "<!-- end -->"


def _counts(found: list[Alarms]) -> tuple[str, ...]:
    total = len(found)

    def share(count: int) -> str:
        return f"{count} ({count / total:.0%})" if total else "-"

    counts: defaultdict[str, int] = defaultdict(int)
    for each in found:
        for name in ("scores", "verdicts", "speed", "any"):
            counts[name] += getattr(each, name)
    return (str(total), *(share(counts[name]) for name in ("scores", "verdicts", "speed", "any")))


if __name__ == "__main__":
    main()
