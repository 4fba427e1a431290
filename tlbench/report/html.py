"""A report as one page of HTML that needs nothing else."""

from __future__ import annotations

import re

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tlbench.judge.wording import UNITS
from tlbench.report import answer as answers
from tlbench.report import comparisons, formats
from tlbench.report.cautions import cautions
from tlbench.report.content import repeat_command
from tlbench.report.drawing import COLOURS, COLOURS_ON_DARK, INK
from tlbench.report.ticks import nice_ticks
from tlbench.scores.listed import ACCURACY, HUNDREDTHS


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jinja2 import Environment

    from tlbench.machine.environment import Environment as Machine
    from tlbench.report.content import Report
    from tlbench.report.drawing import Picture
    from tlbench.report.figures import Drawn
    from tlbench.report.records import ArmRecord, ClaimRecord, TrialRecord
    from tlbench.scores.listed import Unit

_T = TypeVar("_T")

# Told in words as well; these are for the eye.
SIGNS = {"supported": "✓", "refuted": "✗", "inconclusive": "?"}

# Of the bar beside a claim and of a trial's history, in CSS pixels.
BAR_WIDTH = 200
HISTORY_WIDTH, HISTORY_HEIGHT = 110, 30


def page(report: Report, figures: Sequence[Drawn], pictures: Mapping[str, Picture]) -> str:
    """The whole report.

    Args:
        report: The report.
        figures: All of its figures, in order.
        pictures: Drawings of the figures, by name.
    """
    trials = {
        trial.digest: _Place(trial, arm, f"arm-{number}", f"trial-{trial.digest[:16]}")
        for number, arm in enumerate(report.arms)
        for trial in arm.trials
    }
    claims = answers.in_order(report.claims)
    return (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            counts=[(outcome, sum(c.outcome == outcome for c in report.claims)) for outcome in formats.OUTCOMES],
            signs=SIGNS,
            cautions=cautions(report),
            heading=_heading(report),
            answer=answers.sentence(report) if report.claims else report.data,
            effect=answers.effect,
            parameter=_parameter,
            claims=[(claim, f"claim-{number}", _arms_of(claim, trials)) for number, claim in enumerate(claims)],
            # Names may be those of several; a link leads to the first.
            claim_ids={claim.name: f"claim-{number}" for number, claim in _backwards(claims)},
            arm_ids={arm.labels[0]: f"arm-{number}" for number, arm in _backwards(report.arms)},
            trials=trials,
            scale=_Scale.of(report.claims),
            figures=[
                (drawn, f"figure-{number}", inline(pictures[drawn.name].svg, number), drawn.caption)
                for number, drawn in enumerate(figures)
            ],
            tables=[
                (
                    table,
                    formats.grid(table, every_seed=False),
                    formats.grid(table, every_seed=True),
                    formats.notes(table),
                )
                for table in report.tables
            ],
            about_tables=formats.ABOUT_TABLES,
            comparison=comparisons.tables(report.comparison) if report.comparison else None,
            comparison_summary=comparisons.summary(report.comparison) if report.comparison else (),
            also=formats.also,
            metrics=formats.told_metrics({key for trial in report.trials.values() for key in trial.scores}),
            accuracy=ACCURACY.key,
            history=_history,
            repeat=repeat_command,
            machine=_machine,
            p_value=formats.p_value,
            interval=formats.interval,
        )
    )


@dataclass(frozen=True)
class _Place:
    """Place of a trial in the page.

    Attributes:
        trial: The trial.
        arm: Arm of the trial.
        arm_id: Identifier of the arm's element.
        id: Identifier of the trial's element.
    """

    trial: TrialRecord
    arm: ArmRecord
    arm_id: str
    id: str


