"""Results and weights on disk, one folder for each trial and environment.

A trial's `result.json` records the size and the SHA-256 of the arrays' files beside it, and the SHA-256 of itself:
whether a result is as it was stored can be told exactly, and without decoding anything. Results of before that record
are held to the checksums that NumPy's files carry, and to the shapes that must go together.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import heapq
import itertools
import json
import shutil
import tempfile
import zipfile

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np

from tlbench.declare.graphs import Graph
from tlbench.errors import DamagedError, StoreError, UnwritableError
from tlbench.machine.environment import Environment
from tlbench.store.publishing import UNFINISHED, publish, sync, sync_folder
from tlbench.store.results import Result
from tlbench.store.timings import Timing


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tlbench.declare.trials import Trial
    from tlbench.store.results import Weights

SCHEMA_VERSION = 1

# Says the schema_version of a store.
MARKER = "store.json"

# What the last run had to say.
LAST_REPORT = "results.json"

# Where results are kept that are not what was stored.
DAMAGED = "damaged"

# The files of a result; the first says what the others must be.
RESULT, PREDICTIONS, WEIGHTS = "result.json", "predictions.npz", "weights.npz"

# Why a file cannot be read that may be whole all the same.
_NOT_DAMAGE = {errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE}


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
        """Whether a trial has left its result here, undamaged, and in this run where only fresh ones count.

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
        place = self._place(trial)
        try:
            content, arrays = read(place, trial.digest)
            with _damage(place, RESULT):
                return Result(
                    status=content["status"],
                    label_names=tuple(content["label_names"]),
                    labels=arrays["labels"],
                    probabilities=arrays["probabilities"],
                    validation_labels=arrays["validation_labels"],
                    validation_probabilities=arrays["validation_probabilities"],
                    batch_statistics_probabilities=arrays["batch_statistics_probabilities"],
                    training_loss=tuple(map(_number, content["history"]["loss"])),
                    training_accuracy=tuple(map(_number, content["history"]["accuracy"])),
                    epoch_seconds=tuple(content["epoch_seconds"]),
                    epoch_steps=content["epoch_steps"],
                    epoch_images=content["epoch_images"],
                    seconds=content["seconds"],
                    environment=Environment(**content["environment"]),
                    run=content.get("run", ""),
                )
        except DamagedError:
            self._forget(place)
            raise

    def load_weights(self, trial: Trial) -> Weights:
        """Read the weights that a trial ended with.

        Raises:
            DamagedError: They are not there, or are not what was stored.
            StoreError: They cannot be read.
        """
        place = self._place(trial)
        try:
            return read_weights(place, trial.digest)
        except DamagedError:
            self._forget(place)
            raise

    def damage(self, trial: Trial) -> str | None:
        """What is wrong with a trial's result, in a phrase; None where nothing is, or where there is none.

        Raises:
            StoreError: It cannot be read.
        """
        place = self._place(trial)
        return damage(place, trial.digest) if place.exists() else None

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
        """What stored trials took, of any study and version of the code, the newest first.

        What cannot be read is left out: damaged files, and those of another schema or environment.

        Args:
            newest: At most so many files are read.
        """
        dated = []
        for path in self._results.glob(f"*/{RESULT}"):
            with contextlib.suppress(OSError):
                dated.append((path.stat().st_mtime, path))
        for _, path in heapq.nlargest(newest, dated):
            if (timing := self._timing(path)) is not None:
                yield timing

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
                _write(staged, trial, replace(result, run=self._run), weights)
                if place.exists() and damage(place, trial.digest) is not None:
                    _move_aside(self.folder, place)
                elif place.exists():  # Of another run; goes once there is a newer one.
                    place.rename(Path(unfinished) / "replaced")
                staged.rename(place)
                sync_folder(place.parent)
        except OSError as error:
            raise _unwritable(self.folder, error) from error

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

    def keep_report(self, text: str) -> None:
        """Keep what the last run has to say, for `tlbench report`.

        Args:
            text: Its `results.json`.

        Raises:
            StoreError: The folder cannot be written.
        """
        try:
            self.prepare()
            publish(self.folder / LAST_REPORT, text)
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def lock(self, trial: Trial, *, wait: bool = True) -> contextlib.AbstractContextManager[None]:
        """Keep other processes from training the same trial meanwhile.

        Args:
            trial: Which.
            wait: Until no other process has it; else `filelock.Timeout` is raised where one has.

        Raises:
            UnwritableError: The folder cannot be written.
        """
        self.prepare()
        return lock(self.folder, self._place(trial), wait=wait)

    def prepare(self) -> None:
        """Make the folder, if it isn't one yet, and make sure that it can be written.

        Raises:
            StoreError: It cannot.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
            mark(self.folder)
            _write_once(self.folder / ".gitignore", "# Made by tlbench.\n*\n")
            _write_once(
                self.folder / "CACHEDIR.TAG",
                "Signature: 8a477f597d28d172789f06886806bc55\n# See https://bford.info/cachedir/\n",
            )
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def _timing(self, path: Path) -> Timing | None:
        # A folder may hold anything, and a forecast is not worth failing a run for.
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            here = Environment(**content["environment"]).key == self._results.name
            return Timing.of(content) if here and content["schema_version"] <= SCHEMA_VERSION else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def _place(self, trial: Trial) -> Path:
        return self._results / trial.digest[:32]

    def _is_sound(self, trial: Trial, *, read_weights: bool) -> bool:
        place = self._place(trial)
        changed = _last_change(place)
        if changed is None:
            return False
        if self._sound.get((place.name, read_weights)) != changed:
            try:
                check(place, trial.digest, read_weights=read_weights)
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
        for read_weights in (False, True):
            self._sound.pop((place.name, read_weights), None)


class MarkerError(StoreError):
    """The `store.json` of a folder does not say its schema_version."""


def mark(folder: Path) -> None:
    """Write the `store.json` of a store, where it has none.

    Raises:
        OSError: It cannot be written.
    """
    _write_once(folder / MARKER, json.dumps({"schema_version": SCHEMA_VERSION}) + "\n")


def check_schema(folder: Path) -> None:
    """Make sure that a folder is a store of this tlbench, or can become one.

    Raises:
        MarkerError: Its `store.json` does not say.
        StoreError: It was written by a newer tlbench, or is no store.
    """
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        msg = f"The store must be a folder; choose another with --tlbench-store. Received: {folder}"
        raise StoreError(msg)
    if not marker.is_file():
        return
    try:
        version = json.loads(marker.read_text(encoding="utf-8"))["schema_version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        msg = (
            f"{marker} does not say its schema_version; mend it with `tlbench doctor --repair`, or choose another "
            "folder with --tlbench-store."
        )
        raise MarkerError(msg) from error
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        msg = (
            f"The store {folder} was written by a newer tlbench: this one reads schema_version up to "
            f"{SCHEMA_VERSION}. Received: {version!r}. Upgrade tlbench, or choose another folder with "
            "--tlbench-store; nothing in it was changed."
        )
        raise StoreError(msg)


def check(place: Path, digest: str, *, read_weights: bool) -> None:
    """Make sure that a result is what was stored.

    Args:
        place: Its folder.
        digest: Of its trial, or the first digits of it.
        read_weights: Whether to read all of the weights; otherwise only their size is looked at.

    Raises:
        DamagedError: It is not; the message says why.
        StoreError: It cannot be read.
    """
    content, _ = read(place, digest)
    _check_weights(place, content, whole=read_weights)


def read(place: Path, digest: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read a result but for its weights.

    Args:
        place: Its folder.
        digest: Of its trial, or the first digits of it.

    Returns:
        What `result.json` says, and the arrays of `predictions.npz` by name.

    Raises:
        DamagedError: One of the two is not what was stored.
        StoreError: One cannot be read.
    """
    content = _read_json(place, digest)
    with _damage(place, PREDICTIONS):
        arrays = _read_arrays(place / PREDICTIONS, content)
        _check_shapes(content, arrays)
    return content, arrays


