"""Comparisons of runs as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal, TypeVar

from tabulate import tabulate

from tlbench.judge.wording import UNITS, shown_signed
from tlbench.report import escaping
from tlbench.report.formats import IN_HEADINGS
from tlbench.scores.listed import HUNDREDTHS, METRICS


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tlbench.judge.changes import ArmChange, Change, ClaimChange, Ratio
    from tlbench.report.records import ComparisonRecord
    from tlbench.scores.listed import Metric, Unit

# Metrics by which an arm regresses or improves.
ALARMING = tuple(metric for metric in METRICS if metric.alarms)

# What a reader looks at first.
ORDER = ("regressed", "changed verdict", "not measured", "improved", "not judged", "new", "missing", "same")


def describe(comparison: ComparisonRecord, style: Literal["simple", "github"] = "simple") -> str:
    """A comparison as text: differing versions, verdicts, arms, speed, and a summary.

    Args:
        comparison: Comparison of two runs.
        style: Style of the tables; `"github"` is Markdown.
    """
    how = "paired by seed" if comparison.paired else "of different seeds, unpaired"
    text = escaping.markdown if style == "github" else escaping.one_line
    parts = [f"{text(comparison.old)} -> {text(comparison.new)}, {how}"]
    parts += [f"Fingerprint: {text(comparison.numerics)}"] if comparison.numerics is not None else []
    parts += [_table(headings, rows, style) for _, headings, rows in tables(comparison)]
    parts.append("\n".join(map(text, summary(comparison))))
    return "\n\n".join(parts)


def tables(comparison: ComparisonRecord) -> list[tuple[str, tuple[str, ...], list[Sequence[str]]]]:
    """Tables of a comparison that are not empty: title, headings, and rows, the most pressing first."""
    arm_headings = ("arm", "status", *map(_heading, ALARMING), "trained by this run", "note")
    further = [
        metric
        for metric in METRICS
        if not metric.alarms and any(_change(arm.changes.get(metric.key), metric.unit) for arm in comparison.arms)
    ]
    found: list[tuple[str, tuple[str, ...], list[Sequence[str]]]] = [
        ("what differs", ("differs", "old", "new"), list(_versions(comparison))),
        ("claims", ("claim", "status", "verdict", "difference"), list(map(_claim, _sorted(comparison.claims)))),
        ("arms", arm_headings, list(map(_arm, _sorted(comparison.arms)))),
        (
            "further scores, by which no arm is called regressed or improved",
            ("arm, further scores", *map(_heading, further)),
            [_scores(arm, further) for arm in _sorted(comparison.arms)] if further else [],
        ),
        ("speed and memory", ("speed and memory", "old", "new", "new / old"), list(map(_ratio, comparison.ratios))),
    ]
    return [table for table in found if table[2]]


def summary(comparison: ComparisonRecord) -> list[str]:
    """Counts, failures and the outcome, a line each."""
    arms, claims = (_counts(changes) for changes in (comparison.arms, comparison.claims))
    lines = [f"arms: {arms or 'none in common'}; claims: {claims or 'none in common'}"]
    lines += [f"FAILED: {failure}" for failure in comparison.failures]
    lines += [f"NOT MEASURED: {reason}" for reason in comparison.unmeasured]
    if comparison.outcome == "passed":
        lines.append(f"passed ({comparison.fail_on})")
    return lines


def _counts(changes: Sequence[ArmChange] | Sequence[ClaimChange]) -> str:
    counts = Counter(change.status for change in changes)
    return ", ".join(f"{counts[status]} {status}" for status in ORDER if counts[status])  # type: ignore[index]


def _table(headings: tuple[str, ...], lines: Iterable[Sequence[str]], style: str) -> str:
    text = escaping.markdown if style == "github" else escaping.one_line
    rows = [[text(cell) for cell in line] for line in lines]
    return tabulate(rows, headings, tablefmt=style, disable_numparse=True, stralign="left")


def _versions(comparison: ComparisonRecord) -> Iterable[Sequence[str]]:
    for name, old, new in comparison.versions:
        yield name, old or "-", new or "-"


_T = TypeVar("_T", "ArmChange", "ClaimChange")


def _sorted(changes: Sequence[_T]) -> list[_T]:
    return sorted(changes, key=lambda change: ORDER.index(change.status))


def _heading(metric: Metric) -> str:
    return f"{metric.name}{IN_HEADINGS[metric.unit]}"


def _claim(claim: ClaimChange) -> Sequence[str]:
    change = _change(claim.change, claim.unit)
    verdicts = claim.old if claim.old == claim.new else f"{claim.old or '-'} -> {claim.new or '-'}"
    return (
        claim.name,
        claim.status,
        f"{verdicts}{f' ({claim.note})' if claim.note else ''}",
        f"{change}{UNITS[claim.unit]}" if change else "",
    )


def _arm(arm: ArmChange) -> Sequence[str]:
    cells = _cells(arm, ALARMING)
    measured = f"{arm.measured} of {arm.trials}" if arm.trials else ""
    return arm.label, arm.status, *cells, measured, arm.note


def _scores(arm: ArmChange, metrics: Sequence[Metric]) -> Sequence[str]:
    return arm.label, *_cells(arm, metrics)


def _cells(arm: ArmChange, metrics: Sequence[Metric]) -> list[str]:
    return [_change(arm.changes.get(metric.key), metric.unit) for metric in metrics]


def _change(change: Change | None, unit: Unit) -> str:
    if change is None or change.old is None or change.new is None:
        return ""
    scale, digits = (100, 1) if unit in HUNDREDTHS else (1, 3)
    means = " -> ".join(shown_signed(mean * scale, digits).removeprefix("+") for mean in (change.old, change.new))
    if change.interval is None:
        return means
    low, high = (shown_signed(end * scale, digits) for end in change.interval)
    return f"{means} [{low}, {high}]"


def _ratio(ratio: Ratio) -> Sequence[str]:
    interval = f" [{ratio.interval[0]:.2f}, {ratio.interval[1]:.2f}]" if ratio.interval else ""
    digits = 1 if max(ratio.old, ratio.new or 0) < 1000 else 0
    if ratio.new is None or ratio.ratio is None:
        return ratio.name, f"{ratio.old:.{digits}f} {ratio.unit}", "-", "not measured"
    return (
        ratio.name,
        f"{ratio.old:.{digits}f} {ratio.unit}",
        f"{ratio.new:.{digits}f} {ratio.unit}",
        f"{ratio.ratio:.2f}{interval}",
    )
