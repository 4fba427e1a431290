"""Places where saved runs live: a folder, a branch of git, or object storage.

A branch and object storage are read into a folder, the mirror, before anything is looked up there, and every change is
written back at once. Whatever reads saved runs knows the folder only. To add a kind of place, write a
`tlbench.store.remotes.Remote` in a module of its own, and add a line to `place`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError, StoreError
from tlbench.store import baselines
from tlbench.store.baselines import ACCEPTED
from tlbench.store.git_branch import GitBranch
from tlbench.store.object_storage import ObjectStorage
from tlbench.store.remotes import TakenError
from tlbench.store.series import accept


if TYPE_CHECKING:
    from collections.abc import Collection

    from tlbench.store.baselines import SavedRun
    from tlbench.store.remotes import Remote

# Times that a run is saved again under another number, where somebody else was faster.
ATTEMPTS = 5

GIT = "git:"


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


def of_store(text: str | None, store: Path) -> Place:
    """The place that a text names, seen from the current folder, see `place`.

    Args:
        text: Place of the saved runs; None for the store's own folder.
        store: Folder of the store.
    """
    return place(text, store / "baselines", Path.cwd())


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
