"""What fewer seeds of a run would have decided (benchmarks/power.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
import reports

from benchmarks import power
from benchmarks.power import powers, table
from tlbench import Frames


HIGH, LOW = (0.80, 0.81, 0.82, 0.83), (0.60, 0.61, 0.63, 0.64)


def run(*claims):
    """A run of some claims."""
    return Frames(Path("results.json"), reports.report(claims=claims))


@pytest.fixture
def claims():
    """One that holds under every choice of seeds, one whose opposite does, and one that the noise hides."""
    return (
        reports.claim("test_clear", left=HIGH, right=LOW),
        reports.claim("test_opposite", left=LOW, right=HIGH),
        reports.claim("test_noise", left=(0.5, 0.9, 0.5, 0.9), right=(0.7,) * 4),
    )


def test_every_number_of_seeds_is_judged(claims):
    """From two to those of the run, each choice of them as a run of its own."""
    four = powers(run(*claims))[-1]

    assert [2, 3, 4] == [power.seeds for power in powers(run(*claims))]
    assert {"test_clear": 1.0, "test_opposite": 0.0, "test_noise": 0.0} == four.supported
    assert {"test_clear": 0.0, "test_opposite": 1.0, "test_noise": 0.0} == four.refuted
    assert 2.0 == four.decided


def test_a_share_is_of_all_choices():
    """Of three pairs of differences 0.2, 0.2 and 0.6 one agrees so well that two seeds decide."""
    (two, _) = powers(run(reports.claim(left=(0.7, 0.7, 0.9), right=(0.5, 0.5, 0.3))))

    assert {"test_a": pytest.approx(1 / 3)} == two.supported


def test_more_claims_need_more(claims):
    """They are judged together, as in a run."""
    close = reports.claim("test_close", left=(0.70, 0.80, 0.75, 0.78), right=(0.70,) * 4)

    assert 1.0 == powers(run(close))[-1].supported["test_close"]
    assert 0.0 == powers(run(close, claims[2]))[-1].supported["test_close"]


def test_a_table_tells_the_directions_apart(claims):
    """Refuted with a minus sign; the distance from the threshold is in standard deviations of the differences."""
    lines = table(run(*claims)).splitlines()

    assert ["clear", "100%"] == [lines[2].split("|")[column].strip() for column in (1, 5)]
    assert ["opposite", "-100%"] == [lines[3].split("|")[column].strip() for column in (1, 5)]
    assert "+0.0" == lines[4].split("|")[2].strip()
    assert "2.0" == lines[5].split("|")[5].strip()


def test_a_claim_that_cannot_be_judged_is_an_error(claims):
    """A trial that diverged has no score, and a claim with other seeds no choice in common."""
    diverged = reports.claim("test_diverged", left=(None, 0.8, 0.8, 0.8), right=LOW)

    for other in (diverged, reports.claim("test_short", left=HIGH[:2], right=LOW[:2])):
        with pytest.raises(ValueError, match="the same seeds, and no trial that diverged"):
            powers(run(*claims, other))


def test_one_seed_is_an_error():
    """Nothing can be chosen from it."""
    with pytest.raises(ValueError, match=r"two seeds or more\. Received: seeds \[0\]"):
        powers(run(reports.claim(left=(0.8,), right=(0.6,))))


def test_of_many_seeds_some_choices_are_drawn(claims, monkeypatch):
    """The same ones each time; all of them where there are few."""
    monkeypatch.setattr(power, "MOST_CHOICES", 3)
    noise = reports.claim(left=(0.75, 0.71, 0.7, 0.71), right=(0.7,) * 4)
    first, second = powers(run(noise)), powers(run(noise))

    assert first == second
    assert {0.0, 1 / 3, 2 / 3, 1.0} >= {each.supported["test_a"] for each in first}
    assert 1.0 == powers(run(*claims[:1]))[-1].supported["test_clear"]
