"""Years of nights, drawn from stored trials."""

from __future__ import annotations

import numpy as np
import pytest

from click.testing import CliRunner

from benchmarks import year
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
    """With the whole share of the noise; half of it with a half."""
    whole, half = (stored.nights(generator, share, repeats=False, nights=4000) for share in (1.0, 0.5))

    expected = np.broadcast_to(stored.scores.std(axis=1, ddof=1)[:, None], (2, 4, 3))
    assert pytest.approx(expected, rel=0.1) == whole.std(axis=0)
    assert pytest.approx(expected / 2, rel=0.1) == half.std(axis=0)
    assert pytest.approx(stored.scores, abs=0.005) == half.mean(axis=0)


def test_a_cpu_draws_anew_in_few_nights(stored, generator):
    """Twelve of a year; in between, nights are equal to the last digit."""
    nights = stored.nights(generator, 1.0, repeats=True, nights=365)

    changed = [number for number in range(1, 365) if not np.array_equal(nights[number], nights[number - 1])]
    assert 12 == len(changed)


def test_a_drift_makes_the_chosen_arms_worse_by_their_noise(stored):
    """From its first night to its last; the loss rises."""
    change = year.drift(stored, np.array([1]), 10, 100)

    assert 0 == np.abs(change[:, 0]).max() == np.abs(change[:11]).max()
    assert pytest.approx(stored.noise[1] * [-1, -1, 1]) == change[70, 1, 0]
    assert np.array_equal(change[70], change[99])
    assert pytest.approx(change[70, 1, 0] / 2) == change[40, 1, 0]


def test_a_drift_is_found_and_a_quiet_start_is_not(monkeypatch):
    """In one year of each kind."""
    stored = year.Stored.read(year.SOURCES["real images"])
    monkeypatch.setattr(year, "NIGHTS", 30)

    assert 0 == year.quiet_year(stored, "as between seeds", 0).alarms
    assert year.DELAY >= year.drifting_year(stored, "as between seeds", 0, one=False).delay


def test_saved_nights_are_followed_as_a_run_would_be(generator):
    """The quantities that the simulation watches are those that the history does."""
    stored = year.Stored.read(year.SOURCES["pocket"])
    values = stored.nights(generator, 1.0, repeats=False, nights=4)
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
    assert 4 == text.count("4 (100.0%)") // 2
    assert 8 == text.count("2 (100.0%)")


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
