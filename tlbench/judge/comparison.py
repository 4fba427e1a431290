"""Compares two saved runs: what has regressed, improved, or changed its verdict, and what takes longer.

A difference takes two measurements. A result that one run has read from the store, where the other run has put it, is
the same measurement on both sides: it is left out, and an arm, a claim or a time with no other is *not measured*.
"""

from __future__ import annotations

import math
import statistics

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from tlbench.declare.claims import ACCURACY, LOSS, MACRO_F1
from tlbench.errors import ConfigurationError, StoreError
from tlbench.scores.statistics import holm, mean_interval, moderate, shift
from tlbench.store import fingerprints


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from tlbench.declare.claims import Metric
    from tlbench.store.baselines import Run, SavedArm, SavedClaim
    from tlbench.store.fingerprints import Agreement
    from tlbench.store.results import Scores

Status = Literal["same", "regressed", "improved", "changed verdict", "missing", "new", "not judged", "not measured"]

# What a comparison amounts to.
Outcome = Literal["passed", "failed", "not measured"]

REMEDY = "--tlbench-fresh trains again whatever is stored"

# Of each question (scores, claims): the chance that anything is said to have moved where nothing has.
LEVEL = 0.05


# Seconds of tracing that are more than the noise of an epoch.
LEAST_TRACING = 0.5

ALL_ARMS = "mean of all arms"


@dataclass(frozen=True)
class Measure:
    """What arms are compared by.

    Attributes:
        metric: Of their trials.
        sign: 1 where more is better, -1 where less is.
        least_margin: A change that is worth no alarm, however surely it is there.
    """

    metric: Metric
    sign: int
    least_margin: float


MEASURES = (
    Measure(ACCURACY, 1, 0.005),
    Measure(MACRO_F1, 1, 0.005),
    # In nats: the probability of the right label by a hundredth.
    Measure(LOSS, -1, 0.01),
)

# Of claims, which are about accuracy or F1.
_DIFFERENCE_MARGIN = 0.005


@dataclass(frozen=True)
class Change:
    """What became of a mean.

    Attributes:
        old: In the older run; None where there is none.
        new: In the newer one.
        effect: New less old.
        interval: 90 % interval of it.
        margin: How much is noise: the standard deviation between seeds in the older run, or the measure's least margin.
        p: That the mean has moved beyond the margin by chance, after Holm's correction; of the nearer direction.
    """

    old: float | None = None
    new: float | None = None
    effect: float | None = None
    interval: tuple[float, float] | None = None
    margin: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class ArmChange:
    """What became of an arm, or of the mean of all.

    Attributes:
        label: What it is called.
        status: Regressed where any metric has, else improved where any has; not measured where every result is the same
            measurement on both sides.
        changes: By metric.
        note: What a reader must know, such as a recipe that differs.
        measured: Number of the newer run's trials that the newer run has trained.
        trials: Number of the newer run's trials.
    """

    label: str
    status: Status
    changes: dict[str, Change]
    note: str = ""
    measured: int = 0
    trials: int = 0


@dataclass(frozen=True)
class ClaimChange:
    """What became of a claim.

    Attributes:
        name: Of the claim.
        status: Changed verdict where its outcome is the opposite, or is another one and its difference has moved; not
            measured where it rests on the same measurements in both runs.
        old: Outcome in the older run; None where it has none.
        new: Outcome in the newer run.
        change: Of its difference.
        note: Why another outcome is no changed verdict.
    """

    name: str
    status: Status
    old: str | None
    new: str | None
    change: Change
    note: str = ""


@dataclass(frozen=True)
class Ratio:
    """How much longer, or more, something takes.

    Attributes:
        name: What.
        old: In the older run, in `unit`.
        new: In the newer one; None where it has measured nothing.
        unit: Of both.
        ratio: New to old: the geometric mean over arms; None where it has measured nothing.
        interval: 90 % interval of it over arms; None for a single number.
    """

    name: str
    old: float
    new: float | None
    unit: str
    ratio: float | None
    interval: tuple[float, float] | None


# What `FailOn` has a word for.
CONDITIONS = ("accuracy", "claims", "fingerprint", "measured")


