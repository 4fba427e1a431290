"""Forecasts: what missing trials will take."""

from __future__ import annotations

import json

from dataclasses import replace
from types import SimpleNamespace

import pytest

from hypothesis import given
from hypothesis import strategies as st
from pebble import RED_GREEN, Pebble

from tlbench.datasets.dataset import Split
from tlbench.declare.graphs import Graph
from tlbench.declare.trials import Recipe
from tlbench.errors import ConfigurationError
from tlbench.plan import forecast
from tlbench.plan.forecast import Forecast, Job, Size, makespan, peak_memory, predict
from tlbench.report.plans import describe, describe_forecast, describe_outcome, describe_size, duration
from tlbench.run.assembly import Assembly
from tlbench.store.timings import Timing


ENTRY = frozenset({"entry"})
MIDDLE = frozenset({"entry", "middle"})


@pytest.fixture
def make_content(make_trial):
    """A function that makes the JSON of a stored result: 4 steps of 8 images an epoch, of three labels.

    Its trial takes 2 s where nothing is traced: 0.5 s for each of two epochs, and 1 s besides.
    """

    def make(trial=None, *, tracing=0.0, labels=3, **changes):
        content = {
            "trial": (trial or make_trial()).description,
            "label_names": ["a", "b", "c", "d", "e"][:labels],
            "epoch_seconds": [0.5 + tracing, 0.5],
            "epoch_steps": 4,
            "epoch_images": 32,
            "seconds": 2.0 + tracing,
        }
        return json.loads(json.dumps(content | changes))

    return make


@pytest.fixture
def make_timing(make_content):
    def make(*arguments, **changes):
        return Timing.of(make_content(*arguments, **changes))

    return make


def size(_trial):
    """Five steps of eight images, and some left out."""
    return Size(labels=3, training_images=42)


# What is predicted for a trial.


def test_steps_take_what_those_of_the_same_graph_took(make_trial, make_timing):
    """Two epochs of five steps at 0.125 s, a second besides, and the tracing once."""
    timings = [make_timing(), make_timing(), make_timing(tracing=3.0)]
    trials = [make_trial(seed=7), make_trial(seed=8)]

    found = predict(trials, timings, size)

    assert {trial.digest: 2.25 for trial in trials} == {d: e.seconds for d, e in found.expected.items()}
    assert 3.0 == found.expected[trials[0].digest].tracing_seconds
    assert 2 * 2.25 + 3.0 == found.seconds
    assert (1, 0, 0, 3) == (found.processes, found.unknown, found.at_most, found.timings)


def test_a_median_of_stored_trials_is_taken(make_trial, make_timing):
    """One that was disturbed moves nothing."""
    disturbed = make_timing(epoch_seconds=[5.0, 5.0], seconds=20.0)

    found = predict([make_trial()], [make_timing(), disturbed, make_timing()], size)

    assert 2.25 == found.expected[make_trial().digest].seconds


def test_only_the_newest_of_a_size_count(make_trial, make_timing):
    """Faster code is believed as soon as it has run often enough."""
    slow = [make_timing(epoch_seconds=[5.0, 5.0], seconds=11.0)] * 100

    found = predict([make_trial()], [make_timing()] * forecast.RECENT + slow, size)

    assert 2.25 == found.expected[make_trial().digest].seconds


def test_what_stands_out_is_tracing(make_trial, make_timing):
    """Several processes have traced the graph: the median of what they took longer, in the first epoch and besides."""
    timings = [make_timing()] * 5 + [make_timing(tracing=tracing) for tracing in (2.0, 3.0, 4.0)]
    besides = [make_timing()] * 5 + [make_timing(seconds=5.0)]

    assert 3.0 == predict([make_trial()], timings, size).expected[make_trial().digest].tracing_seconds
    assert 3.0 == predict([make_trial()], besides, size).expected[make_trial().digest].tracing_seconds


