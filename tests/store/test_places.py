"""Places of saved runs: a folder, a branch of git, and object storage."""

from __future__ import annotations

import subprocess
import sys
import uuid

import nights
import pytest

from tlbench.errors import ConfigurationError, StoreError
from tlbench.store import baselines, places
from tlbench.store.baselines import ACCEPTED, accepted_runs
from tlbench.store.git_branch import GitBranch
from tlbench.store.object_storage import ObjectStorage
from tlbench.store.places import Place, place
from tlbench.store.remotes import TakenError


MACHINE = "linux-x86-64_a-cpu_2cores"


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with a file and a commit."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    (folder / "study.py").write_text("claim\n", encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "A study")
    return folder


@pytest.fixture
def cloned(repository, tmp_path):
    """Two clones of a bare repository."""
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), "bare.git")
    for name in ("one", "two"):
        git(tmp_path, "clone", "--quiet", "bare.git", name)
    return tmp_path / "one", tmp_path / "two"


@pytest.fixture(params=["folder", "branch", "pushed branch", "memory", "file"])
def two_places(request, tmp_path):
    """Two users of one place, each with a mirror of their own."""
    if request.param == "folder":
        return [Place(tmp_path / "runs"), Place(tmp_path / "runs")]
    if request.param == "branch":
        remotes = [GitBranch(request.getfixturevalue("repository"), "runs")] * 2
    elif request.param == "pushed branch":
        remotes = [GitBranch(clone, "runs") for clone in request.getfixturevalue("cloned")]
    else:
        url = f"memory://{uuid.uuid4()}/runs" if request.param == "memory" else (tmp_path / "bucket").as_uri()
        remotes = [ObjectStorage(url)] * 2
    return [Place(tmp_path / f"mirror-{number}", remote) for number, remote in enumerate(remotes)]


def run(number=0, **changes):
    return nights.night(number, {"a": [0.8, 0.81]}, **changes)


def stems(where):
    return [path.stem for path in baselines.saved_runs(where.pull())]


def test_a_run_that_one_has_saved_is_found_by_the_other(two_places):
    """Whole, under its number; the next gets the next number."""
    one, two = two_places

    assert [] == stems(two)
    saved = one.save(run())
    assert "0001_nightly.json" == saved.name
    assert run() == baselines.load(baselines.find("nightly", two.pull(), MACHINE).path)
    assert "0002_nightly.json" == two.save(run(1)).name
    assert ["0001_nightly", "0002_nightly"] == stems(one) == stems(two)


def test_accepted_runs_are_shared(two_places):
    """A later acceptance replaces an earlier one in every mirror."""
    one, two = two_places
    first, second = one.save(run()), one.save(run(1))
    one.accept(first)
    before = accepted_runs(two.pull() / MACHINE)
    one.accept(second)

    assert ["0001_nightly"] == before
    assert ["0001_nightly", "0002_nightly"] == accepted_runs(two.pull() / MACHINE)


def test_a_pruned_run_is_gone_for_those_who_come_later(two_places, tmp_path):
    """The others stay."""
    one, _ = two_places
    first, _second = one.save(run()), one.save(run(1))
    one.remove([first])
    one.remove([])

    late = one if one.remote is None else Place(tmp_path / "late", one.remote)
    assert ["0002_nightly"] == stems(late)
    assert not first.exists()


def test_two_that_save_at_once_get_different_numbers(two_places, monkeypatch):
    """The slower one saves again, under the next number."""
    one, two = two_places
    if one.remote is None:
        pytest.skip("a folder has a lock, see tests/store/test_baselines.py")
    pull, slower = Place.pull, []

    def pull_then_lose(self):
        folder = pull(self)
        if self is one and not slower:
            slower.append(two.save(run(1)))
        return folder

    monkeypatch.setattr(Place, "pull", pull_then_lose)

    assert "0002_nightly.json" == one.save(run()).name
    assert "0001_nightly.json" == slower[0].name
    assert ["0001_nightly", "0002_nightly"] == stems(one) == stems(two)


def test_who_is_always_slower_gives_up(two_places, monkeypatch):
    """With an error; the mirror keeps no run that the place has not."""
    one, _ = two_places
    if one.remote is None:
        pytest.skip("a folder has a lock")

    def refuse(*_arguments):
        raise TakenError

    monkeypatch.setattr(type(one.remote), "write", refuse)

    with pytest.raises(StoreError, match=r"others saved 5 times meanwhile. Try again"):
        one.save(run())
    assert [] == stems(one)


def test_the_checkout_is_left_alone(repository, tmp_path):
    """Its branch, its index and its files, staged or not; no file of the project is on the branch."""
    (repository / "staged.txt").write_text("x", encoding="utf-8")
    git(repository, "add", "staged.txt")
    before = git(repository, "status", "--porcelain=v2", "--branch")

    Place(tmp_path / "mirror", GitBranch(repository, "runs")).save(run())

    assert before == git(repository, "status", "--porcelain=v2", "--branch")
    assert f"{MACHINE}/0001_nightly.json" == git(repository, "ls-tree", "-r", "--name-only", "runs")
    assert "Save the run 0001_nightly" == git(repository, "log", "--format=%s", "runs")


