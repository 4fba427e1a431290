"""Stored runs, judged anew (benchmarks/rejudge.py)."""

from __future__ import annotations

import json

import pytest
import reports

from click.testing import CliRunner

from benchmarks import rejudge
from tlbench.declare.claims import score
from tlbench.declare.trials import Arm, Random
from tlbench.errors import StoreError
from tlbench.judge.judging import judge
from tlbench.report.gathering import claim_record


@pytest.fixture
def verdicts(make_trial, make_result):
    """Of three claims: one clear, its opposite, and one that the noise hides."""
    trial = make_trial()
    right = {"high": (9, 10, 9), "low": (4, 5, 5), "like high": (10, 9, 8)}
    arms = {
        label: Arm(label, trial.data, trial.task, trial.network, Random(), frozenset(), trial.recipe.at(epochs=n + 1))
        for n, label in enumerate(right)
    }
    results = {
        arm.trial(seed).digest: make_result(right[label][seed]) for label, arm in arms.items() for seed in range(3)
    }
    high, low, like = map(score, arms.values())
    claims = [high.beats(low).named("test_clear", ""), low.beats(high).named("test_opposite", "")]
    return judge([*claims, high.beats(like).named("test_noise", "")], lambda trial: results[trial.digest], [3])


@pytest.fixture
def results(verdicts, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(reports.report(claims=tuple(map(claim_record, verdicts))).text(), encoding="utf-8")
    return path


def test_the_same_judge_says_the_same(results, verdicts):
    """Verdict, p and interval are those of the run, and nothing has moved."""
    rows = list(rejudge.rejudged(rejudge.stored(results)))

    assert ["clear", "opposite", "noise"] == [row[0] for row in rows]
    for row, verdict in zip(rows, verdicts, strict=True):
        assert row[3].startswith(f"{verdict.outcome}, p ")
        assert f"{100 * verdict.interval.low:+.1f} to {100 * verdict.interval.high:+.1f}" in row[3]
        assert verdict.reason == row[4]


def test_what_moves_is_named(results):
    """A verdict of another judge."""
    content = json.loads(results.read_text(encoding="utf-8"))
    content["claims"][0] |= {"outcome": "inconclusive", "adjusted_p": 0.0502}
    results.write_text(json.dumps(content), encoding="utf-8")

    shown = CliRunner().invoke(rejudge.main, [str(results)]).output.splitlines()

    assert "inconclusive, p 0.0502" in shown[2]
    assert "MOVED: the interval lies above the threshold" in shown[2]
    assert all("MOVED" not in line for line in shown[3:])


def test_a_run_that_diverged_is_not_judged_but_counts(results):
    """Its claim has no interval; the others are judged among as many."""
    whole = list(rejudge.rejudged(rejudge.stored(results)))
    content = json.loads(results.read_text(encoding="utf-8"))
    content["claims"][2]["seeds"][0]["difference"] = None
    results.write_text(json.dumps(content), encoding="utf-8")
    *rows, diverged = rejudge.rejudged(rejudge.stored(results))

    assert ("inconclusive", "a run diverged, or there is one seed") == diverged[3:]
    assert whole[:2] == rows


def test_a_saved_run_is_judged_alike(results, tmp_path):
    """Its differences stand by seed."""
    claims = json.loads(results.read_text(encoding="utf-8"))["claims"]
    saved = [claim | {"differences": {s["seed"]: s["difference"] for s in claim["seeds"]}} for claim in claims]
    (tmp_path / "saved.json").write_text(json.dumps({"claims": saved}), encoding="utf-8")

    assert rejudge.table(rejudge.stored(results)) == rejudge.table(rejudge.stored(tmp_path / "saved.json"))


@pytest.mark.parametrize("text", ["{", "[]", '{"claims": [{}]}'])
def test_what_is_neither_is_an_error(text, tmp_path):
    """The message says what to name instead."""
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(StoreError, match="is neither a results"):
        rejudge.stored(path)
    assert 1 == CliRunner().invoke(rejudge.main, [str(path)]).exit_code
