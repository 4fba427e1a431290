"""A store that mends itself: damaged results are set aside and trained again."""

from __future__ import annotations

import json
import shutil
import tempfile

from pathlib import Path

import numpy as np
import projects
import pytest
import stub

from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.errors import DamagedError, StoreError
from tlbench.machine.environment import current
from tlbench.store import doctor
from tlbench.store.store import Store
from tlbench.train.executors.inline import Inline
from tlbench.train.runner import LocalTraining, Runner
from tlbench.train.worker import Setup, Worker


NAMES = ("result.json", "predictions.npz", "weights.npz")


@pytest.fixture(scope="module")
def trials(make_trial):
    """A source, two that start from it, one that starts from one of these, and two that start from nothing."""
    source = make_trial(seed=7)
    first, second = (make_trial(seed=seed, initialisation=source) for seed in (0, 1))
    return source, first, second, make_trial(seed=2, initialisation=first), make_trial(seed=3), make_trial(seed=4)


@pytest.fixture(scope="module")
def run(dataset, trials):
    """A function that runs all trials over a store, and returns their results and a log."""

    def over(folder):
        log, here = stub.Log(), current()
        store = Store(folder, here)
        setup = Setup(here, {dataset.digest: dataset}, None, lambda: stub.StubTrainer(here))
        runner = Runner(
            store, Inline(LocalTraining(store, Worker(setup, log)), lambda trial: trial.network), log.warnings.append
        )
        runner.prepare(trials)
        return [runner.result(trial) for trial in trials], log

    return over


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    """A store that has all trials, and their results."""
    folder = tmp_path_factory.mktemp("whole") / "store"
    results, _ = run(folder)
    return folder, results


@pytest.fixture
def store(whole, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(whole[0], tmp_path / "store"))


def place_of(folder, trial):
    (place,) = folder.glob(f"results/*/{trial.digest[:32]}")
    return place


def content(folder, pattern="results/*/*/*"):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob(pattern)}


def same(expected, received):
    return all(
        one.probabilities.tobytes() == other.probabilities.tobytes()
        and one.validation_probabilities.tobytes() == other.validation_probabilities.tobytes()
        for one, other in zip(expected, received, strict=True)
    )


def without_record(place):
    """Make a result such as earlier versions have stored."""
    path = place / "result.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k not in ("files", "sha256")}))


def damage(path, kind, at):
    """Damage a file at some part of its length."""
    before = path.read_bytes() if path.exists() else b""
    where = int(at * max(len(before) - 1, 0))
    if kind == "deleted":
        path.unlink(missing_ok=True)
    elif kind == "truncated":
        path.write_bytes(before[:where])
    elif kind == "longer":
        path.write_bytes(before + b"\0" * 10)
    elif kind == "zeros":
        path.write_bytes(before[:where] + bytes(len(before) - where))
    else:
        path.write_bytes(
            before[:where] + bytes(byte ^ 0x55 for byte in before[where : where + 1]) + before[where + 1 :]
        )


def damaged_by(damages, folder, trials):
    """Damage some files of a store; returns the trials whose results are others then."""
    undamaged = content(folder)
    for (index, name, at), kind in damages:
        damage(place_of(folder, trials[index]) / name, kind, at)
    now = content(folder)
    changed = {Path(path).parent.name for path, text in undamaged.items() if now.get(path) != text}
    return {trial for trial in trials if trial.digest[:32] in changed}


files = st.tuples(st.integers(0, 5), st.sampled_from(NAMES), st.floats(0, 1))
kinds = st.sampled_from(["truncated", "deleted", "longer", "zeros", "garbled"])