@dataclass(frozen=True)
class FailOn:
    """What makes a comparison fail.

    Attributes:
        accuracy: Arms that have regressed, by accuracy, macro-F1 or loss.
        claims: Verdicts that have changed.
        fingerprint: Numerics that differ.
        measured: Arms, claims and, where speed is asked for, times that were not measured.
        speed: Steps that take more than so many times as long, by the whole interval; None for any speed.
    """

    accuracy: bool = False
    claims: bool = False
    fingerprint: bool = False
    measured: bool = False
    speed: float | None = None

    @classmethod
    def parse(cls, text: str) -> FailOn:
        """Read for instance `accuracy,claims,speed:1.2`.

        Raises:
            ConfigurationError: It names anything else.
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
        """As `parse` reads it."""
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
        versions: What differs in packages, flags and machine: name, old and new; None where there is none.
        arms: First the mean of all, then each.
        claims: Of either run.
        ratios: Times and memory.
        numerics: What their fingerprints agree on, or why they cannot be compared; None where a run has none.
        accuracies: Arm, seed, old and new accuracy of each trial that both runs have finished, each by itself.
    """

    old: Run
    new: Run
    paired: bool
    versions: tuple[tuple[str, str | None, str | None], ...]
    arms: tuple[ArmChange, ...]
    claims: tuple[ClaimChange, ...]
    ratios: tuple[Ratio, ...]
    numerics: Agreement | str | None
    accuracies: tuple[tuple[str, int, float, float], ...]

    @cached_property
    def step_time(self) -> Ratio | None:
        """Of a training step; None where the runs share no arm whose steps were timed."""
        return next((ratio for ratio in self.ratios if ratio.name == STEP_TIME), None)

    def failures(self, fail_on: FailOn) -> list[str]:
        """Why the newer run fails, a sentence each."""
        reasons = []
        regressed = [arm.label for arm in self.arms if arm.status == "regressed"]
        if fail_on.accuracy and regressed:
            reasons.append(f"accuracy, macro-F1 or loss has regressed: {', '.join(regressed)}")
        changed = [claim.name for claim in self.claims if claim.status == "changed verdict"]
        if fail_on.claims and changed:
            reasons.append(f"verdicts have changed: {', '.join(changed)}")
        if fail_on.fingerprint and isinstance(self.numerics, fingerprints.Agreement) and not self.numerics.same:
            reasons.append(f"the fingerprints differ: {self.numerics}")
        step = self.step_time
        if fail_on.speed is not None and step and step.interval and step.interval[0] > fail_on.speed:
            reasons.append(f"a training step takes {step.ratio:.2f} times as long (more than {fail_on.speed:g})")
        return reasons

    def unmeasured(self, fail_on: FailOn) -> list[str]:
        """What was not measured, though asked for, a sentence each.

        Where nothing at all was measured, that is said whatever is asked for: a run is not held against itself.
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

    def outcome(self, fail_on: FailOn) -> Outcome:
        """What it amounts to: failed where anything is a failure, else not measured where anything was not."""
        return "failed" if self.failures(fail_on) else "not measured" if self.unmeasured(fail_on) else "passed"

    @property
    def measured(self) -> bool:
        """Whether any arm, or any claim, has two measurements; true of runs that have nothing in common."""
        statuses = {change.status for change in self.arms} | {change.status for change in self.claims}
        return statuses - {"missing", "new"} != {"not measured"}


STEP_TIME = "training step"


def compare(old: Run, new: Run, level: float = LEVEL) -> Comparison:
    """Compare two runs.

    Arms are those of equal trials, whatever tlbench's version; what is left is
    matched by label, and its recipe or data differ. An arm has regressed where
    its mean is worse by more than a margin: a one-sided t test, paired by seed
    where both runs have the same seeds, with variances moderated across arms
    (`tlbench.scores.statistics.shift`), Holm's correction over all arms and metrics, and half
    the level for each direction. The margin is the standard deviation between
    seeds in the older run, so that an unlucky set of seeds is no regression. The
    mean of all arms is tested likewise: what moves all of them a little shows there.

    A trial whose result is the same measurement in both runs is left out of the newer one.

    Args:
        old: The baseline.
        new: What is held against it.
        level: The chance that any arm, or any claim, is said to have moved where none has.
    """
    matched, missing, added = _matched(old, new)
    pairs = [_measured_apart(*pair) for pair in matched]
    common = [
        (before, after, note)
        for before, after, note in pairs
        if len(_finished(before)) > 1 and len(_finished(after)) > 1 and not (_diverged(before) or _diverged(after))
    ]
    paired = bool(common) and all(_finished(before).keys() == _finished(after).keys() for before, after, _ in common)
    counts = {before.arm: _counts(after, new) for before, after, _ in matched}
    arms = [*_judged(common, level / 2, counts, paired=paired), *_unjudged(matched, pairs, common, counts)]
    arms += [ArmChange(arm.labels[0], "missing", {}) for arm in missing]
    arms += [ArmChange(arm.labels[0], "new", {}) for arm in added]
    # Claims of older versions of tlbench do not say what they rest on.
    stored = bool(arms) and all(arm.status == "not measured" for arm in arms)
    return Comparison(
        old,
        new,
        paired,
        versions=tuple(_versions(old, new)),
        arms=tuple(arms),
        claims=tuple(_claims(old.claims, new.claims, level / 2, stored=stored)),
        ratios=tuple(
            _ratios(
                matched,
                [pair[:2] for pair, (_, _, note) in zip(pairs, matched, strict=True) if not note],
                old,
                new,
            )
        ),
        numerics=_numerics(old, new),
        accuracies=tuple(
            (before.labels[0], seed, scores.accuracy, _finished(after)[seed].accuracy)
            for before, after, _ in pairs
            for seed, scores in _finished(before).items()
            if seed in _finished(after)
        ),
    )


def _numerics(old: Run, new: Run) -> Agreement | str | None:
    if old.fingerprint is None or new.fingerprint is None:
        return None
    try:
        first, second = (fingerprints.read(run.fingerprint or {}, f"the run {run.name}") for run in (old, new))
    except StoreError as error:
        return str(error)
    return fingerprints.compare(first, second)


_Pair = tuple["SavedArm", "SavedArm", str]


def _measured_apart(before: SavedArm, after: SavedArm, note: str) -> _Pair:
    """Two arms without the trials of the newer whose results are the older's own, paired where they were."""
    same = {seed for seed in after.trials if _is_same_measurement(before, after, seed)}
    if not same:
        return before, after, note
    left = {seed: scores for seed, scores in after.trials.items() if seed not in same}
    if left:
        seeds = ", ".join(map(str, sorted(same)))
        note = "; ".join(filter(None, (note, f"seeds left out, the same measurements in both runs: {seeds}")))
    if left.keys() <= before.trials.keys():
        before = replace(before, trials={seed: before.trials[seed] for seed in left})
    return before, replace(after, trials=left), note


