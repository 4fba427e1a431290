"""Results and weights on disk, one folder for each trial and environment."""

from __future__ import annotations

import json
import shutil
import tempfile

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tlbench.errors import DamagedError, StoreError
from tlbench.store import files
from tlbench.store.folders import check_schema, lock, move_aside, prepare, set_aside, unwritable
from tlbench.store.publishing import UNFINISHED, sync_folder
from tlbench.store.timings import timings


if TYPE_CHECKING:
    import contextlib

    from collections.abc import Callable, Iterator, Sequence

    from tlbench.declare.trials import Trial
    from tlbench.machine.environment import Environment
    from tlbench.store.results import Result, Weights
    from tlbench.store.timings import Timing

_T = TypeVar("_T")


class Store:
    """Results keyed by trial digest, those of each environment apart.

    A result appears whole or not at all: it is written beside its place and
    renamed into it.

    Args:
        folder: Where results are kept; made when the first is saved.
        environment: Whose results are read and written.
        run: Identifies the run; stands in the results that it saves.
        fresh: Whether results of other runs are taken for missing, so that they are trained again and replaced.

    Raises:
        StoreError: The folder was written by a newer tlbench, or is no store.
    """

    def __init__(self, folder: Path, environment: Environment, run: str = "", *, fresh: bool = False) -> None:
        self.folder = folder
        self._run = run
        self._fresh = fresh
        # Results of this run, which need not be read again to know that.
        self._own: set[str] = set()
        self._results = folder / "results" / environment.key
        # By folder and whether the weights were read: when the files of a sound result were last changed.
        self._sound: dict[tuple[str, bool], object] = {}
        check_schema(folder)

    def __contains__(self, trial: Trial) -> bool:
        """Tell whether a trial has a sound result here, from this run where only fresh results count.

        Weights are only looked for, and read by `load_weights`.

        Raises:
            StoreError: That cannot be told, since the files cannot be read.
        """
        return self._is_sound(trial, read_weights=False)

    def missing(self, trials: Sequence[Trial]) -> tuple[Trial, ...]:
        """Those of some trials that have to be trained: that lack a result, or the weights that another starts from.

        A result whose files cannot be read, for instance since they are somebody else's, is not missing: whoever
        loads it is told.

        Args:
            trials: Each after its source.
        """
        found: list[Trial] = []
        awaited: set[str] = set()
        for trial in reversed(trials):
            try:
                sound = self._is_sound(trial, read_weights=trial.digest in awaited)
            except StoreError:
                continue
            if not sound:
                found.append(trial)
                if trial.source is not None:
                    awaited.add(trial.source.digest)
        return tuple(reversed(found))

    def look_again(self) -> None:
        """Read anew what was found whole before: a disk may lose what nobody has written to."""
        self._sound.clear()

    def load(self, trial: Trial) -> Result:
        """Read a trial's result.

        Raises:
            DamagedError: It is not there, or is not what was stored.
            StoreError: It cannot be read.
        """
        return self._read(trial, files.load)

    def load_weights(self, trial: Trial) -> Weights:
        """Read the weights that a trial ended with.

        Raises:
            DamagedError: They are not there, or are not what was stored.
            StoreError: They cannot be read.
        """
        return self._read(trial, files.read_weights)

    def _read(self, trial: Trial, read: Callable[[Path, str], _T]) -> _T:
        place = self._place(trial)
        try:
            return read(place, trial.digest)
        except DamagedError:
            self._forget(place)
            raise

    def damage(self, trial: Trial) -> str | None:
        """The damage of a trial's result, in a phrase; None for a sound result, or where there is none.

        Raises:
            StoreError: It cannot be read.
        """
        place = self._place(trial)
        return files.damage(place, trial.digest) if place.exists() else None

    def set_aside(self, trial: Trial) -> str | None:
        """Move a damaged result to the folder `damaged`, so that the trial can be trained again.

        Returns:
            What is wrong with it; None where nothing is, or where there is no result.

        Raises:
            UnwritableError: The folder cannot be written.
            StoreError: The result cannot be read.
        """
        place = self._place(trial)
        return set_aside(self.folder, place, trial.digest) if place.exists() else None

    def timings(self, newest: int = 500) -> Iterator[Timing]:
        """The times of stored trials, of any study and version of the code, the newest first.

        What cannot be read is left out: damaged files, and those of another schema or environment.

        Args:
            newest: At most so many files are read.
        """
        return timings(self._results, newest)

    def save(self, trial: Trial, result: Result, weights: Weights) -> None:
        """Publish a trial's result and weights; a result that is there already is replaced, a damaged one set aside.

        Whoever calls has the trial's lock, where other processes share the store.

        Raises:
            UnwritableError: The folder cannot be written.
        """
        place = self._place(trial)
        try:
            self.prepare()
            place.parent.mkdir(parents=True, exist_ok=True)
            # Named for the trial: whoever has the trial's lock knows that nobody is at it.
            name = f"{UNFINISHED}{place.name}-"
            for left in place.parent.glob(f"{name}*"):
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=name, ignore_cleanup_errors=True) as unfinished:
                staged = Path(unfinished) / "trial"
                staged.mkdir()
                files.write(staged, trial, replace(result, run=self._run), weights)
                if place.exists() and files.damage(place, trial.digest) is not None:
                    move_aside(self.folder, place)
                elif place.exists():  # Of another run; goes once there is a newer one.
                    place.rename(Path(unfinished) / "replaced")
                staged.rename(place)
                sync_folder(place.parent)
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def save_packed(self, trial: Trial, packed: bytes) -> Result:
        """Publish the result and the weights that a worker without this store has packed, see `save`.

        Args:
            trial: Trial of the result.
            packed: Bytes of `tlbench.store.files.pack`.

        Returns:
            The result.

        Raises:
            DamagedError: The bytes are damaged, or of another trial.
            UnwritableError: The folder cannot be written.
        """
        result, weights = files.unpack(packed, trial.digest)
        self.save(trial, result, weights)
        return replace(result, run=self._run)

    def copy(self, trial: Trial, other: Store) -> None:
        """Give another store what this one has of a trial.

        Raises:
            StoreError: This one has nothing of it, or the other cannot be written.
        """
        try:
            other.prepare()
            shutil.copytree(self._place(trial), other._place(trial))
        except (OSError, shutil.Error) as error:
            msg = f"A trial cannot be copied from {self._place(trial)} to {other.folder}. Received: {error}"
            raise StoreError(msg) from error

    def lock(self, trial: Trial, *, wait: bool = True) -> contextlib.AbstractContextManager[None]:
        """Keep other processes from training the same trial meanwhile.

        Args:
            trial: Trial to lock.
            wait: Until no other process has it; else `filelock.Timeout` is raised where one has.

        Raises:
            UnwritableError: The folder cannot be written.
        """
        self.prepare()
        return lock(self.folder, self._place(trial), wait=wait)

    def prepare(self) -> None:
        """Make the folder, if it is missing, and make sure that it can be written.

        Raises:
            UnwritableError: It cannot.
        """
        prepare(self.folder)

    def _place(self, trial: Trial) -> Path:
        return self._results / trial.digest[:32]

    def _is_sound(self, trial: Trial, *, read_weights: bool) -> bool:
        place = self._place(trial)
        changed = files.last_change(place)
        if changed is None:
            return False
        if self._sound.get((place.name, read_weights)) != changed:
            try:
                files.check(place, trial.digest, read_weights=read_weights)
            except DamagedError:
                self._forget(place)
                return False
            self._sound[place.name, read_weights] = changed
        return not self._fresh or self._is_own(place)

    def _is_own(self, place: Path) -> bool:
        if place.name in self._own:
            return True
        try:
            own = bool(json.loads((place / "result.json").read_text(encoding="utf-8"))["run"] == self._run)
        except (OSError, ValueError, LookupError, TypeError):
            return False
        self._own |= {place.name} if own else set()
        return own

    def _forget(self, place: Path) -> None:
        for whole in (False, True):
            self._sound.pop((place.name, whole), None)
