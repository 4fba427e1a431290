"""Tables: cells of arms in, text and data frames out."""

from __future__ import annotations

import math
import statistics

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tabulate import tabulate


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from tlbench.claims import Quantity
    from tlbench.results import Result
    from tlbench.trials import Arm, Trial

Unit = Literal["percent", "number"]

NOT_RUN = "not run"
DIVERGED = "diverged"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its heading.
        unit: `"percent"` shows 0.5 as 50.0 %, `"number"` as 0.50.
        every_seed: Whether to show each seed beside the mean.
    """

    name: str
    unit: Unit = "percent"
    every_seed: bool = True


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        label: Its heading.
        cells: What is measured, by column.
        published: What the study printed, by column, as printed.
    """

    label: str
    cells: Mapping[str, Quantity]
    published: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table of arms, measured beside published.

    Attributes:
        name: For instance `"Table 1"`.
        title: What it shows, in a line.
        row_heading: What the rows are.
        columns: In order.
        rows: In order.
        published_by: Heading of the published figures.
        notes: Sentences below it.
    """

    name: str
    title: str
    row_heading: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    published_by: str = "published"
    notes: tuple[str, ...] = ()

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Of its cells."""
        return tuple(arm for row in self.rows for cell in row.cells.values() for arm in cell.arms)

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """What has to be trained to fill it."""
        return tuple(
            trial for row in self.rows for seed in seeds for cell in row.cells.values() for trial in cell.trials(seed)
        )


@dataclass(frozen=True)
class Cell:
    """A cell, filled as far as there are results.

    Attributes:
        values: By seed: a number, `"diverged"` or `"not run"`.
        published: As printed; None where nothing was.
    """

    values: Mapping[int, float | str]
    published: str | None

    @property
    def numbers(self) -> tuple[float, ...]:
        """The values that are numbers."""
        return tuple(value for value in self.values.values() if not isinstance(value, str))

    @property
    def filled(self) -> bool:
        """Whether every seed has been run."""
        return NOT_RUN not in self.values.values()


@dataclass(frozen=True)
class FilledTable:
    """A table with its values.

    Attributes:
        table: Whose values they are.
        cells: By row and column.
    """

    table: Table
    cells: Mapping[tuple[str, str], Cell]

    @property
    def filled(self) -> bool:
        """Whether every cell has a value or has diverged under every seed."""
        return all(cell.filled for cell in self.cells.values())

    def text(self, style: str = "simple") -> str:
        """The table as text.

        Args:
            style: One of tabulate's formats, for instance `"github"`.
        """
        headings = [self.table.row_heading]
        for column in self.table.columns:
            headings.append(column.name)
            if column.every_seed:
                headings.append("by seed")
            if self._published(column):
                headings.append(self.table.published_by)
        lines = [self._line(row) for row in self.table.rows]
        body = tabulate(lines, headings, tablefmt=style, disable_numparse=True, stralign="left")
        return "\n".join([body, *(f"\n{note}" if style == "github" else note for note in self.table.notes)])

    def frame(self) -> pd.DataFrame:
        """One line for each row, column and seed."""
        import pandas as pd

        return pd.DataFrame(self.records())

    def records(self) -> list[dict[str, Any]]:
        """As `frame`, as values of JSON; what is not a number is None, with its status."""
        return [
            {
                "table": self.table.name,
                "row": row.label,
                "column": column.name,
                "seed": seed,
                "value": None if isinstance(value, str) else value,
                "status": value if isinstance(value, str) else "finished",
                "published": self.cells[row.label, column.name].published,
            }
            for row in self.table.rows
            for column in self.table.columns
            if (row.label, column.name) in self.cells
            for seed, value in self.cells[row.label, column.name].values.items()
        ]

    def _published(self, column: Column) -> bool:
        return any(column.name in row.published for row in self.table.rows)

    def _line(self, row: Row) -> list[str]:
        line = [row.label]
        for column in self.table.columns:
            cell = self.cells.get((row.label, column.name))
            line.append(_summary(cell, column.unit) if cell else "")
            if column.every_seed:
                line.append(" ".join(_shown(value, column.unit) for value in cell.values.values()) if cell else "")
            if self._published(column):
                line.append(row.published.get(column.name, ""))
        return line


def fill(table: Table, result: Callable[[Trial], Result | None], seeds: Sequence[int]) -> FilledTable:
    """Fill a table with the results there are.

    Args:
        table: What to fill.
        result: Gives a trial's result, or None where there is none.
        seeds: Of the values.
    """
    cells = {
        (row.label, column): Cell({seed: _value(quantity, result, seed) for seed in seeds}, row.published.get(column))
        for row in table.rows
        for column, quantity in row.cells.items()
    }
    return FilledTable(table, cells)


def _value(quantity: Quantity, result: Callable[[Trial], Result | None], seed: int) -> float | str:
    results = {trial.digest: result(trial) for trial in quantity.trials(seed)}
    if any(outcome is None for outcome in results.values()):
        return NOT_RUN
    value = quantity.value(lambda trial: results[trial.digest], seed)  # type: ignore[arg-type, return-value]
    return DIVERGED if math.isnan(value) else value


def _summary(cell: Cell, unit: Unit) -> str:
    if not cell.numbers:
        return DIVERGED if cell.filled else NOT_RUN
    mean = _shown(statistics.fmean(cell.numbers), unit)
    missing = len(cell.values) - len(cell.numbers)
    return f"{mean} (of {len(cell.numbers)} seeds)" if missing else mean


def _shown(value: float | str, unit: Unit) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.1%}" if unit == "percent" else f"{value:.2f}"
