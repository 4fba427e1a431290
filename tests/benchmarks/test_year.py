"""Years of nights, drawn from stored trials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from click.testing import CliRunner
from scipy import stats

from benchmarks import year
from benchmarks.drawn_nights import most_power
from tlbench.judge.drift import LEVEL
from tlbench.judge.history import history
from tlbench.store import baselines


@pytest.fixture
def stored():
    """Two arms under four seeds, with three metrics."""
    scores = np.random.default_rng(0).normal([0.8, 0.8, 0.5], [0.01, 0.01, 0.03], (2, 4, 3))
    return year.Stored(("a", "b"), scores)


@pytest.fixture
def generator():
    return np.random.default_rng(1)


@pytest.mark.parametrize("source", year.SOURCES)
def test_stored_trials_have_all_arms_and_seeds(source):
    """Of the study, with every arm that a claim is about."""
    stored = year.Stored.read(year.SOURCES[source])

    assert (19, 3) == (stored.scores.shape[0], stored.scores.shape[2])
    assert {arm for pair in year.CLAIMS.values() for arm in pair} <= set(stored.arms)


def test_nights_are_as_far_from_each_other_as_seeds_are(stored, generator):
    """Around the stored scores; further seeds are drawn from the same trials."""
    draws = year.draws_of_nights(generator, 4000, repeats=False)

    nights, more = stored.nights(generator, draws), stored.nights(generator, draws, 9)

    expected = np.broadcast_to(stored.scores.std(axis=1, ddof=1)[:, None], (2, 4, 3))
    assert pytest.approx(expected, rel=0.1) == nights.std(axis=0)
    assert pytest.approx(stored.scores, abs=0.005) == nights.mean(axis=0)
    assert (4000, 2, 9, 3) == more.shape
    assert pytest.approx(stored.scores[:, 1], abs=0.005) == more[:, :, 5].mean(axis=0)


def test_a_cpu_draws_anew_in_few_nights(stored, generator):
    """Twelve of a year; in between, nights are equal to the last digit."""
    draws = year.draws_of_nights(generator, 365, repeats=True)
    nights = stored.nights(generator, draws)

    changed = [number for number in range(1, 365) if not np.array_equal(nights[number], nights[number - 1])]
    assert 12 == len(changed) == draws[-1]
    assert [number for number in range(1, 365) if draws[number] != draws[number - 1]] == changed


def test_a_drift_makes_the_chosen_arms_worse_by_their_noise(stored):
    """From its first night to its last; the loss rises."""
    change = year.drift(stored, np.array([1]), 10, np.arange(100), with_versions=False)

    assert 0 == np.abs(change[:, 0]).max() == np.abs(change[:11]).max()
    assert pytest.approx(stored.noise[1] * [-1, -1, 1]) == change[70, 1, 0]
    assert np.array_equal(change[70], change[99])
    assert pytest.approx(change[70, 1, 0] / 2) == change[40, 1, 0]


def test_a_drift_with_versions_shows_at_new_draws(stored):
    """Each draw shows what is complete in its first night."""
    draws = np.repeat(np.arange(3), (20, 30, 50))

    change = year.drift(stored, np.array([1]), 10, draws, with_versions=True)

    assert 0 == np.abs(change[:20]).max()
    assert pytest.approx(stored.noise[1, 0] / 6) == -change[20, 1, 0, 0] == -change[49, 1, 0, 0]
    assert pytest.approx(stored.noise[1, 0] * 2 / 3) == -change[50, 1, 0, 0] == -change[99, 1, 0, 0]


def test_a_change_without_a_version_is_told(stored, generator):
    """In the first night of a drift of equal nights, and never in quiet years."""
    draws = np.repeat(np.arange(2), (30, 30))
    quiet = stored.nights(generator, draws)
    drifting = quiet + year.drift(stored, np.array([1]), 40, draws, with_versions=False)
    noisy = stored.nights(generator, np.arange(60))

    assert [41] == year.unexplained_nights(drifting, draws)
    assert [] == year.unexplained_nights(quiet, draws) == year.unexplained_nights(noisy, np.arange(60))


def test_no_test_finds_what_no_draw_shows(stored):
    """Power is the level without a new draw, and rises with seeds; one whole draw has the power of a z test."""
    alone = replace(stored, scores=np.random.default_rng(0).normal(size=(4000, 4, 3)))
    starts = np.array([100])

    none = most_power(stored, np.inf, np.array([[50, 174]]), starts)
    early, whole = (most_power(alone, 4, np.array([[night]]), starts) for night in (130, 165))

    assert pytest.approx(LEVEL) == none
    assert pytest.approx(stats.norm.cdf(np.sqrt(4 * 3) - stats.norm.ppf(0.95)), abs=0.01) == whole
    assert pytest.approx(stats.norm.cdf(np.sqrt(4 * 3) / 2 - stats.norm.ppf(0.95)), abs=0.01) == early


def test_a_drift_is_found_and_a_quiet_start_is_not(monkeypatch):
    """In one year of each kind."""
    stored = year.Stored.read(year.SOURCES["real images"])
    monkeypatch.setattr(year, "NIGHTS", 30)

    assert 0 == year.quiet_year(stored, year.GPU, 0).alarms == year.quiet_year(stored, year.CPU, 0).alarms
    monkeypatch.undo()
    found = year.drifting_year(stored, year.GPU, 0, one=False)
    assert year.DELAY >= found.delay == found.by_scores
    assert -year.DRIFT_NIGHTS + 2 >= year.drifting_year(stored, year.CPU, 0, one=True).delay


def test_saved_nights_are_followed_as_a_run_would_be(generator):
    """The quantities that the simulation watches are those that the history does."""
    stored = year.Stored.read(year.SOURCES["pocket"])
    values = stored.nights(generator, np.arange(4))
    found = history([year.saved_night(stored, scores, night, generator) for night, scores in enumerate(values)], 0)

    ours = {(each.label, each.metric): each.values for each in year.watched(stored, values)}
    theirs = {(course.label, course.metric): course for course in found.courses if course.kind != "speed"}
    assert ours.keys() == theirs.keys()
    for key, course in theirs.items():
        assert pytest.approx(ours[key].mean(axis=1)) == [point.mean for point in course.points]


def test_tables_are_written_between_their_markers(tmp_path, monkeypatch):
    """And nothing else of the page is touched."""
    report = tmp_path / "report.md"
    report.write_text(f"before\n{year.BEGIN}\nold\n{year.END}\nbehind\n", encoding="utf-8")
    monkeypatch.setattr(year, "ProcessPoolExecutor", Inline)
    monkeypatch.setattr(year, "_year", lambda job: year.Year(0) if job[2] == "quiet" else year.Year(1, -3))

    result = CliRunner().invoke(year.main, ["judge", str(report), "--quiet-years", "4", "--drifting-years", "2"])

    assert 0 == result.exit_code, result.output
    text = report.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{year.BEGIN}\n\n| quiet nights")
    assert text.endswith(f"{year.END}\nbehind\n")
    assert "old" not in text
    assert 4 == text.count("4 (39.8 to 100.0 %)") // 2
    assert 16 == text.count("2 (15.8 to 100.0 %)")
    assert "any number" in text


class Inline:
    """Draws years in this process."""

    def __init__(self, *_arguments):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def map(self, function, jobs, chunksize):
        """As a pool of processes has it."""
        assert chunksize
        return map(function, jobs)


def test_a_year_of_saved_runs_is_written(tmp_path, monkeypatch):
    """For the page; here three nights."""
    monkeypatch.setattr(year, "NIGHTS", 3)

    result = CliRunner().invoke(year.main, ["page", str(tmp_path), "--quiet"])

    assert 0 == result.exit_code, result.output
    assert 3 == len(baselines.saved_runs(tmp_path / "baselines"))
    assert f"tlbench history nightly --store {tmp_path}" in result.output
