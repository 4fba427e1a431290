"""A disk that fills up, or becomes read-only, while a study runs."""

from __future__ import annotations

import errno
import json
import resource

import faults
import numpy as np
import projects  # noqa: F401 - imported before pytester notes which modules there were.
import pytest
import stub

from tlbench.errors import UnwritableError
from tlbench.report import pictures
from tlbench.report.drawing import Picture
from tlbench.run import training
from tlbench.store import doctor
from tlbench.store.store import Store


WEIGHTS = {"dense/kernel": np.zeros((200, 200))}


@pytest.fixture
def disk(monkeypatch, project):
    """The disk under the store of a project whose training takes no time."""
    monkeypatch.setattr(training, "_make_trainer", stub.make_trainer)
    # Drawing takes longer than all else together.
    monkeypatch.setattr(pictures, "picture", lambda _drawn, _data: Picture("<svg/>", b""))
    return faults.Disk(monkeypatch, project.path / ".tlbench")


def stored(project):
    return {path: path.stat().st_mtime_ns for path in project.path.glob(".tlbench/results/*/*/result.json")}


def told(project):
    report = json.loads((project.path / ".tlbench" / "report" / "results.json").read_text())
    return [report["tables"], report["claims"]]


def put_away(project, name):
    if (project.path / ".tlbench").exists():
        (project.path / ".tlbench").rename(project.path / name)


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        pytest.param(errno.ENOSPC, range(10), marks=pytest.mark.slow, id="full"),
        pytest.param(errno.EROFS, (3, 6, 9), id="read-only"),
    ],
)
def test_what_is_finished_is_kept_and_told_and_the_next_run_goes_on(project, disk, error, parts):
    """Refused at ten moments of a run: one message, no trace; with room again, the rest is trained and all is equal."""
    assert 0 == project.runpytest().ret
    writes, expected = disk.writes, told(project)
    put_away(project, "undisturbed")
    kept_at = []
    for part in parts:
        disk.refuse(1 + part * (writes - 2) // 9, error)
        result = project.runpytest()
        disk.accept()
        output, kept = result.stdout.str() + result.stderr.str(), stored(project)
        kept_at.append(len(kept))

        assert result.ret in {1, 4}, part
        assert "Traceback" not in output
        assert "INTERNALERROR" not in output
        assert "cannot be" in output
        assert output.count("Failed: The store") <= 1
        assert ("= tlbench" in output) == (result.ret == 1)
        if kept:
            assert () == doctor.examine(project.path / ".tlbench").findings

        assert 0 == project.runpytest().ret
        assert expected == told(project)
        assert 10 == len(stored(project))
        assert kept == {path: stored(project)[path] for path in kept}
        put_away(project, f"part-{part}")

    assert sorted(kept_at) == kept_at
    assert set(kept_at) - {0, 10}, "some moments are in the middle"


def test_one_test_fails_and_the_others_are_skipped(project, disk):
    """What was said once is not said again; a test that has all that it needs passes."""
    project.makepyfile(
        test_study="""
        import pytest

        @pytest.mark.parametrize("seed", range(12))
        def test_of_its_own(study, trained, seed):
            assert trained(study.random("mine").trial(seed % 10)).accuracy >= 0
        """
    )
    project.runpytest("-k", "[0] or [1]").assert_outcomes(passed=2)
    disk.refuse(1, errno.ENOSPC)

    result = project.runpytest("-rs")

    # Seeds 10 and 11 are those of 0 and 1.
    result.assert_outcomes(passed=4, failed=1, skipped=7)
    assert 1 == result.stdout.str().count("No space left on device")
    result.stdout.fnmatch_lines(["SKIPPED [[]7[]]*: not trained, for the reason that another test has failed for"])


def test_nothing_is_trained_for_a_store_that_cannot_be_written(project, disk):
    """It would be lost."""
    disk.refuse(60, errno.ENOSPC)
    trained = []
    train = stub.StubTrainer.train

    def counted(self, trial, *arguments):
        trained.append(trial)
        return train(self, trial, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stub.StubTrainer, "train", counted)
        project.runpytest()

    assert len(trained) <= len(stored(project)) + 1 < 10


def test_a_read_only_store_that_has_everything_is_told_in_the_terminal(project, disk):
    """The report cannot be kept, which is said; the tests pass, and the run does not."""
    project.runpytest()
    disk.refuse(1, errno.EROFS)

    result = project.runpytest()

    result.assert_outcomes(passed=2, skipped=1)  # A claim about random predictions is not decided.
    result.stdout.fnmatch_lines(["*= tlbench: the claim *", "*cannot be written*Read-only file system*"])
    assert 1 == result.ret


def test_a_run_that_cannot_be_saved_says_so(project, disk, monkeypatch):
    """After its comparison, with an exit status of its own; the report is written."""
    project.runpytest()
    monkeypatch.setattr(disk, "_folder", f"{disk._folder}/baselines")
    disk.refuse(1, errno.ENOSPC)

    result = project.runpytest("--tlbench-save", "one")

    assert 1 == result.ret
    result.stdout.fnmatch_lines(["The report is *", "Not saved: The run cannot be saved in *No space left on device*"])


def test_a_write_that_is_cut_off_leaves_nothing(tmp_path, environment, make_trial, make_result):
    """The system itself refuses what goes beyond a size."""
    store = Store(tmp_path / "store", environment)
    store.save(make_trial(seed=1), make_result(), {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(UnwritableError, match="File too large"):
            store.save(make_trial(), make_result(), WEIGHTS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert make_trial() not in store
    assert make_trial(seed=1) in store
    assert [make_trial(seed=1).digest[:32]] == [path.name for path in store.folder.glob("results/*/*")]
    store.save(make_trial(), make_result(), WEIGHTS)
    assert make_trial() in store