def test_a_project_may_be_a_folder_of_its_repository(repository, tmp_path):
    """The branch has the same files, whichever folder git runs in."""
    (repository / "studies").mkdir()
    where = Place(tmp_path / "mirror", GitBranch(repository / "studies", "runs"))
    first, _second = where.save(run()), where.save(run(1))
    where.remove([first])

    assert f"{MACHINE}/0002_nightly.json" == git(repository, "ls-tree", "-r", "--name-only", "runs")
    assert ["0002_nightly"] == stems(Place(tmp_path / "late", GitBranch(repository, "runs")))


def test_a_branch_keeps_what_others_put_there(repository, tmp_path):
    """A README on the branch is neither read nor removed."""
    git(repository, "checkout", "--quiet", "--orphan", "runs")
    git(repository, "commit", "--quiet", "--message", "Files")
    git(repository, "checkout", "--quiet", "main")
    where = Place(tmp_path / "mirror", GitBranch(repository, "runs"))
    where.remove([where.save(run())])

    assert "study.py" == git(repository, "ls-tree", "-r", "--name-only", "runs")
    assert not (tmp_path / "mirror" / "study.py").exists()


def test_a_place_that_cannot_be_written_is_an_error_and_keeps_nothing(cloned, tmp_path):
    """The message has git's own words."""
    git(cloned[0], "remote", "set-url", "origin", str(tmp_path / "gone.git"))
    where = Place(tmp_path / "mirror", GitBranch(cloned[0], "runs"))

    with pytest.raises(StoreError, match=r"git:runs cannot be used: `git ls-remote` failed in .*one.*gone.git"):
        where.save(run())


def test_no_repository_is_an_error(tmp_path):
    """Where git finds none."""
    with pytest.raises(StoreError, match="check the repository"):
        GitBranch(tmp_path, "runs").names()


def test_no_git_is_an_error(tmp_path, monkeypatch):
    """Likewise."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StoreError, match="git does not run"):
        GitBranch(tmp_path, "runs").names()


def test_storage_that_fails_is_an_error_with_the_address(monkeypatch):
    """Whatever the driver raises."""
    import fsspec.implementations.memory

    def fail(*_arguments, **_options):
        raise PermissionError(13, "no credentials")

    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "find", fail)
    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "exists", lambda *_: True)

    with pytest.raises(StoreError, match=r"memory://bucket cannot be reached; .*no credentials"):
        ObjectStorage("memory://bucket").names()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("git:", "takes git:BRANCH, a URL or a folder. Received: 'git:'"),
        ("git:--output=x", "takes git:BRANCH"),
    ],
)
def test_a_place_that_is_none_is_a_usage_error(tmp_path, text, message):
    """A branch is never an option of git."""
    with pytest.raises(ConfigurationError, match=message):
        place(text, tmp_path, tmp_path)


def test_an_unknown_kind_of_storage_is_a_usage_error(tmp_path):
    """It names the drivers that people need."""
    with pytest.raises(ConfigurationError, match=r"s3fs for s3://.* Received: nothing://bucket"):
        place("nothing://bucket", tmp_path, tmp_path).pull()


def test_storage_needs_an_extra(tmp_path, monkeypatch):
    """The message says which."""
    monkeypatch.setitem(sys.modules, "fsspec", None)

    with pytest.raises(ConfigurationError, match=r"tlbench\[remote\]"):
        place("s3://bucket", tmp_path, tmp_path).pull()


def test_a_text_names_a_place(tmp_path):
    """A folder of the project, a branch, an address, or the store's own folder."""
    mirror = tmp_path / "store" / "baselines"

    assert Place(mirror) == place(None, mirror, tmp_path)
    assert Place(tmp_path / "runs") == place("runs", mirror, tmp_path)
    assert Place(mirror, GitBranch(tmp_path, "a/b")) == place("git:a/b", mirror, tmp_path)
    assert Place(mirror, ObjectStorage("s3://bucket/a")) == place("s3://bucket/a", mirror, tmp_path)


@pytest.mark.parametrize("name", ["README.md", "a/b/c.json", "../x.json", "notes.json"])
def test_files_that_are_no_runs_are_left_at_the_place(tmp_path, name):
    """Nothing is written outside of the mirror."""

    class Odd:
        def names(self):
            return {name}

        def read(self, names):
            return dict.fromkeys(names, b"x")

    Place(tmp_path / "mirror", Odd()).pull()

    assert [] == list(tmp_path.rglob("*.*"))
    assert ACCEPTED.endswith(".json")
    assert places.ATTEMPTS > 1
