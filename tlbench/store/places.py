"""Places where saved runs live: a folder, a branch of git, or object storage.

A branch and object storage are read into a folder, the mirror, before anything is looked up there, and every change is
written back at once. Whatever reads saved runs knows the folder only. To add a kind of place, write a class with
`names`, `read` and `write`, and add a line to `place`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tlbench.errors import ConfigurationError, StoreError
from tlbench.store import baselines
from tlbench.store.series import ACCEPTED, accept


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tlbench.store.baselines import SavedRun

# Times that a run is saved again under another number, where somebody else was faster.
ATTEMPTS = 5

GIT = "git:"


class TakenError(StoreError):
    """Somebody else has changed the place meanwhile: the names that were chosen may be taken."""


class Remote(Protocol):
    """A place that is no folder. Names are relative paths with slashes."""

    def names(self) -> set[str]:
        """Names of all files.

        Raises:
            StoreError: The place cannot be reached.
        """

    def read(self, names: Collection[str]) -> dict[str, bytes]:
        """Contents of files, by name.

        Raises:
            StoreError: The place cannot be reached.
        """

    def write(self, added: Mapping[str, bytes], removed: Collection[str], message: str) -> None:
        """Add and remove files.

        Args:
            added: Contents by name.
            removed: Names of files to remove.
            message: Sentence that says why.

        Raises:
            TakenError: A saved run of a name is there already, or the place was changed since it was read.
            StoreError: The place cannot be written.
        """


@dataclass(frozen=True)
class Place:
    """The place of saved runs.

    Attributes:
        folder: Folder of all machines' runs; the mirror of a remote place.
        remote: Place that the folder mirrors; None where the folder is the place.
    """

    folder: Path
    remote: Remote | None = None

    def pull(self) -> Path:
        """Bring the folder up to date.

        Returns:
            The folder.

        Raises:
            StoreError: The remote place cannot be read, or the folder cannot be written.
        """
        if self.remote is None:
            return self.folder
        # A saved run never changes; the accepted ones do.
        wanted = {name for name in self.remote.names() if _is_ours(name)}
        missing = {name for name in wanted if name.endswith(ACCEPTED) or not (self.folder / name).exists()}
        try:
            for name, content in self.remote.read(missing).items():
                path = self.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        except OSError as error:
            msg = f"Saved runs cannot be written to {self.folder}; choose another --tlbench-store. Received: {error}"
            raise StoreError(msg) from error
        return self.folder

    def save(self, run: SavedRun) -> Path:
        """Save a run; see `tlbench.store.baselines.save`.

        Raises:
            StoreError: The place cannot be written.
            ConfigurationError: The run's name cannot be one.
        """
        if self.remote is None:
            return baselines.save(run, self.folder)
        for _ in range(ATTEMPTS):
            self.pull()
            path = baselines.save(run, self.folder)
            name = self._name(path)
            try:
                self.remote.write({name: path.read_bytes()}, (), f"Save the run {path.stem}")
            except TakenError:
                path.unlink()
            except StoreError:
                # The mirror holds what the place holds; the run is not saved.
                path.unlink()
                raise
            else:
                return path
        msg = (
            f"The run {run.name} cannot be saved in {self.remote}: others saved {ATTEMPTS} times meanwhile. Try again."
        )
        raise StoreError(msg)

    def accept(self, path: Path) -> None:
        """Make a saved run the reference of its series.

        Args:
            path: File of the run, in the folder.

        Raises:
            StoreError: The place cannot be written.
        """
        accept(path)
        if self.remote is not None:
            note = path.parent / ACCEPTED
            self.remote.write({self._name(note): note.read_bytes()}, (), f"Accept the run {path.stem}")

    def remove(self, paths: Collection[Path]) -> None:
        """Remove saved runs.

        Args:
            paths: Files of the runs, in the folder.

        Raises:
            StoreError: The place cannot be written.
        """
        if self.remote is not None and paths:
            self.remote.write({}, [self._name(path) for path in paths], f"Prune {len(paths)} saved runs")
        try:
            for path in paths:
                path.unlink(missing_ok=True)
        except OSError as error:
            msg = f"A saved run cannot be removed; make its folder writable. Received: {error}"
            raise StoreError(msg) from error

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def _is_ours(name: str) -> bool:
    """Tell a file of a machine's folder; anything else at the place, such as a README, is left alone."""
    parts = name.split("/")
    return len(parts) == 2 and name.endswith(".json") and ".." not in parts


