"""Compares two saved runs: what has regressed, improved, or changed its verdict, and what takes longer.

A difference takes two measurements. A result that one run has read from the store, where the other run has put it, is
the same measurement on both sides: it is left out, and an arm, a claim or a time with no other is *not measured*.
"""

from __future__ import annotations

import math

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tlbench.errors import ConfigurationError, StoreError
from tlbench.judge.arm_changes import (
    counts_of,
    finished,
    has_diverged,
    judged_arms,
    matched_arms,
    measured_apart,
    unjudged_arms,
)
from tlbench.judge.changes import ArmChange
from tlbench.judge.claim_changes import claim_changes
from tlbench.judge.ratios import STEP_TIME, ratios_of
from tlbench.judge.versions import differing_versions
from tlbench.scores.listed import ACCURACY, METRICS
from tlbench.store import fingerprints


if TYPE_CHECKING:
    from tlbench.judge.changes import ClaimChange, Ratio
    from tlbench.judge.drift import Drift
    from tlbench.judge.repeats import Unexplained
    from tlbench.store.baselines import SavedArm, SavedRun
    from tlbench.store.fingerprints import Agreement

# Result of a comparison.
ComparisonOutcome = Literal["passed", "failed", "not measured"]

REMEDY = "--tlbench-fresh trains again whatever is stored"

# Of each question (scores, claims): the chance that anything is said to have moved where nothing has.
LEVEL = 0.05

_NAMES = [metric.name for metric in METRICS if metric.alarms]

# Names of the metrics by which arms regress.
ALARMING = f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]}"


# Words of `FailOn`.
CONDITIONS = ("accuracy", "claims", "drift", "fingerprint", "measured")


