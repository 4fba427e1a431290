"""Series of saved runs: their nights, the accepted one, and the policy that keeps them."""

from __future__ import annotations

import json
import os

from dataclasses import replace
from datetime import UTC, datetime

import nights
import pytest

from hypothesis import given
from hypothesis import strategies as st

from tlbench.errors import ConfigurationError, StoreError
from tlbench.store import baselines, series
from tlbench.store.baselines import ACCEPTED, accepted_runs
from tlbench.store.series import Policy, accept, date_of, machines, reference


MACHINE = "linux-x86-64_a-cpu_2cores"


@pytest.fixture
def folder(tmp_path):
    """Runs of two names: three nights, and one before them."""
    for number, name in enumerate(("before", "nightly", "nightly", "nightly")):
        baselines.save(nights.night(number, {"a": [0.8, 0.81]}, name=name), tmp_path)
    return tmp_path


def test_a_series_has_the_runs_of_a_name_in_order(folder):
    """Characters of a pattern stand for any."""
    assert ["0002_nightly", "0003_nightly", "0004_nightly"] == [
        path.stem for path in series.series(folder, MACHINE, "nightly")
    ]
    assert 4 == len(series.series(folder, MACHINE, "*"))
    assert [] == series.series(folder, MACHINE, "night")
    assert [] == series.series(folder, "another", "nightly")


def test_the_machine_that_saved_last_is_the_last(folder):
    """Whatever its name, and only among those that have such runs."""
    (folder / MACHINE).rename(folder / "z")
    later = baselines.save(nights.night(9, {"a": [0.8, 0.81]}, name="nightly"), folder)

    assert ["z", MACHINE] == machines(folder, "nightly")
    assert ["z"] == machines(folder, "before")
    later.write_text("damaged", encoding="utf-8")
    assert [MACHINE, "z"] == machines(folder, "nightly")
    assert [] == machines(folder / "nowhere", "*")


def test_the_oldest_run_is_the_reference_until_one_is_accepted(folder):
    """The one that was accepted last of a series counts; accepting does not depend on the series."""
    paths = series.series(folder, MACHINE, "nightly")
    first = reference(paths)
    accept(paths[2])
    accept(paths[1])
    accept(series.series(folder, MACHINE, "before")[0])

    assert (0, 1) == (first, reference(paths))
    assert ["0004_nightly", "0003_nightly", "0001_before"] == accepted_runs(folder / MACHINE)
    assert 4 == len(baselines.saved_runs(folder))


def test_a_failed_run_is_no_reference_until_it_is_accepted(tmp_path):
    """The oldest other run is; with failed runs alone, the oldest of them."""
    for number, failed in enumerate((True, False, True)):
        baselines.save(replace(nights.night(number, {"a": [0.8, 0.81]}), failed=failed), tmp_path)
    paths = series.series(tmp_path, MACHINE, "nightly")

    assert (1, 0) == (reference(paths), reference(paths[:1]))
    accept(paths[2])
    assert 2 == reference(paths)


def test_a_failed_run_is_no_baseline_until_it_is_accepted(tmp_path):
    """A number names it all the same."""
    for number, failed in enumerate((False, True, True)):
        baselines.save(replace(nights.night(number, {"a": [0.8, 0.81]}), failed=failed), tmp_path)
    paths = series.series(tmp_path, MACHINE, "nightly")

    assert paths[0] == baselines.find("nightly", tmp_path, MACHINE).path
    assert paths[2] == baselines.find("3", tmp_path, MACHINE).path
    accept(paths[1])
    assert paths[1] == baselines.find("nightly", tmp_path, MACHINE).path


