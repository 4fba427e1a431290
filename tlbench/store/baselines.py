"""Runs, saved to be compared with later ones."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from tlbench.errors import ConfigurationError, StoreError
from tlbench.machine.environment import Surroundings
from tlbench.scores.listed import Unit
from tlbench.store.older import UPGRADES
from tlbench.store.publishing import publish
from tlbench.store.results import Summary


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cattrs.preconf.json import JsonConverter

    from tlbench.declare.trials import Trial
    from tlbench.store.results import Result

# 1: each score was a field. 2: scores and verdicts beside a claim's own are by metric.
SCHEMA_VERSION = 2

# In the folder of a machine: the runs that its user has accepted.
ACCEPTED = "accepted.json"


@dataclass(frozen=True)
class SavedArm:
    """The trials of an arm.

    Attributes:
        arm: Identifier of the arm in any version of tlbench, see `Trial.arm_digest`.
        labels: Labels in tables and claims; the first is shown.
        description: Description as JSON, see `Trial.arm_description`.
        digests: Digests of its trials, by seed.
        trials: Results of its trials without the predictions, by seed.
        runs: Run that trained each trial, by seed, see `Result.run`; empty in runs of older versions of tlbench.
    """

    arm: str
    labels: tuple[str, ...]
    description: dict[str, Any]
    digests: dict[int, str]
    trials: dict[int, Summary]
    runs: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SavedClaim:
    """A claim and the verdict on it.

    Attributes:
        name: Name of the claim.
        statement: The claim in a sentence.
        threshold: Value that the difference should exceed.
        outcome: Supported, refuted or inconclusive.
        differences: Differences by seed, without seeds under which a run diverged or lacks the score.
        p: One-sided p-value of the claim by itself; None where there is no test.
        adjusted_p: P-value after Holm's correction, in favour of the outcome; None where there is no test.
        seeds_needed: Number of seeds that may decide it, see `Verdict.seeds_needed`.
        also: The same of the claim on other metrics, by `tlbench.scores.listed.Metric.key`; empty unless it is about
            accuracy.
        measurements: Measurements that it rests on, by seed: digest and run of each trial. Empty in runs that an older
            version of tlbench saved.
        unit: Unit of the differences.
        scale: Scale of their noise, see `tlbench.declare.claims.Quantity.scale`.
        reason: Reason for the outcome, in a phrase; empty in runs that an older version of tlbench saved.
        interval: Both ends of the interval that decides, see `tlbench.judge.decisions.Decision`; None where it has
            none, and in runs that an older version of tlbench saved.
    """

    name: str
    statement: str
    threshold: float
    outcome: str
    differences: dict[int, float]
    p: float | None
    adjusted_p: float | None
    seeds_needed: int | None
    also: dict[str, SavedClaim] = field(default_factory=dict)
    measurements: dict[int, tuple[str, ...]] = field(default_factory=dict)
    unit: Unit = "percent"
    scale: float = 2.0
    reason: str = ""
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Commit:
    """The state of the project that ran.

    Attributes:
        revision: Revision of git.
        changed: Whether files differed from it.
    """

    revision: str
    changed: bool

    def __str__(self) -> str:
        """The revision, and a remark where files differed from it."""
        return f"{self.revision}{' with changes' if self.changed else ''}"


@dataclass(frozen=True)
class SavedRun:
    """All of a run that a later one is compared with.

    Attributes:
        name: Name that the user gave it.
        created: Time of saving, in ISO 8601, UTC.
        tlbench_version: Version of tlbench.
        commit: Commit of the project; None outside of git.
        header: Settings that decided the run, by name.
        surroundings: Machine, packages and flags of the run.
        peak_memory_bytes: Peak memory of the process; None where nothing was trained in it or the device does not say.
        fingerprint: Fingerprint as JSON, see `tlbench.train.fingerprint`; None where none was taken.
        arms: Arms, in the order of the plan.
        claims: Claims, in the order of the tests.
        id: Identifier of the run, see `Result.run`; empty in runs that an older version of tlbench saved.
        failed: Whether the run failed its comparison with an earlier one. A failed run is part of its series, and no
            later run is compared with it unless it is accepted or named by its number.
        not_applicable: Reason for which the images do not serve a claim, by the claim's name; no test judged it.
    """

    name: str
    created: str
    tlbench_version: str
    commit: Commit | None
    header: dict[str, str]
    surroundings: Surroundings
    peak_memory_bytes: int | None
    fingerprint: dict[str, Any] | None
    arms: tuple[SavedArm, ...]
    claims: tuple[SavedClaim, ...]
    id: str = ""
    failed: bool = False
    not_applicable: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name, date and versions, in a line."""
        here = self.surroundings.environment
        return f"{self.name} ({self.created[:16]}, {here.backend} {here.backend_version}, keras {here.keras_version})"

    def text(self) -> str:
        """The run as JSON."""
        content = {"schema_version": SCHEMA_VERSION, **_converter().unstructure(self)}
        return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _converter() -> JsonConverter:
    # Imported when a run is saved or read: every pytest of a project imports this module.
    from cattrs.preconf.json import make_converter

    return make_converter(detailed_validation=True)