def test_what_had_to_trace_tells_of_others_only_where_there_are_none(make_trial, make_timing):
    """One of two trials took two seconds longer besides its steps, and three in the first epoch."""
    traced = make_timing(epoch_seconds=[3.5, 0.5], seconds=7.0)

    both = predict([make_trial()], [traced, make_timing()], size).expected[make_trial().digest]
    alone = predict([make_trial()], [traced], size).expected[make_trial().digest]

    assert (2.25, 5.0) == (both.seconds, both.tracing_seconds)
    assert (4.25, 3.0) == (alone.seconds, alone.tracing_seconds)


def test_trials_of_the_nearest_size_are_taken(make_trial, make_timing):
    """Batches of the same size tell more than epochs of as many steps."""
    trial = make_trial()
    like = make_timing(epoch_steps=10, epoch_images=80, epoch_seconds=[1.0, 1.0], seconds=2.5)
    other_batch = make_timing(epoch_steps=5, epoch_images=80, epoch_seconds=[9.0, 9.0], seconds=20.0)

    found = predict([trial], [other_batch, like], size)

    # Steps of 0.1 s, and half a second besides.
    assert pytest.approx(2 * 5 * 0.1 + 0.5) == found.expected[trial.digest].seconds


def test_steps_of_another_batch_size_are_scaled_by_their_images(make_trial, make_timing):
    """Half the images, half the time."""
    trial = make_trial(recipe=Recipe(batch_size=4, epochs=2))

    found = predict([trial], [make_timing()], size)

    # Ten steps of 0.0625 s an epoch: four images take half of what eight do.
    assert 2 * 10 * 0.0625 + 1.0 == found.expected[trial.digest].seconds


def test_fewer_images_than_a_batch_are_one_step(make_trial, make_timing):
    """As training has it."""
    trial = make_trial(recipe=Recipe(batch_size=64, epochs=2))

    found = predict([trial], [make_timing()], lambda _: Size(3, 32))

    assert 2.0 == found.expected[trial.digest].seconds


def test_one_epoch_may_hold_the_tracing(make_trial, make_timing):
    """Of several trials of one, those that took longer have traced; where there are longer trials, they tell."""
    single = [make_timing(epoch_seconds=[seconds], seconds=seconds + 1.0) for seconds in (3.5, 0.5, 0.5)]
    trial = make_trial(recipe=Recipe(batch_size=8, epochs=1))

    alone = predict([trial], single, size).expected[trial.digest]
    beside = predict([make_trial()], [single[0], make_timing()], size).expected[make_trial().digest]

    assert (5 * 0.125 + 1.0, 3.0) == (alone.seconds, alone.tracing_seconds)
    assert 2.25 == beside.seconds


def test_a_trial_of_no_epochs_takes_what_others_took_beside_their_steps(make_trial, make_timing):
    """It traces no step, and the trials that follow still have to."""
    untrained = make_trial(recipe=Recipe(batch_size=8, epochs=0))

    found = predict([untrained, make_trial()], [make_timing(), make_timing(tracing=3.0)], size)

    expected = found.expected[untrained.digest]
    assert (1.0, 0.0) == (expected.seconds, expected.tracing_seconds)
    assert 1.0 + 2.25 + 3.0 == found.seconds


def test_another_head_or_optimizer_takes_as_long(make_trial, make_timing):
    """The same network with the same flows frozen; its own optimizer and the nearest number of labels first."""
    sgd = make_trial(recipe=Recipe(optimizer="sgd", batch_size=8, epochs=2))
    timings = [
        make_timing(labels=2),
        make_timing(sgd, labels=5, seconds=3.0),
        make_timing(make_trial(frozen=ENTRY), seconds=1.5),
    ]

    assert 3.25 == predict([sgd], timings, size).expected[sgd.digest].seconds
    assert 2.25 == predict([make_trial()], timings, size).expected[make_trial().digest].seconds
    assert not predict([make_trial()], timings, size).at_most