def place(text: str | None, mirror: Path, project: Path) -> Place:
    """The place that a text names.

    Args:
        text: `git:BRANCH`, a URL such as `s3://bucket/folder`, or a folder; None for the mirror itself.
        mirror: Folder of saved runs in the store.
        project: Folder of the project; relative folders and the repository of a branch are found from here.

    Raises:
        ConfigurationError: The text names no branch, or a URL without an installed driver.
    """
    if text is None:
        return Place(mirror)
    if text.startswith(GIT):
        branch = text.removeprefix(GIT)
        if not branch or branch.startswith("-"):
            msg = f"--tlbench-baselines takes {GIT}BRANCH, a URL or a folder. Received: {text!r}"
            raise ConfigurationError(msg)
        return Place(mirror, GitBranch(project, branch))
    if "://" in text:
        return Place(mirror, ObjectStorage(text))
    return Place(project / Path(text).expanduser())


@dataclass(frozen=True)
class GitBranch:
    """A branch of the project's repository. The checkout and its index are left as they are.

    Attributes:
        repository: Folder in the repository.
        branch: Branch of saved runs, which has no file of the project.
        remote: Repository to fetch from and to push to, where the project has one of this name.
    """

    repository: Path
    branch: str
    remote: str = "origin"

    def __str__(self) -> str:
        """The place as a user named it."""
        return f"{GIT}{self.branch}"

    def names(self) -> set[str]:
        """Names of all files on the branch."""
        tip = self._tip()
        return set(self._git("ls-tree", "-r", "-z", "--name-only", tip).decode().split("\0")) - {""} if tip else set()

    def read(self, names: Collection[str]) -> dict[str, bytes]:
        """Contents of files on the branch, by name."""
        # The tip that `names` has fetched.
        tip = self._local_tip()
        return {name: self._git("cat-file", "blob", f"{tip}:{name}") for name in sorted(names)}

    def write(self, added: Mapping[str, bytes], removed: Collection[str], message: str) -> None:
        """Commit files to the branch, and push it."""
        tip = self._tip()
        if taken := sorted(self.names() & {name for name in added if not name.endswith(ACCEPTED)}):
            msg = f"{self} has these saved runs already; save again. Received: {', '.join(taken)}"
            raise TakenError(msg)
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._git("read-tree", *([tip] if tip else ["--empty"]), **index)
            for name, content in added.items():
                blob = self._git("hash-object", "-w", "--stdin", content=content).decode().strip()
                self._git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", **index)
            for name in removed:
                self._git("update-index", "--force-remove", name, **index)
            tree = self._git("write-tree", **index).decode().strip()
        parent = ["-p", tip] if tip else []
        commit = self._git("commit-tree", tree, *parent, "-m", message, **_AUTHOR).decode().strip()
        self._publish(commit, tip)

    def _publish(self, commit: str, tip: str) -> None:
        reference = f"refs/heads/{self.branch}"
        try:
            if self._has_remote:
                self._git("push", "--quiet", self.remote, f"{commit}:{reference}")
                self._git("update-ref", self._tracking, commit)
            else:
                # Fails where the branch is elsewhere by now; forty zeros are a branch that is not there.
                self._git("update-ref", reference, commit, tip or "0" * 40)
        except StoreError as error:
            if self._tip() != tip:
                msg = f"{self} was changed by somebody else meanwhile; save again. {error}"
                raise TakenError(msg) from error
            raise

    @property
    def _tracking(self) -> str:
        return f"refs/remotes/{self.remote}/{self.branch}"

    @property
    def _has_remote(self) -> bool:
        return self.remote in self._git("remote").decode().split()

    def _tip(self) -> str:
        """The branch's last commit, as it is at the remote by now; empty where there is no such branch."""
        if self._has_remote:
            if not self._git("ls-remote", self.remote, f"refs/heads/{self.branch}").strip():
                return ""
            self._git("fetch", "--quiet", "--no-tags", self.remote, f"+refs/heads/{self.branch}:{self._tracking}")
        return self._local_tip()

    def _local_tip(self) -> str:
        reference = self._tracking if self._has_remote else f"refs/heads/{self.branch}"
        return self._git("for-each-ref", "--format=%(objectname)", reference).decode().strip()

    def _git(self, *arguments: str, content: bytes | None = None, **variables: str) -> bytes:
        command = ["git", "-C", str(self.repository), *arguments]
        # Nobody answers a question for a password at night.
        environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", **variables}
        try:
            ended = subprocess.run(
                command, input=content, capture_output=True, check=False, timeout=300, env=environment
            )
        except (OSError, subprocess.SubprocessError) as error:
            msg = f"{self} cannot be used, since git does not run in {self.repository}. Received: {error}"
            raise StoreError(msg) from error
        if ended.returncode:
            said = ended.stderr.decode(errors="replace").strip()
            msg = (
                f"{self} cannot be used: `git {arguments[0]}` failed in {self.repository}; check the repository, the "
                f"branch and the right to push. Received: {said}"
            )
            raise StoreError(msg)
        return ended.stdout


