"""The claims of a study under several backends: their verdicts, and differences between backends beyond the noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.judge.changes import ClaimChange
from tlbench.judge.claim_changes import claim_changes
from tlbench.judge.generality import CellVerdict, generality
from tlbench.judge.judging import LEVEL
from tlbench.scores.listed import Unit


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench.judge.generality import MatrixCell


@dataclass(frozen=True)
class BackendClaim:
    """A claim under several backends.

    Attributes:
        name: Name of the claim.
        threshold: Value that the difference should exceed.
        unit: Unit of the differences.
        verdicts: Verdicts in the order of the backends.
        changes: Change from the first backend to each of the others; None where either has no verdict.
    """

    name: str
    threshold: float
    unit: Unit
    verdicts: tuple[CellVerdict, ...]
    changes: tuple[ClaimChange | None, ...]

    @property
    def same(self) -> bool:
        """True where all backends that judge the claim have the same verdict."""
        return len({verdict.status for verdict in self.verdicts if verdict.judged}) <= 1

    @property
    def changed(self) -> bool:
        """True where the verdict of a backend has changed, see `tlbench.judge.changes.ClaimChange`."""
        return any(change is not None and change.status == "changed verdict" for change in self.changes)

    @property
    def moved(self) -> bool:
        """True where the difference of a backend is another than the first one's by more than the noise."""
        return self.changed or any(change is not None and "has moved" in change.note for change in self.changes)


@dataclass(frozen=True)
class BackendAgreement:
    """A study under several backends.

    Attributes:
        backends: Names of the backends, in order; the others are held against the first.
        problems: Reason for which a backend could not be run, in the same order; empty where it was.
        claims: Claims, in the order of the tests.
    """

    backends: tuple[str, ...]
    problems: tuple[str, ...]
    claims: tuple[BackendClaim, ...]

    @property
    def changed(self) -> tuple[BackendClaim, ...]:
        """Claims with a changed verdict."""
        return tuple(claim for claim in self.claims if claim.changed)


def agreement(cells: Sequence[MatrixCell], level: float = LEVEL) -> BackendAgreement:
    """Compare the verdicts of backends.

    Each backend is held against the first that ran, as `tlbench.judge.comparison.compare` holds two runs: the change of
    a claim's difference is judged against the noise between seeds, among all claims and backends (Holm among claims,
    Bonferroni among backends). Runs of the same seeds are paired: under a seed, backends share the split and the order
    of the images, and weights that are read from a file. Fresh weights are others: each backend draws its own numbers
    from the seed that Keras gives it.

    Args:
        cells: A cell for each backend, whose title is its name.
        level: Chance that any claim is said to have moved where none has.
    """
    matrix = generality(cells)
    ran = [cell.run for cell in cells if cell.run is not None]
    share = level / 2 / max(len(ran) - 1, 1)
    changes = [
        {change.name: change for change in claim_changes(ran[0].claims, cell.run.claims, share, stored=False)}
        if cell.run is not None and cell.run is not ran[0]
        else {}
        for cell in cells
    ]
    first = cells.index(next((cell for cell in cells if cell.run is not None), cells[0]))
    return BackendAgreement(
        tuple(cell.title for cell in cells),
        tuple(cell.problem for cell in cells),
        tuple(
            BackendClaim(
                claim.name,
                claim.threshold,
                claim.unit,
                claim.cells,
                tuple(
                    of_cell.get(claim.name) if verdict.judged and claim.cells[first].judged else None
                    for verdict, of_cell in zip(claim.cells, changes, strict=True)
                ),
            )
            for claim in matrix.claims
        ),
    )
