"""A matrix of claims and cells as one page of HTML that needs nothing else, as Markdown, JSON and CSV, and as text."""

from __future__ import annotations

import json

from dataclasses import asdict
from typing import TYPE_CHECKING

from tabulate import tabulate

from tlbench.errors import ConfigurationError
from tlbench.report import formats, pictures
from tlbench.report.escaping import markdown as escaped
from tlbench.report.escaping import one_line
from tlbench.report.figures.cells import CellsForest
from tlbench.report.files import as_csv
from tlbench.report.html import SIGNS, environment, inline
from tlbench.report.markdown import grid
from tlbench.report.names import file_name
from tlbench.store.publishing import publish


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tlbench.judge.generality import CellVerdict, GeneralClaim, Generality
    from tlbench.report.drawing import Picture
    from tlbench.scores.listed import Unit

# Version of matrix.json.
SCHEMA_VERSION = 1

PAGE, TEXT, VALUES, RESULTS = "matrix.html", "matrix.md", "matrix.csv", "matrix.json"

CLAIM_HEADINGS = ("claim", "mean", "holds in", "at least", "effect", "interval", "in a further cell", "tau", "I²", "p")


# The meaning of the columns, and what may be said of so many claims in so many cells; a paragraph each.
ABOUT = """\
Cells: a verdict in a cell is among the claims of that cell. The chance that any of its claims is supported that is not
true is at most {level} %; of {cells} cells, at most {expected} are expected to have one, and as many a claim that is
refuted and true.

At least: the claim is true in at least so many cells. This holds for all claims at once with a confidence of
{confidence} %, whatever the cells have in common (partial conjunction, Benjamini & Heller 2008).

Mean, effect, interval and p: the cells as a sample of networks and data sets, each counting the same, with the interval
of Hartung & Knapp and k - 1 degrees of freedom for k cells. The verdict on the mean is among the means of all claims,
by Holm's procedure at {level} %.

In a further cell: a 90 % interval for the true effect in a cell that is not here (Higgins et al. 2009). Tau is the
standard deviation of true effects between cells, I² its share of the variance that is seen.

The noise of a cell comes from its seeds. A variance of few seeds is itself mostly noise, so that the cells' variances
are pooled, and no cell counts more because it seems less noisy. Few seeds make tau and I² uncertain; the interval keeps
its level.

Cells that share images, or arms, are not independent: the mean, its interval and tau take them as such. These cells
were chosen, not drawn at random, and say most of networks and images like them."""


def about(matrix: Generality) -> tuple[str, ...]:
    """The paragraphs of `ABOUT` with the numbers of a matrix."""
    cells = sum(not cell.problem for cell in matrix.cells)
    told = ABOUT.format(
        level=f"{100 * matrix.level:g}",
        confidence=f"{100 * (1 - matrix.level):g}",
        cells=cells,
        expected=f"{matrix.level * cells:.2g}",
    )
    return tuple(" ".join(paragraph.split()) for paragraph in told.split("\n\n"))


def write(matrix: Generality, folder: Path) -> None:
    """Write `matrix.html`, `matrix.md`, `matrix.json`, `matrix.csv`, and the figure as `matrix.svg` and `matrix.png`.

    Args:
        matrix: The matrix.
        folder: Made if it isn't there; older files of the same names are replaced.

    Raises:
        ConfigurationError: The files cannot be written.
    """
    figure = CellsForest(tuple(cell.title for cell in matrix.cells), matrix.claims)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        publish(folder / RESULTS, text(matrix))
        publish(folder / VALUES, as_csv(figure.records()))
        drawn = pictures.write([figure], folder, "Data: those of each cell.")[figure.name]
        publish(folder / TEXT, markdown(matrix, figure))
        publish(folder / PAGE, page(matrix, figure, drawn))
    except OSError as error:
        msg = f"The matrix cannot be written; choose another folder with --tlbench-report. Received: {error}"
        raise ConfigurationError(msg) from error


