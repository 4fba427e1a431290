"""A report of results as a store keeps them, from the verdict to the page: nothing is trained."""

from __future__ import annotations

import json

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tlbench.declare.claims import score
from tlbench.declare.trials import Arm, Random
from tlbench.judge.judging import judge
from tlbench.report import content, files, terminal
from tlbench.report.content import Report
from tlbench.report.figures import Bar, Bars, Curves
from tlbench.report.gathering import arm_records, claim_record
from tlbench.report.tables import Column, Row, Table, fill
from tlbench.scores.listed import METRICS
from tlbench.store.store import Store


SEEDS = (0, 1, 2)


@pytest.fixture
def arms(make_trial):
    """Four arms that differ in their learning rate."""
    trial = make_trial()
    first = Arm("strong", trial.data, trial.task, trial.network, Random(), frozenset(), trial.recipe)
    labels = {"weak": 0.1, "like strong": 0.2, "unstable": 0.3}
    return {"strong": first} | {
        label: replace(first, label=label, recipe=first.recipe.at(learning_rate=rate)) for label, rate in labels.items()
    }


@pytest.fixture
def store(tmp_path, environment, arms, make_result):
    """Stored results: nine or ten of ten right, six, ten or nine; and one of three runs that has diverged."""
    made = Store(tmp_path / "store", environment)
    right = {"strong": (9, 10, 9), "weak": (6, 6, 6), "like strong": (10, 9, 9), "unstable": (8, None, 8)}
    for label, arm in arms.items():
        for seed in SEEDS:
            count = right[label][seed]
            result = make_result(diverged=True) if count is None else make_result(count)
            made.save(arm.trial(seed), result, {"w": np.zeros(1)})
    return made


@pytest.fixture
def report(store, arms):
    """What `pytest` would write of them."""
    strong, weak, like, unstable = (score(arm) for arm in arms.values())
    claims = [
        strong.beats(weak).named("test_supported", "Strong beats weak."),
        weak.beats(strong).named("test_refuted", "Weak beats strong."),
        strong.beats(like).named("test_open", "Strong beats its like."),
        unstable.beats(weak).named("test_diverged", "Unstable beats weak."),
    ]
    table = Table(
        "Table 1",
        "four arms",
        "arm",
        (Column("accuracy"),),
        tuple(Row(label, {"accuracy": score(arm)}, {"accuracy": "95%"}) for label, arm in arms.items()),
    )
    curves = Curves("Figure 1", "strong and weak", arms["strong"], arms["weak"])
    bars = Bars("Bars", "four arms", "arm", "accuracy", tuple(Bar(label, score(arm)) for label, arm in arms.items()))
    trials = [arm.trial(seed) for arm in arms.values() for seed in SEEDS]
    records, environments = arm_records(
        trials, store.load, {arm.trial(0).arm_digest: [label] for label, arm in arms.items()}
    )
    return Report(
        created="2026-11-25T12:00:00+00:00",
        tlbench_version="0.1.0",
        header={"store": str(store.folder)},
        environments=environments,
        notes=(),
        data="Data: colours.",
        stand_in=False,
        tables=(fill(table, store.load, SEEDS),),
        figures=(curves.trace(store.load, SEEDS), bars.trace(store.load, SEEDS)),
        claims=tuple(map(claim_record, judge(claims, store.load, [len(SEEDS)]))),
        arms=records,
        repeat="pytest --tlbench-repeat",
        comparison=None,
    )


def test_each_kind_of_verdict_is_told(report, environment):
    """Supported, refuted, inconclusive, and not judged for a trial that diverged."""
    assert [
        ("test_supported", "supported"),
        ("test_refuted", "refuted"),
        ("test_open", "inconclusive"),
        ("test_diverged", "inconclusive"),
    ] == [(claim.name, claim.outcome) for claim in report.claims]
    assert "a run diverged under seed 1" == report.claims[3].reason
    assert (environment,) == report.environments


def test_the_terminal_tells_them(report):
    """With the arm that has lost a seed, in 80 columns."""
    table = terminal.table(report.tables[0], 80)
    claim = terminal.claim(report.claims[3], 80)

    assert "80.0% ±0.0 (2 of 3 seeds)" in table
    assert "a run diverged under seed 1" in " ".join(claim.split())
    assert "1: no score" in " ".join(claim.split())
    assert 3 == len(list(terminal.slowest(report, 80)))


