"""The history of a series of saved runs as one page of HTML that needs nothing else, and as Markdown and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from tlbench.errors import ConfigurationError
from tlbench.judge.courses import shown as shown_first
from tlbench.judge.drift import FEW_NIGHTS, LEVEL, NIGHTS, REFERENCE_NIGHTS, WINDOWS
from tlbench.judge.repeats import REPEATS
from tlbench.report import courses, formats
from tlbench.report.courses import chart, dates, sparkline, version_nights
from tlbench.report.escaping import one_line
from tlbench.report.files import as_csv
from tlbench.report.html import environment
from tlbench.report.markdown import grid
from tlbench.scores.listed import METRICS
from tlbench.store.publishing import publish


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tlbench.judge.courses import Course, CourseKind, History
    from tlbench.judge.drift import Drift

PAGE, TEXT, VALUES = "history.html", "history.md", "history.csv"

_TITLES: dict[CourseKind, str] = {"claim": "Claims", "arm": "Arms", "speed": "Speed and memory"}

# Versions that differ are named in a row up to this many.
_NAMED = 12

ABOUT = (
    f"The last {', '.join(map(str, WINDOWS[:-1]))} and {WINDOWS[-1]} nights are each held against the reference: the "
    "accepted night and the nights right after it, up to "
    f"{REFERENCE_NIGHTS} in all. In a year of {NIGHTS} quiet nights, the chance of any alarm is {LEVEL:.0%}, over all "
    "arms, metrics and claims. p is the chance of such a drift in a quiet year. A night is no further evidence where "
    "an earlier night has its results already, or where its scores are those of the night before to the last digit. "
    f"Where nights repeat each other so {REPEATS} times, other scores of the same commit, versions and settings are an "
    "alarm by themselves."
)

ABOUT_CHARTS = (
    "Line: mean over seeds. Band: 90 % interval over seeds. Dashed: mean of the reference; the grey band around it is "
    "the noise between seeds. Numbers: nights with other versions, listed below. ▼: change point. Thick line: the last "
    "nights, where they have drifted. Speed is a ratio to the accepted night, with a 90 % interval over arms."
)

NO_ENGINE = "Change points were not looked for: pip install 'tlbench[history]' brings the engine."


def write(history: History, folder: Path, title: str, machine: str = "") -> None:
    """Write `history.html`, `history.md` and `history.csv`.

    Args:
        history: The history.
        folder: Made if it isn't there; older files of the same names are replaced.
        title: Name of the series.
        machine: Machine that saved the runs; empty where it is not told.

    Raises:
        ConfigurationError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        publish(folder / VALUES, as_csv(records(history)))
        publish(folder / TEXT, markdown(history, title, machine))
        publish(folder / PAGE, page(history, title, machine))
    except OSError as error:
        msg = f"The history cannot be written; choose another folder with --to. Received: {error}"
        raise ConfigurationError(msg) from error


def answer(history: History) -> str:
    """The sentences that a reader needs: what has drifted or changed, since when, and how much was looked at."""
    reference = history.nights[history.reference]
    judged = [course for course in history.courses if course.drift and course.drift.status != "not judged"]
    against = f"the accepted run {reference.name} of {reference.created[:10]}"
    worse = list(dict.fromkeys(drift.label for drift in history.alarms))
    changed = _unexplained(history)
    if worse:
        return f"Drift: {_listed(worse)} {'has' if len(worse) == 1 else 'have'} become worse than {against}.{changed}"
    if not judged:
        early = any(course.drift and course.drift.reason == FEW_NIGHTS for course in history.courses)
        reason = f"{FEW_NIGHTS}, so far" if early else "no later night measured the same arms or claims anew"
        return f"Nothing can be judged against {against}: {reason}.{changed}"
    better = list(dict.fromkeys(drift.label for drift in history.improvements))
    also = f" {_listed(better)} {'has' if len(better) == 1 else 'have'} become better." if better else ""
    quiet = f"Nothing has become worse than {against}, among {len(judged)} quantities of arms and claims.{also}"
    return f"{changed.strip()} {quiet}" if changed else quiet


def _unexplained(history: History) -> str:
    """A sentence on scores that have changed while nothing recorded has, behind a space; empty where none have."""
    found = history.unexplained
    if found is None:
        return ""
    return (
        f" Scores have changed while nothing recorded has: {_listed(list(found.labels))} in {found.name} of "
        f"{found.created[:10]}, after {found.equal} or more equal nights."
    )


