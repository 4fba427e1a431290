"""Results and weights on disk, one folder for each trial and environment."""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import shutil
import tempfile

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np

from tlbench.environment import Environment
from tlbench.errors import StoreError
from tlbench.forecast import Timing
from tlbench.results import Result


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlbench.transfer import Weights
    from tlbench.trials import Trial

SCHEMA_VERSION = 1

# What the last run had to say.
LAST_REPORT = "results.json"


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
        self._check_schema()

    def __contains__(self, trial: Trial) -> bool:
        """Whether a trial has left its result here, in this run where only fresh ones count."""
        path = self._place(trial) / "result.json"
        if not self._fresh or trial.digest in self._own:
            return path.is_file()
        try:
            own = bool(json.loads(path.read_text(encoding="utf-8"))["run"] == self._run)
        except (OSError, ValueError, LookupError, TypeError):
            return False
        self._own |= {trial.digest} if own else set()
        return own

    def load(self, trial: Trial) -> Result:
        """Read a trial's result.

        Raises:
            StoreError: There is none, or it is damaged.
        """
        place = self._place(trial)
        try:
            content = json.loads((place / "result.json").read_text(encoding="utf-8"))
            with (place / "predictions.npz").open("rb") as file, np.load(file) as arrays:
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
        except Exception as error:
            raise _damaged(place, error) from error

    def load_weights(self, trial: Trial) -> Weights:
        """Read the weights that a trial ended with.

        Raises:
            StoreError: There are none, or they are damaged.
        """
        place = self._place(trial)
        try:
            with (place / "weights.npz").open("rb") as file, np.load(file) as arrays:
                return {path: arrays[path] for path in arrays.files}
        except Exception as error:
            raise _damaged(place, error) from error

    def timings(self, newest: int = 500) -> Iterator[Timing]:
        """What stored trials took, of any study and version of the code, the newest first.

        What cannot be read is left out: damaged files, and those of another schema or environment.

        Args:
            newest: At most so many files are read.
        """
        dated = []
        for path in self._results.glob("*/result.json"):
            with contextlib.suppress(OSError):
                dated.append((path.stat().st_mtime, path))
        for _, path in heapq.nlargest(newest, dated):
            if (timing := self._timing(path)) is not None:
                yield timing

    def save(self, trial: Trial, result: Result, weights: Weights) -> None:
        """Publish a trial's result and weights.

        Raises:
            StoreError: The folder cannot be written.
        """
        place = self._place(trial)
        try:
            self.prepare()
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=".unfinished-") as unfinished:
                staged = Path(unfinished) / "trial"
                staged.mkdir()
                _write(staged, trial, replace(result, run=self._run), weights)
                if place.exists():  # Of another run, or left without result.json; goes once there is a better one.
                    place.rename(Path(unfinished) / "replaced")
                staged.rename(place)
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
            _publish(self.folder / LAST_REPORT, text)
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def lock(self, trial: Trial) -> filelock.BaseFileLock:
        """A lock that keeps two processes from training the same trial."""
        try:
            self.prepare()
            locks = self.folder / "locks"
            locks.mkdir(exist_ok=True)
            return filelock.FileLock(locks / f"{self._results.name}-{trial.digest[:32]}.lock")
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def prepare(self) -> None:
        """Make the folder, if it isn't one yet, and make sure that it can be written.

        Raises:
            StoreError: It cannot.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
            _write_once(self.folder / "store.json", json.dumps({"schema_version": SCHEMA_VERSION}) + "\n")
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

    def _check_schema(self) -> None:
        marker = self.folder / "store.json"
        if self.folder.exists() and not self.folder.is_dir():
            msg = f"The store must be a folder; choose another with --tlbench-store. Received: {self.folder}"
            raise StoreError(msg)
        if not marker.is_file():
            return
        try:
            version = json.loads(marker.read_text(encoding="utf-8"))["schema_version"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{marker} does not say its schema_version; choose another folder with --tlbench-store."
            raise StoreError(msg) from error
        if not isinstance(version, int) or version > SCHEMA_VERSION:
            msg = (
                f"The store {self.folder} was written by a newer tlbench: this one reads schema_version up to "
                f"{SCHEMA_VERSION}. Received: {version!r}. Upgrade tlbench, or choose another folder with "
                "--tlbench-store; nothing in it was changed."
            )
            raise StoreError(msg)


def _write(folder: Path, trial: Trial, result: Result, weights: Weights) -> None:
    np.savez_compressed(
        folder / "predictions.npz",
        labels=result.labels,
        probabilities=result.probabilities,
        validation_labels=result.validation_labels,
        validation_probabilities=result.validation_probabilities,
        batch_statistics_probabilities=result.batch_statistics_probabilities,
    )
    np.savez(folder / "weights.npz", **weights)  # type: ignore[arg-type]
    content = {
        "schema_version": SCHEMA_VERSION,
        "digest": trial.digest,
        "run": result.run,
        "trial": trial.description,
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
    }
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    (folder / "result.json").write_text(text, encoding="utf-8")


def scores(result: Result) -> dict[str, Any] | None:
    """What a result's predictions say, for a reader of its JSON; None where the run diverged."""
    if result.diverged:
        return None
    return {
        "accuracy": result.accuracy,
        "loss": result.loss,
        "macro_f1": result.macro_f1,
        "f1": result.f1,
        "batch_statistics_accuracy": result.batch_statistics_accuracy,
    }


def _json_number(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)


def _number(value: float | str) -> float:
    return float(value)


def _write_once(path: Path, text: str) -> None:
    if not path.exists():
        _publish(path, text)


def _publish(path: Path, text: str) -> None:
    # Whole or not at all, also where two processes do so at once.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)


def _damaged(place: Path, error: Exception) -> StoreError:
    msg = f"The stored result {place} cannot be read; delete that folder to train it again. Received: {error!r}"
    return StoreError(msg)


def _unwritable(folder: Path, error: OSError) -> StoreError:
    msg = f"The store {folder} cannot be written; choose another folder with --tlbench-store. Received: {error}"
    return StoreError(msg)
