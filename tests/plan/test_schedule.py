"""Handing out trials to those that train them."""

from __future__ import annotations

import random

import pytest

from hypothesis import given
from hypothesis import strategies as st

from tlbench.declare.evaluations import Evaluation, TestImages
from tlbench.declare.probes import LinearProbe
from tlbench.plan.schedule import Schedule, ordered


@pytest.fixture
def schedule():
    """A function that makes a schedule whose kinds are the sets of frozen flows."""
    return lambda trials: Schedule(trials, lambda trial: trial.frozen)


@pytest.fixture
def trial(make_trial):
    """A function that makes a trial of a kind: nothing, or one flow, is frozen."""
    return lambda kind="", seed=0, **changes: make_trial(frozen=frozenset({kind} - {""}), seed=seed, **changes)


def taken(schedule, worker=0):
    """All that one worker takes, one after the other."""
    trials = []
    while (trial := schedule.take(worker)) is not None:
        schedule.finished(trial)
        trials.append(trial)
    return trials


def test_trials_of_a_kind_follow_each_other(schedule, trial):
    """Each network is compiled once, even if few are kept."""
    mixed = [trial(kind, seed) for seed in range(3) for kind in ("entry", "exit")]

    kinds = [next(iter(each.frozen)) for each in taken(schedule(mixed))]

    assert ["entry"] * 3 + ["exit"] * 3 == kinds


def test_what_most_wait_for_comes_first(schedule, trial):
    """Other processes could not go on without it."""
    source = trial("middle", 7)
    waiting = [trial("", seed, initialisation=source) for seed in range(3)]

    assert source == schedule([trial("entry"), source, *waiting]).take(0)


def test_a_trial_waits_for_its_source(schedule, trial):
    """Until that is finished, not only begun."""
    source = trial()
    schedule = schedule([source, trial("", 1, initialisation=source)])

    assert source == schedule.take(0)
    assert schedule.take(1) is None
    schedule.finished(source)
    assert 1 == schedule.take(0).seed
    assert 0 == len(schedule)


def test_evaluations_of_one_trial_follow_each_other(make_trial):
    """Whoever has read its weights has them at hand, whatever order they were declared in."""
    trials = [make_trial(seed=seed) for seed in range(3)]
    declared = [Evaluation(each, TestImages(), LinearProbe(cut)) for cut in ("entry", "exit") for each in trials]
    schedule = Schedule([*trials, *declared], lambda work: isinstance(work, Evaluation))

    evaluated = [each.trial.seed for each in taken(schedule) if isinstance(each, Evaluation)]

    assert [0, 0, 1, 1, 2, 2] == evaluated


def test_what_is_abandoned_is_not_handed_out(schedule, trial):
    """What has been taken is left to whoever has it."""
    schedule = schedule([trial("", seed) for seed in range(3)])
    first = schedule.take(0)

    assert {0, 1, 2} - {first.seed} == {each.seed for each in schedule.abandon()}
    assert schedule.take(0) is None
    assert 0 == len(schedule)


def test_another_process_takes_another_kind(schedule, trial):
    """As long as there is one that nobody has compiled."""
    schedule = schedule([trial("entry", 0), trial("entry", 1), trial("exit", 0), trial("exit", 1)])

    kinds = [schedule.take(worker).frozen for worker in (0, 1, 0, 1)]

    assert [{"entry"}, {"exit"}, {"entry"}, {"exit"}] == kinds


def test_a_process_without_a_kind_of_its_own_helps_another(schedule, trial):
    """Unless a single trial is left, for which compiling would take longer than waiting."""
    schedule = schedule([trial("", seed) for seed in range(4)])

    assert [True, True, True, False] == [schedule.take(worker) is not None for worker in (0, 1, 0, 2)]
    assert schedule.take(1) is not None


def test_what_starts_from_a_failed_trial_is_dropped(schedule, trial):
    """Directly or not; the rest goes on."""
    source, other = trial(), trial("", 1)
    middle = trial("", 2, initialisation=source)
    last = trial("", 3, initialisation=middle)
    schedule = schedule([source, middle, last, other])

    assert source == schedule.take(0)
    assert (middle, last) == schedule.failed(source)
    assert [other] == taken(schedule)


def test_what_was_compiled_for_one_plan_is_there_for_the_next(trial):
    """The process that has the network takes the trial, though another asks first."""
    compiled = {}
    Schedule([trial("entry")], lambda each: each.frozen, compiled).take(1)
    later = Schedule([trial("entry", 1), trial("exit", 1)], lambda each: each.frozen, compiled)

    assert [{"exit"}, {"entry"}] == [later.take(worker).frozen for worker in (0, 1)]


def test_the_kinds_of_a_lost_process_are_free_again(schedule, trial):
    """The last trial of its kind would otherwise wait for it for ever."""
    schedule = schedule([trial("", 0), trial("", 1)])
    schedule.take(0)

    schedule.lost(0)

    assert schedule.take(1) is not None


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_whatever_the_plan_everything_is_trained_after_its_source(make_trial, seed, workers):
    """By any number of processes, whichever of them is done first."""
    draw = random.Random(seed)
    trials = []
    for index in range(draw.randint(1, 12)):
        source = {"initialisation": draw.choice(trials)} if trials and draw.random() < 0.5 else {}
        kind = frozenset(draw.sample(["entry", "middle", "exit"], draw.randint(0, 1)))
        trials.append(make_trial(seed=index, frozen=kind, **source))
    schedule = Schedule(ordered(draw.sample(trials, len(trials))), lambda trial: trial.frozen)
    running, done = {}, []

    while True:
        for worker in range(workers):
            if worker not in running and (trial := schedule.take(worker)) is not None:
                assert trial.source is None or trial.source in done
                running[worker] = trial
        if not running:
            break
        done.append(running.pop(draw.choice(list(running))))
        schedule.finished(done[-1])

    assert len(trials) == len(done) == len(set(done))