def saved_arms(
    trials: Iterable[Trial], result: Callable[[Trial], Result | None], labels: Mapping[str, Sequence[str]]
) -> tuple[SavedArm, ...]:
    """The trials of a run by arm.

    Args:
        trials: Trials in any order; those without a result are left out.
        result: Function that gives a trial's result, or None.
        labels: Labels of arms, by `Trial.arm_digest`.
    """
    arms: dict[str, SavedArm] = {}
    for trial in trials:
        if (outcome := result(trial)) is None:
            continue
        if trial.arm_digest not in arms:
            named = tuple(labels.get(trial.arm_digest, ())) or ("source",)
            arms[trial.arm_digest] = SavedArm(trial.arm_digest, named, trial.arm_description, {}, {})
        arms[trial.arm_digest].digests[trial.seed] = trial.digest
        arms[trial.arm_digest].trials[trial.seed] = outcome.summary
        arms[trial.arm_digest].runs[trial.seed] = outcome.run
    return tuple(arms.values())


def now() -> str:
    """This moment, as runs are dated."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def commit_of(folder: Path) -> Commit | None:
    """The commit that a folder is at; None where there is no git or no repository."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        return Commit(git("rev-parse", "HEAD"), changed=bool(git("status", "--porcelain")))
    except (OSError, subprocess.SubprocessError):
        return None


def is_name(name: str) -> bool:
    """Tell a name under which a run can be saved."""
    return bool(re.fullmatch(r"(?=.*[^\d])[\w.-]+", name, re.ASCII))


def check_name(name: str) -> str:
    """The name of a run that is to be saved, if it can be one.

    Raises:
        ConfigurationError: The name cannot be one.
    """
    if not is_name(name):
        msg = (
            "A saved run is named with letters, digits, '.', '_' and '-', and not with digits alone, which count runs. "
            f"Received: {name!r}"
        )
        raise ConfigurationError(msg)
    return name


def save(run: SavedRun, folder: Path) -> Path:
    """Save a run under the next number of its machine.

    It appears whole or not at all, and two that are saved at once get different numbers.

    Args:
        run: The run to save.
        folder: Folder of all machines' runs; made if it isn't there.

    Returns:
        The file, `<folder>/<machine>/NNNN_<name>.json`.

    Raises:
        StoreError: The folder cannot be written.
        ConfigurationError: The run's name cannot be one.
    """
    name = check_name(run.name)
    place = folder / run.surroundings.machine
    try:
        place.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(place / ".lock"):
            number = max((_number(path) for path in _saved(place)), default=0) + 1
            path = place / f"{number:04}_{name}.json"
            publish(path, run.text())
    except OSError as error:
        msg = f"The run cannot be saved in {place}; choose another folder with --tlbench-store. Received: {error}"
        raise StoreError(msg) from error
    return path