def read_weights(place: Path, digest: str) -> Weights:
    """Read the weights of a result.

    Args:
        place: Its folder.
        digest: Of its trial, or the first digits of it.

    Raises:
        DamagedError: They are not what was stored.
        StoreError: They cannot be read.
    """
    content = _read_json(place, digest)
    with _damage(place, WEIGHTS):
        return _read_arrays(place / WEIGHTS, content)


def damage(place: Path, digest: str) -> str | None:
    """What is wrong with a result, in a phrase; None where nothing is.

    Args:
        place: Its folder.
        digest: Of its trial, or the first digits of it.

    Raises:
        StoreError: It cannot be read.
    """
    try:
        check(place, digest, read_weights=True)
    except DamagedError as error:
        return error.reason
    return None


def set_aside(folder: Path, place: Path, digest: str) -> str | None:
    """Move a damaged result out of the way; see `Store.set_aside`.

    Args:
        folder: The store.
        place: Of the result in it.
        digest: Of its trial, or the first digits of it.
    """
    with lock(folder, place):
        # Another process may have set it aside and trained it meanwhile.
        reason = damage(place, digest) if place.exists() else None
        if reason is not None:
            try:
                _move_aside(folder, place)
            except OSError as error:
                raise _unwritable(folder, error) from error
        return reason


