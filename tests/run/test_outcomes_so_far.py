"""Outcomes of claims while a run trains, from the results that are stored."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tlbench.declare.claims import score
from tlbench.declare.evaluations import Mirrored
from tlbench.declare.trials import Arm, Random
from tlbench.machine.environment import current
from tlbench.run.training import outcomes
from tlbench.store.store import Store


SEEDS = range(4)


@pytest.fixture
def arms(make_trial):
    trial = make_trial()
    recipes = [trial.recipe.at(learning_rate=rate) for rate in (0.1, 0.5)]
    return [Arm(str(r), trial.data, trial.task, trial.network, Random(), frozenset(), r) for r in recipes]


@pytest.fixture
def assembly(arms, make_result, tmp_path):
    """A store in which one arm is far better than the other, under every seed."""
    store = Store(tmp_path / "store", current())
    for arm, right in zip(arms, (2, 8), strict=True):
        for seed in SEEDS:
            store.save(arm.trial(seed), make_result(right + seed % 2), {})
    options = SimpleNamespace(seeds=len(SEEDS), max_seeds=len(SEEDS))
    return SimpleNamespace(store=store, study=SimpleNamespace(seeds=SEEDS), options=options)


def test_results_are_read_once_from_the_store(arms, assembly, monkeypatch):
    """However often claims on them are judged."""
    worse, better = map(score, arms)
    known, read = {}, []
    load = assembly.store.load
    monkeypatch.setattr(assembly.store, "load", lambda work: read.append(work.digest) or load(work))

    for ready in ([0], [0, 1]):
        found = outcomes(assembly, [better.beats(worse), worse.beats(better)], known, ready)

    assert {"supported": 1, "refuted": 1} == found
    assert sorted(read) == sorted({work.digest for arm in arms for work in map(arm.trial, SEEDS)})


def test_a_claim_without_its_evaluations_waits(arms, assembly):
    """They are computed after the trials, and count as if nothing spoke for the claim."""
    worse, better = map(score, arms)
    claims = [score(arms[1], on=Mirrored()).beats(score(arms[0], on=Mirrored())), better.beats(worse)]

    assert {"supported": 1} == outcomes(assembly, claims, {}, [0, 1])
