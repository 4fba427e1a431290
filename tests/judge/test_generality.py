"""Claims over the cells of a matrix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cells import cell, claim, matrix
from hypothesis import given
from hypothesis import strategies as st

from tlbench.judge.generality import generality
from tlbench.scores.meta_analysis import combine
from tlbench.scores.statistics import holm


def by_name(cells):
    return {found.name: found for found in generality(cells).claims}


def test_a_claim_that_holds_everywhere_holds_in_the_mean():
    """In three of three cells, and in the mean over them, whose interval lies above zero."""
    found = by_name(matrix())["test_holds"]

    assert ("supported", 3, 0, 3) == (found.outcome, found.supported, found.refuted, found.judged)
    assert 0.47 / 3 == pytest.approx(found.mean)
    assert 0 < found.low < found.mean < found.high
    assert 0.04 == pytest.approx(found.tau, abs=0.001), "12, 20 and 15 points, known to half a point"
    assert found.prediction[0] < found.low
    assert ["supported", "supported", "supported", "not run"] == [verdict.status for verdict in found.cells]
    assert "pytest ended with exit status 4" == found.cells[3].reason


def test_a_claim_of_two_signs_is_counted_and_undecided():
    """A cell with a diverged run has a verdict and no effect; it is left out of the mean."""
    found = by_name(matrix())["test_mixed"]

    assert ("inconclusive", 1, 1, 3) == (found.outcome, found.supported, found.refuted, found.judged)
    assert 0 == pytest.approx(found.mean, abs=1e-9)
    assert ("inconclusive", "a run diverged under seed 1", None) == (
        found.cells[2].status,
        found.cells[2].reason,
        found.cells[2].effect,
    )
    assert found.i_squared > 0.9
    assert None is found.prediction, "two effects predict no third"


def test_images_that_lack_a_class_are_no_cell_of_a_claim():
    """The claim counts the others, and the reason is kept."""
    found = by_name(matrix())["test_faces"]

    assert (1, 2) == (found.supported, found.judged)
    assert ("not applicable", "images lack the class face") == (found.cells[0].status, found.cells[0].reason)


def test_claims_keep_the_order_of_the_tests():
    """And one that no cell could judge is told of as well."""
    cells = [*matrix(), cell("moon", not_applicable={"test_tides": "images lack the class sea"})]

    assert ["test_holds", "test_mixed", "test_faces", "test_tides"] == list(by_name(cells))
    assert ("inconclusive", 0, "no cell has an effect with its noise") == (
        by_name(cells)["test_tides"].outcome,
        by_name(cells)["test_tides"].judged,
        by_name(cells)["test_tides"].reason,
    )


def test_one_cell_says_nothing_of_others():
    """It has its verdict, and the mean has none."""
    (found,) = generality([cell("only", claim("test_a", (0.1, 0.11, 0.12)))]).claims

    assert ("inconclusive", 1, 1) == (found.outcome, found.supported, found.judged)
    assert "one cell says nothing of other cells" == found.reason
    assert (0.11, None, None) == (pytest.approx(found.mean), found.low, found.tau)


def test_equal_cells_have_no_spread():
    """Tau is zero; the noise between seeds stays."""
    cells = [cell(title, claim("test_a", (0.1, 0.12, 0.14), cell=title)) for title in "abcd"]

    (found,) = generality(cells).claims

    assert (0.0, 0.0) == (found.tau, found.i_squared)
    assert 0.12 == pytest.approx(found.mean)
    assert found.low < 0.12 < found.high


def test_the_same_measurements_count_once():
    """Two cells that train the same trials for a claim, as with two sources and random weights only."""
    cells = [cell(title, claim("test_a", (0.1, 0.12, 0.14), cell="shared")) for title in "ab"]

    (found,) = generality(cells).claims

    assert 1 == found.judged
    assert ("not measured", "the same measurements as a") == (found.cells[1].status, found.cells[1].reason)


def test_another_threshold_is_another_claim():
    """A margin that depends on the images leaves two rows of one cell each."""
    cells = [
        cell("a", claim("test_a", (0.1, 0.12, 0.14), cell="a")),
        cell("b", claim("test_a", (0.1, 0.12, 0.14), cell="b", threshold=0.02)),
    ]

    assert [(0.0, 1), (0.02, 1)] == [(found.threshold, found.judged) for found in generality(cells).claims]


def test_a_run_of_an_older_version_has_its_own_interval():
    """Student's 90 % interval of the seeds, and no reason where the verdict has no test."""
    older = claim("test_a", (0.1, 0.12, 0.14), cell="a", reason="")
    (found,) = generality([cell("a", older)]).claims
    decided = generality([cell("a", replace(older, interval=(0.01, 0.2)))]).claims[0]

    # 0.12 with a standard error of 0.011547 and t(0.95, 2) = 2.92.
    assert (0.0863, 0.1537) == pytest.approx((found.cells[0].low, found.cells[0].high), abs=1e-4)
    assert (0.01, 0.2) == (decided.cells[0].low, decided.cells[0].high)


@given(st.integers(1, 5), st.integers(2, 5), st.integers(0, 2**32))
def test_means_are_a_family_by_holm(claims, count, seed):
    """Each mean's p-value is Holm's among all claims, and its interval agrees with its verdict."""
    effects = np.random.default_rng(seed).normal(0.02, 0.03, (claims, count, 3)).tolist()
    cells = [
        cell(str(at), *(claim(f"test_{name}", of[at], cell=str(at)) for name, of in enumerate(effects)))
        for at in range(count)
    ]

    found = generality(cells).claims

    samples = [(np.mean(of, axis=1), np.std(of, axis=1, ddof=1) / np.sqrt(3)) for of in effects]
    alone = [combine(means, errors).estimate for means, errors in samples]
    above, below = (holm([each.p(0.0, how) for each in alone]) for how in ("greater", "less"))
    assert np.minimum(above, below) == pytest.approx([each.p for each in found])
    for each in found:
        assert ("supported" == each.outcome) == (each.low > 0)
        assert ("refuted" == each.outcome) == (each.high <= 0)
        assert each.at_least <= each.judged


def test_a_claim_of_few_seeds_has_no_place_in_the_mean():
    """One seed has an effect and no noise."""
    cells = [
        cell("a", claim("test_a", (0.1,), "inconclusive", cell="a")),
        cell("b", claim("test_a", (0.1, 0.2), cell="b")),
    ]

    (found,) = generality(cells).claims

    assert (0.1, None, 1) == (found.cells[0].effect, found.cells[0].low, found.cells[0].seeds)
    assert None is found.p
    assert 2 == found.judged