def _listed(names: list[str], most: int = 4) -> str:
    shown = names[:most] + ([f"{len(names) - most} more"] if len(names) > most else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def describe(history: History) -> str:
    """The history as text for a terminal: the answer, what has drifted, and the change points."""
    parts = [answer(history)]
    rows = _drift_rows(history)
    if rows:
        cells = [[one_line(cell) for cell in row] for row in rows]
        parts.append(tabulate(cells, DRIFT_HEADINGS, disable_numparse=True, stralign="left"))
    if steps := list(_step_rows(history)):
        cells = [[one_line(cell) for cell in row] for row in steps]
        parts.append(tabulate(cells, STEP_HEADINGS, disable_numparse=True, stralign="left"))
    if not history.steps_known:
        parts.append(NO_ENGINE)
    return "\n\n".join(parts)


DRIFT_HEADINGS = (
    "arm or claim",
    "direction",
    "quantity",
    "against the reference",
    "in noises between seeds",
    "nights",
    "p",
)


def _drift_rows(history: History) -> list[tuple[str, ...]]:
    return [
        (
            drift.label,
            drift.status,
            _metric_name(drift.metric),
            f"{formats.with_unit(drift.effect, drift.unit)} [{', '.join(_ends(drift))}]",
            "" if not drift.seed_noise or drift.effect is None else f"{drift.effect / drift.seed_noise:+.1f}",
            str(drift.window),
            formats.p_value(drift.p),
        )
        for drift in (*history.alarms, *history.improvements)
    ]


def _ends(drift: Drift) -> list[str]:
    return [formats.signed(end, drift.unit) for end in drift.interval or ()]


def _metric_name(key: str) -> str:
    return next((metric.name for metric in METRICS if metric.key == key), "difference")


STEP_HEADINGS = ("arm, claim or speed", "quantity", "night", "before", "after", "versions that changed")


def _step_rows(history: History) -> Iterator[tuple[str, ...]]:
    """A row for each change point: the means around it, and the versions that changed in that night."""
    for course in history.courses:
        bounds = [0, *course.steps, len(history.nights)]
        for number, step in enumerate(course.steps, start=1):
            before, after = (
                [point.mean for point in course.points if low <= point.night < high]
                for low, high in ((bounds[number - 1], step), (step, bounds[number + 1]))
            )
            night = history.nights[step]
            yield (
                course.label,
                _metric_name(course.metric) if course.kind != "speed" else "ratio",
                f"{night.created[:10]} {night.name}",
                courses.shown(sum(before) / len(before), course),
                courses.shown(sum(after) / len(after), course),
                _versions(night.versions),
            )


def _versions(versions: tuple[tuple[str, str | None, str | None], ...]) -> str:
    named = [f"{name} {old or '-'} → {new or '-'}" for name, old, new in versions[:_NAMED]]
    return ", ".join([*named, *([f"{len(versions) - _NAMED} more"] if len(versions) > _NAMED else [])])


def _facts(history: History, machine: str) -> dict[str, str]:
    first, last, reference = history.nights[0], history.nights[-1], history.nights[history.reference]
    unmeasured = sum(night.measured == 0 for night in history.nights)
    failed = sum(night.failed for night in history.nights)
    nights = f"{len(history.nights)}, {first.created[:10]} to {last.created[:10]}"
    return {
        "nights": nights
        + (f"; {unmeasured} of them measured nothing anew" if unmeasured else "")
        + (f"; {failed} failed their comparison" if failed else ""),
        "accepted": f"{reference.name}, {reference.created[:10]}",
        "last": f"{last.name}, {last.created[:10]}" + (f", commit {last.commit}" if last.commit else ""),
        "versions": f"changed {_times(len(version_nights(history)))}",
        **({"machine": machine} if machine else {}),
    }


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


VERSION_HEADINGS = ("number", "night", "changed")


def _version_rows(history: History) -> list[tuple[str, ...]]:
    found = [(number, history.nights[position]) for number, position in version_nights(history)]
    return [(str(number), f"{night.created[:10]} {night.name}", _versions(night.versions)) for number, night in found]


NIGHT_HEADINGS = ("night", "saved at (UTC)", "commit", "tlbench", "measured", "comparison")


def _night_rows(history: History) -> list[tuple[str, ...]]:
    return [
        (
            night.name,
            night.created[:16].replace("T", " "),
            night.commit,
            night.tlbench_version,
            f"{night.measured} of {night.trials} trials",
            "failed" if night.failed else "",
        )
        for night in history.nights
    ]


def markdown(history: History, title: str, machine: str = "") -> str:
    """The history as Markdown, for a job summary.

    Args:
        history: The history.
        title: Name of the series.
        machine: Machine that saved the runs; empty where it is not told.
    """
    from tlbench.report.escaping import markdown as escaped

    parts = [f"# History: {escaped(title)}", f"**{escaped(answer(history))}**"]
    parts.append("\n".join(f"- {escaped(name)}: {escaped(value)}" for name, value in _facts(history, machine).items()))
    if rows := _drift_rows(history):
        parts += ["## Drift", grid(DRIFT_HEADINGS, rows)]
    if steps := list(_step_rows(history)):
        parts += ["## Change points", grid(STEP_HEADINGS, steps)]
    for kind, heading in _TITLES.items():
        rows = [_course_row(course) for course in history.of(kind) if shown_first(course)]
        if rows:
            parts += [f"## {heading}", grid(("", "course", "first", "last", "drift"), rows)]
    if versions := _version_rows(history):
        parts += ["## Versions", grid(VERSION_HEADINGS, versions)]
    parts.append(escaped(ABOUT))
    if not history.steps_known:
        parts.append(escaped(NO_ENGINE))
    return "\n\n".join(parts) + "\n"


def _course_row(course: Course) -> tuple[str, ...]:
    ends = (courses.shown(point.mean, course) for point in (course.points[0], course.points[-1]))
    words = courses.drift_in_words(course) if course.drift else course.note
    return course.label, sparkline(course), *ends, words


def records(history: History) -> Iterator[dict[str, object]]:
    """Every point of every course, a record each."""
    for course in history.courses:
        for point in course.points:
            night = history.nights[point.night]
            yield {
                "kind": course.kind,
                "label": course.label,
                "metric": course.metric,
                "night": night.name,
                "created": night.created,
                "commit": night.commit,
                "mean": point.mean,
                "low": "" if point.low is None else point.low,
                "high": "" if point.high is None else point.high,
                "outcome": point.outcome,
                "change point": point.night in course.steps,
            }


def page(history: History, title: str, machine: str = "") -> str:
    """The history as a page.

    Args:
        history: The history.
        title: Name of the series.
        machine: Machine that saved the runs; empty where it is not told.
    """
    tables = [
        ("drift", "Drift", "The last nights against the reference", DRIFT_HEADINGS, _drift_rows(history)),
        ("steps", "Change points", "Nights at which a course steps", STEP_HEADINGS, list(_step_rows(history))),
    ]
    return (
        environment()
        .get_template("history.html")
        .render(
            title=title,
            answer=answer(history),
            alarming=history.alarming,
            facts=_facts(history, machine),
            about=ABOUT,
            about_charts=ABOUT_CHARTS,
            no_engine="" if history.steps_known else NO_ENGINE,
            tables=[table for table in tables if table[-1]],
            sections=list(_sections(history)),
            dates=dates(history),
            versions=(VERSION_HEADINGS, _version_rows(history)),
            nights=(NIGHT_HEADINGS, _night_rows(history)),
            metric_name=_metric_name,
            height=courses.HEIGHT,
            width=courses.WIDTH,
        )
    )


def _sections(history: History) -> Iterator[tuple[str, str, list[tuple[str, list[courses.Chart]]]]]:
    """Sections of the page: identifier, title, and each label with its charts, the drifting ones first."""
    for kind, heading in _TITLES.items():
        by_label: dict[str, list[Course]] = {}
        for course in history.of(kind):
            by_label.setdefault(course.label, []).append(course)
        ordered = sorted(by_label.items(), key=lambda item: not _any_drift(item[1]))
        if ordered:
            yield kind, heading, [(label, [chart(course, history) for course in several]) for label, several in ordered]


def _any_drift(several: Iterable[Course]) -> bool:
    return any(course.drift is not None and course.drift.status in {"worse", "better"} for course in several)
