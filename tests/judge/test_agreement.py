"""Claims under several backends."""

from __future__ import annotations

import json

from dataclasses import replace

import pytest

from cells import cell, claim

from tlbench.errors import ConfigurationError
from tlbench.judge.agreement import agreement
from tlbench.judge.generality import MatrixCell
from tlbench.report import agreements


def backend(name, *differences, outcome="supported", **changes):
    """A backend with a claim for each sample of differences."""
    claims = [claim(f"test_{n}", values, outcome, cell=name, **changes) for n, values in enumerate(differences)]
    return cell(name, *claims)


def test_differences_within_the_noise_agree():
    """All verdicts are the same, and nothing has moved."""
    found = agreement([backend("tensorflow", (0.1, 0.12, 0.14)), backend("jax", (0.11, 0.12, 0.12))])

    (only,) = found.claims
    assert (True, False, False) == (only.same, only.changed, only.moved)
    assert None is only.changes[0], "the first is held against itself"
    assert (
        "The claim has the same verdict under tensorflow and jax, and no difference between backends is beyond the "
        "noise between seeds." == agreements.answer(found)
    )


def test_an_opposite_verdict_is_named():
    """With both verdicts, and the change between them."""
    found = agreement(
        [
            backend("tensorflow", (0.1, 0.12, 0.14), (0.2, 0.21, 0.22)),
            backend("jax", (0.1, 0.11, 0.14), (0.2, 0.21, 0.21)),
            cell("torch", claim("test_0", (0.1, 0.12, 0.15)), claim("test_1", (-0.2, -0.21, -0.22), "refuted")),
        ]
    )

    assert ["test_1"] == [claim.name for claim in found.changed]
    assert agreements.answer(found).startswith(
        "1 of 2 claims have the same verdict under tensorflow, jax and torch; 1 has a changed verdict. Beyond the "
        "noise between seeds: test_1."
    )
    assert "changed verdict: -42.0 points" in agreements.describe(found)


def test_another_outcome_within_the_noise_is_no_changed_verdict():
    """A claim on the edge of its level: other verdicts, and the same difference as far as seeds tell."""
    found = agreement(
        [
            backend("tensorflow", (0.1, 0.02, 0.14)),
            backend("jax", (0.1, 0.01, 0.14), outcome="inconclusive"),
        ]
    )

    (only,) = found.claims
    assert (False, False, False) == (only.same, only.changed, only.moved)
    assert agreements.answer(found).startswith("The claim has different verdicts under tensorflow and jax, and no")
    assert "its difference has not moved beyond the noise" in agreements.describe(found)


def test_a_moved_difference_of_equal_verdicts_is_told():
    """Ten points more, and supported by both."""
    found = agreement([backend("tensorflow", (0.1, 0.12, 0.11)), backend("jax", (0.3, 0.32, 0.31))])

    assert agreements.answer(found).endswith("jax. Beyond the noise between seeds: test_0.")


def test_claims_that_no_two_backends_judge_are_not_called_equal():
    """Nothing has been compared."""
    found = agreement([backend("tensorflow", (0.1, 0.12, 0.14)), cell("jax", not_applicable={"test_0": "no cats"})])

    assert "Nothing is compared: no claim has a verdict under two of tensorflow and jax." == agreements.answer(found)


def test_a_backend_that_cannot_be_run_is_named():
    """The others are compared, the first of them with the rest."""
    broken = MatrixCell("torch", {}, None, "no wheel")
    found = agreement([broken, backend("tensorflow", (0.1, 0.12, 0.14)), backend("jax", (0.11, 0.12, 0.12))])

    assert "under tensorflow and jax" in agreements.answer(found)
    assert "Not run: torch: no wheel" in agreements.describe(found)
    assert "Nothing is compared: only jax could be run." == agreements.answer(
        agreement([broken, backend("jax", (0.11, 0.12, 0.12))])
    )
    assert "Nothing is compared: no backend could be run." == agreements.answer(agreement([broken]))


def test_a_diverged_claim_is_not_compared():
    """It has a verdict and no difference."""
    found = agreement(
        [
            backend("tensorflow", (0.1, 0.12, 0.14)),
            cell("jax", claim("test_0", (0.1, None, 0.2), "inconclusive", reason="a run diverged under seed 1")),
        ]
    )

    assert "inconclusive: a run diverged under seed 1" in agreements.describe(found)
    assert not found.changed


def test_files_say_the_same(tmp_path):
    """Markdown with the meaning of the columns, and JSON."""
    found = agreement([backend("tensorflow", (0.1, 0.12, 0.14)), backend("jax", (0.11, 0.12, 0.12))])
    agreements.write(found, tmp_path)

    content = json.loads((tmp_path / "agreement.json").read_text(encoding="utf-8"))
    assert (1, agreements.answer(found)) == (content["schema_version"], content["answer"])
    assert "paired by seed" in (tmp_path / "agreement.md").read_text(encoding="utf-8")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--tlbench-report"):
        agreements.write(replace(found), tmp_path / "file")
