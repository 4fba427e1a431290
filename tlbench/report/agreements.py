"""Claims under several backends as text, Markdown and JSON."""

from __future__ import annotations

import json

from dataclasses import asdict
from typing import TYPE_CHECKING

from tabulate import tabulate

from tlbench.errors import ConfigurationError
from tlbench.report import formats
from tlbench.report.escaping import markdown as escaped
from tlbench.report.escaping import one_line
from tlbench.report.generality import verdict_text
from tlbench.report.markdown import grid
from tlbench.store.publishing import publish


if TYPE_CHECKING:
    from pathlib import Path

    from tlbench.judge.agreement import BackendAgreement, BackendClaim
    from tlbench.judge.changes import ClaimChange

TEXT, RESULTS = "agreement.md", "agreement.json"

# Version of agreement.json.
SCHEMA_VERSION = 1

ABOUT = (
    "An effect is the mean difference over seeds, with the interval that decides under that backend. A change is the "
    "difference of two backends' effects with its 90 % interval, paired by seed where both have the same seeds: they "
    "share the split and the order of the images, and weights that are read from a file, and draw other fresh weights. "
    "A difference has moved where the change is more than the noise between seeds, among all claims and backends."
)


def answer(found: BackendAgreement) -> str:
    """The sentence that a reader needs: whether the backends agree, and on which claims they do not."""
    ran = [backend for backend, problem in zip(found.backends, found.problems, strict=True) if not problem]
    if len(ran) < 2:
        return f"Nothing is compared: {f'only {ran[0]}' if ran else 'no backend'} could be run."
    backends = f"{', '.join(ran[:-1])} and {ran[-1]}"
    judged = [claim for claim in found.claims if sum(verdict.judged for verdict in claim.verdicts) > 1]
    if not judged:
        return f"Nothing is compared: no claim has a verdict under two of {backends}."
    same = sum(claim.same for claim in judged)
    moved = [claim.name for claim in judged if claim.moved]
    if len(judged) == 1:
        verdict = "the same verdict" if same else "a changed verdict" if found.changed else "different verdicts"
        text = f"The claim has {verdict} under {backends}"
    else:
        count = f"All {len(judged)}" if same == len(judged) else f"{same} of {len(judged)}"
        changed = len(found.changed)
        text = f"{count} claims have the same verdict under {backends}"
        text += f"; {changed} ha{'s' if changed == 1 else 've'} a changed verdict" if changed else ""
    if moved:
        return f"{text}. Beyond the noise between seeds: {', '.join(moved)}."
    return f"{text}, and no difference between backends is beyond the noise between seeds."


def headings(found: BackendAgreement) -> tuple[str, ...]:
    """Headings of the table: each backend, and the change of each but the first."""
    return ("claim", *found.backends, *(f"change under {backend}" for backend in found.backends[1:]))


def row(claim: BackendClaim) -> tuple[str, ...]:
    """A claim as a row of the table."""
    return (
        claim.name,
        *(verdict_text(verdict, claim.threshold, claim.unit) for verdict in claim.verdicts),
        *(_change(change, claim) for change in claim.changes[1:]),
    )


def _change(change: ClaimChange | None, claim: BackendClaim) -> str:
    if change is None or change.change.effect is None or change.change.interval is None:
        return ""
    ends = " to ".join(formats.signed(end, claim.unit) for end in change.change.interval)
    note = f" ({change.note})" if change.note else ""
    return f"{change.status}: {formats.with_unit(change.change.effect, claim.unit)}, {ends}{note}"


def describe(found: BackendAgreement) -> str:
    """The agreement as text for a terminal: the answer, the table, and backends that could not be run."""
    parts = [answer(found)]
    rows = [[one_line(cell) for cell in row(claim)] for claim in found.claims]
    if rows:
        parts.append(tabulate(rows, headings(found), disable_numparse=True, stralign="left"))
    parts += [f"Not run: {backend}: {problem}" for backend, problem in _problems(found)]
    return "\n\n".join(parts)


def _problems(found: BackendAgreement) -> list[tuple[str, str]]:
    return [each for each in zip(found.backends, found.problems, strict=True) if each[1]]


def markdown(found: BackendAgreement) -> str:
    """The agreement as Markdown."""
    parts = [f"# {', '.join(found.backends)}", escaped(answer(found)), grid(headings(found), map(row, found.claims))]
    parts += [escaped(f"Not run: {backend}: {problem}") for backend, problem in _problems(found)]
    return "\n\n".join([*parts, escaped(ABOUT)]) + "\n"


def write(found: BackendAgreement, folder: Path) -> None:
    """Write `agreement.md` and `agreement.json`.

    Args:
        found: The agreement.
        folder: Made if it isn't there; older files of the same names are replaced.

    Raises:
        ConfigurationError: The files cannot be written.
    """
    content = {"schema_version": SCHEMA_VERSION, "answer": answer(found), **asdict(found)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        publish(folder / RESULTS, json.dumps(content, indent=1, allow_nan=False) + "\n")
        publish(folder / TEXT, markdown(found))
    except OSError as error:
        msg = f"The agreement cannot be written; choose another folder with --tlbench-report. Received: {error}"
        raise ConfigurationError(msg) from error
