"""Changes that nothing explains, on machines that repeat themselves."""

from __future__ import annotations

from dataclasses import replace

import nights
import pytest

from tlbench.judge.history import drift_alarms, history
from tlbench.judge.repeats import REPEATS, first_unequal
from tlbench.store.baselines import Commit


COMMIT = Commit("c" * 40, changed=False)

EQUAL = [True] * REPEATS


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([*EQUAL, False], (REPEATS, REPEATS)),
        ([None, *EQUAL, None, True, False, False], (REPEATS + 3, REPEATS + 1)),
        ([*EQUAL[1:], False], None),
        ([False, *EQUAL, False], None),
        ([*EQUAL, None], None),
        ([], None),
    ],
    ids=["enough", "others say nothing", "too few", "a machine that does not repeat itself", "explained", "one night"],
)
def test_a_machine_has_to_show_that_it_repeats_itself(pairs, expected):
    """By equal pairs of nights, none of them unequal before."""
    assert expected == first_unequal(pairs)


def year(changed=(), **settings):
    """Equal nights of two arms; the first loses its last digit in some nights for good."""
    lost = 0.0
    runs = []
    for number in range(REPEATS + 5):
        lost += 1e-12 * (number in changed)
        arms = {"a": [0.8 - lost, 0.81], "b": [0.7, 0.72]}
        runs.append(nights.night(number, arms, **({"commit": COMMIT} | settings)))
    return runs


def test_the_last_digit_is_enough():
    """The night is named with the arm, and stays an alarm until a later run is accepted."""
    runs = year(changed=[REPEATS + 2])

    found, accepted = history(runs, 0), history(runs, REPEATS + 2)

    assert (REPEATS + 2, ("a",), REPEATS + 1) == (
        found.unexplained.night,
        found.unexplained.labels,
        found.unexplained.equal,
    )
    assert found.alarming
    assert [] == found.alarms
    assert f"a in nightly of {runs[REPEATS + 2].created[:10]}" == str(found.unexplained)
    assert found.unexplained == drift_alarms(runs)[1]
    assert accepted.unexplained is None
    assert not accepted.alarming


def test_positions_are_those_of_the_whole_series():
    """Nights before the accepted one are counted too, and judge nothing."""
    runs = year(changed=[1, REPEATS + 4])

    assert REPEATS + 4 == history(runs, 2).unexplained.night


def test_equal_nights_are_no_alarm():
    """Nor are noisy ones: a GPU does not repeat itself."""
    noisy = year(changed=range(1, REPEATS + 5))

    assert history(year(), 0).unexplained is None
    assert history(noisy, 0).unexplained is None


@pytest.mark.parametrize(
    "change",
    [
        {"commit": Commit("d" * 40, changed=False)},
        {"tlbench_version": "0.2.0"},
        {"header": {"training": "two processes"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_recorded_change_explains_others(change):
    """It is for the drift's test to say whether the scores are worse."""
    runs = year(changed=[REPEATS + 2])
    runs[REPEATS + 2 :] = [replace(run, **change) for run in runs[REPEATS + 2 :]]

    assert history(runs, 0).unexplained is None


def test_another_version_explains_others():
    """Of Keras, for instance."""
    before = year()[: REPEATS + 2]
    after = year(changed=[REPEATS + 2], keras="3.16.0")[REPEATS + 2 :]

    assert history([*before, *after], 0).unexplained is None


@pytest.mark.parametrize("commit", [None, Commit("c" * 40, changed=True)], ids=["no git", "changed files"])
def test_code_that_is_not_recorded_explains_others(commit):
    """Nobody knows whether files that differ from the commit are the same every night."""
    runs = [replace(run, commit=commit) for run in year(changed=[REPEATS + 2])]

    assert history(runs, 0).unexplained is None


def test_a_night_that_read_its_results_shows_nothing():
    """It is equal to the night that it read."""
    runs = year(changed=[REPEATS])
    runs[1:3] = [replace(runs[0], created=run.created) for run in runs[1:3]]

    assert history(runs, 0).unexplained is None


def test_the_store_may_lie_elsewhere():
    """A setting that moves no score."""
    runs = [replace(run, header={"store": str(number)}) for number, run in enumerate(year(changed=[REPEATS + 2]))]

    assert REPEATS + 2 == history(runs, 0).unexplained.night
