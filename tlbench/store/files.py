"""The files of one result: written, read, and checked against what was written.

The result of a trial is `result.json`, the predictions and the last weights; that of an evaluation is `result.json`,
whose `kind` says so, and the predictions. `result.json` records the files beside it, see `tlbench.store.checked`.
Results of before there were such records are checked by the shapes that must go together, too.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlbench.declare.evaluations import Evaluation
from tlbench.declare.graphs import Graph
from tlbench.errors import DamagedError
from tlbench.machine.environment import Environment
from tlbench.scores.extras import ALL_EXTRAS, BATCH_STATISTICS, NO_EXTRAS, VALIDATION
from tlbench.store import checked
from tlbench.store.checked import Damage, damaged_files
from tlbench.store.publishing import sync, sync_folder
from tlbench.store.results import EXTRA_ARRAYS, EvaluationResult, Result


if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tlbench.declare.evaluations import Work
    from tlbench.store.results import Weights


SCHEMA_VERSION = 1


# The files of a result; the first says what the others must be.
RESULT, PREDICTIONS, WEIGHTS = "result.json", "predictions.npz", "weights.npz"

# Says in `result.json` that a result is not a trial's.
EVALUATION = "evaluation"

# Before the names of a readout's arrays, among those of the predictions.
_READ = "read_"


def names(work: Work) -> tuple[str, ...]:
    """Names of the files of a result.

    Args:
        work: Trial or evaluation of the result.
    """
    return (RESULT, PREDICTIONS) if isinstance(work, Evaluation) else (RESULT, PREDICTIONS, WEIGHTS)


def check(place: Path, digest: str, *, read_weights: bool) -> frozenset[str]:
    """Make sure that a result is what was stored.

    Args:
        place: Folder of the result.
        digest: Digest of the trial or evaluation, or the first digits.
        read_weights: Whether to read all of a trial's weights; otherwise only their size is looked at.

    Returns:
        The extra predictions that the result has, see `tlbench.scores.extras`.

    Raises:
        DamagedError: It is not; the message says why.
        StoreError: It cannot be read.
    """
    content, _ = read(place, digest)
    if content.get("kind") == EVALUATION:
        return NO_EXTRAS
    with damaged_files(place, WEIGHTS):
        check_weights = checked.read_arrays if read_weights else checked.check_size
        check_weights(place / WEIGHTS, _recorded(WEIGHTS, content))
    return _extras(content)


def read(place: Path, digest: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read a result but for its weights.

    Args:
        place: Folder of the result.
        digest: Digest of the trial or evaluation, or the first digits.

    Returns:
        The content of `result.json`, and the arrays of `predictions.npz` by name.

    Raises:
        DamagedError: One of the two is not what was stored.
        StoreError: One cannot be read.
    """
    content = _read_json(place, digest)
    with damaged_files(place, PREDICTIONS):
        arrays = checked.read_arrays(place / PREDICTIONS, _recorded(PREDICTIONS, content))
        checked.check_shapes(arrays, _shapes(content, arrays))
        _check_history(content)
    return content, arrays


def load(place: Path, digest: str) -> Result | EvaluationResult:
    """Read a result.

    Args:
        place: Folder of the result.
        digest: Digest of the trial or evaluation, or the first digits.

    Raises:
        DamagedError: The result is missing, or is not what was stored.
        StoreError: The result cannot be read.
    """
    content, arrays = read(place, digest)
    with damaged_files(place, RESULT):
        if content.get("kind") == EVALUATION:
            return EvaluationResult(
                status=content["status"],
                label_names=tuple(content["label_names"]),
                labels=arrays["labels"],
                probabilities=arrays["probabilities"],
                weights=content["weights"],
                seconds=content["seconds"],
                environment=Environment(**content["environment"]),
                run=content["run"],
                arrays={name: arrays[_READ + name] for name in content.get("arrays", {})},
            )
        return Result(
            status=content["status"],
            label_names=tuple(content["label_names"]),
            labels=arrays["labels"],
            probabilities=arrays["probabilities"],
            validation_labels=arrays["validation_labels"],
            **{array: arrays.get(array) for array in EXTRA_ARRAYS.values()},
            training_loss=tuple(map(float, content["history"]["loss"])),
            training_accuracy=tuple(map(float, content["history"]["accuracy"])),
            epoch_seconds=tuple(content["epoch_seconds"]),
            epoch_steps=content["epoch_steps"],
            epoch_images=content["epoch_images"],
            seconds=content["seconds"],
            environment=Environment(**content["environment"]),
            run=content.get("run", ""),
        )


