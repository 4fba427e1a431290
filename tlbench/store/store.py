"""Results and weights on disk, one folder for each trial or evaluation and environment."""

from __future__ import annotations

import shutil
import tempfile

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, overload

from tlbench.declare.evaluations import Evaluation
from tlbench.errors import DamagedError, StoreError
from tlbench.store import files
from tlbench.store.folders import EVALUATIONS, check_schema, lock, move_aside, prepare, set_aside, unwritable
from tlbench.store.publishing import UNFINISHED, sync_folder
from tlbench.store.soundness import Soundness
from tlbench.store.timings import timings


if TYPE_CHECKING:
    import contextlib

    from collections.abc import Callable, Iterator, Sequence

    from tlbench.declare.evaluations import Work
    from tlbench.declare.trials import Trial
    from tlbench.machine.environment import Environment
    from tlbench.store.results import EvaluationResult, Result, Weights
    from tlbench.store.timings import Timing

_T = TypeVar("_T")


class Store:
    """Results keyed by the digest of their trial or evaluation, those of each environment apart.

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
        self._soundness = Soundness(run, fresh=fresh)
        self._results = folder / "results" / environment.key
        self._evaluations = folder / EVALUATIONS / environment.key
        check_schema(folder)

    def __contains__(self, work: Work) -> bool:
        """Tell whether a trial or an evaluation has a sound result here, from this run where only fresh results count.

        A trial's result counts if it has the trial's extra predictions.

        Weights are only looked for, and read by `load_weights`. The result of an evaluation counts only as long as the
        store has the weights that it was computed from.

        Raises:
            StoreError: That cannot be told, since the files cannot be read.
        """
        return self._is_sound(work, read_weights=False)

    def missing(self, works: Sequence[Work]) -> tuple[Work, ...]:
        """Those of some trials and evaluations that lack a result, or the weights that others of them start from.

        A result whose files cannot be read, for instance since they are somebody else's, is not missing: whoever
        loads it is told.

        Args:
            works: Trials and evaluations, each after its source.
        """
        found: list[Work] = []
        awaited: set[str] = set()
        for work in reversed(works):
            try:
                sound = self._is_sound(work, read_weights=work.digest in awaited)
            except StoreError:
                continue
            if not sound:
                found.append(work)
                if work.source is not None:
                    awaited.add(work.source.digest)
        return tuple(reversed(found))

    def look_again(self) -> None:
        """Read anew what was found whole before: a disk may lose what nobody has written to."""
        self._soundness.look_again()

    @overload
    def load(self, work: Trial) -> Result: ...
    @overload
    def load(self, work: Evaluation) -> EvaluationResult: ...
    def load(self, work: Work) -> Result | EvaluationResult:
        """Read the result of a trial or an evaluation.

        Raises:
            DamagedError: It is not there, or is not what was stored.
            StoreError: It cannot be read.
        """
        return self._read(work, files.load)

    def load_weights(self, trial: Trial) -> Weights:
        """Read the weights that a trial ended with.

        Raises:
            DamagedError: They are not there, or are not what was stored.
            StoreError: They cannot be read.
        """
        return self._read(trial, files.read_weights)

    def packed_weights(self, trial: Trial) -> bytes:
        """Read the weights that a trial ended with as bytes, for a worker without this store.

        Raises:
            DamagedError: They are not there, or are not what was stored.
            StoreError: They cannot be read.
        """
        return self._read(trial, files.read_packed_weights)

    def _read(self, work: Work, read: Callable[[Path, str], _T]) -> _T:
        place = self._place(work)
        try:
            return read(place, work.digest)
        except DamagedError:
            self._soundness.forget(place)
            raise

    def damage(self, work: Work) -> str | None:
        """The damage of a result, in a phrase; None for a sound result, or where there is none.

        Raises:
            StoreError: It cannot be read.
        """
        place = self._place(work)
        return files.damage(place, work.digest) if place.exists() else None

    def set_aside(self, work: Work) -> str | None:
        """Move a damaged result to the folder `damaged`, so that it can be computed again.

        Returns:
            What is wrong with it; None where nothing is, or where there is no result.

        Raises:
            UnwritableError: The folder cannot be written.
            StoreError: The result cannot be read.
        """
        place = self._place(work)
        return set_aside(self.folder, place, work.digest) if place.exists() else None

    def timings(self, newest: int = 500) -> Iterator[Timing]:
        """The times of stored trials, of any study and version of the code, the newest first.

        What cannot be read is left out: damaged files, and those of another schema or environment.

        Args:
            newest: At most so many files are read.
        """
        return timings(self._results, newest)

    def save(self, work: Work, result: Result | EvaluationResult, weights: Weights | None = None) -> None:
        """Publish a result; a result that is there already is replaced, a damaged one set aside.

        Whoever calls has the lock of the trial or evaluation, where other processes share the store.

        Args:
            work: Trial or evaluation.
            result: Result of training, or of the evaluation.
            weights: Last weights of a trial.

        Raises:
            UnwritableError: The folder cannot be written.
        """
        place = self._place(work)
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
                files.write(staged, work, replace(result, run=self._run), weights)
                if place.exists() and files.damage(place, work.digest) is not None:
                    move_aside(self.folder, place)
                elif place.exists():  # Of another run; goes once there is a newer one.
                    place.rename(Path(unfinished) / "replaced")
                staged.rename(place)
                sync_folder(place.parent)
        except OSError as error:
            raise unwritable(self.folder, error) from error

    @overload
    def save_packed(self, work: Trial, packed: bytes) -> Result: ...
    @overload
    def save_packed(self, work: Evaluation, packed: bytes) -> EvaluationResult: ...
    def save_packed(self, work: Work, packed: bytes) -> Result | EvaluationResult:
        """Publish a result that a worker without this store has packed, see `save`.

        Args:
            work: Trial or evaluation of the result.
            packed: Bytes of `tlbench.store.files.pack`.

        Returns:
            The result.

        Raises:
            DamagedError: The bytes are damaged, or of another trial or evaluation.
            UnwritableError: The folder cannot be written.
        """
        result, weights = files.unpack(packed, work)
        self.save(work, result, weights)
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

    def lock(self, work: Work, *, wait: bool = True) -> contextlib.AbstractContextManager[None]:
        """Keep other processes from computing the same result meanwhile.

        Args:
            work: Trial or evaluation to lock.
            wait: Until no other process has it; else `filelock.Timeout` is raised where one has.

        Raises:
            UnwritableError: The folder cannot be written.
        """
        self.prepare()
        return lock(self.folder, self._place(work), wait=wait)

    def prepare(self) -> None:
        """Make the folder, if it is missing, and make sure that it can be written.

        Raises:
            UnwritableError: It cannot.
        """
        prepare(self.folder)

    def _place(self, work: Work) -> Path:
        folder = self._evaluations if isinstance(work, Evaluation) else self._results
        return folder / work.digest[:32]

    def _is_sound(self, work: Work, *, read_weights: bool) -> bool:
        sound = self._soundness.holds(self._place(work), work, read_weights=read_weights)
        return sound and (not isinstance(work, Evaluation) or self._is_current(work))

    def _is_current(self, evaluation: Evaluation) -> bool:
        """Tell whether the store still has the weights that an evaluation was computed from."""
        try:
            evaluated = files.evaluated_weights(self._place(evaluation), evaluation.digest)
            return evaluated == files.weights_digest(self._place(evaluation.trial), evaluation.trial.digest)
        except DamagedError:
            return False
