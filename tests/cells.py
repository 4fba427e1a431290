"""Cells of a matrix for tests, made of values: nothing is trained."""

from __future__ import annotations

from dataclasses import replace

from nights import night

from tlbench.judge.generality import MatrixCell
from tlbench.scores.statistics import p_value
from tlbench.store.baselines import SavedClaim


def claim(name, differences, outcome="supported", *, cell="", **changes):
    """A claim whose differences a cell has measured; None is a seed without one."""
    known = {seed: value for seed, value in enumerate(differences) if value is not None}
    whole = len(known) == len(differences) > 1
    p = p_value(list(known.values()), changes.get("threshold", 0.0)) if whole else None
    measurements = {seed: (f"{name} {cell} {seed}@run",) for seed in range(len(differences))}
    values = {"threshold": 0.0, "reason": "as tested", "measurements": measurements} | changes
    return SavedClaim(
        name=name,
        statement=f"{name} holds.",
        outcome=outcome,
        differences=known,
        p=p,
        adjusted_p=p,
        seeds_needed=None,
        **values,
    )


def cell(title, *claims, not_applicable=None, environment=None):
    """A cell whose run has some claims."""
    run = replace(night(0, {}), claims=claims, id=f"run of {title}", not_applicable=not_applicable or {})
    run = replace(run, header={"network": f"network of {title}", "dataset": f"images of {title}", "seeds": "0 1 2"})
    if environment is not None:
        run = replace(run, surroundings=replace(run.surroundings, environment=environment))
    return MatrixCell(title, {"--tlbench-network": title}, run)


def matrix():
    """Three cells: one claim holds in each, one is of two signs, one is of few; a fourth cell could not be run."""
    return [
        cell(
            "pebble · drawn",
            claim("test_holds", (0.12, 0.11, 0.13), cell="a"),
            claim("test_mixed", (0.10, 0.11, 0.12), cell="a"),
            not_applicable={"test_faces": "images lack the class face"},
        ),
        cell(
            "pebble · photographs",
            claim("test_holds", (0.20, 0.19, 0.21), cell="b"),
            claim("test_mixed", (-0.10, -0.11, -0.12), "refuted", cell="b"),
            claim("test_faces", (0.3, 0.31, 0.33), cell="b"),
        ),
        cell(
            "stone · photographs",
            claim("test_holds", (0.15, 0.16, 0.14), cell="c"),
            claim("test_mixed", (0.01, None, 0.02), "inconclusive", cell="c", reason="a run diverged under seed 1"),
            claim("test_faces", (0.01, 0.30, -0.2), "inconclusive", cell="c"),
        ),
        MatrixCell("stone · drawn", {"--tlbench-network": "stone"}, None, "pytest ended with exit status 4"),
    ]