def load(path: Path) -> SavedRun:
    """Read a saved run.

    Raises:
        StoreError: The file is missing, damaged, or was written by a newer tlbench.
    """
    import cattrs

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"The saved run {path} cannot be read; save it again, or name another one. Received: {error}"
        raise StoreError(msg) from error
    version = content.pop("schema_version", None) if isinstance(content, dict) else None
    if not isinstance(version, int):
        msg = (
            f"{path} is no saved run, since it does not say its schema_version; name another file. "
            f"Received: {version!r}"
        )
        raise StoreError(msg)
    if version > SCHEMA_VERSION:
        msg = (
            f"The saved run {path} was written by a newer tlbench: this one reads schema_version up to "
            f"{SCHEMA_VERSION}. Received: {version}. Upgrade tlbench to compare with it."
        )
        raise StoreError(msg)
    try:
        while version in UPGRADES:
            version = UPGRADES[version](content)
        return _converter().structure(content, SavedRun)
    except (AttributeError, KeyError, TypeError) as error:
        msg = f"The saved run {path} is damaged; save it again, or name another one. Received: {error!r}"
        raise StoreError(msg) from error
    except cattrs.BaseValidationError as error:
        problems = "; ".join(cattrs.transform_error(error)[:3])
        msg = f"The saved run {path} is damaged; save it again, or name another one. Received: {problems}"
        raise StoreError(msg) from error


def accepted_runs(place: Path) -> list[str]:
    """Names, with numbers, of the runs that were accepted on a machine, the latest last.

    Args:
        place: Folder of the machine.

    Raises:
        StoreError: The file cannot be read.
    """
    path = place / ACCEPTED
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [str(name) for name in content["accepted"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} does not name accepted runs; delete it, and accept a run with `tlbench accept`. "
        msg += f"Received: {error!r}"
        raise StoreError(msg) from error


@dataclass(frozen=True)
class Found:
    """A saved run that a user has named.

    Attributes:
        path: File of the run.
        other_machine: Whether it was saved on another machine.
    """

    path: Path
    other_machine: bool


def has_failed(path: Path) -> bool:
    """Tell whether a saved run failed its comparison; a run that cannot be read is not said to have failed."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("failed") is True


def find(reference: str, folder: Path, machine: str) -> Found | None:
    """Find the latest saved run of a name, the one of a number, or a file.

    A run of a name that failed its comparison is passed over, unless it was accepted.

    Args:
        reference: `NAME`, `NNNN` or a path.
        folder: Folder of all machines' runs.
        machine: Machine whose runs are looked at first.

    Returns:
        None where there is none.
    """
    if Path(reference).is_file():
        return Found(Path(reference), other_machine=Path(reference).resolve().parent.name != machine)
    others = (place for place in sorted(folder.iterdir()) if place.name != machine) if folder.is_dir() else ()
    for place in (folder / machine, *others):
        of_name = [
            path
            for path in _saved(place)
            if (_number(path) == int(reference) if reference.isdigit() else path.stem.partition("_")[2] == reference)
        ]
        latest_first = sorted(of_name, key=_number, reverse=True)
        accepted = accepted_runs(place) if latest_first and not reference.isdigit() else []
        # Until the first that serves: a year of nights is megabytes to read.
        for path in latest_first:
            if reference.isdigit() or path.stem in accepted or not has_failed(path):
                return Found(path, other_machine=place.name != machine)
    return None


def latest(folder: Path, machine: str, most: int = 10) -> Iterator[SavedRun]:
    """The runs that a machine saved last, the latest first; those that cannot be read are left out.

    Args:
        folder: Folder of all machines' runs.
        machine: Machine that saved the runs.
        most: At most so many are read.
    """
    for path in sorted(_saved(folder / machine), key=_number, reverse=True)[:most]:
        with contextlib.suppress(StoreError):
            yield load(path)


def saved_runs(folder: Path) -> list[Path]:
    """Files of all saved runs, by machine and number."""
    places = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for place in places for path in runs_of_machine(place)]


def runs_of_machine(place: Path) -> list[Path]:
    """Files of the runs that a machine saved, by number.

    Args:
        place: Folder of the machine.
    """
    return sorted(_saved(place), key=_number)


def _saved(place: Path) -> list[Path]:
    return [path for path in place.glob("*.json") if re.match(r"\d{4,}_", path.name)]


def _number(path: Path) -> int:
    return int(path.name.partition("_")[0])