# Runners of CI have no name set, and git asks for one.
_AUTHOR = {
    variable: value
    for role in ("AUTHOR", "COMMITTER")
    for variable, value in ((f"GIT_{role}_NAME", "tlbench"), (f"GIT_{role}_EMAIL", "tlbench@localhost"))
}


@dataclass(frozen=True)
class ObjectStorage:
    """A folder of object storage, or of any other file system that fsspec knows.

    Attributes:
        url: Address of the folder, for instance `s3://bucket/folder`.
    """

    url: str

    def __str__(self) -> str:
        """The place as a user named it."""
        return self.url

    def names(self) -> set[str]:
        """Names of all files in the folder."""
        files, root = self._opened()
        with self._reached():
            files.invalidate_cache()
            found = files.find(root) if files.exists(root) else []
        return {str(path).removeprefix(root).lstrip("/") for path in found}

    def read(self, names: Collection[str]) -> dict[str, bytes]:
        """Contents of files, by name."""
        files, root = self._opened()
        with self._reached():
            return {name: files.cat_file(f"{root}/{name}") for name in sorted(names)}

    def write(self, added: Mapping[str, bytes], removed: Collection[str], message: str) -> None:  # noqa: ARG002 - no log
        """Write files, and delete others; a run that is there is not replaced."""
        files, root = self._opened()
        for name, content in added.items():
            self._create(files, f"{root}/{name}", content, new=not name.endswith(ACCEPTED))
        with self._reached():
            for name in removed:
                if files.exists(f"{root}/{name}"):
                    files.rm_file(f"{root}/{name}")

    def _create(self, files: Any, path: str, content: bytes, *, new: bool) -> None:
        msg = f"{self} has this saved run already; save again. Received: {path}"
        with self._reached():
            # Not every driver knows the mode.
            taken = new and files.exists(path)
        if taken:
            raise TakenError(msg)
        try:
            with self._reached():
                files.makedirs(path.rpartition("/")[0], exist_ok=True)
                files.pipe_file(path, content, mode="create" if new else "overwrite")
        except FileExistsError as error:
            raise TakenError(msg) from error

    def _opened(self) -> tuple[Any, str]:
        try:
            import fsspec
        except ImportError as error:
            msg = f"Saved runs at a URL need fsspec: pip install 'tlbench[remote]'. Received: {self.url}"
            raise ConfigurationError(msg) from error
        try:
            files, root = fsspec.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            msg = (
                "--tlbench-baselines names a kind of storage whose driver is not installed, such as s3fs for s3:// or "
                f"gcsfs for gs://. Received: {self.url} ({error})"
            )
            raise ConfigurationError(msg) from error
        return files, root.rstrip("/")

    @contextlib.contextmanager
    def _reached(self) -> Any:
        try:
            yield
        except FileExistsError:
            raise
        except Exception as error:  # Drivers raise whatever their libraries do.
            msg = f"Saved runs at {self.url} cannot be reached; check the address and the credentials. "
            msg += f"Received: {error!r}"
            raise StoreError(msg) from error