@dataclass(frozen=True)
class _Scale:
    """From differences to pixels, the same for all claims."""

    low: float
    high: float
    unit: str
    ticks: tuple[tuple[float, str], ...]

    @classmethod
    def of(cls, claims: Iterable[ClaimRecord]) -> _Scale:
        claims, values = tuple(claims), [0.0]
        for claim in claims:
            values += [value for value in (claim.effect, claim.low, claim.high, claim.threshold) if value is not None]
        margin = 0.04 * (max(values) - min(values)) or 0.01
        low, high = min(values) - margin, max(values) + margin
        units = {claim.unit for claim in claims}
        # Differences in several units share the bars' pixels, but no numbers.
        if len(units) != 1:
            return cls(low, high, "", ())
        (unit,) = units
        factor = 100 if unit in HUNDREDTHS else 1
        ticks = tuple((value, f"{factor * value:+.3g}" if value else "0") for value in nice_ticks(low, high))
        return cls(low, high, UNITS[unit].strip(), ticks)

    def __call__(self, value: float) -> str:
        return f"{BAR_WIDTH * (value - self.low) / (self.high - self.low):.1f}"


def _heading(report: Report) -> str:
    """The study and its images."""
    dataset = answers.dataset(report)
    return f"Transfer learning on {dataset}" if dataset else "tlbench report"


def _machine(environment: Machine) -> list[tuple[str, object]]:
    """Facts of a machine beside its software; older results have none."""
    names = ("processor", "cores", "threads", "driver", "flags")
    return [(name, value) for name in names if (value := getattr(environment, name))]


def _parameter(claim: ClaimRecord) -> str:
    """The parameter of a claim's test, which tells it from others of the same statement; empty without."""
    return claim.name.partition("[")[2].removesuffix("]")


def environment() -> Environment:
    """Templates of pages, and the filters that they share."""
    # Imported where a page is made: every pytest of a project imports this module's package.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("tlbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {
        "share": _share,
        "signed": _signed,
        "decimal": _decimal,
        "score": formats.score,
        "side": formats.side,
    }
    # `inline` names these colours, and `figures.css` says what they are on a light page and on a dark one.
    templates.globals["figure_colours"] = list(zip(COLOURS, COLOURS_ON_DARK, strict=True))
    return templates


def _backwards(values: Sequence[_T]) -> list[tuple[int, _T]]:
    return list(enumerate(values))[::-1]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _signed(value: float | None, unit: Unit) -> str:
    return formats.with_unit(value, unit)


def _decimal(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _arms_of(claim: ClaimRecord, trials: Mapping[str, _Place]) -> dict[str, list[_Place]]:
    """Trials under a claim, by the element of their arm; those that are not stored are left out."""
    found: dict[str, list[_Place]] = {}
    for digest in claim.trials:
        if (place := trials.get(digest)) is not None:
            found.setdefault(place.arm_id, []).append(place)
    return found


def _history(values: Sequence[float | None]) -> str:
    """Points of a polyline, from accuracies."""
    step = HISTORY_WIDTH / max(len(values) - 1, 1)
    known = [(index, value) for index, value in enumerate(values) if value is not None]
    return " ".join(f"{index * step:.0f},{HISTORY_HEIGHT * (1 - value):.1f}" for index, value in known)


def inline(svg: str, number: int) -> str:
    """An SVG file as part of a page: with names that are no other figure's, in the colours of the page around it.

    The page includes `figures.css`, and has the figure in an element of the class `picture`.

    Args:
        svg: Text of the file.
        number: Number of the figure in the page.
    """
    svg = svg[svg.index("<svg") :]
    # Metadata would only be read in a file; the style is of the whole page where it stands in one.
    svg = re.sub(r"<metadata>.*?</metadata>|<style .*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>f{number}-", svg)
    svg = svg.replace(INK, "currentColor")
    for index, colour in enumerate(COLOURS):
        svg = re.sub(f'{colour}(?=[;"])', f"var(--figure-{index})", svg, flags=re.IGNORECASE)
    # Whoever cannot see it is told by the figure's text.
    return re.sub(
        r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", r'<svg \1 aria-hidden="true" focusable="false">', svg, count=1
    )
