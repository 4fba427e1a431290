"""A report as text that fits a terminal."""

from __future__ import annotations

import textwrap

from typing import TYPE_CHECKING

from tabulate import tabulate
from wcwidth import wcswidth

from tlbench.judge.wording import UNITS
from tlbench.report import answer as answers
from tlbench.report import formats
from tlbench.report.escaping import one_line
from tlbench.report.plans import duration


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlbench.report.content import Report
    from tlbench.report.figures import Drawn
    from tlbench.report.records import ArmRecord, ClaimRecord, TrialRecord
    from tlbench.report.tables import FilledTable

# Below this the words of a heading would be cut.
LEAST_LABEL_WIDTH = 12

INDENT = 13

# Below this the name of a claim says too little, and numbers make room.
LEAST_NAME_WIDTH = 24

# Width that tabulate adds to every heading.
HEADING_PADDING = 2


def table(filled: FilledTable, width: int) -> str:
    """A table in no more columns than there are: without every seed, in several parts, with long labels wrapped.

    Args:
        filled: The table.
        width: Width of the terminal, in characters.
    """
    labels = (one_line(filled.row_heading), [one_line(row.label) for row in filled.rows])
    groups = [formats.columns(filled, column, every_seed=True) for column in filled.columns]
    whole = _lines([labels, *_joined(groups)])
    if _width(whole) > width:
        groups = [formats.columns(filled, column, every_seed=False) for column in filled.columns]
        whole = "\n\n".join(_lines([labels, *_joined(part)], width) for part in _parts(labels, groups, width))
    return "\n".join([whole, *(wrapped(note, width) for note in formats.notes(filled))])


def figure(drawn: Drawn, width: int) -> str:
    """A figure in words, in lines that fit."""
    return "\n".join(wrapped(line, width, "  ") for line in drawn.text().splitlines())


def claim(record: ClaimRecord, width: int) -> str:
    """A verdict and what it rests on, but for the outcome, which stands before it."""
    seeds = ", ".join(
        f"{seed.seed}: " + (formats.signed(seed.difference, record.unit) or "no score") for seed in record.seeds
    )
    lines = [f"{record.name}: {record.statement}", f"{record.sentence}; by seed {seeds}"]
    lines += [f"on {name} {other.outcome}: {other.sentence}" for name, other in formats.also(record)]
    filled = "\n".join(wrapped(line, width - INDENT) for line in lines)
    return textwrap.indent(filled, " " * INDENT)[INDENT:]


def answer(record: ClaimRecord, width: int) -> str:
    """A claim in a line: effect, interval, p and name, but for the verdict, which stands before it.

    A name that is too long loses its middle; a narrow terminal shows no interval, and then no p.

    Args:
        record: The claim.
        width: Width of the terminal, in characters.
    """
    _, interval, p = answers.effect(record)
    value = formats.signed(record.effect, record.unit)
    columns = [f"{value:>7}", f"{interval:16}", f"{p.removeprefix('p '):6}"]
    kept = [column for number, column in enumerate(columns) if number not in _left_out(width)]
    name_width = width - INDENT - sum(len(column) + 1 for column in kept)
    return " ".join([*kept, _without_middle(record.name, max(name_width, LEAST_LABEL_WIDTH))])


def answer_headings(records: Sequence[ClaimRecord], width: int) -> str:
    """The headings of the lines of `answer`, the unit among them where the claims have one in common.

    Args:
        records: Claims.
        width: Width of the terminal, in characters.
    """
    units = {UNITS[record.unit].strip() for record in records}
    unit = (units.pop() if len(units) == 1 else "") or "effect"
    texts = [f"{unit:>7}", f"{'interval':16}", f"{'p':6}", "claim"]
    kept = [text for number, text in enumerate(texts) if number not in _left_out(width)]
    return f"{'verdict':{INDENT}}{' '.join(kept)}"


def _left_out(width: int) -> tuple[int, ...]:
    room = width - INDENT - 8 - LEAST_NAME_WIDTH
    return () if room >= 24 else (1,) if room >= 7 else (1, 2)


def _without_middle(text: str, width: int) -> str:
    """The beginning and the end of a name that is too long."""
    text = one_line(text)
    if wcswidth(text) <= width:
        return text
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    while wcswidth(head) + wcswidth(tail) >= width and (head or tail):
        head, tail = (head[:-1], tail) if wcswidth(head) > wcswidth(tail) else (head, tail[1:])
    return f"{head}…{tail}"


def slowest(report: Report, width: int, count: int = 3) -> Iterator[str]:
    """The trials that took longest, whenever they were trained.

    Args:
        report: Report with all trials.
        width: Width of the terminal.
        count: Number of trials.
    """
    trials = [(arm, trial) for arm in report.arms for trial in arm.trials]
    for arm, trial in sorted(trials, key=lambda pair: -pair[1].seconds)[:count]:
        yield wrapped(f"{duration(trial.seconds):>12} {_named(arm, trial)}", width, " " * INDENT)


def wrapped(text: str, width: int, indent: str = "") -> str:
    """A line, broken where it is too long.

    Args:
        text: Without line breaks.
        width: Width of the terminal.
        indent: Before all but the first of the lines that it becomes.
    """
    return textwrap.fill(one_line(text), max(width, 20), subsequent_indent=indent, break_on_hyphens=False)


def cut_to_width(text: str, width: int) -> str:
    """The beginning of a line that is too long, with dots at its end.

    Args:
        text: Without line breaks.
        width: Width of the terminal.
    """
    text = one_line(text)
    if wcswidth(text) <= width:
        return text
    while text and wcswidth(text) > width - 3:
        text = text[:-1]
    return f"{text}..."


def _named(arm: ArmRecord, trial: TrialRecord) -> str:
    return f"{arm.labels[0]}, seed {trial.seed} ({trial.digest[:12]})"


_Column = tuple[str, list[str]]


def _joined(groups: Sequence[Sequence[_Column]]) -> list[_Column]:
    return [column for group in groups for column in group]


def _parts(labels: _Column, groups: Sequence[list[_Column]], width: int) -> list[list[list[_Column]]]:
    parts: list[list[list[_Column]]] = []
    for group in groups:
        if parts and _width(_lines([labels, *_joined([*parts[-1], group])])) <= width:
            parts[-1].append(group)
        else:
            parts.append([group])
    return parts


def _lines(columns: Sequence[_Column], width: int | None = None) -> str:
    headings = [heading for heading, _ in columns]
    rows = list(zip(*(cells for _, cells in columns), strict=True))
    text = tabulate(rows, headings, disable_numparse=True, stralign="left")
    if width is None or _width(text) <= width:
        return text
    # Labels and what was printed may be of any length; each gives way by as much as is needed.
    widest = [max(HEADING_PADDING + wcswidth(heading), *map(wcswidth, cells), 0) for heading, cells in columns]
    limits = list(widest)
    while sum(limits) + 2 * (len(limits) - 1) > width and max(limits) > LEAST_LABEL_WIDTH:
        limits[limits.index(max(limits))] -= 1
    return tabulate(
        rows, headings, disable_numparse=True, stralign="left", maxcolwidths=limits, maxheadercolwidths=limits
    )


def _width(text: str) -> int:
    return max(map(wcswidth, text.splitlines()))
