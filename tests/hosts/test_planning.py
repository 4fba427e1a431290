"""How many seeds decide which difference, from stored noise (`tlbench power`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import error_rates
from tlbench.errors import ConfigurationError
from tlbench.hosts.cli import main
from tlbench.judge.judging import LEVEL
from tlbench.judge.power import noises
from tlbench.machine.environment import Surroundings
from tlbench.scores.statistics import sample_size, size_to_decide, smallest_effect
from tlbench.store import baselines
from tlbench.store.baselines import SavedClaim, SavedRun


def claim(name, differences, unit="percent", scale=2.0):
    return SavedClaim(
        name, "", 0.0, "inconclusive", dict(enumerate(differences)), None, None, None, unit=unit, scale=scale
    )


@pytest.fixture
def saved(tmp_path, environment):
    """A function that saves a run of some claims; gives the store's folder."""

    def save(*claims):
        around = Surroundings(environment, {}, "linux", "cpu", 2, (), None, {})
        run = SavedRun("noisy", "2026-11-27T00:00:00+00:00", "0.1.0", None, {}, around, None, None, (), claims)
        baselines.save(run, tmp_path / "baselines")
        return tmp_path

    return save


def power(*arguments):
    return CliRunner().invoke(main, ["power", *map(str, arguments)])


@given(st.integers(2, 40), st.floats(0.001, 0.1), st.floats(0.5, 0.95))
def test_the_smallest_effect_needs_as_many_observations(size, level, chance):
    """One size's smallest effect is found by that size, and by no smaller one."""
    effect = smallest_effect(size, level, chance, size - 1.0)

    assert size == size_to_decide(effect * 1.0001, level, chance, lambda count: count - 1.0)


def test_sizes_are_those_of_a_samples_own_plan():
    """Of a sample with mean 1 and standard deviation 1, as a verdict plans it."""
    sample = np.array([0.0, 1.0, 2.0])

    assert sample_size(sample, 0.0, 0.05) == size_to_decide(1.0, 0.05, 0.8, lambda size: size - 1.0)
    assert size_to_decide(0.001, 0.05, 0.8, lambda size: size - 1.0) is None


def test_the_noise_of_few_claims_is_their_own():
    """Two claims do not say what noise has in common; each has its share of the level."""
    first, second = noises([claim("a", (0.1, 0.2, 0.3)), claim("b", (0.1, 0.1, 0.4))])

    assert [0.1, np.std([0.1, 0.1, 0.4], ddof=1)] == pytest.approx([first.deviation, second.deviation])
    assert LEVEL / 2 == first.level == second.level


def test_the_noise_of_many_claims_is_planned_together():
    """Drawn towards what they have in common, on the scale of a single score; a verdict's degrees are its own."""
    generator = np.random.default_rng(0)
    single = [claim(str(n), generator.normal(0, 0.1, 3)) for n in range(6)]
    doubled = [replace(c, differences={s: 2 * v for s, v in c.differences.items()}, scale=8.0) for c in single]

    found, wider = noises(single), noises(doubled)

    own = [np.std(list(c.differences.values()), ddof=1) for c in single]
    assert np.ptp([noise.deviation for noise in found]) < np.ptp(own)
    assert [2 * noise.deviation for noise in found] == pytest.approx([noise.deviation for noise in wider])
    assert smallest_effect(3, LEVEL / 6, 0.8, 2.0) * found[0].deviation == found[0].smallest_difference(3)


def test_more_seeds_decide_smaller_differences():
    """And a smaller difference needs more seeds."""
    (noise,) = noises([claim("a", (0.1, 0.2, 0.3))])

    assert noise.smallest_difference(8) < noise.smallest_difference(4)
    assert noise.seeds_for(0.05) > noise.seeds_for(0.2)
    assert noise.seeds_for(noise.smallest_difference(6) * 1.0001) == 6
    assert noise.seeds_for(1e-6) is None