def test_less_frozen_is_an_upper_bound(make_trial, make_timing):
    """The nearest one that is known; more frozen tells nothing."""
    trial = make_trial(frozen=MIDDLE)
    everything = make_timing(make_trial(frozen=frozenset({"entry", "middle", "exit"})), seconds=1.1)
    entry = make_timing(make_trial(frozen=ENTRY), seconds=1.5)

    bound = predict([trial], [make_timing(), entry, everything], size)
    nothing = predict([trial], [everything], size)

    assert 1.75 == bound.expected[trial.digest].seconds
    assert bound.expected[trial.digest].at_most
    assert 1 == bound.at_most
    assert Forecast({}, 0.0, 1, 1, 0) == nothing


@pytest.mark.parametrize(
    "change",
    [{"network": Pebble(filters=16)}, {"recipe": Recipe(batch_size=8, epochs=2, precision="mixed_bfloat16")}],
    ids=["network", "precision"],
)
def test_what_was_never_timed_is_unknown(make_trial, make_timing, change):
    """It is counted as such, and the others are predicted."""
    found = predict([make_trial(), make_trial(**change)], [make_timing()], size)

    assert [make_trial().digest] == list(found.expected)
    assert (1, 2.25, 1) == (found.unknown, found.seconds, found.timings)


def test_data_that_say_nothing_leave_a_trial_unknown(make_trial, make_timing):
    """No images to train on, or none that are known."""
    assert 1 == predict([make_trial()], [make_timing()], lambda _: None).unknown
    assert 1 == predict([make_trial()], [make_timing()], lambda _: Size(3, 0)).unknown


def test_a_source_that_is_stored_is_not_waited_for(make_trial, make_timing):
    """One that is missing is."""
    source = make_trial(seed=5)
    trial = make_trial(initialisation=source)

    assert 2.25 == predict([trial], [make_timing()], size, processes=2).seconds
    assert 4.5 == predict([source, trial], [make_timing()], size, processes=2).seconds


def test_the_images_that_a_task_trains_on_are_counted(make_trial, make_timing, dataset, environment):
    """By the split and the task's classes; data that are unknown or cannot be split leave a trial uncounted."""
    assembly = Assembly(None, None, environment, {dataset.digest: dataset}, None, "a run", None, (), ())
    data = make_trial().data
    trials = [
        make_trial(),
        make_trial(task=RED_GREEN),
        make_trial(data=replace(data, digest="unknown")),
        make_trial(data=replace(data, split=Split(validation=0.01, test=0.98))),
    ]

    found = assembly.forecast(trials, [make_timing()], processes=2)

    # 30 images and 20 of 60: three steps of eight, and two.
    assert [2 * 3 * 0.125 + 1.0, 2 * 2 * 0.125 + 1.0] == [expected.seconds for expected in found.expected.values()]
    assert (2, 2, 1.75) == (found.unknown, found.processes, found.seconds)


# How trials are put together.


def job(name, seconds, tracing=0.0, *, graph="g", source=None):
    return Job(name, source, graph, seconds, tracing)


@pytest.mark.parametrize(
    ("jobs", "processes", "expected"),
    [
        ([], 2, 0.0),
        ([job("a", 2.0), job("b", 3.0)], 1, 5.0),
        ([job("a", 2.0), job("b", 3.0)], 2, 3.0),
        ([job("a", 2.0), job("b", 3.0), job("c", 4.0)], 2, 6.0),
        # Each process traces for itself ...
        ([job("a", 2.0, 1.0), job("b", 2.0, 1.0)], 2, 3.0),
        ([job("a", 2.0, 1.0), job("b", 2.0, 1.0)], 1, 5.0),
        ([job("a", 2.0, 1.0), job("b", 2.0, 1.0, graph="h")], 1, 6.0),
        # ... unless it is sooner done after the one that has.
        ([job("a", 2.0, 9.0), job("b", 2.0, 9.0)], 2, 11.0),
        ([job("a", 1.0, 9.0), *(job(str(n), 1.0, 9.0) for n in range(20))], 2, 20.0),
        # A source is waited for.
        ([job("a", 2.0), job("b", 3.0, source="a"), job("c", 4.0)], 2, 5.0),
        ([job("a", 2.0), job("b", 1.0, source="a"), job("c", 1.0, source="b")], 3, 4.0),
        ([job("b", 1.0, source="stored")], 3, 1.0),
    ],
)
def test_trials_are_put_together(jobs, processes, expected):
    """Each in turn goes to the process that ends it first."""
    assert expected == makespan(jobs, processes)