def test_the_page_tells_them_too(report, tmp_path):
    """And it comes back from results.json as it was."""
    files.write(report, tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")

    assert report == content.load(tmp_path / "report" / "results.json")
    for outcome, count in (("supported", 1), ("refuted", 1), ("inconclusive", 2)):
        assert f"<strong>{count}</strong> {outcome}" in page
    assert "<strong>Diverged.</strong> 1 trial diverged" in page
    assert "<strong>Seeds disagree.</strong>" in page
    columns = sum(metric.least_labels <= 2 for metric in METRICS)
    assert f'<td colspan="{columns}">diverged</td>' in page


OF_SCHEMA_4 = Path(__file__).parents[1] / "report" / "results_of_schema_4.json"


def _as_of_schema_3(claim):
    """A claim's values as tlbench wrote them before it knew the interval that decides."""
    about_f1 = claim["on_macro_f1"]
    return {name: value for name, value in claim.items() if name not in {"own_low", "own_high", "scale"}} | {
        "low": claim["own_low"],
        "high": claim["own_high"],
        "sentence": "difference +0.333, 90% interval +0.236 to +0.431",
        "on_macro_f1": _as_of_schema_3(about_f1) if about_f1 else None,
    }


def test_results_of_schema_3_tell_the_interval_that_decides(tmp_path):
    """It agrees with their verdicts, which stay what they were; its own is told beside."""
    old = json.loads(OF_SCHEMA_4.read_text(encoding="utf-8")) | {"schema_version": 3}
    old["claims"] = [_as_of_schema_3(claim) for claim in old["claims"]]
    (tmp_path / "results.json").write_text(json.dumps(old), encoding="utf-8")
    expected = content.load(OF_SCHEMA_4).claims
    found = content.load(tmp_path / "results.json").claims

    for before, after in zip(expected, found, strict=True):
        assert (before.outcome, before.reason, before.p, before.adjusted_p) == (
            after.outcome,
            after.reason,
            after.p,
            after.adjusted_p,
        )
        assert (before.own_low, before.own_high) == (after.own_low, after.own_high)
        assert {"macro_f1"} == set(after.also)
    supported, refuted, undecided, diverged = found
    assert supported.low > 0 >= refuted.high
    assert undecided.low <= 0 < undecided.high
    assert diverged.low is None
    assert f"interval {100 * supported.low:+.1f} to" in supported.sentence
    # Of the nearer end; the other may be wider than it would be now.
    assert supported.low == pytest.approx(expected[0].low)


def test_results_of_schema_4_keep_every_value():
    """Scores and the verdict on macro-F1 are by metric now; a score that was not known is absent."""
    old = json.loads(OF_SCHEMA_4.read_text(encoding="utf-8"))
    report = content.load(OF_SCHEMA_4)

    known = ("accuracy", "macro_f1", "loss", "batch_statistics_accuracy")
    before = [trial for arm in old["arms"] for trial in arm["trials"]]
    assert [{key: trial[key] for key in known if trial[key] is not None} for trial in before] == [
        trial.scores for arm in report.arms for trial in arm.trials
    ]
    assert [claim["on_macro_f1"]["sentence"] for claim in old["claims"]] == [
        claim.also["macro_f1"].sentence for claim in report.claims
    ]
    assert [claim["sentence"] for claim in old["claims"]] == [claim.sentence for claim in report.claims]
    changes = [arm["changes"] for arm in old["comparison"]["arms"]]
    assert [change["macro-F1"]["new"] for change in changes] == [
        arm.changes["macro_f1"].new for arm in report.comparison.arms
    ]
    assert [None] * len(changes) == [arm.changes.get("brier_score") for arm in report.comparison.arms]


def test_results_of_schema_4_are_reported_as_any(tmp_path):
    """A page, Markdown and the files of tables and figures are made of them, and results of the present schema."""
    report = content.load(OF_SCHEMA_4)
    files.write(report, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")

    assert report == content.load(tmp_path / "results.json")
    assert "Brier score" not in page
    assert '<td colspan="4">diverged</td>' in page


def test_the_same_store_makes_the_same_files(report, tmp_path):
    """Byte for byte, but for the date."""
    for folder, created in (("one", "2026-11-25T12:00:00+00:00"), ("two", "2026-11-26T13:00:00+00:00")):
        files.write(replace(report, created=created), tmp_path / folder)

    for path in (tmp_path / "one").iterdir():
        other = (tmp_path / "two" / path.name).read_bytes()
        other = other.replace(b"2026-11-26T13:00:00", b"2026-11-25T12:00:00").replace(
            b"2026-11-26 13:00", b"2026-11-25 12:00"
        )
        assert path.read_bytes() == other, path.name