@settings(max_examples=25)
@given(damages=st.lists(st.tuples(files, kinds), min_size=1, max_size=5))
def test_whatever_is_damaged_the_next_run_is_whole_and_equal(run, whole, trials, damages):
    """Nothing undamaged is trained again, nothing is lost, and one warning names what was damaged."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(whole[0], Path(folder) / "store"))
        damaged = damaged_by(damages, copy, trials)
        before = content(copy)

        results, log = run(copy)
        examined = doctor.examine(copy, repair=True)
        again, later = run(copy)

        assert same(whole[1], results)
        assert same(whole[1], again)
        assert set(log.started) <= damaged
        assert damaged == {*log.started, *later.started}, "doctor finds what a run has no need of"
        assert bool(log.started) == len(log.warnings)
        assert all(trial.digest[:12] in log.warnings[0] for trial in log.started)
        assert len(later.started) == len(examined.findings)
        kept = {*content(copy).values(), *content(copy, "damaged/*/*/*").values()}
        assert set(before.values()) <= kept
        assert () == doctor.examine(copy).findings


@settings(max_examples=15)
@given(damages=st.lists(st.tuples(files, st.sampled_from(["truncated", "deleted"])), min_size=1, max_size=5))
def test_results_of_before_there_was_a_record_are_mended_too(run, whole, trials, damages):
    """They are read as long as they are whole; their own checksums and lengths tell where they are not."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(whole[0], Path(folder) / "store"))
        for trial in trials:
            without_record(place_of(copy, trial))
        damaged = damaged_by(damages, copy, trials)

        results, log = run(copy)

        assert same(whole[1], results)
        assert damaged == set(log.started)


def test_a_result_without_a_record_is_read(run, store, trials):
    """Nothing is trained again for it."""
    for trial in trials:
        without_record(place_of(store, trial))

    assert [] == run(store)[1].started


def test_a_byte_that_has_changed_is_found_without_a_record(run, store, trials):
    """In the predictions, by the checksum of NumPy's files."""
    place = place_of(store, trials[4])
    without_record(place)
    damage(place / "predictions.npz", "garbled", 0.5)

    assert [trials[4]] == run(store)[1].started


def test_a_source_is_trained_again_before_what_starts_from_it(run, store, whole, trials):
    """Its result may be whole: the weights are read in full where a trial that has to be trained starts from them."""
    source, first, *_ = trials
    damage(place_of(store, source) / "weights.npz", "garbled", 0.5)
    shutil.rmtree(place_of(store, first))

    results, log = run(store)

    assert [source, first] == log.started
    assert same(whole[1], results)
    assert "weights.npz is not as it was written" in log.warnings[0]


def test_weights_that_nothing_starts_from_are_not_read(run, store, trials):
    """Only `tlbench doctor` does."""
    damage(place_of(store, trials[0]) / "weights.npz", "garbled", 0.5)

    assert [] == run(store)[1].started
    assert ["weights.npz is not as it was written"] == [found.problem for found in doctor.examine(store).findings]


def test_a_source_that_is_damaged_while_the_plan_runs_is_mended(run, store, whole, trials, monkeypatch):
    """What starts from it is taken up again afterwards."""
    source, first, *_ = trials
    shutil.rmtree(place_of(store, first))
    load, path = Store.load_weights, place_of(store, source) / "weights.npz"

    def damage_first(self, trial):
        monkeypatch.setattr(Store, "load_weights", load)
        path.write_bytes(b"")
        return load(self, trial)

    monkeypatch.setattr(Store, "load_weights", damage_first)
    results, log = run(store)

    assert [first, source, first] == log.started
    assert same(whole[1], results)


@pytest.mark.parametrize("name", ["labels", "probabilities", "validation_probabilities"])
def test_arrays_that_do_not_go_together_are_damage(store, trials, name):
    """A row less than there should be, whatever the checksums say."""
    place = place_of(store, trials[0])
    without_record(place)
    with np.load(place / "predictions.npz") as arrays:
        changed = {key: arrays[key][:-1] if key == name else arrays[key] for key in arrays.files}
    np.savez(place / "predictions.npz", **changed)

    with pytest.raises(DamagedError, match=r"predictions\.npz holds"):
        Store(store, current()).load(trials[0])
    assert trials[0] not in Store(store, current())