def test_a_process_starts_first():
    """All at once, and while nothing can be trained yet."""
    assert 2.0 + 3.0 == makespan([job("a", 3.0), job("b", 3.0)], 2, startup_seconds=2.0)
    assert 0.0 == makespan([], 2, startup_seconds=2.0)


@pytest.mark.parametrize("processes", [0, -1])
def test_no_process_is_refused(processes):
    """The message has the value."""
    with pytest.raises(ConfigurationError, match=f"At least one process.*Received: processes={processes}"):
        makespan([], processes)


@st.composite
def any_jobs(draw, *, independent=False):
    """Jobs of up to three graphs, each of which costs the same to trace wherever it is; sources come first."""
    whole = st.integers(0, 50).map(float)
    tracing = {graph: 0.0 if independent else draw(whole) for graph in "ghi"}
    jobs = []
    for number in range(draw(st.integers(0, 12))):
        graph = draw(st.sampled_from("ghi"))
        names = [None] if independent else [None, *(earlier.name for earlier in jobs)]
        jobs.append(Job(str(number), draw(st.sampled_from(names)), graph, draw(whole), tracing[graph]))
    return jobs


@given(any_jobs(), st.integers(1, 5), st.integers(0, 9))
def test_processes_share_the_work_and_lose_none(jobs, processes, startup):
    """Never less than the work divided, never more than one process takes."""
    took = makespan(jobs, processes, startup)

    total = sum(each.seconds for each in jobs)
    traced = sum({each.graph: each.tracing_seconds for each in jobs}.values())
    assert total / processes <= took <= startup + total + traced
    assert (startup + total + traced if jobs else 0.0) == makespan(jobs, 1, startup)


@given(any_jobs(), st.data())
def test_the_more_is_stored_the_less_one_process_takes(jobs, data):
    """Whatever is taken away."""
    left = [each for each in jobs if data.draw(st.booleans())]

    assert makespan(left, 1) <= makespan(jobs, 1)


@given(any_jobs(independent=True), st.integers(1, 5), st.data())
def test_the_more_is_stored_the_less_processes_take_that_wait_for_nothing(jobs, processes, data):
    """Where trials wait for sources or trace, fewer can take longer, as in every such schedule (Graham 1969)."""
    left = [each for each in jobs if data.draw(st.booleans())]

    assert makespan(left, processes) <= makespan(jobs, processes)


@given(any_jobs(), st.integers(1, 4))
def test_jobs_are_not_moved_by_their_names(jobs, processes):
    """Only by what they take and wait for."""
    renamed = [replace(j, name=f"x{j.name}", source=f"x{j.source}" if j.source else None) for j in jobs]

    assert makespan(jobs, processes) == makespan(renamed, processes)


# What stored results say.


def test_a_timing_is_read_from_a_results_json(make_trial, make_content):
    """The graph of a stored trial is that of a planned one."""
    trial = make_trial(frozen=MIDDLE)

    timing = Timing.of(make_content(trial, tracing=1.0))

    assert Graph.of(trial, 3) == timing.graph
    assert (4, 8, (1.5, 0.5), 3.0) == (
        timing.epoch_steps,
        timing.batch_size,
        timing.epoch_seconds,
        timing.seconds,
    )
    assert (0.5, 1.0) == (timing.steady_seconds, timing.other_seconds)