def test_the_command_shows_every_claim(saved):
    """What so many seeds decide, and how many seeds a difference takes."""
    store = saved(claim("test_shares", (0.1, 0.2, 0.3)), claim("test_loss", (0.1, 0.2, 0.3), "number"))

    result = power("noisy", "--store", store, "--seeds", "3,8", "--effect", "5")

    assert 0 == result.exit_code, result.output
    lines = result.output.splitlines()
    assert ["claim", "sd", "between", "seeds", "3", "seeds", "8", "seeds", "for", "5"] == lines[0].split()
    assert ["shares", "10.0"] == lines[2].split()[:2]
    assert ["loss", "100.0"] == lines[3].split()[:2]
    assert "chance of 80% among 2 claims" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "No saved run is called so"),
        (["noisy", "--effect", "-1"], "--effect takes positive numbers, separated by commas. Received: '-1'"),
        (["noisy", "--seeds", "many"], "--seeds takes positive numbers, separated by commas. Received: 'many'"),
        (["noisy", "--seeds", "1,4"], "--seeds takes numbers from 2. Received: 1, 4"),
    ],
)
def test_bad_input_is_an_error_in_a_line(saved, arguments, message):
    """Exit status 2."""
    store = saved(claim("test_a", (0.1, 0.2)))

    result = power(*arguments, "--store", store)

    assert 2 == result.exit_code
    assert message in result.output
    assert "Traceback" not in result.output


def test_one_seed_says_nothing_of_noise():
    """What to do instead stands in the message."""
    with pytest.raises(ConfigurationError, match=r"--tlbench-seeds 2 or more\. Received: 1 claims"):
        noises([claim("test_a", (0.1,))])


def test_drawn_noise_is_as_far_apart_and_as_dependent_as_the_studys():
    """Standard deviations are those asked for; claims that share an arm go up and down together."""
    generator = np.random.default_rng(0)
    deviations = error_rates.deviations("real images")

    noise = error_rates.draw(generator, deviations, 20_000, heavy=False)

    assert list(deviations) == pytest.approx(list(noise.std(axis=1)), rel=0.03)
    correlation = np.corrcoef(noise)
    assert 0.5 == pytest.approx(correlation[5, 6], abs=0.03), "none beats all, and none is as good as entry"
    assert 0.0 == pytest.approx(correlation[1, 3], abs=0.03), "other learning rates share nothing"


def test_drawn_studies_are_judged_as_any():
    """Far above their thresholds all claims are supported by as few trials as there are; at noise, none is."""
    made = error_rates.claims()
    spread = np.array([0.01, -0.01, 0.0, 0.02])

    assert (["supported"] * 12, 4 * 19) == error_rates.outcomes(0.5 + np.tile(spread, (12, 1)), made, 4, 4)
    found, trials = error_rates.outcomes(np.tile([0.1, -0.1, 0.1, -0.1, 0.1, -0.1], (12, 1)), made, 4, 6)
    assert (["inconclusive"] * 12, 6 * 19) == (found, trials)


@pytest.mark.parametrize("side", [1, -1])
def test_drawn_studies_are_judged_in_bulk_as_one_by_one(side):
    """The table of errors counts what a run's code says."""
    made = error_rates.claims()
    generator = np.random.default_rng(0)
    distances = 0.5 * np.array(error_rates.DISTANCES["real images"])[:, None]
    for _ in range(20):
        moved = error_rates.draw(generator, error_rates.deviations("real images"), 4, heavy=False) + distances
        outcomes, _ = error_rates.outcomes(moved, made, 4, 4)

        expected = [outcome == ("supported" if side == 1 else "refuted") for outcome in outcomes]
        assert expected == list(error_rates.supported(side * moved, "by itself"))


def _wrong(judged_by, seeds, studies=3000):
    """Share of studies that support one of the noisier claims, which are at their thresholds, the others far above."""
    generator = np.random.default_rng(0)
    spread, noisier = error_rates.deviations("real images"), error_rates.noisier("real images")
    away = np.where(noisier, 0.0, 1000 * spread)[:, None]
    wrong = 0
    for _ in range(studies):
        noise = error_rates.draw(generator, spread, seeds, heavy=False)
        wrong += bool(error_rates.supported(noise + away, judged_by)[noisier].any())
    return wrong / studies


@pytest.mark.parametrize("seeds", [3, 4, 5])
def test_noisy_claims_at_their_thresholds_are_supported_no_more_often_than_the_level(seeds):
    """Also where all others are decided, which leaves the level to them; up to four standard errors."""
    assert 0 < _wrong("by itself", seeds) <= LEVEL + 4 * np.sqrt(LEVEL * (1 - LEVEL) / 3000)


def test_moderated_noise_would_break_the_level():
    """Which is why verdicts do without: a judge that takes noisy claims for less noisy errs more than four errors."""
    assert _wrong("moderated", 3, 1000) > LEVEL + 4 * np.sqrt(LEVEL * (1 - LEVEL) / 1000)
