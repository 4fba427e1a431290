"""The report of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tlbench import __version__
from tlbench.report.content import Report, printable
from tlbench.report.gathering import arm_records, claim_record
from tlbench.report.tables import fill
from tlbench.store import baselines


if TYPE_CHECKING:
    from tlbench.report.records import ComparisonRecord
    from tlbench.run.assembly import Assembly
    from tlbench.run.gathered import Gathered
    from tlbench.store.results import ResultOf


def make_report(
    assembly: Assembly,
    gathered: Gathered,
    stored: ResultOf,
    repeat: str,
    comparison: ComparisonRecord | None,
) -> Report:
    """Make the report of a run from stored results; trains nothing.

    Args:
        assembly: Parts of the run.
        gathered: Values of the run.
        stored: Gives the stored result of a trial or an evaluation, or None where there is none.
        repeat: Command that repeats one trial, but for the trial's digest.
        comparison: Comparison with a saved run; None where there was none.
    """
    seeds = assembly.study.seeds
    arms, environments = arm_records(gathered.trials.values(), stored, gathered.arms, gathered.evaluations.values())
    return printable(
        Report(
            created=baselines.now(),
            tlbench_version=__version__,
            header=assembly.header,
            environments=tuple(dict.fromkeys([assembly.environment, *environments])),
            notes=(*assembly.warnings, *assembly.notes, *gathered.remarks),
            data=assembly.caption,
            stand_in=assembly.stand_in,
            tables=tuple(fill(table, stored, seeds) for table in gathered.tables),
            figures=tuple(figure.trace(stored, seeds) for figure in gathered.figures),  # type: ignore[misc]
            claims=tuple(map(claim_record, gathered.verdicts)),
            arms=arms,
            repeat=repeat,
            comparison=comparison,
            commit=baselines.commit_of(Path.cwd()),
        )
    )