def evaluated_weights(place: Path, digest: str) -> str:
    """The digest of the weights that an evaluation was computed from, see `weights_digest`.

    Args:
        place: Folder of the evaluation's result.
        digest: Digest of the evaluation.

    Raises:
        DamagedError: The result is not what was stored.
    """
    content = _read_json(place, digest)
    with damaged_files(place, RESULT):
        return str(content["weights"])


def weights_digest(place: Path, digest: str) -> str:
    """SHA-256 of the file of a trial's weights, as hexadecimal digits.

    Args:
        place: Folder of the trial's result.
        digest: Digest of the trial.

    Raises:
        DamagedError: The result is missing, or is not what was stored.
    """
    content = _read_json(place, digest)
    with damaged_files(place, WEIGHTS):
        record = _recorded(WEIGHTS, content) or checked.record(place / WEIGHTS)
        return str(record["sha256"])


def pack(work: Work, result: Result | EvaluationResult, weights: Weights | None = None) -> bytes:
    """Pack a result into bytes, for a store on another machine.

    Args:
        work: Trial or evaluation of the result.
        result: Result of training, or of the evaluation.
        weights: Last weights of a trial.
    """
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="tlbench-packed-") as folder, zipfile.ZipFile(packed, "w") as archive:
        write(Path(folder), work, result, weights)
        for name in names(work):
            archive.write(Path(folder) / name, name)
    return packed.getvalue()


def unpack(packed: bytes, work: Work) -> tuple[Result | EvaluationResult, Weights | None]:
    """The result, and the weights of a trial, that `pack` has packed.

    Args:
        packed: Bytes of `pack`.
        work: Trial or evaluation of the result.

    Raises:
        DamagedError: The bytes are damaged, or of another trial or evaluation.
    """
    with tempfile.TemporaryDirectory(prefix="tlbench-packed-") as folder:
        place = Path(folder)
        with damaged_files(place, "the packed result"), zipfile.ZipFile(io.BytesIO(packed)) as archive:
            for name in names(work):
                (place / name).write_bytes(archive.read(name))
        weights = read_weights(place, work.digest) if WEIGHTS in names(work) else None
        return load(place, work.digest), weights


def unpack_weights(packed: bytes) -> Weights:
    """The weights in the bytes of a file of weights, see `tlbench.store.store.Store.packed_weights`."""
    with np.load(io.BytesIO(packed)) as arrays:
        return {name: arrays[name] for name in arrays.files}


def packed_digest(packed: bytes) -> str:
    """SHA-256 of the bytes of a file of weights, see `weights_digest`."""
    return hashlib.sha256(packed).hexdigest()


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
        return checked.read_arrays(place / WEIGHTS, _recorded(WEIGHTS, content))


def read_packed_weights(place: Path, digest: str) -> bytes:
    """Read the file of a trial's weights as bytes, see `unpack_weights`.

    Args:
        place: Folder of the trial's result.
        digest: Digest of the trial, or the first digits.

    Raises:
        DamagedError: The weights are not what was stored.
        StoreError: The weights cannot be read.
    """
    content = _read_json(place, digest)
    with damaged_files(place, WEIGHTS):
        recorded = _recorded(WEIGHTS, content)
        if recorded is None:  # Only decoding tells whether the file is sound.
            checked.read_arrays(place / WEIGHTS, recorded)
        checked.check_size(place / WEIGHTS, recorded)
        packed = (place / WEIGHTS).read_bytes()
        if recorded is not None and packed_digest(packed) != recorded["sha256"]:
            msg = "is not as it was written"
            raise Damage(msg)
        return packed


def damage(place: Path, digest: str) -> str | None:
    """The damage of a result, in a phrase; None for a sound result.

    Args:
        place: Folder of the result.
        digest: Digest of the trial or evaluation, or the first digits.

    Raises:
        StoreError: It cannot be read.
    """
    try:
        check(place, digest, read_weights=True)
    except DamagedError as error:
        return error.reason
    return None


