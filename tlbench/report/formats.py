"""Values as people read them, the same in every kind of output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench.judge.wording import UNITS, shown_difference, shown_interval, shown_p, shown_signed, shown_with_unit
from tlbench.scores.listed import HUNDREDTHS, METRICS


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tlbench.report.records import ClaimRecord
    from tlbench.report.tables import Cell, Column, FilledTable, Value
    from tlbench.scores.listed import Metric, Unit

# Units of values in headings.
IN_HEADINGS: dict[Unit, str] = {"percent": " (%)", "points": " (points)", "nats": " (nats)", "number": ""}

OUTCOMES = ("supported", "refuted", "inconclusive")


# From here on a plain number is shown without decimals: it counts something, such as images.
_WHOLE = 100


def shown(value: float, unit: Unit) -> str:
    """A value, for instance `87.7%`, `0.34` or `408`; a difference of shares in points with its sign, `+1.2`."""
    if unit == "points":
        return shown_signed(100 * value, 1)
    number = shown_signed(100 * value, 1) if unit == "percent" else shown_signed(value, _decimals(value))
    return number.removeprefix("+") + ("%" if unit == "percent" else "")


def _decimals(value: float) -> int:
    return 0 if abs(value) >= _WHOLE else 2


def summary(cell: Cell | None, unit: Unit) -> str:
    """Mean and the half-width of its 90 % interval over seeds, for instance `87.7% ±0.9`, or why there is none."""
    if cell is None:
        return ""
    if cell.mean is None:
        statuses = {value.status for value in cell.values}
        return next((status for status in ("not run", "diverged") if status in statuses), "no score")
    text = shown(cell.mean, unit)
    if cell.half_width is not None:
        places = 1 if unit in HUNDREDTHS else _decimals(cell.mean)
        text += f" ±{100 * cell.half_width if unit in HUNDREDTHS else cell.half_width:.{places}f}"
    missing = len(cell.values) - len(cell.numbers)
    return f"{text} ({len(cell.numbers)} of {len(cell.values)} seeds)" if missing else text


def by_seed(cell: Cell | None, unit: Unit) -> str:
    """Every seed's value."""
    return " ".join(_value(value, unit) for value in cell.values) if cell else ""


def difference(cell: Cell | None, unit: Unit) -> str:
    """Mean less what was published, in points where values are shares."""
    if cell is None or cell.difference is None:
        return ""
    if unit in HUNDREDTHS:
        return shown_difference(cell.difference, unit)
    return shown_signed(cell.difference, 2)


def heading(column: Column) -> str:
    """The heading of a column, with the unit where its cells do not show it."""
    return column.name if column.unit == "percent" else f"{column.name}{IN_HEADINGS[column.unit]}"


def notes(table: FilledTable) -> list[str]:
    """The notes below a table, and one for each published column that counts in hundredths of the measured values."""
    found = list(table.notes)
    for column in table.columns:
        cells = [row.cells[column.name] for row in table.rows if column.name in row.cells]
        printed = next(
            (cell for cell in cells if cell.published_number is not None and "%" in str(cell.published)), None
        )
        if column.unit not in HUNDREDTHS and printed is not None:
            unit = UNITS[column.unit]
            found.append(
                f"The {table.published_by} prints {column.name} in percent: its {printed.published} is "
                f"{shown(printed.published_number or 0.0, column.unit)}{unit} here."
            )
    return found


def columns(table: FilledTable, column: Column, *, every_seed: bool) -> list[tuple[str, list[str]]]:
    """A column of a table as headings and cells: mean and interval, every seed, what was published, the difference.

    Args:
        table: Table that has the column.
        column: The column.
        every_seed: Whether to show each seed, where the column does.
    """
    cells = [row.cells.get(column.name) for row in table.rows]
    found = [(heading(column), [summary(cell, column.unit) for cell in cells])]
    if every_seed and column.every_seed:
        found.append(("by seed", [by_seed(cell, column.unit) for cell in cells]))
    if table.has_published(column):
        found.append((table.published_by, [(cell.published or "") if cell else "" for cell in cells]))
        in_points = " (points)" if column.unit in HUNDREDTHS else ""
        found.append((f"difference{in_points}", [difference(cell, column.unit) for cell in cells]))
    return found


def grid(table: FilledTable, *, every_seed: bool) -> tuple[list[str], list[tuple[str, ...]]]:
    """A whole table as headings and rows, each of which begins with its label; see `columns`."""
    found = [(table.row_heading, [row.label for row in table.rows])]
    for column in table.columns:
        found += columns(table, column, every_seed=every_seed)
    return [heading for heading, _ in found], list(zip(*(cells for _, cells in found), strict=True))


def signed(value: float | None, unit: Unit) -> str:
    """A difference of a claim, in points where it is one of shares: `+1.2`, or `+0.012`; empty without a value."""
    return "" if value is None else shown_difference(value, unit)


def with_unit(value: float | None, unit: Unit) -> str:
    """A difference of a claim with the name of its unit: `+1.2 points`; empty without a value."""
    return "" if value is None else shown_with_unit(value, unit)


def score(value: float | None, unit: Unit) -> str:
    """A score of a trial: `87.7%`, `+1.2 points`, or `0.341`; empty without a value."""
    if value is None:
        return ""
    if unit == "points":
        return shown_with_unit(value, unit)
    return f"{value:.1%}" if unit == "percent" else f"{value:.3f}"


def side(value: float | None, record: ClaimRecord) -> str:
    """One side of a claim under a seed, see `score`."""
    return score(value, "points" if record.sides_in_points else record.unit)


def told_metrics(keys: Collection[str]) -> list[Metric]:
    """Metrics to show, in the order of columns: those that alarm, and the others that have a value.

    Args:
        keys: Keys of the metrics that have a value.
    """
    return [metric for metric in METRICS if metric.alarms or metric.key in keys]


def metrics_beside(records: Iterable[ClaimRecord]) -> list[Metric]:
    """Metrics on which claims about accuracy were judged as well, in the order of columns."""
    found = {key for record in records for key in record.also}
    return [metric for metric in METRICS if metric.beside_accuracy or metric.key in found]


def also(record: ClaimRecord) -> list[tuple[str, ClaimRecord]]:
    """Verdicts on the same claim about other metrics, by the metric's name."""
    return [(metric.name, record.also[metric.key]) for metric in METRICS if metric.key in record.also]


def interval(low: float | None, high: float | None, threshold: float, unit: Unit) -> tuple[str, str]:
    """An interval and the threshold that it is held against, see `shown_interval`."""
    if low is None or high is None:
        return "", shown_difference(threshold, unit)
    shown_low, shown_high, bound = shown_interval(low, high, threshold, unit)
    return f"{shown_low} to {shown_high}", bound


def p_value(value: float | None, level: float | None = None) -> str:
    """For instance `0.012`, or `< 0.001`; on its side of a level where there is one."""
    return "" if value is None else shown_p(value, level)


def _value(value: Value, unit: Unit) -> str:
    return value.status if value.number is None else shown(value.number, unit)


ABOUT_CLAIMS = (
    "Differences of shares, such as accuracy and F1, are in points. The interval is that which decides, among all "
    "claims of the run: above what must be exceeded where a claim is supported, not above where it is refuted. So is p."
)

ABOUT_TABLES = (
    "± is half the width of Student's 90 % interval of the mean over seeds; differences of shares, such as accuracy "
    "and F1, are in points."
)
