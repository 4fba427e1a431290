"""Writes what a run has shown: tables, figures, verdicts, all of it as JSON."""

from __future__ import annotations

import json
import math
import re

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tlbench.errors import ConfigurationError


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tlbench.claims import Verdict
    from tlbench.environment import Environment
    from tlbench.report.figures import DrawnFigure
    from tlbench.report.tables import FilledTable

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """Everything that a run has to say.

    Attributes:
        header: What decides the run, by name.
        environment: What it ran on.
        notes: Sentences that a reader must know, such as what the data stand in for.
        tables: Filled.
        figures: Traced.
        verdicts: In the order of the tests.
    """

    header: Mapping[str, str]
    environment: Environment
    notes: Sequence[str]
    tables: Sequence[FilledTable]
    figures: Sequence[DrawnFigure]
    verdicts: Sequence[Verdict]

    def write(self, folder: Path) -> None:
        """Write `report.md`, `results.json`, and a file or three for each table and figure.

        Args:
            folder: Made if it isn't there; older files of the same names are replaced.

        Raises:
            ConfigurationError: It cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for table in self.tables:
                name = _file_name(table.table.name)
                (folder / f"{name}.md").write_text(_section(table) + "\n", encoding="utf-8")
                table.frame().to_csv(folder / f"{name}.csv", index=False)
                _write_json(folder / f"{name}.json", {"schema_version": SCHEMA_VERSION, "cells": table.records()})
            for figure in self.figures:
                name = _file_name(figure.figure.name)
                figure.draw(folder / f"{name}.png")
                _write_json(folder / f"{name}.json", {"schema_version": SCHEMA_VERSION, "points": figure.records()})
            (folder / "report.md").write_text(self.markdown(), encoding="utf-8")
            _write_json(folder / "results.json", self.content())
        except OSError as error:
            msg = f"The report cannot be written; choose another folder with --tlbench-report. Received: {error}"
            raise ConfigurationError(msg) from error

    def markdown(self) -> str:
        """The whole report as Markdown."""
        parts = ["# Report", "\n".join(f"- {name}: {value}" for name, value in self.header.items()), *self.notes]
        parts += [_section(table) for table in self.tables]
        for figure in self.figures:
            image = f"![{figure.figure.title}]({_file_name(figure.figure.name)}.png)"
            parts.append(f"## {figure.figure.name}: {figure.figure.title}\n\n{image}\n\n```\n{figure.text()}\n```")
        if self.verdicts:
            lines = [f"- **{verdict.claim.name}**: {verdict.claim.statement} {verdict}" for verdict in self.verdicts]
            parts.append("\n".join(["## Verdicts\n", *lines]))
        return "\n\n".join(parts) + "\n"

    def content(self) -> dict[str, Any]:
        """The whole report as values of JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "header": dict(self.header),
            "environment": asdict(self.environment),
            "notes": list(self.notes),
            "verdicts": [verdict_record(verdict) for verdict in self.verdicts],
            "tables": {table.table.name: table.records() for table in self.tables},
            "figures": {
                figure.figure.name: {"epochs_to_match": figure.epochs_to_match, "points": figure.records()}
                for figure in self.figures
            },
        }


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """A verdict as values of JSON."""
    claim, interval = verdict.claim, verdict.interval
    return {
        "claim": claim.name,
        "statement": claim.statement,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "left": str(claim.left),
        "right": str(claim.right),
        "threshold": claim.threshold,
        "margin": asdict(claim.margin),
        "effect": interval.mean if interval else None,
        "interval": [_finite(interval.low), _finite(interval.high)] if interval else None,
        "confidence": interval.confidence if interval else None,
        "p": verdict.p,
        "decision": asdict(verdict.decision),
        "seeds_needed": verdict.seeds_needed,
        "by_seed": [
            {
                "seed": seed,
                "left": _finite(verdict.evidence.left[seed]),
                "right": _finite(verdict.evidence.right[seed]),
                "difference": _finite(difference),
            }
            for seed, difference in verdict.differences.items()
        ],
        "on_macro_f1": verdict_record(verdict.also) if verdict.also else None,
    }


def _section(table: FilledTable) -> str:
    return f"## {table.table.name}: {table.table.title}\n\n{table.text('github')}"


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
