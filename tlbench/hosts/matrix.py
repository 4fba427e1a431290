"""The cells of a matrix: the study under each combination of settings, each a pytest session of its own process."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shlex
import sys

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError, EnvironmentFailure
from tlbench.hosts.isolation import IsolatedEnvironment
from tlbench.hosts.requirements import Requirements
from tlbench.hosts.upgrade import report_of
from tlbench.judge.generality import MatrixCell
from tlbench.machine import backends, installed
from tlbench.report.answer import JOB_SUMMARY
from tlbench.run.option_list import AXES


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tlbench.hosts.upgrade import Suite
    from tlbench.run.status import PlanStatus

# In titles: the network first, and the profile beside the images that it may bring along.
_IN_TITLES = ("--tlbench-network", "--tlbench-profile", "--tlbench-data", "--tlbench-source", "--tlbench-split")

# Options with a value that a cell may have for itself, beside those of axes.
_OF_A_CELL = (*AXES, "--tlbench-labels", "--tlbench-weights", "--tlbench-seeds", "--tlbench-max-seeds")

_LONGEST = 60


@dataclass(frozen=True)
class CellSettings:
    """The settings of a cell.

    Attributes:
        title: Values that tell the cell from the others.
        options: Values by the options' names.
    """

    title: str
    options: Mapping[str, str]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Arguments of pytest."""
        return tuple(itertools.chain.from_iterable(self.options.items()))

    @property
    def folder(self) -> str:
        """Name of a folder for the cell, unlike that of any other."""
        digest = hashlib.sha256(repr(sorted(self.options.items())).encode()).hexdigest()
        return f"{re.sub(r'[^A-Za-z0-9_.]+', '-', self.title)[:_LONGEST]}-{digest[:8]}"


@dataclass(frozen=True)
class Here(IsolatedEnvironment):
    """The environment of this process, in place of one that is made: its interpreter, packages and variables."""

    @property
    def python(self) -> Path:
        """The interpreter of this process."""
        return Path(sys.executable)

    def variables(self) -> dict[str, str]:
        """Environment variables of this process; the backend is named, and results are shared with any other run."""
        kept = {name: value for name, value in os.environ.items() if name != JOB_SUMMARY}
        return kept | {"TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": self.requirements.backend}


def here(title: str, folder: Path, backend: str | None = None) -> Here:
    """The environment of this process under a title.

    Args:
        title: Title of what runs in it.
        folder: Folder of its logs and report.
        backend: Keras' backend; None for that of this process.
    """
    keras = f"keras=={backends.version('keras')}"
    return Here(Requirements((keras,), backend or backends.backend(), title=title), folder, {})


def cells(axes: Mapping[str, Sequence[str]], further: Sequence[str] = ()) -> list[CellSettings]:
    """The cells of a matrix, each once.

    Args:
        axes: Values of each option, by its name; an option of one value is shared by all cells.
        further: Cells that do not lie on the grid: options and their values as on a command line, after a name where
            the values are none, for instance `"pocket: --tlbench-profile pocket --tlbench-data photographs.zip"`.
            They replace the shared values.

    Raises:
        ConfigurationError: There is one cell, or a further one names anything but options of a cell.
    """
    given = {option: values for option, values in axes.items() if values}
    shared = {option: values[0] for option, values in given.items() if len(values) == 1}
    grid = [dict(zip(given, values, strict=True)) for values in itertools.product(*given.values())]
    if len(grid) == 1 and further:
        grid = []  # Values that are shared are no cell of their own.
    named = [("", options) for options in grid] + [(name, shared | own) for name, own in map(_parsed, further)]
    found = [CellSettings(name, _resolved(options)) for name, options in named]
    unique = list({tuple(sorted(each.options.items())): each for each in found}.values())
    if len(unique) < 2:
        msg = (
            f"A matrix needs two cells or more: give one of {', '.join(AXES)} more than once, or several --cell. "
            f"Received: {shlex.join(unique[0].arguments) if unique else ''!r}"
        )
        raise ConfigurationError(msg)
    return _titled(unique)


def _resolved(options: Mapping[str, str]) -> dict[str, str]:
    """The options with a profile in place of data that is named after the profile whose own images it is."""
    from tlbench.declare.profiles import PROFILES

    own = {profile.name for profile in PROFILES if profile.images != "natural-images"}
    data = options.get("--tlbench-data")
    if data not in own:
        return dict(options)
    return {name: value for name, value in options.items() if name != "--tlbench-data"} | {"--tlbench-profile": data}


def _parsed(text: str) -> tuple[str, dict[str, str]]:
    """The name of a cell, which may be empty, and its options."""
    found: dict[str, str] = {}
    title, dashes, options = text.partition("--")
    try:
        words = iter(shlex.split(dashes + options))
    except ValueError as error:
        msg = f"The options of --cell cannot be read: {error}. Received: {text!r}"
        raise ConfigurationError(msg) from error
    for word in words:
        name, equals, value = word.partition("=")
        value = value if equals else next(words, "")
        if name not in _OF_A_CELL or not value:
            msg = f"--cell takes {', '.join(_OF_A_CELL)}, each with a value. Received: {text!r}"
            raise ConfigurationError(msg)
        found[name] = value
    if not found:
        msg = f"--cell takes {', '.join(_OF_A_CELL)}, each with a value. Received: {text!r}"
        raise ConfigurationError(msg)
    return title.strip().removesuffix(":"), found