@contextlib.contextmanager
def lock(folder: Path, place: Path, *, wait: bool = True) -> Iterator[None]:
    """Keep other processes from a trial; see `Store.lock`.

    Args:
        folder: The store.
        place: Of the trial's result in it.
        wait: Until no other process has it.
    """
    locks = folder / "locks"
    try:
        locks.mkdir(exist_ok=True)
        held = filelock.FileLock(lock_path(folder, place))
        held.acquire(blocking=wait)
    except filelock.Timeout:
        raise
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield
    finally:
        held.release()


def lock_path(folder: Path, place: Path) -> Path:
    """The file whose lock is that of a trial.

    Args:
        folder: The store.
        place: Of the trial's result in it.
    """
    return folder / "locks" / f"{place.parent.name}-{place.name}.lock"


def _write(folder: Path, trial: Trial, result: Result, weights: Weights) -> None:
    np.savez_compressed(
        folder / PREDICTIONS,
        labels=result.labels,
        probabilities=result.probabilities,
        validation_labels=result.validation_labels,
        validation_probabilities=result.validation_probabilities,
        batch_statistics_probabilities=result.batch_statistics_probabilities,
    )
    np.savez(folder / WEIGHTS, **weights)  # type: ignore[arg-type]
    content = {
        "schema_version": SCHEMA_VERSION,
        "digest": trial.digest,
        "run": result.run,
        "trial": trial.description,
        "graph": Graph.of(trial, len(result.label_names)).content,
        "status": result.status,
        "label_names": result.label_names,
        "scores": scores(result),
        "history": {
            "loss": [_json_number(value) for value in result.training_loss],
            "accuracy": [_json_number(value) for value in result.training_accuracy],
        },
        "epoch_seconds": result.epoch_seconds,
        "epoch_steps": result.epoch_steps,
        "epoch_images": result.epoch_images,
        "seconds": result.seconds,
        "environment": asdict(result.environment),
        "files": {name: _record(folder / name) for name in (PREDICTIONS, WEIGHTS)},
    }
    content["sha256"] = _own_digest(content)
    (folder / RESULT).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    for name in (PREDICTIONS, WEIGHTS, RESULT):
        sync(folder / name)
    sync_folder(folder)


