"""What a report says, as plain values: `results.json`, of which pages, tables and figures are made."""

from __future__ import annotations

import json
import math

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.claims import Unit
from tlbench.comparison import ArmChange, ClaimChange, Ratio
from tlbench.environment import Environment
from tlbench.errors import StoreError
from tlbench.report.figures import AnyFigure
from tlbench.report.older import UPGRADES
from tlbench.report.tables import FilledTable


if TYPE_CHECKING:
    from pathlib import Path

    from cattrs.preconf.json import JsonConverter

# Also that of `results.schema.json`. 1 was of before trials were in it, 2 of before a claim had a unit.
# 3: everything that the report is made of. 4: the interval that decides a claim, and what a comparison has measured.
SCHEMA_VERSION = 4


@dataclass(frozen=True)
class SeedScore:
    """What a claim's sides are under one seed.

    Attributes:
        seed: Which.
        left: What should be greater; None where a run diverged.
        right: What it is compared with; likewise.
        difference: Left less right; likewise.
    """

    seed: int
    left: float | None
    right: float | None
    difference: float | None


@dataclass(frozen=True)
class ClaimRecord:
    """A claim and the verdict on it.

    Attributes:
        name: See `tlbench.claims.Claim`, as the next two.
        statement: ...
        threshold: ...
        margin_reason: Why the threshold is what it is.
        left: What should be greater, in words.
        right: What it is compared with, in words.
        unit: Of both sides and what follows from them: `"percent"` where they are made of shares from 0 to 1.
        ceiling: What both sides can reach; None where there is no such bound.
        outcome: Supported, refuted or inconclusive.
        reason: Why, in a phrase.
        sentence: Difference, interval, threshold and p, in a line.
        effect: Mean difference; None where a run diverged.
        low: Lower end of the interval that decides, see `tlbench.claims.Decision`; None where it has none.
        high: Upper end.
        confidence: Of the interval.
        p: One-sided, by itself, that the difference exceeds the threshold by chance; None where there is none.
        adjusted_p: That decides: of the outcome's test, after Holm's correction among all claims of the run.
        level: What that must not exceed.
        claims: Number of claims judged together.
        looks: Number of seeds at each look, as planned.
        seeds_needed: How many may decide it; None where it is decided, or nothing tells.
        seeds: Scores under each.
        arms: Labels of those it is about.
        trials: Digests of those it rests on.
        on_macro_f1: The same of the claim about macro-F1, where it is one about accuracy.
        own_low: Lower end of Student's 90 % interval of the claim by itself; None where it has none.
        own_high: Upper end.
        scale: Of the noise of its difference, see `tlbench.claims.Quantity`.
    """

    name: str
    statement: str
    threshold: float
    margin_reason: str
    left: str
    right: str
    unit: Unit
    ceiling: float | None
    outcome: str
    reason: str
    sentence: str
    effect: float | None
    low: float | None
    high: float | None
    confidence: float | None
    p: float | None
    adjusted_p: float | None
    level: float
    claims: int
    looks: tuple[int, ...]
    seeds_needed: int | None
    seeds: tuple[SeedScore, ...]
    arms: tuple[str, ...]
    trials: tuple[str, ...]
    on_macro_f1: ClaimRecord | None
    own_low: float | None = None
    own_high: float | None = None
    scale: float = 2.0


@dataclass(frozen=True)
class TrialRecord:
    """A trial and what it left.

    Attributes:
        digest: See `tlbench.trials.Trial`.
        seed: ...
        status: Finished or diverged.
        accuracy: On the test images; None where it diverged, as the next four.
        loss: In nats.
        macro_f1: ...
        batch_statistics_accuracy: With BatchNorm's statistics re-estimated.
        f1: By label; empty where it diverged.
        training_loss: Of each epoch, as Keras reports it; None where it is no number, as the next two.
        training_accuracy: Likewise.
        validation_accuracy: After each epoch.
        seconds: Wall time.
        step_seconds: Of a step, in the fastest epoch but the first.
        source: Digest of the trial it started from; None where it started from none.
        environment: Index in the report's environments.
    """

    digest: str
    seed: int
    status: str
    accuracy: float | None
    loss: float | None
    macro_f1: float | None
    batch_statistics_accuracy: float | None
    f1: dict[str, float]
    training_loss: tuple[float | None, ...]
    training_accuracy: tuple[float | None, ...]
    validation_accuracy: tuple[float | None, ...]
    seconds: float
    step_seconds: float | None
    source: str | None
    environment: int


@dataclass(frozen=True)
class ArmRecord:
    """The trials of an arm, or of a source.

    Attributes:
        labels: What tables and claims call it; the first is shown.
        facts: What its trials have in common, by name, in words: data, task, network, start, frozen flows, recipe.
        trials: By seed, in order.
    """

    labels: tuple[str, ...]
    facts: dict[str, str]
    trials: tuple[TrialRecord, ...]


@dataclass(frozen=True)
class ComparisonRecord:
    """This run, held against a saved one; see `tlbench.comparison.Comparison`.

    Attributes:
        old: Name, date and versions of the older run, in a line.
        new: Of the newer one.
        paired: ...
        versions: ...
        arms: ...
        claims: ...
        ratios: ...
        numerics: What the fingerprints say; None where a run has none.
        fail_on: What makes the comparison fail.
        failures: Why it fails, a sentence each.
        unmeasured: What was not measured, though asked for, a sentence each.
        outcome: Passed, failed or not measured.
        trials: Accuracy of each trial that both runs have.
    """

    old: str
    new: str
    paired: bool
    versions: tuple[tuple[str, str | None, str | None], ...]
    arms: tuple[ArmChange, ...]
    claims: tuple[ClaimChange, ...]
    ratios: tuple[Ratio, ...]
    numerics: str | None
    fail_on: str
    failures: tuple[str, ...]
    trials: tuple[TrialChange, ...]
    unmeasured: tuple[str, ...] = ()
    outcome: str = "passed"


@dataclass(frozen=True)
class TrialChange:
    """A trial of both runs.

    Attributes:
        arm: Label of its arm.
        seed: Of the trial.
        old: Accuracy in the older run.
        new: In the newer one.
    """

    arm: str
    seed: int
    old: float
    new: float


@dataclass(frozen=True)
class Report:
    """Everything that a run has to say.

    Attributes:
        created: When it was made, in ISO 8601, UTC; the only thing that differs between two reports of one store.
        tlbench_version: Of tlbench.
        header: What decides the run, by name.
        environments: What trials ran on; the first is that of the run.
        notes: Sentences that a reader must know.
        data: What captions say of the images: their name, and what they stand in for.
        stand_in: Whether any of the images are a stand-in.
        tables: Filled.
        figures: Traced.
        claims: In the order of the tests.
        arms: All that was planned and is stored, in the order of the plan.
        repeat: The command that repeats one trial but for the trial's digest, which is its last argument.
        comparison: With a saved run; None where none was asked for.
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


def finite(value: float) -> float | None:
    """A number, or None where it is none."""
    return value if math.isfinite(value) else None


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
        StoreError: It is missing, damaged, or was written by another version of tlbench.
    """
    import cattrs

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"The results {path} cannot be read; name a results.json or the store of a run. Received: {error}"
        raise StoreError(msg) from error
    version = content.pop("schema_version", None) if isinstance(content, dict) else None
    if version in UPGRADES:
        try:
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