def test_the_result_of_another_trial_is_damage(run, store, whole, trials):
    """A folder that has been renamed, or copied over another."""
    shutil.rmtree(place_of(store, trials[4]))
    shutil.copytree(place_of(store, trials[5]), place_of(store, trials[5]).with_name(trials[4].digest[:32]))

    results, log = run(store)

    assert [trials[4]] == log.started
    assert same(whole[1], results)
    assert "is that of another trial" in log.warnings[0]


def test_what_is_set_aside_twice_is_kept_twice(run, store, trials):
    """Under names of their own."""
    for _ in range(2):
        damage(place_of(store, trials[4]) / "predictions.npz", "truncated", 0.5)
        run(store)

    kept = [path.name for path in store.glob("damaged/*/*")]
    assert {f"{trials[4].digest[:32]}-1", f"{trials[4].digest[:32]}-2"} == set(kept)


def test_a_result_that_must_not_be_read_is_not_damaged(store, trials, monkeypatch):
    """It may be somebody else's: it is left where it is, and whoever asks for it is told."""
    mine, real = Store(store, current()), Path.read_bytes

    def refused(path):
        if path.name == "result.json":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refused)

    assert () == mine.missing(trials)
    with pytest.raises(StoreError, match=r"cannot be read.*Permission denied") as caught:
        mine.load(trials[0])
    assert not isinstance(caught.value, DamagedError)
    assert ["unreadable"] * len(trials) == [found.kind for found in doctor.examine(store, repair=True).findings]


def test_a_run_of_the_plugin_mends_what_it_needs(project):
    """The plan counts what has to be trained again, a note names it, and the report is that of the run before."""
    project.runpytest("--tlbench-report", "before").assert_outcomes(passed=3)
    places = sorted(project.path.glob(".tlbench/results/*/*"))
    for place, name in zip(places[:3], NAMES, strict=True):
        (place / name).write_bytes((place / name).read_bytes()[:50])

    plan = project.runpytest("--tlbench-plan")
    assert places == sorted(project.path.glob(".tlbench/results/*/*"))
    mended = project.runpytest("--tlbench-report", "after")

    plan.stdout.fnmatch_lines(
        ["tlbench plan: 10 trials, 7 stored, 3 to train*", "Damaged, and to be computed again: *"]
    )
    mended.assert_outcomes(passed=3)
    mended.stdout.fnmatch_lines(
        [
            "tlbench plan: 10 trials, 7 stored, 3 to train*",
            "Note: 3 stored results were damaged, and computed again; *",
            "Trained 3 trials in *",
        ]
    )
    assert 3 == len(list(project.path.glob(".tlbench/damaged/*/*")))
    before, after = (json.loads((project.path / name / "results.json").read_text()) for name in ("before", "after"))
    assert before["claims"] == after["claims"]
    assert before["tables"] == after["tables"]
    assert 1 == sum("3 stored results were damaged" in note for note in after["notes"])


@pytest.mark.slow
def test_what_workers_set_aside_is_told_once(project):
    """Under pytest-xdist the controller reports it."""
    project.makepyfile(stub=Path(stub.__file__).read_text())
    project.makeconftest(
        f"{projects.PROFILE}\nimport stub\nfrom tlbench.run import training\n"
        "training._make_trainer = stub.make_trainer\n"
    )
    project.runpytest_subprocess()
    for path in project.path.glob(".tlbench/results/*/*/predictions.npz"):
        path.write_bytes(b"")

    result = project.runpytest_subprocess("-n", "2", "-p", "xdist")

    notes = [line for line in result.outlines if line.startswith("Note:") and "damaged" in line]
    assert 0 == result.ret
    assert 1 <= len(notes) <= 2, "each worker tells what it has set aside"
    assert 10 == len(list(project.path.glob(".tlbench/damaged/*/*")))
    assert 10 == len(list(project.path.glob(".tlbench/results/*/*/result.json")))