def write(folder: Path, work: Work, result: Result | EvaluationResult, weights: Weights | None = None) -> None:
    """Write the files of a result, and have the disk keep them.

    Args:
        folder: Empty folder.
        work: Trial or evaluation of the result.
        result: Result of training, or of the evaluation.
        weights: Last weights of a trial.
    """
    arrays = {"labels": result.labels, "probabilities": result.probabilities}
    content = {
        "schema_version": SCHEMA_VERSION,
        "digest": work.digest,
        "run": result.run,
        "status": result.status,
        "label_names": result.label_names,
        "scores": scores(result),
        "seconds": result.seconds,
        "environment": asdict(result.environment),
    }
    if isinstance(result, EvaluationResult):
        content |= {"kind": EVALUATION, "evaluation": work.description, "weights": result.weights}
        if result.arrays or not result.probabilities.shape[1]:
            content["arrays"] = {name: array.shape for name, array in result.arrays.items()}
            content["predicted_labels"] = result.probabilities.shape[1]
            arrays |= {_READ + name: array for name, array in result.arrays.items()}
    else:
        content |= {"trial": work.description, **_of_training(work.description, result)}
        arrays["validation_labels"] = result.validation_labels
        arrays |= {EXTRA_ARRAYS[extra]: getattr(result, EXTRA_ARRAYS[extra]) for extra in result.extras}
        np.savez(folder / WEIGHTS, **(weights or {}))  # type: ignore[arg-type]
    np.savez_compressed(folder / PREDICTIONS, **arrays)  # type: ignore[arg-type]
    content["files"] = {name: checked.record(folder / name) for name in names(work) if name != RESULT}
    (folder / RESULT).write_text(checked.json_text(content), encoding="utf-8")
    for name in (*names(work)[1:], RESULT):
        sync(folder / name)
    sync_folder(folder)


def _of_training(description: Mapping[str, Any], result: Result) -> dict[str, Any]:
    return {
        "graph": Graph.read(description, len(result.label_names)).content,
        "history": {
            "loss": [_json_number(value) for value in result.training_loss],
            "accuracy": [_json_number(value) for value in result.training_accuracy],
        },
        "epoch_seconds": result.epoch_seconds,
        "epoch_steps": result.epoch_steps,
        "epoch_images": result.epoch_images,
        "extras": sorted(result.extras),
    }


def _read_json(place: Path, digest: str) -> dict[str, Any]:
    with damaged_files(place, RESULT):
        content = checked.read_json(place / RESULT)
        if not str(content["digest"]).startswith(digest):
            msg = f"is that of another trial, {str(content['digest'])[:12]}"
            raise Damage(msg)
        version = content["schema_version"]
        if not isinstance(version, int) or version > SCHEMA_VERSION:
            msg = f"says schema_version {version!r}"
            raise Damage(msg)
        if content["status"] not in {"finished", "diverged"}:
            msg = f"says status {content['status']!r}"
            raise Damage(msg)
        return content


def _recorded(name: str, content: Mapping[str, Any]) -> dict[str, Any] | None:
    # Results of before there was such a record have none.
    return content["files"][name] if "files" in content else None


def _shapes(content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    labels, images = len(content["label_names"]), len(arrays["labels"])
    shapes: dict[str, tuple[int, ...]] = {
        "labels": (images,),
        "probabilities": (images, content.get("predicted_labels", labels)),
        **{_READ + name: tuple(shape) for name, shape in content.get("arrays", {}).items()},
    }
    if content.get("kind") != EVALUATION:
        epochs, validation = len(content["epoch_seconds"]), len(arrays["validation_labels"])
        of_extras = {VALIDATION: (epochs, validation, labels), BATCH_STATISTICS: (images, labels)}
        shapes["validation_labels"] = (validation,)
        shapes |= {EXTRA_ARRAYS[extra]: shape for extra, shape in of_extras.items() if extra in _extras(content)}
    return shapes


def _extras(content: Mapping[str, Any]) -> frozenset[str]:
    # Results of before a declaration could do without have them all.
    return frozenset(map(str, content.get("extras", ALL_EXTRAS)))


def _check_history(content: Mapping[str, Any]) -> None:
    for name, history in content.get("history", {}).items():
        if len(history) != (epochs := len(content["epoch_seconds"])):
            msg = f"has {epochs} epochs, and {RESULT} the {name} of {len(history)}"
            raise Damage(msg)


def scores(result: Result | EvaluationResult) -> dict[str, Any] | None:
    """Scores of a result, for readers of its JSON; None where the run diverged. tlbench computes them anew."""
    return None if result.diverged else {**result.scores, "f1": result.f1}


def _json_number(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)