@dataclass(frozen=True)
class FailOn:
    """Conditions under which a comparison fails.

    Attributes:
        accuracy: Arms that have regressed, by accuracy, macro-F1 or loss.
        claims: Verdicts that have changed.
        drift: Arms and claims that have become worse over the saved runs of the baseline's name, and scores that have
            changed while nothing recorded has; see `tlbench.judge.drift` and `tlbench.judge.repeats`.
        fingerprint: Numerics that differ.
        measured: Arms, claims and, where speed is asked for, times that were not measured.
        speed: Steps that take more than so many times as long, by the whole interval; None for any speed.
    """

    accuracy: bool = False
    claims: bool = False
    drift: bool = False
    fingerprint: bool = False
    measured: bool = False
    speed: float | None = None

    @classmethod
    def parse(cls, text: str) -> FailOn:
        """Read for instance `accuracy,claims,speed:1.2`.

        Raises:
            ConfigurationError: The text names anything else.
        """
        chosen: dict[str, bool | float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, bound = part.partition(":")
            if name in CONDITIONS and not bound:
                chosen[name] = True
            elif name == "speed" and _positive(bound):
                chosen[name] = float(bound)
            else:
                msg = (
                    f"--tlbench-compare-fail takes {', '.join(CONDITIONS)} and speed:RATIO (for instance "
                    f"speed:1.2), separated by commas. Received: {part!r}"
                )
                raise ConfigurationError(msg)
        return cls(**chosen)  # type: ignore[arg-type]

    def __str__(self) -> str:
        """Text that `parse` reads."""
        named = [name for name in CONDITIONS if getattr(self, name)]
        return ",".join([*named, *([f"speed:{self.speed:g}"] if self.speed is not None else [])]) or "nothing fails"


def _positive(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


@dataclass(frozen=True)
class Comparison:
    """Two runs, compared.

    Attributes:
        old: The older run.
        new: The newer one.
        paired: Whether scores are compared seed by seed, since both runs have the same seeds.
        versions: Differences of packages, flags and machine: name, old and new value; None where a run has none.
        arms: Changes of the mean of all arms, then of each arm.
        claims: Changes of the claims of either run.
        ratios: Changes of times, rates and memory.
        numerics: Agreement of the fingerprints, or the reason why they cannot be compared; None where a run has none.
        accuracies: Arm, seed, old and new accuracy of each trial that both runs finished, each by itself.
        drifts: Arms and claims that have become worse over a series of runs; empty where no series was judged.
        unexplained: Night of the series whose scores have changed while nothing recorded has; None where there is none.
    """

    old: SavedRun
    new: SavedRun
    paired: bool
    versions: tuple[tuple[str, str | None, str | None], ...]
    arms: tuple[ArmChange, ...]
    claims: tuple[ClaimChange, ...]
    ratios: tuple[Ratio, ...]
    numerics: Agreement | str | None
    accuracies: tuple[tuple[str, int, float, float], ...]
    drifts: tuple[Drift, ...] = ()
    unexplained: Unexplained | None = None

    @cached_property
    def step_time(self) -> Ratio | None:
        """Change of the time of a training step; None where the runs share no arm whose steps were timed."""
        return next((ratio for ratio in self.ratios if ratio.name == STEP_TIME), None)

    def failures(self, fail_on: FailOn) -> list[str]:
        """Reasons why the newer run fails, a sentence each."""
        reasons = []
        regressed = [arm.label for arm in self.arms if arm.status == "regressed"]
        if fail_on.accuracy and regressed:
            reasons.append(f"{ALARMING} has regressed: {', '.join(regressed)}")
        changed = [claim.name for claim in self.claims if claim.status == "changed verdict"]
        if fail_on.claims and changed:
            reasons.append(f"verdicts have changed: {', '.join(changed)}")
        if fail_on.drift and self.drifts:
            # The clearest of each label comes first.
            named = {drift.label: str(drift) for drift in reversed(self.drifts)}
            reasons.append(f"drift from the accepted run: {', '.join(reversed(named.values()))}")
        if fail_on.drift and self.unexplained:
            reasons.append(f"scores have changed while nothing recorded has: {self.unexplained}")
        if fail_on.fingerprint and isinstance(self.numerics, fingerprints.Agreement) and not self.numerics.same:
            reasons.append(f"the fingerprints differ: {self.numerics}")
        step = self.step_time
        if fail_on.speed is not None and step and step.interval and step.interval[0] > fail_on.speed:
            reasons.append(f"a training step takes {step.ratio:.2f} times as long (more than {fail_on.speed:g})")
        return reasons

    def unmeasured(self, fail_on: FailOn) -> list[str]:
        """Quantities that were asked for and not measured, a sentence each.

        A comparison in which nothing at all was measured says so whatever is asked for: it compares a run with itself.
        """
        reasons = []
        arms = [arm.label for arm in self.arms if arm.status == "not measured"]
        claims = [claim.name for claim in self.claims if claim.status == "not measured"]
        for kind, names, count in (("arms", arms, len(self.arms)), ("claims", claims, len(self.claims))):
            if names and (fail_on.measured or not self.measured):
                reasons.append(
                    f"{len(names)} of {count} {kind} rest on the same measurements in both runs: "
                    f"{', '.join(names)}; {REMEDY}"
                )
        step = self.step_time
        if fail_on.measured and fail_on.speed is not None and step is not None and step.ratio is None:
            reasons.append(f"no step was timed in the newer run; {REMEDY}")
        return reasons

    def outcome(self, fail_on: FailOn) -> ComparisonOutcome:
        """Failed where there is any failure, else not measured where anything was not, else passed."""
        return "failed" if self.failures(fail_on) else "not measured" if self.unmeasured(fail_on) else "passed"

    @property
    def measured(self) -> bool:
        """True where any arm or claim has two measurements, and where the runs have nothing in common."""
        statuses = {change.status for change in self.arms} | {change.status for change in self.claims}
        return statuses - {"missing", "new"} != {"not measured"}


def compare(old: SavedRun, new: SavedRun, level: float = LEVEL) -> Comparison:
    """Compare two runs.

    Arms of equal trials are compared, whatever tlbench's version; arms left over are matched by label, and differ in
    recipe or data. An arm has regressed where its mean is worse by more than a margin: a one-sided t test, paired by
    seed where both runs have the same seeds, with variances moderated across arms
    (`tlbench.scores.statistics.shift`), Holm's correction over all arms and the metrics that alarm, and half the level
    for each direction. The margin is the standard deviation between seeds in the older run, so that an unlucky set of
    seeds is no regression. The mean of all arms is tested in the same way: a small change of all arms shows there.

    Metrics that do not alarm (`tlbench.scores.listed.Metric.alarms`) are shown with their changes, and decide nothing.

    A trial whose result is the same measurement in both runs is left out of the newer run.

    Args:
        old: The baseline.
        new: The run that is compared with it.
        level: Chance that any arm, or any claim, is said to have moved where none has.
    """
    matched, missing, added = matched_arms(old, new)
    pairs = [measured_apart(*pair) for pair in matched]
    common = [
        (before, after, note)
        for before, after, note in pairs
        if len(finished(before)) > 1 and len(finished(after)) > 1 and not (has_diverged(before) or has_diverged(after))
    ]
    paired = bool(common) and all(finished(before).keys() == finished(after).keys() for before, after, _ in common)
    counts = {before.arm: counts_of(after, new) for before, after, _ in matched}
    arms = [*judged_arms(common, level / 2, counts, paired=paired), *unjudged_arms(matched, pairs, common, counts)]
    arms += [ArmChange(arm.labels[0], "missing", {}) for arm in missing]
    arms += [ArmChange(arm.labels[0], "new", {}) for arm in added]
    # Claims of older versions of tlbench do not say what they rest on.
    stored = bool(arms) and all(arm.status == "not measured" for arm in arms)
    return Comparison(
        old,
        new,
        paired,
        versions=tuple(differing_versions(old, new)),
        arms=tuple(arms),
        claims=tuple(claim_changes(old.claims, new.claims, level / 2, stored=stored)),
        ratios=tuple(
            ratios_of(
                matched,
                [pair[:2] for pair, (_, _, note) in zip(pairs, matched, strict=True) if not note],
                old,
                new,
            )
        ),
        numerics=_numerics(old, new),
        accuracies=tuple(
            (before.labels[0], seed, *accuracies)
            for before, after, _ in pairs
            for seed in finished(before)
            if (accuracies := _accuracies(before, after, seed))
        ),
    )


def _accuracies(before: SavedArm, after: SavedArm, seed: int) -> tuple[float, float] | None:
    """Accuracy of a seed's trial in both runs; None where either has none."""
    trials = [finished(arm).get(seed) for arm in (before, after)]
    found = [trial.scores[ACCURACY.key] for trial in trials if trial and ACCURACY.key in trial.scores]
    return (found[0], found[1]) if len(found) == 2 else None


def _numerics(old: SavedRun, new: SavedRun) -> Agreement | str | None:
    if old.fingerprint is None or new.fingerprint is None:
        return None
    try:
        first, second = (fingerprints.read(run.fingerprint or {}, f"the run {run.name}") for run in (old, new))
    except StoreError as error:
        return str(error)
    return fingerprints.compare(first, second)