@pytest.mark.parametrize("text", ["{", "[]", '{"accepted": 1}'])
def test_a_damaged_note_of_accepted_runs_says_what_to_do(folder, text):
    """It is never taken for an empty one."""
    (folder / MACHINE / ACCEPTED).write_text(text, encoding="utf-8")

    with pytest.raises(StoreError, match="delete it, and accept a run with `tlbench accept`"):
        accepted_runs(folder / MACHINE)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(folder):
    """Nothing is accepted then."""
    (folder / MACHINE).chmod(0o500)

    with pytest.raises(StoreError, match="make the folder writable"):
        accept(series.series(folder, MACHINE, "*")[0])


def year(length=400, **changes):
    return [nights.night(number, {"a": [0.8, 0.81]}, **changes) for number in range(length)]


def test_the_policy_keeps_nights_then_weeks_then_months():
    """Of 400 nights: 91 at the end, the first of each week before, and the reference with its nights."""
    runs = year(400)

    surplus = Policy(nightly_days=90, weekly_weeks=20, reference_nights=5).surplus(runs, 0)

    kept = [number for number in range(400) if number not in surplus]
    dates = [date_of(runs[number]) for number in kept]
    assert list(range(5)) == kept[:5]
    assert list(range(309, 400)) == kept[-91:]
    weeks = [date for number, date in zip(kept, dates, strict=True) if 169 <= number < 309]
    assert len(weeks) == len({date.isocalendar()[:2] for date in weeks})
    # Twenty weeks touch twenty-one of the calendar's.
    assert 21 == len(weeks)
    months = [date for number, date in zip(kept, dates, strict=True) if 5 <= number < 169]
    assert len(months) == len({(date.year, date.month) for date in months})


def test_the_policy_keeps_the_reference_and_first_nights_of_an_environment():
    """Wherever they are."""
    runs = [*year(100), *(nights.night(number, {"a": [0.8, 0.81]}, keras="3.16.0") for number in range(100, 300))]

    surplus = Policy(nightly_days=0, weekly_weeks=0, reference_nights=3).surplus(runs, 133)

    assert not {0, 100, 133, 134, 135, 299} & set(surplus)
    assert {1, 99, 101, 132, 136} <= set(surplus)


@given(
    st.lists(st.integers(0, 600), min_size=1, max_size=60, unique=True).map(sorted),
    st.integers(0, 200),
    st.integers(0, 80),
    st.data(),
)
def test_pruning_twice_prunes_once(days, nightly_days, weekly_weeks, data):
    """Nothing that the policy has kept goes the next time, and the reference and the last night stay."""
    runs = [PLAIN[day] for day in days]
    position = data.draw(st.integers(0, len(runs) - 1))
    policy = Policy(nightly_days, weekly_weeks)

    surplus = policy.surplus(runs, position)

    kept = [number for number in range(len(runs)) if number not in surplus]
    assert {position, len(runs) - 1} <= set(kept)
    assert [] == policy.surplus([runs[number] for number in kept], kept.index(position))


PLAIN = year(601)


def test_no_run_is_kept_of_none():
    """An empty series has no surplus."""
    assert [] == Policy().surplus([], 0)


@pytest.mark.parametrize("name", ["nightly_days", "weekly_weeks"])
def test_a_policy_counts_from_zero(name):
    """Anything less is an error that names the option."""
    with pytest.raises(ConfigurationError, match=f"--{name.replace('_', '-')} must not be negative. Received: -1"):
        Policy(**{name: -1})


def test_a_run_without_a_date_is_named():
    """Nothing can be pruned by it."""
    run = nights.night(0, {"a": [0.8]})

    with pytest.raises(StoreError, match="does not say when it was saved"):
        date_of(replace(run, created="yesterday"))
    assert datetime(2026, 1, 1, tzinfo=UTC) == date_of(replace(run, created="2026-01-01"))


def test_the_note_of_accepted_runs_is_json_with_a_schema(folder):
    """For versions to come."""
    accept(series.series(folder, MACHINE, "before")[0])

    content = json.loads((folder / MACHINE / "accepted.json").read_text(encoding="utf-8"))

    assert {"schema_version": 1, "accepted": ["0001_before"]} == content