DAMAGE = {
    "trial": [None, {}, [], {"recipe": {}}, {"recipe": {"Recipe": {}}, "network": {}, "frozen": []}],
    "label_names": [None, [], 3],
    "epoch_seconds": [None, [], [0.0], [-1.0], ["1"], [None], [float("nan")], [float("inf")], [10**400], 1.0, "12"],
    "epoch_steps": [None, 0, -1, 2.5, True, "4", [4]],
    "epoch_images": [None, 0, 3, "32"],
    "seconds": [None, 0, -1.0, float("nan"), "2", True and [2.0]],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in DAMAGE.items() for value in values],
    ids=lambda value: str(value)[:30],
)
def test_a_timing_that_cannot_be_one_is_refused(make_content, name, value):
    """No such number ever reaches a forecast."""
    with pytest.raises(ValueError, match="must hold the trial and its times"):
        Timing.of(make_content() | {name: value})


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*DAMAGE, "Recipe", "recipe"]), inner),
    max_leaves=8,
)


@given(ANY_JSON)
def test_any_json_is_a_timing_or_is_refused(content):
    """Never another error."""
    with pytest.raises(ValueError, match="must hold"):
        Timing.of(content)


# Memory.


def saved(trials, peak, key="here"):
    """What a forecast reads of a saved run."""
    return SimpleNamespace(
        peak_memory_bytes=peak,
        surroundings=SimpleNamespace(environment=SimpleNamespace(key=key)),
        arms=[SimpleNamespace(description=trial.arm_description) for trial in trials],
    )


def test_memory_is_that_of_the_latest_run_that_trained_the_same_networks(make_trial):
    """In this environment, at the same batch sizes and precision; a run that does not say is passed over."""
    here = SimpleNamespace(key="here")
    trial, wide = make_trial(), make_trial(network=Pebble(filters=16))
    batches = make_trial(recipe=Recipe(batch_size=64))
    odd = saved([], 9)
    odd.arms = [SimpleNamespace(description={"recipe": "odd"})]
    runs = [
        odd,
        saved([wide, batches], 8),
        saved([trial], 7, key="elsewhere"),
        saved([trial], None),
        saved([make_trial(seed=3, frozen=ENTRY)], 6),
        saved([trial, wide], 5),
    ]

    assert 6 == peak_memory([trial], runs, here)
    assert 5 == peak_memory([trial, wide], runs, here)
    assert peak_memory([make_trial(network=Pebble(filters=4))], runs, here) is None


# As text.


@pytest.mark.parametrize(
    ("seconds", "expected", "rough"),
    [
        (0.0, "0.0 s", "0.0 s"),
        (6.24, "6.2 s", "6.2 s"),
        (9.6, "10 s", "10 s"),
        (59.4, "59 s", "59 s"),
        (59.6, "1 min 0 s", "1 min"),
        (260.0, "4 min 20 s", "4 min"),
        (3599.0, "1 h 0 min", "1 h 0 min"),
        (7500.0, "2 h 5 min", "2 h 5 min"),
    ],
)
def test_a_duration_is_as_exact_as_people_say_it(seconds, expected, rough):
    """Rounding never leaves 60 seconds or minutes."""
    assert expected == duration(seconds)
    assert rough == duration(seconds, rough=True)