def _titled(every: Sequence[CellSettings]) -> list[CellSettings]:
    varying = [name for name in _IN_TITLES if len({each.options.get(name) for each in every}) > 1]

    def title(cell: CellSettings, *, whole: bool) -> str:
        if cell.title:
            return cell.title
        # Of a cell that has none of the values in which others differ, any are told.
        names = [name for name in varying if name in cell.options] or [n for n in _IN_TITLES if n in cell.options]
        values = (cell.options[name] if whole else _short(name, cell.options[name]) for name in names)
        return " · ".join(values) or "as the profile says"

    short = Counter(title(each, whole=False) for each in every)
    titles = [title(each, whole=short[title(each, whole=False)] > 1) for each in every]
    counts = Counter(titles)
    # Cells that differ in nothing that titles have, such as a file of weights.
    numbered = [
        f"{each} ({titles[:at].count(each) + 1})" if counts[each] > 1 else each for at, each in enumerate(titles)
    ]
    return [replace(each, title=name) for name, each in zip(numbered, every, strict=True)]


def _short(name: str, value: str) -> str:
    path = Path(value)
    is_path = name in {"--tlbench-data", "--tlbench-source"} and (len(path.parts) > 1 or path.suffix)
    return (path.stem or value) if is_path else value


def under(backend: str, suite: Suite, folder: Path) -> MatrixCell:
    """Run the study under a backend: here where it is installed, otherwise in an isolated environment.

    Args:
        backend: Keras' backend.
        suite: The study.
        folder: Folder of the log and the report, where it is run here.
    """
    environment: IsolatedEnvironment
    try:
        if installed.version(backend) is not None:
            environment = here(backend, folder / backend, backend)
        else:
            keras = f"keras=={backends.version('keras')}"
            environment = suite.prepare(Requirements((keras,), backend, title=backend))
        return MatrixCell(backend, {"KERAS_BACKEND": backend}, suite.measure(environment))
    except EnvironmentFailure as failure:
        suite.tell(str(failure))
        return MatrixCell(backend, {"KERAS_BACKEND": backend}, None, _problem(failure))


def _problem(failure: EnvironmentFailure) -> str:
    return f"{str(failure).splitlines()[-1]} (all of it is in {failure.log})"


def measure(every: Iterable[CellSettings], suite: Suite, folder: Path) -> list[MatrixCell]:
    """Run the study in each cell, one after the other; a cell that cannot be run leaves the others as they are.

    Args:
        every: Cells.
        suite: The study, with the options that cells share.
        folder: Folder of the cells' logs and reports.
    """
    found = []
    every = list(every)
    for number, settings in enumerate(every, start=1):
        suite.tell(f"cell {number} of {len(every)}")
        environment = here(settings.title, folder / settings.folder)
        try:
            run, problem = _of(suite, settings).measure(environment), ""
        except EnvironmentFailure as failure:
            run, problem = None, _problem(failure)
            suite.tell(str(failure))
        found.append(MatrixCell(settings.title, dict(settings.options), run, problem))
    return found


def _of(suite: Suite, settings: CellSettings) -> Suite:
    return replace(suite, arguments=(*suite.arguments, *settings.arguments))


def report_folder(settings: CellSettings, folder: Path) -> Path:
    """The folder of a cell's own report."""
    return report_of(here(settings.title, folder / settings.folder))


@dataclass(frozen=True)
class Cost:
    """The trials of a cell, and the time that they take after the cells before it.

    Attributes:
        title: Title of the cell.
        claims: Names of the claims that the cell judges.
        not_applicable: Reason for which the images do not serve a claim, by the claim's name.
        trials: Number of trials.
        stored: Number of trials that the store has.
        shared: Number of missing trials that an earlier cell trains.
        to_train: Number of trials that the cell trains itself.
        seconds: Expected wall time; None where no trial's time is known.
        unknown: Number of trials to train whose time is not known, and not counted.
    """

    title: str
    claims: tuple[str, ...]
    not_applicable: Mapping[str, str]
    trials: int
    stored: int
    shared: int
    to_train: int
    seconds: float | None
    unknown: int


def costs(every: Iterable[CellSettings], suite: Suite, folder: Path) -> list[Cost]:
    """Plan the study in each cell; trains nothing.

    Args:
        every: Cells.
        suite: The study, with the options that cells share.
        folder: Folder of the cells' logs.

    Raises:
        EnvironmentFailure: A cell cannot be planned.
    """
    found: list[Cost] = []
    earlier: set[str] = set()
    for settings in every:
        reached = _of(suite, settings).plan(here(settings.title, folder / settings.folder))
        if reached.plan is not None:
            found.append(_cost(settings.title, reached.claims, reached.plan, earlier))
            earlier |= reached.plan.missing.keys()
    return found


def _cost(title: str, claims: tuple[str, ...], plan: PlanStatus, earlier: set[str]) -> Cost:
    own = {digest: seconds for digest, seconds in plan.missing.items() if digest not in earlier}
    known = [seconds for seconds in own.values() if seconds is not None]
    whole = sum(seconds for seconds in plan.missing.values() if seconds is not None)
    return Cost(
        title,
        claims,
        plan.not_applicable,
        trials=len(plan.trials),
        stored=len(plan.trials) - len(plan.missing),
        shared=len(plan.missing) - len(own),
        to_train=len(own),
        # The forecast is of all missing trials, several at once: the cell's own have their share of it.
        seconds=plan.seconds * sum(known) / whole if known and whole else None if own else 0.0,
        unknown=len(own) - len(known),
    )