def _record(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _own_digest(content: Mapping[str, Any]) -> str:
    # Over what a reader of the JSON gets, however it is laid out.
    told = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class _Damage(Exception):  # noqa: N818 - a finding, before it has the folder's name
    """Why a file is not what was stored."""


@contextlib.contextmanager
def _damage(place: Path, name: str) -> Iterator[None]:
    """Turn whatever reading a file may raise into an error that names it."""
    try:
        yield
    except MemoryError:
        raise
    except OSError as error:
        if error.errno in _NOT_DAMAGE:
            msg = f"The stored result {place} cannot be read; make it readable, or choose another store. "
            msg += f"Received: {error}"
            raise StoreError(msg) from error
        reason = f"{name} is missing" if isinstance(error, FileNotFoundError) else f"{name}: {error}"
        raise DamagedError(place, reason) from error
    except _Damage as damage:
        raise DamagedError(place, f"{name} {damage}") from None
    except Exception as error:  # Damaged files raise whatever their decoders do.
        raise DamagedError(place, f"{name} cannot be decoded: {error!r}") from error


def _last_change(place: Path) -> object | None:
    """What differs once a file of a result has been changed; None where the result is not there."""
    changes = []
    for name in (RESULT, PREDICTIONS, WEIGHTS):
        try:
            status = (place / name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno in _NOT_DAMAGE:
                msg = f"The store cannot be read; choose another with --tlbench-store. Received: {error}"
                raise StoreError(msg) from error
            return None
        changes.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(changes)


def _read_json(place: Path, digest: str) -> dict[str, Any]:
    with _damage(place, RESULT):
        content = json.loads((place / RESULT).read_bytes())
        if not isinstance(content, dict):
            msg = f"holds no object but {str(content)[:20]!r}"
            raise _Damage(msg)
        if "sha256" in content and content["sha256"] != _own_digest(content):
            msg = "is not as it was written"
            raise _Damage(msg)
        if not str(content["digest"]).startswith(digest):
            msg = f"is that of another trial, {str(content['digest'])[:12]}"
            raise _Damage(msg)
        version = content["schema_version"]
        if not isinstance(version, int) or version > SCHEMA_VERSION:
            msg = f"says schema_version {version!r}"
            raise _Damage(msg)
        if content["status"] not in {"finished", "diverged"}:
            msg = f"says status {content['status']!r}"
            raise _Damage(msg)
        return content


def _read_arrays(path: Path, content: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    with path.open("rb") as file:
        _check_size(path, content)
        if recorded := _recorded(path, content):
            if hashlib.file_digest(file, "sha256").hexdigest() != recorded["sha256"]:
                msg = "is not as it was written"
                raise _Damage(msg)
        else:  # Before NumPy takes anything in it for a size.
            with zipfile.ZipFile(file) as archive:
                damaged = archive.testzip()
            if damaged:
                msg = f"is not as it was written, from {damaged!r}"
                raise _Damage(msg)
        file.seek(0)
        with np.load(file) as arrays:
            return {name: arrays[name] for name in arrays.files}


def _check_weights(place: Path, content: Mapping[str, Any], *, whole: bool) -> None:
    path = place / WEIGHTS
    with _damage(place, WEIGHTS):
        if whole:
            _read_arrays(path, content)
            return
        _check_size(path, content)
        if not _recorded(path, content):
            zipfile.ZipFile(path).close()  # Its list of contents stands at the end.


def _check_size(path: Path, content: Mapping[str, Any]) -> None:
    size, recorded = path.stat().st_size, _recorded(path, content)
    if recorded and size != recorded["bytes"]:
        msg = f"has {size} bytes of {recorded['bytes']}"
        raise _Damage(msg)


def _recorded(path: Path, content: Mapping[str, Any]) -> dict[str, Any] | None:
    # Results of before there was such a record have none.
    return content["files"][path.name] if "files" in content else None


def _check_shapes(content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    labels, epochs = len(content["label_names"]), len(content["epoch_seconds"])
    images, validation = len(arrays["labels"]), len(arrays["validation_labels"])
    expected = {
        "labels": (images,),
        "probabilities": (images, labels),
        "validation_labels": (validation,),
        "validation_probabilities": (epochs, validation, labels),
        "batch_statistics_probabilities": (images, labels),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            msg = f"holds {name} of shape {arrays[name].shape}, not {shape}"
            raise _Damage(msg)
    for name, history in content["history"].items():
        if len(history) != epochs:
            msg = f"has {epochs} epochs, and {RESULT} the {name} of {len(history)}"
            raise _Damage(msg)


def _move_aside(folder: Path, place: Path) -> Path:
    """Move a result to where damaged ones are kept; whoever calls has the trial's lock."""
    kept = folder / DAMAGED / place.parent.name
    kept.mkdir(parents=True, exist_ok=True)
    target = next(path for number in itertools.count(1) if not (path := kept / f"{place.name}-{number}").exists())
    place.rename(target)
    sync_folder(kept)
    sync_folder(place.parent)
    return target


def scores(result: Result) -> dict[str, Any] | None:
    """Scores of a result, for readers of its JSON; None where the run diverged. tlbench computes them anew."""
    return None if result.diverged else {**result.scores, "f1": result.f1}


def _json_number(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)


def _number(value: float | str) -> float:
    return float(value)


def _write_once(path: Path, text: str) -> None:
    if not path.exists():
        publish(path, text)


def _unwritable(folder: Path, error: OSError) -> UnwritableError:
    msg = f"The store {folder} cannot be written; choose another folder with --tlbench-store. Received: {error}"
    return UnwritableError(msg)