def text(matrix: Generality) -> str:
    """The matrix as JSON, whose schema is in `matrix.schema.json`."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(matrix)}, indent=1, allow_nan=False) + "\n"


def answer(matrix: Generality) -> str:
    """The sentence that a reader needs: what holds in the mean over cells, and what in every cell."""
    count = len(matrix.claims)
    if not count:
        return "No cell has a verdict on any claim."
    supported, refuted = (
        sum(claim.outcome == outcome for claim in matrix.claims) for outcome in ("supported", "refuted")
    )
    everywhere = sum(0 < claim.judged == claim.supported for claim in matrix.claims)
    ran = sum(not cell.problem for cell in matrix.cells)
    cells = f"{ran} cells" if ran == len(matrix.cells) else f"{ran} of {len(matrix.cells)} cells, the others not run"
    return (
        f"In the mean over {cells}, {supported} of {count} claims {_are(supported)} supported, {refuted} "
        f"{_are(refuted)} refuted, and {count - supported - refuted} {_are(count - supported - refuted)} undecided; "
        f"{everywhere} {_are(everywhere)} supported in every cell that can judge {'it' if everywhere == 1 else 'them'}."
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def describe(matrix: Generality) -> str:
    """The matrix as text for a terminal: the answer, a line for each claim, and the cells that could not be run."""
    # The claim comes last, where a long name moves nothing.
    headings = (*CLAIM_HEADINGS[1:6], "further cell", CLAIM_HEADINGS[-1], "claim")
    rows = [(*row[1:7], row[-1], row[0]) for row in map(claim_row, matrix.claims)]
    cells = [[one_line(cell) for cell in row] for row in rows]
    parts = [answer(matrix)]
    if rows:
        parts.append(tabulate(cells, headings, disable_numparse=True, stralign="left"))
    if problems := [f"Not run: {cell.title}: {cell.problem}" for cell in matrix.cells if cell.problem]:
        parts.append("\n".join(problems))
    return "\n\n".join(parts)


def claim_row(claim: GeneralClaim) -> tuple[str, ...]:
    """A claim over cells, a text for each of `CLAIM_HEADINGS`."""
    unit = claim.unit
    ends = formats.interval(claim.low, claim.high, claim.threshold, unit)[0]
    return (
        claim.name,
        claim.outcome if claim.low is not None else "not judged",
        f"{claim.supported} of {claim.judged}",
        str(claim.at_least),
        formats.with_unit(claim.mean, unit),
        ends,
        "" if claim.prediction is None else " to ".join(formats.signed(end, unit) for end in claim.prediction),
        "" if claim.tau is None else formats.with_unit(claim.tau, unit).removeprefix("+"),
        "" if claim.i_squared is None else f"{100 * claim.i_squared:.0f} %",
        formats.p_value(claim.p),
    )


def verdict_text(verdict: CellVerdict, threshold: float, unit: Unit) -> str:
    """A verdict with its effect and interval, or with its reason.

    Args:
        verdict: Verdict on a claim in a cell.
        threshold: Value that the claim's difference should exceed.
        unit: Unit of the difference.
    """
    if verdict.effect is None or verdict.low is None:
        return f"{verdict.status}: {verdict.reason}" if verdict.reason else verdict.status
    low_to_high, _ = formats.interval(verdict.low, verdict.high, threshold, unit)
    return f"{verdict.status} {formats.with_unit(verdict.effect, unit)}, {low_to_high}"


def _verdict_table(matrix: Generality) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    headings = ("claim", *(cell.title for cell in matrix.cells))
    rows = [
        (claim.name, *(verdict_text(verdict, claim.threshold, claim.unit) for verdict in claim.cells))
        for claim in matrix.claims
    ]
    return headings, rows


CELL_HEADINGS = ("cell", "network", "images", "transferred from", "seeds", "environment", "saved")


def _cell_rows(matrix: Generality) -> list[tuple[str, ...]]:
    return [
        (
            cell.title,
            *(cell.header.get(name, "") for name in ("network", "dataset", "transferred from")),
            str(len(cell.header.get("seeds", "").split()) or ""),
            cell.header.get("environment", cell.problem),
            cell.created[:16].replace("T", " "),
        )
        for cell in matrix.cells
    ]


def markdown(matrix: Generality, figure: CellsForest) -> str:
    """The matrix as Markdown; the figure lies beside it as a PNG."""
    parts = [
        "# Matrix",
        escaped(answer(matrix)),
        grid(CLAIM_HEADINGS, map(claim_row, matrix.claims)),
        f"![{escaped(figure.title)}]({file_name(figure.name)}.png)",
        escaped(figure.caption),
        "## Cells",
        grid(*_verdict_table(matrix)),
        grid(CELL_HEADINGS, _cell_rows(matrix)),
        "\n".join(f"- {escaped(sentence)}" for sentence in about(matrix)),
    ]
    return "\n\n".join(parts) + "\n"


def page(matrix: Generality, figure: CellsForest, drawn: Picture) -> str:
    """The matrix as a page.

    Args:
        matrix: The matrix.
        figure: Figure of the matrix.
        drawn: Drawing of the figure.
    """
    return (
        environment()
        .get_template("matrix.html")
        .render(
            answer=answer(matrix),
            about=about(matrix),
            signs=SIGNS,
            claims=[(claim, _row(claim)) for claim in matrix.claims],
            claim_headings=CLAIM_HEADINGS,
            verdicts=_verdict_table(matrix),
            cells=(CELL_HEADINGS, _cell_rows(matrix)),
            caption=figure.caption,
            told=figure.text(),
            svg=inline(drawn.svg, 0),
        )
    )


def _row(claim: GeneralClaim) -> Sequence[str]:
    return claim_row(claim)[1:]
