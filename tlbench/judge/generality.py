"""The same claims on several networks and data sets: their verdicts in each cell of a matrix, and over all cells."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from tlbench.judge.decisions import Outcome
from tlbench.judge.judging import LEVEL, agreeing
from tlbench.scores.listed import Unit
from tlbench.scores.meta_analysis import combine, least_number
from tlbench.scores.statistics import Estimate, holm, holm_levels, mean_interval


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tlbench.scores.meta_analysis import RandomEffects
    from tlbench.store.baselines import SavedClaim, SavedRun

# The verdict of a run, or the reason in two words for which there is none.
CellStatus = Literal["supported", "refuted", "inconclusive", "not applicable", "not measured", "not run"]


@dataclass(frozen=True)
class MatrixCell:
    """A cell of a matrix: a study under some settings.

    Attributes:
        title: Values that tell it from the other cells.
        settings: Options and their values, by the options' names.
        run: Saved run of the study; None where the study could not be run.
        problem: Reason for which it could not be run; empty otherwise.
    """

    title: str
    settings: Mapping[str, str]
    run: SavedRun | None
    problem: str = ""


@dataclass(frozen=True)
class CellFacts:
    """The facts of a cell that a reader needs.

    Attributes:
        title: Values that tell it from the other cells.
        settings: Options and their values, by the options' names.
        run: Identifier of the saved run; empty where there is none.
        created: Time at which the run was saved, in ISO 8601, UTC; empty where there is none.
        header: Settings that decided the run, by name.
        problem: Reason for which the study could not be run; empty otherwise.
    """

    title: str
    settings: dict[str, str]
    run: str
    created: str
    header: dict[str, str]
    problem: str


@dataclass(frozen=True)
class CellVerdict:
    """The verdict on a claim in a cell.

    Attributes:
        status: Verdict among the claims of the cell; not applicable where the images lack a class, not measured where
            the claim rests on the measurements of an earlier cell, not run where the cell has no verdict.
        reason: Reason for the status, in a phrase.
        effect: Mean difference over seeds; None where it is unknown.
        low: Lower end of the interval that decides; None where there is none.
        high: Upper end of the interval that decides; None where there is none.
        standard_error: Standard error of the mean difference; None for fewer than two seeds.
        seeds: Number of seeds.
        p: One-sided p-value of the claim by itself; None where there is no test.
    """

    status: CellStatus
    reason: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None
    seeds: int = 0
    p: float | None = None

    @property
    def judged(self) -> bool:
        """True where the cell says anything of the claim."""
        return self.status in {"supported", "refuted", "inconclusive"}

    @property
    def measured(self) -> bool:
        """True where the cell has an effect whose noise is known."""
        return self.judged and self.p is not None


@dataclass(frozen=True)
class GeneralClaim:
    """A claim over the cells of a matrix.

    Attributes:
        name: Name of the claim.
        statement: The claim in a sentence.
        threshold: Value that the difference should exceed.
        unit: Unit of the differences.
        cells: Verdicts in the order of the matrix's cells.
        supported: Number of cells that support the claim.
        refuted: Number of cells that refute it.
        judged: Number of cells that have a verdict.
        at_least: Number of cells in which the claim is true at least, see `generality`.
        outcome: Verdict on the mean over cells, among all claims.
        reason: Reason for which the mean is not judged; empty otherwise.
        mean: Mean effect over cells; None without one.
        low: Lower end of the interval of the mean that decides; None where it is not judged.
        high: Upper end of the interval of the mean that decides; None where it is not judged.
        p: P-value that decides on the mean, after Holm's correction; None where it is not judged.
        tau: Standard deviation of the true effects between cells; None for fewer than two cells.
        i_squared: Share of the variance between cells that is more than noise; None for fewer than two cells.
        prediction: Both ends of a 90 % interval for the effect in a further cell; None for fewer than three cells.
    """

    name: str
    statement: str
    threshold: float
    unit: Unit
    cells: tuple[CellVerdict, ...]
    supported: int
    refuted: int
    judged: int
    at_least: int
    outcome: Outcome
    reason: str = ""
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    tau: float | None = None
    i_squared: float | None = None
    prediction: tuple[float, float] | None = None


@dataclass(frozen=True)
class Generality:
    """The claims of a study over the cells of a matrix.

    Attributes:
        cells: Cells, in the order in which they ran.
        claims: Claims, in the order of the tests.
        level: Level of each family of tests.
    """

    cells: tuple[CellFacts, ...]
    claims: tuple[GeneralClaim, ...]
    level: float = LEVEL


def generality(cells: Sequence[MatrixCell], level: float = LEVEL) -> Generality:
    """Combine the runs of a matrix.

    Three rules keep apart what may be said of many claims in many cells:

    - A cell's verdicts are those of its run. The chance that any of its claims is supported, or that any is refuted,
      that should not be, is at most the level; so the expected number of cells with such a verdict is at most the
      level times the number of cells, in each direction.
    - The claims about the means over cells are a family of their own: a mean is supported, or refuted, by a one-sided
      t test among all claims (Holm's procedure at the level, for each direction), see
      `tlbench.scores.meta_analysis.combine`.
    - A claim is true in at least so many cells as `tlbench.scores.meta_analysis.least_number` says, at the level
      divided by the number of claims (Bonferroni): with a probability of one less the level, that holds for all claims
      at once, whatever cells have in common.

    A claim whose measurements in a cell are those of an earlier cell counts once. A claim of another threshold or unit
    is another claim.

    Args:
        cells: Cells in the order in which they ran, at least one.
        level: Level of each family of tests.
    """
    rows = _rows(cells)
    combined = {row: _combined(row.verdicts) for row in rows}
    judged = [row for row in rows if combined[row] is not None]
    estimates = [found.estimate for row in judged if (found := combined[row]) is not None]
    means = dict(zip(judged, _judged_means(judged, estimates, level), strict=True))
    counted = sum(any(verdict.judged for verdict in row.verdicts) for row in rows)
    claims = [_claim(row, combined[row], means.get(row), level / max(counted, 1)) for row in rows]
    return Generality(tuple(map(_facts, cells)), tuple(claims), level)


@dataclass(eq=False)
class _Row:
    """A claim in every cell."""

    name: str
    claim: SavedClaim | None
    verdicts: list[CellVerdict] = field(default_factory=list)

    @property
    def threshold(self) -> float:
        return self.claim.threshold if self.claim else 0.0


def _rows(cells: Sequence[MatrixCell]) -> list[_Row]:
    """Claims in the order of the tests: after those that precede them in the first cell that has them."""
    keys: list[tuple[str, float, Unit] | tuple[str]] = []
    known: dict[tuple[str, float, Unit] | tuple[str], SavedClaim | None] = {}
    for cell in cells:
        for claim in cell.run.claims if cell.run else ():
            if (key := (claim.name, claim.threshold, claim.unit)) not in known:
                known[key] = claim
                keys.append(key)
    named = {key[0] for key in keys}
    for cell in cells:
        for name in cell.run.not_applicable if cell.run else ():
            if name not in named:  # In no cell at all.
                named.add(name)
                known[name,] = None
                keys.append((name,))
    return [_Row(key[0], known[key], _verdicts(key[0], known[key], cells)) for key in keys]


def _verdicts(name: str, like: SavedClaim | None, cells: Sequence[MatrixCell]) -> list[CellVerdict]:
    found: list[CellVerdict] = []
    seen: dict[tuple[str, ...], str] = {}
    for cell in cells:
        claim = _claim_of(name, like, cell)
        verdict = _verdict(name, claim, cell)
        measurements = (
            tuple(each for seed in sorted(claim.measurements) for each in claim.measurements[seed]) if claim else ()
        )
        # setdefault gives the first cell that has them.
        if verdict.judged and measurements and (first := seen.setdefault(measurements, cell.title)) != cell.title:
            verdict = CellVerdict("not measured", f"the same measurements as {first}")
        found.append(verdict)
    return found


def _claim_of(name: str, like: SavedClaim | None, cell: MatrixCell) -> SavedClaim | None:
    if cell.run is None or like is None:
        return None
    alike = (name, like.threshold, like.unit)
    return next((claim for claim in cell.run.claims if (claim.name, claim.threshold, claim.unit) == alike), None)


def _verdict(name: str, claim: SavedClaim | None, cell: MatrixCell) -> CellVerdict:
    if cell.run is None:
        return CellVerdict("not run", cell.problem)
    if claim is None:
        if reason := cell.run.not_applicable.get(name):
            return CellVerdict("not applicable", reason)
        return CellVerdict("not run", "its test has no verdict")
    differences = [claim.differences[seed] for seed in sorted(claim.differences)]
    status: CellStatus = claim.outcome  # type: ignore[assignment]
    if claim.p is None or len(differences) < 2:
        # A seed without a difference leaves no mean of all.
        whole = len(differences) == len(claim.measurements) or not claim.measurements
        effect = differences[0] if len(differences) == 1 and whole else None
        reason = claim.reason or "some seeds have no difference, or there is one seed"
        return CellVerdict(status, reason, effect, seeds=len(differences))
    estimate, own = Estimate.of_its_own(differences), mean_interval(differences)
    low, high = claim.interval or (own.low, own.high)
    return CellVerdict(
        status, claim.reason, estimate.mean, low, high, estimate.standard_error, len(differences), claim.p
    )


def _combined(verdicts: Iterable[CellVerdict]) -> RandomEffects | None:
    measured = [verdict for verdict in verdicts if verdict.measured]
    if len(measured) < 2:
        return None
    return combine([each.effect or 0.0 for each in measured], [each.standard_error or 0.0 for each in measured])


@dataclass(frozen=True)
class _Mean:
    outcome: Outcome
    p: float
    low: float
    high: float


def _judged_means(rows: Sequence[_Row], estimates: Sequence[Estimate], level: float) -> list[_Mean]:
    """Verdicts on the means over cells, by Holm's procedure in each direction."""
    pairs = list(zip(rows, estimates, strict=True))
    above = [estimate.p(row.threshold, "greater") for row, estimate in pairs]
    below = [estimate.p(row.threshold, "less") for row, estimate in pairs]
    corrected = zip(holm(above), holm(below), holm_levels(above, level), holm_levels(below, level), strict=True)
    found = []
    for (row, estimate), (supporting, refuting, level_above, level_below) in zip(pairs, corrected, strict=True):
        outcome: Outcome = "supported" if supporting <= level else "refuted" if refuting <= level else "inconclusive"
        interval = agreeing(estimate.interval(float(level_above), float(level_below)), row.threshold, outcome)
        found.append(_Mean(outcome, float(min(supporting, refuting)), interval.low, interval.high))
    return found


def _claim(row: _Row, combined: RandomEffects | None, mean: _Mean | None, level: float) -> GeneralClaim:
    judged = [verdict for verdict in row.verdicts if verdict.judged]
    measured = [verdict for verdict in judged if verdict.measured]
    claim = GeneralClaim(
        row.name,
        row.claim.statement if row.claim else "",
        row.threshold,
        row.claim.unit if row.claim else "percent",
        tuple(row.verdicts),
        supported=sum(verdict.status == "supported" for verdict in judged),
        refuted=sum(verdict.status == "refuted" for verdict in judged),
        judged=len(judged),
        at_least=least_number([1.0 if verdict.p is None else verdict.p for verdict in judged], level),
        outcome="inconclusive",
        reason="one cell says nothing of other cells" if measured else "no cell has an effect with its noise",
        mean=measured[0].effect if measured else None,
    )
    if combined is None or mean is None:
        return claim
    return replace(
        claim,
        outcome=mean.outcome,
        reason="",
        mean=combined.estimate.mean,
        low=mean.low,
        high=mean.high,
        p=mean.p,
        tau=combined.tau,
        i_squared=combined.i_squared,
        prediction=combined.prediction(),
    )


def _facts(cell: MatrixCell) -> CellFacts:
    run = cell.run
    return CellFacts(
        cell.title,
        dict(cell.settings),
        run.id if run else "",
        run.created if run else "",
        dict(run.header) if run else {},
        cell.problem,
    )