def _is_same_measurement(before: SavedArm, after: SavedArm, seed: int) -> bool:
    if seed not in before.trials or seed not in before.digests or before.digests[seed] != after.digests.get(seed):
        return False
    runs = before.runs.get(seed, ""), after.runs.get(seed, "")
    if any(runs):
        return runs[0] == runs[1]
    # Saved by an older version of tlbench: two trainings never take the same time to the last digit.
    old, new = before.trials[seed], after.trials[seed]
    return (old.seconds, old.epoch_seconds) == (new.seconds, new.epoch_seconds)


# Of the newer run's trials of each arm, by `SavedArm.arm`: those that the newer run has trained, and all.
_Counts = dict[str, tuple[int, int]]


def _counts(arm: SavedArm, run: Run) -> tuple[int, int]:
    return sum(bool(run.id) and trained_by == run.id for trained_by in arm.runs.values()), len(arm.trials)


def _matched(old: Run, new: Run) -> tuple[list[_Pair], list[SavedArm], list[SavedArm]]:
    of_new = {arm.arm: arm for arm in new.arms}
    known = {arm.arm for arm in old.arms}
    by_label = {arm.labels[0]: arm for arm in new.arms if arm.arm not in known}
    pairs, missing = [], []
    for arm in old.arms:
        if arm.arm in of_new:
            pairs.append((arm, of_new[arm.arm], ""))
        elif other := by_label.pop(arm.labels[0], None):
            pairs.append((arm, other, f"differs in {', '.join(_differing(arm.description, other.description))}"))
        else:
            missing.append(arm)
    return pairs, missing, list(by_label.values())


