"""A report as plain values: `results.json`, from which pages, tables and figures are made."""

from __future__ import annotations

import json

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.errors import StoreError
from tlbench.machine.environment import Environment
from tlbench.report.figures import AnyFigure
from tlbench.report.older import UPGRADES
from tlbench.report.records import ArmRecord, ClaimRecord, ComparisonRecord, TrialRecord
from tlbench.report.tables import FilledTable
from tlbench.store.baselines import Commit


if TYPE_CHECKING:
    from pathlib import Path

    from cattrs.preconf.json import JsonConverter

# Also that of `results.schema.json`. 1 was of before trials were in it, 2 of before a claim had a unit.
# 3: everything that the report is made of. 4: the interval that decides a claim, and what a comparison has measured.
# 5: scores, and verdicts beside a claim's own, by metric. 6: the evaluations of a trial.
# 7: a unit for differences of shares, and the commit.
SCHEMA_VERSION = 7


@dataclass(frozen=True)
class Report:
    """Everything that a run has to say.

    Attributes:
        created: When it was made, in ISO 8601, UTC; the only thing that differs between two reports of one store.
        tlbench_version: Version of tlbench.
        header: Settings that decide the run, by name.
        environments: Environments of the trials; the first is that of the run.
        notes: Sentences that a reader must know.
        data: Sentence of captions about the images: their name, and the images that they stand in for.
        stand_in: Whether any of the images are a stand-in.
        tables: Filled.
        figures: Traced.
        claims: In the order of the tests.
        arms: All that was planned and is stored, in the order of the plan.
        repeat: The command that repeats one trial but for the trial's digest, which is its last argument.
        comparison: With a saved run; None where none was asked for.
        commit: Commit of the folder that the run was started in; None outside of git, and in results of schema 6 and
            older.
    """

    created: str
    tlbench_version: str
    header: dict[str, str]
    environments: tuple[Environment, ...]
    notes: tuple[str, ...]
    data: str
    stand_in: bool
    tables: tuple[FilledTable, ...]
    figures: tuple[AnyFigure, ...]
    claims: tuple[ClaimRecord, ...]
    arms: tuple[ArmRecord, ...]
    repeat: str
    comparison: ComparisonRecord | None
    commit: Commit | None = None

    @property
    def trials(self) -> dict[str, TrialRecord]:
        """By digest."""
        return {trial.digest: trial for arm in self.arms for trial in arm.trials}

    def text(self) -> str:
        """The report as JSON."""
        content = {"schema_version": SCHEMA_VERSION, **_converter().unstructure(self)}
        return json.dumps(content, indent=1, allow_nan=False) + "\n"


def repeat_command(report: Report, trial: TrialRecord) -> str:
    """The command that trains one trial again, and holds it against what is stored."""
    return f"{report.repeat} {trial.digest[:12]}"


def printable(report: Report) -> Report:
    """A report whose names can be written and drawn: what is no UTF-8 in a folder's name becomes a question mark."""
    converter = _converter()
    text = json.dumps(converter.unstructure(report), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return converter.structure(json.loads(text.encode(errors="replace")), Report)
    return report


def load(path: Path) -> Report:
    """Read a `results.json`.

    Raises:
        StoreError: The file is missing, damaged, or was written by another version of tlbench.
    """
    import cattrs

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"The results {path} cannot be read; name a results.json or the store of a run. Received: {error}"
        raise StoreError(msg) from error
    version = content.pop("schema_version", None) if isinstance(content, dict) else None
    try:
        while version in UPGRADES:
            version = UPGRADES[version](content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"The results {path} are damaged; run the study again. Received: {error!r}"
        raise StoreError(msg) from error
    if version != SCHEMA_VERSION:
        told = "nothing" if version is None else repr(version)
        msg = (
            f"The results {path} are not of this tlbench, which reads schema_version {min(UPGRADES)} to "
            f"{SCHEMA_VERSION}; run the study again, which trains nothing that is stored. Received: {told}"
        )
        raise StoreError(msg)
    try:
        return _converter().structure(content, Report)
    except (cattrs.BaseValidationError, TypeError, ValueError) as error:
        problems = "; ".join(cattrs.transform_error(error)[:3])
        msg = f"The results {path} are damaged; run the study again. Received: {problems}"
        raise StoreError(msg) from error


def _converter() -> JsonConverter:
    # Imported when a report is written or read: every pytest of a project imports this module's package.
    from cattrs.preconf.json import make_converter

    return make_converter(detailed_validation=True)