def test_the_plan_says_what_each_trial_will_take(make_trial, make_timing):
    """Where that is known, and whether it is a bound."""
    timed, bound, unknown = make_trial(), make_trial(frozen=ENTRY), make_trial(network=Pebble(filters=16))
    stored = make_trial(seed=3)
    found = predict([timed, bound, unknown], [make_timing()], size)

    lines = describe(
        (stored, timed, bound, unknown), {}, lambda trial: trial == stored, lambda trial: trial.frozen, found
    ).splitlines()[2:]

    assert ["stored", "to train, ~2.2 s", "to train, at most ~2.2 s", "to train"] == [
        line.split("  ")[-1].strip() for line in lines[:4]
    ]
    assert "4 trials, 1 stored, 3 to train, at most about 4.5 s for 2 of them" == describe_size(
        (stored, timed, bound, unknown), found
    )
    assert (
        "At most about 4.5 s in 1 process, from 1 stored timing of this environment; up to 1.1 GB, as in a saved run.\n"
        "Never timed, and taken for ones with less frozen, which take longer: 1.\n"
        "Of a kind never timed, and not counted: 1."
    ) == describe_forecast(found, 1_130_000_000)


def test_a_forecast_says_what_it_rests_on(make_trial, make_timing):
    """Processes, timings and memory."""
    trials = [make_trial(seed=seed) for seed in range(230)]
    found = predict(trials, [make_timing()] * 77, size, processes=2)

    assert (
        "About 4 min 19 s in 2 processes, from 77 stored timings of this environment; up to 1.1 GB in each, "
        "as in a saved run."
    ) == describe_forecast(found, 1_130_000_000)
    assert "230 trials, 0 stored, 230 to train, about 4 min" == describe_size(trials, found)
    assert describe_forecast(found, None).endswith(
        "of this environment.\n"
        "How much memory is unknown: no saved run of this machine trained these networks; --tlbench-save keeps one."
    )


def test_a_forecast_says_what_frozen_parts_save(make_trial, make_timing):
    """The same trials with nothing frozen, where both were timed; nothing is said where the time is a bound only."""
    frozen = [make_trial(frozen=ENTRY, seed=seed) for seed in range(3)]
    timings = [make_timing(), make_timing(frozen[0], seconds=1.25)]
    found = predict([*frozen, make_trial()], timings, size)

    assert (3, 4.5, 6.75) == (found.frozen.trials, found.frozen.seconds, found.frozen.whole_seconds)
    assert (
        "3 trials with frozen parts, whose outputs are computed once for each image, take about 4.5 s of one process; "
        "with nothing frozen they would take about 6.8 s.\n"
    ) in describe_forecast(found, None)
    assert 0 == predict(frozen, timings[:1], size).frozen.trials
    assert "frozen parts" not in describe_forecast(predict(frozen, timings[:1], size), None)


def test_nothing_is_said_of_what_is_unknown(make_trial):
    """But that it is."""
    found = predict([make_trial()], [], size)

    assert describe_forecast(found, 10**9).startswith("How long that takes is unknown: nothing like it was timed")
    assert "1 trials, 0 stored, 1 to train" == describe_size([make_trial()], found)
    assert "1 trials, 1 stored, 0 to train" == describe_size([make_trial()], predict([], [], size))


def test_a_run_is_held_against_its_forecast(make_trial, make_timing):
    """A ratio where all of it was predicted, without a bound as with one."""
    trials = [make_trial(seed=seed) for seed in range(4)]
    frozen, wide = make_trial(frozen=ENTRY), make_trial(network=Pebble(filters=16))
    timings = [make_timing()]

    assert "Trained 4 trials in 9.4 s; predicted 9.0 s (ratio 1.04)" == describe_outcome(
        9.4, predict(trials, timings, size)
    )
    assert "Trained 1 trial in 1.0 s; predicted at most 2.2 s (ratio 0.44)" == describe_outcome(
        1.0, predict([frozen], timings, size)
    )
    assert "Trained 5 trials in 12 s; predicted 9.0 s for 4 of them, the others being of a kind never timed" == (
        describe_outcome(12, predict([*trials, wide], timings, size))
    )
    assert "Trained 1 trial in 2.0 s; no prediction, since nothing of their kind had been timed" == describe_outcome(
        2.0, predict([wide], timings, size)
    )
