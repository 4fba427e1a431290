"""The answer of an upgrade for people who did not run it: a comment on a pull request, JSON, and a page."""

from __future__ import annotations

import json

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tlbench.errors import StoreError
from tlbench.report import comparisons, content, escaping, files, markdown
from tlbench.store.publishing import publish


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tlbench.report.records import ComparisonRecord

SCHEMA_VERSION = 1

COMMENT, ANSWER = "comment.md", "upgrade.json"

# Begins the comment, and is shown to nobody: the next answer replaces the comment that begins so.
MARKER = "<!-- tlbench upgrade -->"

# GitHub refuses comments of more than 65,536 characters.
LONGEST = 60_000

UpgradeVerdict = Literal["unchanged", "safe", "regressed", "not-measured", "could-not-run"]

# Verdicts of comparisons.
OF_OUTCOMES: dict[str, UpgradeVerdict] = {"passed": "safe", "failed": "regressed", "not measured": "not-measured"}

HEADINGS: dict[UpgradeVerdict, str] = {
    "unchanged": "nothing to compare",
    "safe": "safe to upgrade",
    "regressed": "this upgrade regresses",
    "not-measured": "not measured",
    "could-not-run": "the upgrade could not be run",
}

# Tables that a reader needs for the decision; the others are folded.
OPEN = ("what differs", "claims")


@dataclass(frozen=True)
class Answer:
    """The answer to "can I upgrade?".

    Attributes:
        verdict: The answer in a word.
        old: The older side in a few words.
        new: The newer side in a few words.
        reasons: Sentences that explain the verdict.
        comparison: Comparison of the runs; None where there was none.
        output: Last lines of a side that could not be run; empty otherwise.
        file: Lock file that changes; empty where requirements were named.
    """

    verdict: UpgradeVerdict
    old: str
    new: str
    reasons: tuple[str, ...] = ()
    comparison: ComparisonRecord | None = None
    output: str = ""
    file: str = ""

    @property
    def regressed(self) -> bool:
        """True where something has regressed, and not where nobody knows."""
        return self.verdict == "regressed"

    def comment(self) -> str:
        """The answer as Markdown for GitHub, short enough for a comment."""
        text = escaping.markdown
        about = f"{text(self.file)}: " if self.file else ""
        parts = [MARKER, f"### tlbench: {HEADINGS[self.verdict]}", f"{about}{text(self.old)} → {text(self.new)}"]
        parts += ["\n".join(f"- {text(reason)}" for reason in self.reasons)] if self.reasons else []
        parts += [_fenced(self.output)] if self.output else []
        room = LONGEST - sum(map(len, parts))
        left_out = []
        for title, table in _tables(self.comparison) if self.comparison else ():
            if len(table) > room:
                left_out.append(title)
                continue
            room -= len(table) + 2
            parts.append(table)
        if left_out:
            parts.append(f"Too long for a comment, and on the page: {', '.join(left_out)}.")
        return "\n\n".join(parts) + "\n"

    def content(self) -> str:
        """The answer as JSON."""
        told = {
            "schema_version": SCHEMA_VERSION,
            "verdict": self.verdict,
            "regressed": self.regressed,
            "old": self.old,
            "new": self.new,
            "file": self.file,
            "reasons": list(self.reasons),
        }
        return json.dumps(told, indent=1) + "\n"

    def write(self, folder: Path, report: Path | None = None) -> None:
        """Write `comment.md`, `upgrade.json` and, where a study was run, the page of its newer side.

        Args:
            folder: Made if it is not there.
            report: Folder of the newer side's report, which the page shows together with the comparison.

        Raises:
            StoreError: The report is damaged, or the folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if report is not None and (report / files.RESULTS).is_file():
                files.write(replace(content.load(report / files.RESULTS), comparison=self.comparison), folder)
            publish(folder / COMMENT, self.comment())
            publish(folder / ANSWER, self.content())
        except OSError as error:
            msg = f"The answer cannot be written; choose another folder with --report. Received: {error}"
            raise StoreError(msg) from error


def of_comparison(comparison: ComparisonRecord, names: tuple[str, str], file: str, *further: str) -> Answer:
    """The answer that a comparison gives.

    Args:
        comparison: Comparison of the two sides' runs.
        names: The sides in a few words.
        file: Lock file that changes; empty where requirements were named.
        further: Further sentences for the reader.
    """
    reasons = comparisons.summary(comparison)
    if comparison.numerics is not None:
        reasons.append(f"Fingerprint: {comparison.numerics}")
    return Answer(OF_OUTCOMES[comparison.outcome], *names, (*reasons, *further), comparison, file=file)


def _tables(comparison: ComparisonRecord) -> Iterator[tuple[str, str]]:
    # The name of an environment differs wherever anything does, and tells a reader nothing.
    versions = tuple(version for version in comparison.versions if version[0] != "flag TLBENCH_ENVIRONMENT")
    comparison = replace(comparison, versions=versions)
    for title, headings, rows in comparisons.tables(comparison):
        table = markdown.grid(headings, rows)
        if title not in OPEN:
            table = f"<details><summary>{title.capitalize()}</summary>\n\n{table}\n\n</details>"
        yield title, table


def _fenced(output: str) -> str:
    # A fence in the output would end ours.
    lines = [escaping.one_line(line).replace("```", "'''") for line in output.splitlines()]
    return "\n".join(["```text", *lines, "```"])
