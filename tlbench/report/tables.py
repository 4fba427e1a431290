"""Tables: cells of arms in, values out."""

from __future__ import annotations

import math
import re
import statistics

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tlbench.scores.extras import NO_EXTRAS
from tlbench.scores.listed import STORED_UNITS, Unit
from tlbench.scores.statistics import CONFIDENCE, mean_interval


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tlbench.declare.claims import Quantity, Reading
    from tlbench.declare.evaluations import Work
    from tlbench.declare.trials import Arm, Trial
    from tlbench.scores.listed import Metric, Scored

ValueStatus = Literal["finished", "diverged", "no score", "not run"]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Heading of the column.
        unit: Unit of the values: `"percent"` shows 0.5 as 50.0%, `"points"` as +50.0 under a heading that says so, and
            others as 0.50.
        every_seed: Whether to show each seed beside the mean, where there is room.
    """

    name: str
    unit: Unit = "percent"
    every_seed: bool = True

    @classmethod
    def of(cls, metric: Metric | Reading, *, every_seed: bool = True) -> Column:
        """The column of a metric, under its name and in its unit."""
        return cls(metric.name, metric.unit, every_seed)


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        label: Heading of the row.
        cells: Quantities that are measured, by column.
        published: Values that the study printed, by column, as printed.
    """

    label: str
    cells: Mapping[str, Quantity]
    published: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table of arms, measured beside published.

    Attributes:
        name: For instance `"Table 1"`.
        title: Contents of the table, in a line.
        row_heading: Heading of the rows' labels.
        columns: Columns, in order.
        rows: Rows, in order.
        published_by: Heading of the published figures.
        notes: Sentences below it.
    """

    # Beside those of the cells' metrics.
    extras: ClassVar[frozenset[str]] = NO_EXTRAS

    name: str
    title: str
    row_heading: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    published_by: str = "published"
    notes: tuple[str, ...] = ()

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities of the cells."""
        return tuple(cell for row in self.rows for cell in row.cells.values())

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Arms of the cells."""
        return tuple(arm for cell in self.quantities for arm in cell.arms)

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """Trials that the cells rest on."""
        return tuple(
            trial for row in self.rows for seed in seeds for cell in row.cells.values() for trial in cell.trials(seed)
        )


@dataclass(frozen=True)
class Value:
    """The value of a quantity under one seed.

    Attributes:
        seed: Seed of the trials.
        status: Finished; diverged, where any trial did; no score, where a metric does not apply to a trial's task; or
            not run.
        number: The value; None unless finished.
    """

    seed: int
    status: ValueStatus
    number: float | None

    @classmethod
    def of(cls, quantity: Quantity, result: Callable[[Work], Scored | None], seed: int) -> Value:
        """A quantity's value, as far as there are results.

        Args:
            quantity: The quantity.
            result: Function that gives the result of a trial or an evaluation, or None where there is none.
            seed: Seed of the trials.
        """
        results = {work.digest: result(work) for work in (*quantity.trials(seed), *quantity.work(seed))}
        if any(outcome is None for outcome in results.values()):
            return cls(seed, "not run", None)
        number = quantity.value(lambda work: results[work.digest], seed)  # type: ignore[arg-type, return-value]
        if math.isfinite(number):
            return cls(seed, "finished", number)
        diverged = any(outcome is not None and outcome.diverged for outcome in results.values())
        return cls(seed, "diverged" if diverged else "no score", None)


@dataclass(frozen=True)
class Cell:
    """The values of a quantity under every seed, beside the published value.

    Attributes:
        values: A value for each seed.
        published: Published value as printed; None where there is none.
    """

    values: tuple[Value, ...]
    published: str | None = None

    @classmethod
    def of(
        cls,
        quantity: Quantity,
        result: Callable[[Work], Scored | None],
        seeds: Sequence[int],
        published: str | None = None,
    ) -> Cell:
        """A quantity's values under some seeds, as `Value.of`."""
        return cls(tuple(Value.of(quantity, result, seed) for seed in seeds), published)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The values that are numbers."""
        return tuple(value.number for value in self.values if value.number is not None)

    @property
    def filled(self) -> bool:
        """True where every seed has been run."""
        return all(value.status != "not run" for value in self.values)

    @property
    def mean(self) -> float | None:
        """Mean of the numbers; None where there are none."""
        return statistics.fmean(self.numbers) if self.numbers else None

    @property
    def half_width(self) -> float | None:
        """Half the width of Student's 90 % interval of the mean over seeds; None for less than two numbers."""
        if len(self.numbers) < 2:
            return None
        interval = mean_interval(self.numbers, CONFIDENCE)
        return interval.high - interval.mean

    @property
    def published_number(self) -> float | None:
        """Published value as a number, percent and points as hundredths; None where more was printed than a number."""
        return number(self.published)

    @property
    def difference(self) -> float | None:
        """Mean less the published value; None where either is missing."""
        if self.mean is None or self.published_number is None:
            return None
        return self.mean - self.published_number


def number(printed: str | None) -> float | None:
    """A printed figure as a number, percent and points as hundredths.

    Args:
        printed: For instance `"78.6%"`; a remark beside it, such as that it is impossible, makes it no number.
    """
    found = re.fullmatch(r"\s*([-+]?\d+(?:\.\d+)?)\s*(%|points?|)\s*", printed or "")
    return None if found is None else float(found[1]) / (100 if found[2] else 1)


@dataclass(frozen=True)
class FilledRow:
    """A row with its values.

    Attributes:
        label: Heading of the row.
        cells: Cells by column; a column that does not apply is missing.
    """

    label: str
    cells: dict[str, Cell]


@dataclass(frozen=True)
class FilledTable:
    """A table with its values, as they are stored in `results.json`; see `Table`."""

    name: str
    title: str
    row_heading: str
    columns: tuple[Column, ...]
    rows: tuple[FilledRow, ...]
    published_by: str
    notes: tuple[str, ...]

    @property
    def filled(self) -> bool:
        """True where every cell has been run under every seed."""
        return all(cell.filled for row in self.rows for cell in row.cells.values())

    def has_published(self, column: Column) -> bool:
        """Tell a column of which any value was published."""
        return any(row.cells[column.name].published is not None for row in self.rows if column.name in row.cells)

    def records(self) -> Iterator[dict[str, Any]]:
        """One for each row, column and seed, as lines of a data frame."""
        for row in self.rows:
            for column in self.columns:
                if (cell := row.cells.get(column.name)) is None:
                    continue
                for value in cell.values:
                    yield {
                        "table": self.name,
                        "row": row.label,
                        "column": column.name,
                        "unit": STORED_UNITS[column.unit],
                        "seed": value.seed,
                        "value": value.number,
                        "status": value.status,
                        "published": cell.published,
                    }


def fill(table: Table, result: Callable[[Work], Scored | None], seeds: Sequence[int]) -> FilledTable:
    """Fill a table with the results there are.

    Args:
        table: The table to fill.
        result: Function that gives the result of a trial or an evaluation, or None where there is none.
        seeds: Seeds of the values.
    """
    return FilledTable(
        name=table.name,
        title=table.title,
        row_heading=table.row_heading,
        columns=table.columns,
        rows=tuple(
            FilledRow(
                row.label,
                {
                    column: Cell.of(quantity, result, seeds, row.published.get(column))
                    for column, quantity in row.cells.items()
                },
            )
            for row in table.rows
        ),
        published_by=table.published_by,
        notes=table.notes,
    )
