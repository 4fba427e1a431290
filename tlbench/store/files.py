"""The files of one result: written, read, and checked against what was written.

The first of them, `result.json`, records the size and the SHA-256 of the arrays' files beside it, and its own SHA-256:
whether a result is as it was stored can be told exactly, without decoding anything. Older results without that record
are checked by the checksums of NumPy's files, and by the shapes that must go together.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import tempfile
import zipfile

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlbench.declare.graphs import Graph
from tlbench.errors import DamagedError, StoreError
from tlbench.machine.environment import Environment
from tlbench.store.publishing import sync, sync_folder
from tlbench.store.results import Result


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from tlbench.declare.trials import Trial
    from tlbench.store.results import Weights


SCHEMA_VERSION = 1


# The files of a result; the first says what the others must be.
RESULT, PREDICTIONS, WEIGHTS = "result.json", "predictions.npz", "weights.npz"


# Why a file cannot be read that may be whole all the same.
_NOT_DAMAGE = {errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE}


def check(place: Path, digest: str, *, read_weights: bool) -> None:
    """Make sure that a result is what was stored.

    Args:
        place: Folder of the result.
        digest: Digest of its trial, or the first digits.
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
        place: Folder of the result.
        digest: Digest of its trial, or the first digits.

    Returns:
        What `result.json` says, and the arrays of `predictions.npz` by name.

    Raises:
        DamagedError: One of the two is not what was stored.
        StoreError: One cannot be read.
    """
    content = _read_json(place, digest)
    with damaged_files(place, PREDICTIONS):
        arrays = _read_arrays(place / PREDICTIONS, content)
        _check_shapes(content, arrays)
    return content, arrays


def load(place: Path, digest: str) -> Result:
    """Read a result.

    Args:
        place: Folder of the result.
        digest: Digest of its trial, or the first digits.

    Raises:
        DamagedError: The result is missing, or is not what was stored.
        StoreError: The result cannot be read.
    """
    content, arrays = read(place, digest)
    with damaged_files(place, RESULT):
        return Result(
            status=content["status"],
            label_names=tuple(content["label_names"]),
            labels=arrays["labels"],
            probabilities=arrays["probabilities"],
            validation_labels=arrays["validation_labels"],
            validation_probabilities=arrays["validation_probabilities"],
            batch_statistics_probabilities=arrays["batch_statistics_probabilities"],
            training_loss=tuple(map(float, content["history"]["loss"])),
            training_accuracy=tuple(map(float, content["history"]["accuracy"])),
            epoch_seconds=tuple(content["epoch_seconds"]),
            epoch_steps=content["epoch_steps"],
            epoch_images=content["epoch_images"],
            seconds=content["seconds"],
            environment=Environment(**content["environment"]),
            run=content.get("run", ""),
        )


def pack(trial: Trial, result: Result, weights: Weights) -> bytes:
    """Pack a result and its weights into bytes, for a store on another machine.

    Args:
        trial: Trial of the result.
        result: Result of training.
        weights: Last weights.
    """
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="tlbench-packed-") as folder, zipfile.ZipFile(packed, "w") as archive:
        write(Path(folder), trial, result, weights)
        for name in (RESULT, PREDICTIONS, WEIGHTS):
            archive.write(Path(folder) / name, name)
    return packed.getvalue()


def unpack(packed: bytes, digest: str) -> tuple[Result, Weights]:
    """The result and the weights that `pack` has packed.

    Args:
        packed: Bytes of `pack`.
        digest: Digest of the trial.

    Raises:
        DamagedError: The bytes are damaged, or of another trial.
    """
    with tempfile.TemporaryDirectory(prefix="tlbench-packed-") as folder:
        place = Path(folder)
        with damaged_files(place, "the packed result"), zipfile.ZipFile(io.BytesIO(packed)) as archive:
            for name in (RESULT, PREDICTIONS, WEIGHTS):
                (place / name).write_bytes(archive.read(name))
        return load(place, digest), read_weights(place, digest)


def pack_weights(weights: Weights) -> bytes:
    """Pack weights into bytes, see `unpack_weights`."""
    packed = io.BytesIO()
    np.savez(packed, **weights)  # type: ignore[arg-type]
    return packed.getvalue()


def unpack_weights(packed: bytes) -> Weights:
    """The weights that `pack_weights` has packed."""
    with np.load(io.BytesIO(packed)) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_weights(place: Path, digest: str) -> Weights:
    """Read the weights of a result.

    Args:
        place: Folder of the result.
        digest: Digest of its trial, or the first digits.

    Raises:
        DamagedError: They are not what was stored.
        StoreError: They cannot be read.
    """
    content = _read_json(place, digest)
    with damaged_files(place, WEIGHTS):
        return _read_arrays(place / WEIGHTS, content)


def damage(place: Path, digest: str) -> str | None:
    """The damage of a result, in a phrase; None for a sound result.

    Args:
        place: Folder of the result.
        digest: Digest of its trial, or the first digits.

    Raises:
        StoreError: It cannot be read.
    """
    try:
        check(place, digest, read_weights=True)
    except DamagedError as error:
        return error.reason
    return None


def write(folder: Path, trial: Trial, result: Result, weights: Weights) -> None:
    """Write the files of a result, and have the disk keep them.

    Args:
        folder: Empty folder.
        trial: Trial of the result.
        result: Result of training.
        weights: Last weights.
    """
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
def damaged_files(place: Path, name: str) -> Iterator[None]:
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


def last_change(place: Path) -> object | None:
    """A value that differs once a file of a result has been changed; None where the result is missing."""
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
    with damaged_files(place, RESULT):
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
    with damaged_files(place, WEIGHTS):
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


def scores(result: Result) -> dict[str, Any] | None:
    """Scores of a result, for readers of its JSON; None where the run diverged. tlbench computes them anew."""
    return None if result.diverged else {**result.scores, "f1": result.f1}


def _json_number(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)
