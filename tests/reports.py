"""Reports for tests, made of values: nothing is trained."""

from __future__ import annotations

import hashlib

from dataclasses import replace

from tlbench.judge.changes import ArmChange, Change, ClaimChange, Ratio
from tlbench.machine.environment import Environment
from tlbench.report.content import Report
from tlbench.report.figures.bars import DrawnBar, DrawnBars
from tlbench.report.figures.calibration import Bin, CalibrationSeries, DrawnCalibration
from tlbench.report.figures.confusion import DrawnConfusion
from tlbench.report.figures.curves import Curve, DrawnCurves
from tlbench.report.figures.learning_curves import DrawnFit, DrawnLearningCurves, DrawnWorth
from tlbench.report.figures.lines import DrawnLines, DrawnPoint
from tlbench.report.figures.matrix import DrawnMatrix, DrawnPair
from tlbench.report.figures.scatter import DrawnScatter, DrawnScatterPoint
from tlbench.report.records import ArmRecord, ClaimRecord, ComparisonRecord, SeedScore, TrialChange, TrialRecord
from tlbench.report.tables import Cell, Column, FilledRow, FilledTable, Value
from tlbench.scores.learning_curves import PowerLaw, Reach


ENVIRONMENT = Environment("tensorflow", "2.21.0", "3.15.1", "cpu", "x86_64", "3.11.7")


def scores(accuracy, **changes):
    """Scores of a trial that finished; all but the loss are its accuracy."""
    return {"accuracy": accuracy, "macro_f1": accuracy, "loss": 0.5, "batch_statistics_accuracy": accuracy} | changes


def trial(arm="A", seed=0, accuracy=0.8, **changes):
    """A trial of two epochs; an accuracy of None has diverged."""
    ok = accuracy is not None
    made = TrialRecord(
        digest=hashlib.sha256(f"{arm} {seed}".encode(errors="surrogatepass")).hexdigest(),
        seed=seed,
        status="finished" if ok else "diverged",
        scores=scores(accuracy) if ok else {},
        f1={"cat": 0.8, "dog": 0.8} if ok else {},
        training_loss=(1.0, 0.5 if ok else None),
        training_accuracy=(0.6, 0.85),
        validation_accuracy=(0.5, accuracy),
        seconds=1.5,
        step_seconds=0.01,
        source=None,
        environment=0,
        evaluations=(),
    )
    return replace(made, **changes)


def arm(label="A", accuracies=(0.8, 0.82), **changes):
    """An arm with a trial for each accuracy."""
    facts = {"data": "colours, digest 0123", "task": "every class", "network": "Pebble()", "recipe": "Recipe()"}
    trials = tuple(trial(label, seed, accuracy, **changes) for seed, accuracy in enumerate(accuracies))
    return ArmRecord((label,), facts, trials)


def claim(name="test_a", outcome="supported", left=(0.8, 0.82), right=(0.6, 0.61), arms=("A", "B"), **changes):
    """A claim that one arm beats another."""
    seeds = tuple(
        SeedScore(seed, a, b, None if a is None or b is None else a - b)
        for seed, (a, b) in enumerate(zip(left, right, strict=True))
    )
    known = [seed.difference for seed in seeds if seed.difference is not None]
    whole = len(known) == len(seeds)
    effect = sum(known) / len(known) if whole else None
    made = ClaimRecord(
        name=name,
        statement="A beats B.",
        threshold=0.0,
        margin_reason="any difference",
        left=f"accuracy of [{arms[0]}]",
        right=f"accuracy of [{arms[1]}]",
        unit="percent",
        ceiling=1.0,
        outcome=outcome,
        reason="so it is",
        sentence="difference told in a line",
        effect=effect,
        low=effect - 0.05 if whole and len(seeds) > 1 else None,
        high=effect + 0.05 if whole and len(seeds) > 1 else None,
        confidence=0.9 if whole else None,
        p=0.01 if whole else None,
        adjusted_p=0.02 if whole else None,
        level=0.05,
        claims=2,
        looks=(2,),
        seeds_needed=7 if outcome == "inconclusive" and whole else None,
        seeds=seeds,
        arms=arms,
        trials=tuple(trial(label, seed.seed).digest for label in arms for seed in seeds),
        also={},
    )
    return replace(made, **changes)


def cell(*numbers, published=None):
    """A cell with a value for each seed; None has diverged."""
    values = (Value(seed, "diverged" if n is None else "finished", n) for seed, n in enumerate(numbers))
    return Cell(tuple(values), published)


def table(name="Table 1", label="A"):
    """A table of one row."""
    rows = (FilledRow(label, {"accuracy": cell(0.8, 0.82, published="78.6%")}),)
    return FilledTable(name, "a table", "arm", (Column("accuracy"),), rows, "poster", ("A note.",))