def _differing(old: object, new: object, name: str = "") -> Iterable[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            # A dataclass stands under its own name, which says less than its fields'.
            yield from _differing(old.get(key), new.get(key), f"{name}.{key}".strip(".") if key.islower() else name)
    elif old != new:
        yield f"{name}: {old} and {new}"


def _finished(arm: SavedArm) -> dict[int, Scores]:
    return {seed: scores for seed, scores in sorted(arm.trials.items()) if not scores.diverged}


def _diverged(arm: SavedArm) -> bool:
    return any(scores.diverged for scores in arm.trials.values())


def _judged(pairs: Sequence[_Pair], level: float, counts: _Counts, *, paired: bool) -> list[ArmChange]:
    """Arms with two seeds or more on either side, the mean of all of them first."""
    if not pairs:
        return []
    rows: list[_Test] = []
    for measure in MEASURES:
        olds = [_values(before, measure) for before, _, _ in pairs]
        news = [_values(after, measure) for _, after, _ in pairs]
        sample = partial(_tests, least_margin=measure.least_margin, paired=paired, sign=measure.sign)
        rows += sample(olds, news)
        if len({values.size for values in olds}) == 1 == len({values.size for values in news}):
            rows += sample([np.mean(olds, axis=0)], [np.mean(news, axis=0)])
    judged = _changes(rows, level)

    count = len(rows) // len(MEASURES)
    everything = tuple(map(sum, zip(*(counts[pair[0].arm] for pair in pairs), strict=True)))
    labels = [(pair[0].labels[0], pair[2], counts[pair[0].arm]) for pair in pairs]
    labels += [(ALL_ARMS, "", (everything[0], everything[1]))] * (count - len(pairs))
    arms = []
    for row, (label, note, (measured, trials)) in enumerate(labels):
        of_arm = {measure.metric.name: judged[number * count + row] for number, measure in enumerate(MEASURES)}
        found = {status for _, status in of_arm.values()}
        status: Status = "regressed" if "regressed" in found else "improved" if "improved" in found else "same"
        changes = {name: change for name, (change, _) in of_arm.items()}
        arms.append(ArmChange(label, status, changes, note, measured, trials))
    return arms[len(pairs) :] + arms[: len(pairs)]


def _values(arm: SavedArm, measure: Measure) -> NDArray[np.float64]:
    return np.array([measure.metric.of(scores) for scores in _finished(arm).values()])


@dataclass(frozen=True)
class _Test:
    """One mean of old and new values, and the chances that it is beyond its margin."""

    change: Change
    worse: float
    better: float


def _tests(
    olds: Sequence[NDArray[np.float64]],
    news: Sequence[NDArray[np.float64]],
    least_margin: float,
    *,
    paired: bool,
    sign: int = 1,
) -> list[_Test]:
    variances, _ = moderate([values.var(ddof=1) for values in olds], [values.size - 1.0 for values in olds])
    margins = np.maximum(np.sqrt(variances), least_margin)
    moved = shift(olds, news, paired=paired)
    below, above = moved.p_below(-margins), moved.p_above(margins)
    worse, better = (below, above) if sign > 0 else (above, below)
    return [
        _Test(
            Change(
                float(before.mean()),
                float(after.mean()),
                float(moved.effect[index]),
                (float(low), float(high)),
                float(margins[index]),
            ),
            float(worse[index]),
            float(better[index]),
        )
        for index, (before, after, low, high) in enumerate(zip(olds, news, *moved.interval(), strict=True))
    ]


def _changes(tests: Sequence[_Test], level: float) -> list[tuple[Change, Status]]:
    """What Holm's correction over all of them leaves, each direction by itself."""
    worse, better = holm([test.worse for test in tests]), holm([test.better for test in tests])
    judged: list[tuple[Change, Status]] = []
    for test, p_worse, p_better in zip(tests, worse, better, strict=True):
        status: Status = "regressed" if p_worse <= level else "improved" if p_better <= level else "same"
        judged.append((replace(test.change, p=float(min(p_worse, p_better))), status))
    return judged


def _unjudged(
    matched: Sequence[_Pair], pairs: Sequence[_Pair], judged: Sequence[_Pair], counts: _Counts
) -> list[ArmChange]:
    arms = []
    seen = {pair[0].arm for pair in judged}
    for (whole, whole_after, _), (before, after, note) in zip(matched, pairs, strict=True):
        if before.arm in seen:
            continue
        if not after.trials and whole_after.trials:
            changes = {
                measure.metric.name: Change(_mean(_values(whole, measure)), _mean(_values(whole_after, measure)))
                for measure in MEASURES
            }
            reason = "every result is the same measurement in both runs"
            notes = "; ".join(filter(None, (reason, note)))
            arms.append(ArmChange(before.labels[0], "not measured", changes, notes, *counts[before.arm]))
            continue
        status: Status = "not judged"
        reason = "one seed says nothing of the noise between seeds"
        if _diverged(after) and not _diverged(before):
            status, reason = "regressed", "a run diverged"
        elif _diverged(before) and not _diverged(after):
            status, reason = "improved", "no run diverges any more"
        elif _diverged(after):
            reason = "runs diverged in both"
        changes = {
            measure.metric.name: Change(_mean(_values(before, measure)), _mean(_values(after, measure)))
            for measure in MEASURES
        }
        notes = "; ".join(filter(None, (reason, note)))
        arms.append(ArmChange(before.labels[0], status, changes, notes, *counts[before.arm]))
    return arms


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None


def _claims(olds: Sequence[SavedClaim], news: Sequence[SavedClaim], level: float, *, stored: bool) -> list[ClaimChange]:
    of_new = {claim.name: claim for claim in news}
    everything = [(claim, of_new[claim.name]) for claim in olds if claim.name in of_new]
    apart = [_judged_apart(before, after, stored=stored) for before, after in everything]
    both = [pair for pair in apart if pair[1].differences]
    unmeasured = {before.name for before, after in apart if not after.differences and of_new[after.name].differences}
    testable = [pair for pair in both if all(len(claim.differences) > 1 for claim in pair)]
    moved: dict[str, tuple[Change, Status]] = {}
    if testable:
        paired = all(before.differences.keys() == after.differences.keys() for before, after in testable)
        old_values, new_values = (
            [np.array([pair[side].differences[seed] for seed in sorted(pair[side].differences)]) for pair in testable]
            for side in (0, 1)
        )
        judged = _changes(_tests(old_values, new_values, _DIFFERENCE_MARGIN, paired=paired), level)
        moved = {before.name: outcome for (before, _), outcome in zip(testable, judged, strict=True)}
    found = [
        ClaimChange(
            before.name,
            "not measured",
            before.outcome,
            after.outcome,
            Change(),
            "the same measurements in both runs"
            + ("" if before.outcome == after.outcome else ", which are judged otherwise now"),
        )
        if before.name in unmeasured
        else _claim(before, after, *moved.get(before.name, (Change(), None)))
        for before, after in apart
    ]
    found += [ClaimChange(c.name, "missing", c.outcome, None, Change()) for c in olds if c.name not in of_new]
    known = {claim.name for claim in olds}
    return found + [ClaimChange(c.name, "new", None, c.outcome, Change()) for c in news if c.name not in known]


def _judged_apart(before: SavedClaim, after: SavedClaim, *, stored: bool) -> tuple[SavedClaim, SavedClaim]:
    """Two claims without the newer's seeds that rest on the older's measurements alone, paired where they were."""
    same = {
        seed
        for seed in after.differences
        if (stored and not after.measurements)
        or (seed in before.measurements and before.measurements[seed] == after.measurements.get(seed))
    }
    if not same:
        return before, after
    left = {seed: value for seed, value in after.differences.items() if seed not in same}
    if left.keys() <= before.differences.keys():
        before = replace(before, differences={seed: before.differences[seed] for seed in left})
    return before, replace(after, differences=left)


def _claim(before: SavedClaim, after: SavedClaim, change: Change, moved: Status | None) -> ClaimChange:
    outcomes = before.outcome, after.outcome
    if outcomes[0] == outcomes[1]:
        note = "its difference has moved, its verdict has not" if moved in {"regressed", "improved"} else ""
        return ClaimChange(before.name, "same", *outcomes, change, note)
    if "inconclusive" not in outcomes or moved in {"regressed", "improved"}:
        return ClaimChange(before.name, "changed verdict", *outcomes, change)
    note = "its difference has not moved beyond the noise" if moved else "too few seeds to tell whether it has moved"
    return ClaimChange(before.name, "same", *outcomes, change, note)


def _versions(old: Run, new: Run) -> Iterable[tuple[str, str | None, str | None]]:
    def facts(run: Run) -> dict[str, str]:
        around = run.surroundings
        return {
            "python": around.environment.python_version,
            "backend": around.environment.backend,
            "device": f"{around.environment.device} ({around.environment.device_name})",
            "machine": around.machine,
            "driver": around.driver or "none",
            "libraries": around.environment.libraries or "none",
            "instructions": around.environment.instructions or "unknown",
            "threads": str(around.environment.threads or "unknown"),
            "commit": (run.commit.revision[:12] + ("+" if run.commit.changed else "")) if run.commit else "none",
            **{f"flag {name}": value for name, value in around.flags.items()},
            **around.packages,
        }

    before, after = facts(old), facts(new)
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def _ratios(
    matched: Sequence[_Pair], pairs: Sequence[tuple[SavedArm, SavedArm]], old: Run, new: Run
) -> Iterable[Ratio]:
    steps = [
        (before_seconds, after_seconds)
        for before, after in pairs
        if (before_seconds := _best(before, "step_seconds", min))
        and (after_seconds := _best(after, "step_seconds", min))
    ]
    if steps:
        yield _ratio(STEP_TIME, [(1000 * before, 1000 * after) for before, after in steps], "ms")
        rates = [tuple(_best(arm, "images_per_second", max) for arm in pair) for pair in pairs]
        yield _ratio("training speed", [(before, after) for before, after in rates if before and after], "images/s")
    elif times := [time for before, _, note in matched if not note and (time := _best(before, "step_seconds", min))]:
        yield Ratio(STEP_TIME, 1000 * statistics.median(times), None, "ms", None, None)
    # Trials that share a compiled network trace once: the longest stands for the arm.
    tracing = [(_longest_tracing(before), _longest_tracing(after)) for before, after in pairs]
    tracing = [times for times in tracing if min(times) > LEAST_TRACING]
    if tracing:
        yield _ratio("tracing and compiling", tracing, "s")
    if old.peak_memory_bytes and new.peak_memory_bytes:
        peaks = old.peak_memory_bytes / 2**20, new.peak_memory_bytes / 2**20
        yield Ratio("peak memory", *peaks, "MiB", peaks[1] / peaks[0], None)
    elif old.peak_memory_bytes:
        yield Ratio("peak memory", old.peak_memory_bytes / 2**20, None, "MiB", None, None)


def _ratio(name: str, times: Sequence[tuple[float, float]], unit: str) -> Ratio:
    interval = mean_interval([math.log(after / before) for before, after in times])
    old, new = (statistics.median(side) for side in zip(*times, strict=True))
    ends = (math.exp(interval.low), math.exp(interval.high)) if len(times) > 1 else None
    return Ratio(name, old, new, unit, math.exp(interval.mean), ends)


def _best(arm: SavedArm, name: str, best: Callable[[list[float]], float]) -> float:
    # Over the seeds, since whatever else the machine does can only slow a step down.
    values = [value for scores in arm.trials.values() if (value := getattr(scores, name))]
    return best(values) if values else 0.0


def _longest_tracing(arm: SavedArm) -> float:
    return max((scores.tracing_seconds or 0.0 for scores in arm.trials.values()), default=0.0)
