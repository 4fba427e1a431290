"""The answer of a run in a few lines: the number of supported claims, each claim's effect, and the next step.

The terminal, the job summary of a CI service and the report's page begin with it.
"""

from __future__ import annotations

import os

from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError
from tlbench.judge.judging import LEVEL
from tlbench.report import formats


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlbench.report.content import Report
    from tlbench.report.records import ClaimRecord

# First those that ask for something.
ORDER = ("refuted", "inconclusive", "supported")

# Parts of a report that the terminal can show beside the answer.
PARTS = ("tables", "figures", "verdicts", "notes", "trials")

# Where GitHub Actions takes Markdown for the page of a job.
JOB_SUMMARY = "GITHUB_STEP_SUMMARY"


def parts(text: str) -> frozenset[str]:
    """Parts of a report by name, separated by commas; `none` for none.

    Raises:
        ConfigurationError: There is no such part.
    """
    given = frozenset(part.strip() for part in text.split(",")) - {"none", ""}
    if unknown := sorted(given - {*PARTS}):
        msg = f"--tlbench-show takes {', '.join(PARTS)} or none, separated by commas. Received: {unknown[0]!r}"
        raise ConfigurationError(msg)
    return given


def in_order(claims: Iterable[ClaimRecord]) -> list[ClaimRecord]:
    """Claims with the refuted first, then the inconclusive, then the supported; otherwise in their own order."""
    return sorted(claims, key=lambda claim: ORDER.index(claim.outcome))


def dataset(report: Report) -> str:
    """The name of the images; empty where the report has no header."""
    return report.header.get("dataset", "").partition(",")[0]


def title(report: Report) -> str:
    """The verdicts in a few words: `9 of 12 claims are supported, 1 is refuted, 2 are inconclusive`."""
    return ", ".join(_counts(report))


def sentence(report: Report) -> str:
    """The answer in a few sentences: verdicts, data, seeds, error rate, and the comparison, if any."""
    first, *rest = _counts(report)
    source = report.header.get("transferred from", "")
    seeds = len(report.header.get("seeds", "").split())
    text = f"{first[0].upper()}{first[1:]} on {dataset(report) or 'the images'}"
    text += "".join(f", {each}" for each in rest)
    facts = [f"transferred from {source}"] if source else []
    facts += [f"{seeds} seeds" if seeds > 1 else "one seed, which decides nothing"] if seeds else []
    text += f" ({'; '.join(facts)})." if facts else "."
    if seeds > 1 and any(claim.adjusted_p is not None for claim in report.claims):
        text += (
            f" At most {LEVEL:.0%} of such runs support any false claim, and at most {LEVEL:.0%} refute any true one."
        )
    if report.comparison is not None:
        outcome = report.comparison.outcome
        text += f" The comparison with {report.comparison.old} {'was ' * (outcome == 'not measured')}{outcome}."
    return text


def _counts(report: Report) -> list[str]:
    counts = {outcome: sum(claim.outcome == outcome for claim in report.claims) for outcome in ORDER}
    number, supported = len(report.claims), counts["supported"]
    if number == 1:
        return [f"the claim is {report.claims[0].outcome}"]
    first = f"{'all' if supported == number else f'{supported} of'} {number} claims are supported"
    others = [(counts[outcome], outcome) for outcome in ("refuted", "inconclusive") if counts[outcome]]
    return [first, *(f"{count} {'is' if count == 1 else 'are'} {word}" for count, word in others)]


def effect(claim: ClaimRecord) -> tuple[str, str, str]:
    """Effect, interval and p of a claim, for instance `+3.9 points`, `[+2.7, +5.1]` and `p 0.002`; empty without."""
    value = formats.with_unit(claim.effect, claim.unit)
    if not value or claim.adjusted_p is None or claim.low is None or claim.high is None:
        return value, "", ""
    low_to_high, _ = formats.interval(claim.low, claim.high, claim.threshold, claim.unit)
    low, _, high = low_to_high.partition(" to ")
    return value, f"[{low}, {high}]", f"p {formats.p_value(claim.adjusted_p, claim.level).replace('< ', '<')}"


def next_steps(report: Report) -> list[str]:
    """Sentences that say how to go on, the most pressing first; empty where nothing is left to do."""
    steps = []
    refuted = [claim.name for claim in report.claims if claim.outcome == "refuted"]
    if refuted:
        steps.append(
            f"Refuted: {', '.join(refuted[:3])}{', …' if len(refuted) > 3 else ''}. The report shows the trials; "
            "--tlbench-repeat trains one again."
        )
    inconclusive = [claim for claim in report.claims if claim.outcome == "inconclusive"]
    needed = sorted(claim.seeds_needed for claim in inconclusive if claim.seeds_needed)
    if needed:
        steps.append(
            f"Inconclusive: more seeds may decide {len(needed)} of {len(inconclusive)}; --tlbench-max-seeds "
            f"{needed[0]}{f' to {needed[-1]}' if needed[-1] > needed[0] else ''}, by effect and noise so far."
        )
    elif inconclusive:
        steps.append("Inconclusive: --tlbench-seeds with more seeds; the report says why for each claim.")
    diverged = sum(trial.status == "diverged" for trial in report.trials.values())
    if diverged:
        steps.append(f"Diverged: {diverged} of {len(report.trials)} trials; the report lists them.")
    return steps


def job_summary(report: Report, page: str) -> str:
    """The answer in Markdown, for the page of a CI job.

    Args:
        report: Report of the run.
        page: Path of the report's page.
    """
    from tlbench.report.escaping import markdown

    lines = [f"### tlbench: {title(report)}", "", markdown(sentence(report)), ""]
    if report.claims:
        lines += ["| claim | verdict | effect | interval | p |", "|---|---|---|---|---|"]
    for claim in in_order(report.claims):
        value, interval, p = effect(claim)
        cells = (claim.name, claim.outcome, value, interval, p.removeprefix("p "))
        lines.append(f"| {' | '.join(map(markdown, cells))} |")
    lines += ["", *(f"- {markdown(step)}" for step in next_steps(report)), "", f"Report: `{page}`", ""]
    return "\n".join(lines)


def write_job_summary(report: Report, page: str) -> None:
    """Append the answer to the page of a CI job, where the environment names a file for that.

    Args:
        report: Report of the run.
        page: Path of the report's page.

    Raises:
        OSError: The file cannot be written.
    """
    if path := os.environ.get(JOB_SUMMARY):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(job_summary(report, page))