def figures(label="A"):
    """One of each kind."""
    some = cell(0.8, 0.82, published="75%")
    return (
        DrawnCurves("curves", "Figure 1", "curves", label, "B", (Curve(label, 0, (0.6, 0.9), (0.5, 0.8)),)),
        DrawnLines("lines", "Rates", "lines", "rate", "accuracy", "percent", "poster", (DrawnPoint(label, 0.1, some),)),
        DrawnBars("bars", "Bars", "bars", "arm", "accuracy", "percent", "poster", (DrawnBar(label, some),)),
        DrawnMatrix("matrix", "Gains", "gains", "from", "to", "gain", "poster", (DrawnPair("all", label, "B", some),)),
        DrawnConfusion("confusion", "Confusion", "taken", (label, "dog"), ((9, 1), (2, 8)), (some, some), "poster"),
        DrawnCalibration(
            "calibration", "Calibration", "sure", (CalibrationSeries(label, (Bin(0.9, 0.8, 20),), {"0": 0.1}),)
        ),
        DrawnLearningCurves(
            "learning_curves",
            "Learning",
            "few",
            "images",
            "accuracy",
            (DrawnPoint(label, 10, some),),
            (DrawnFit(label, PowerLaw(1, 0.5, 0.1)),),
            "B",
            (DrawnWorth(label, 10, Reach(40, "more"), None, None),),
        ),
        DrawnScatter(
            "scatter",
            "Scores",
            "foretold",
            "LogME",
            "accuracy",
            (DrawnScatterPoint(label, label, cell(-0.4, -0.2), some),),
            "number",
            "percent",
        ),
    )


def comparison(label="A"):
    """Of two runs, in which an arm has regressed."""
    change = Change(0.8, 0.7, -0.1, (-0.12, -0.08), 0.01, 0.001)
    return ComparisonRecord(
        old="before (2026-11-24, keras 3.12)",
        new="this run (2026-11-25, keras 3.15)",
        paired=True,
        versions=(("keras", "3.12", "3.15"),),
        arms=(ArmChange(label, "regressed", {"accuracy": change}), ArmChange("B", "same", {})),
        claims=(ClaimChange("test_a", "changed verdict", "supported", "refuted", change),),
        ratios=(Ratio("training step", 10.0, 12.0, "ms", 1.2, (1.1, 1.3)),),
        numerics="the same in 286 quantities",
        fail_on="accuracy,claims",
        failures=(f"accuracy, macro-F1 or loss has regressed: {label}",),
        trials=(TrialChange(label, 0, 0.8, 0.7), TrialChange("B", 0, 0.6, 0.6)),
    )


def report(**changes):
    """A report with everything but a comparison."""
    made = Report(
        created="2026-11-25T12:00:00+00:00",
        tlbench_version="0.1.0",
        header={"dataset": "colours, 60 images", "seeds": "0 1"},
        environments=(ENVIRONMENT,),
        notes=("A note of the run.",),
        data="Data: colours.",
        stand_in=False,
        tables=(table(),),
        figures=figures(),
        claims=(claim(),),
        arms=(arm("A"), arm("B", (0.6, 0.61))),
        repeat="pytest --tlbench-repeat",
        comparison=None,
    )
    return replace(made, **changes)


def mixed():
    """A refuted claim, an inconclusive one, and one of which a trial has diverged."""
    return report(
        claims=(
            claim("test_refuted", "refuted", (0.6, 0.61), (0.8, 0.82), ("B", "A")),
            claim("test_open", "inconclusive", (0.8, 0.6), (0.6, 0.8)),
            claim("test_diverged", "inconclusive", (None, 0.5), (0.6, 0.61), ("C", "B")),
        ),
        arms=(arm("A"), arm("B", (0.6, 0.61)), arm("C", (None, 0.5))),
    )


def single():
    """Of one claim, as `-k` leaves it."""
    return report(tables=(), figures=())


def compared():
    """Beside a saved run."""
    return report(comparison=comparison())


def empty():
    """Of a run without anything to report."""
    return report(header={}, environments=(), notes=(), tables=(), figures=(), claims=(), arms=())


def large(arms=50, seeds=20):
    """Of a thousand trials, with ten claims for every arm but one."""
    rates = [0.5 + 0.4 * number / arms for number in range(arms)]
    made = tuple(
        arm(f"arm {number}", [rate + 0.001 * seed for seed in range(seeds)]) for number, rate in enumerate(rates)
    )
    curves = tuple(
        Curve(f"arm {number}", seed, (0.5,) * 10, (0.5,) * 10) for number in range(2) for seed in range(seeds)
    )
    left, right = ([one.scores["accuracy"] for one in made[number].trials] for number in (1, 0))
    claims = tuple(
        claim(f"test_{number}", left=left, right=right, arms=("arm 1", "arm 0")) for number in range(arms - 1)
    )
    drawn = (DrawnCurves("curves", "Figure 1", "curves", "arm 1", "arm 0", curves), *figures()[1:])
    return report(arms=made, claims=claims, figures=drawn)


ALL = {"whole": report, "mixed": mixed, "single": single, "compared": compared, "empty": empty}
