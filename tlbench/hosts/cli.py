"""The command `tlbench`: saved runs compared, and studies run under other versions."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import threading

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from tabulate import tabulate

from tlbench import __version__
from tlbench.errors import ConfigurationError, EnvironmentFailure, TlbenchError
from tlbench.hosts.isolation import Requirements, released_versions
from tlbench.hosts.upgrade import Question, Suite, find_first_change, upgrade
from tlbench.judge.comparison import FailOn, compare
from tlbench.judge.power import POWER, noises
from tlbench.judge.wording import shown_with_unit
from tlbench.machine import backends, environment
from tlbench.report import comparisons, content, files, sinks
from tlbench.report.formats import told_metrics
from tlbench.report.gathering import comparison_record
from tlbench.store import baselines, doctor, fingerprints
from tlbench.store.store import LAST_REPORT
from tlbench.train import fingerprint


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlbench.scores.listed import Unit
    from tlbench.store.baselines import Run

SAFE, REGRESSED, COULD_NOT_RUN, NOT_MEASURED = 0, 1, 2, 3

STATUS = {"passed": SAFE, "failed": REGRESSED, "not measured": NOT_MEASURED}

store_option = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".tlbench"),
    show_default=True,
    help="Where results, saved runs and environments are kept.",
)
fail_option = click.option(
    "--fail",
    default="accuracy,claims,measured",
    show_default=True,
    metavar="WHAT",
    help="What makes the comparison fail: accuracy, claims, fingerprint, measured, speed:RATIO, separated by commas.",
)
backend_option = click.option(
    "--backend", type=click.Choice(backends.BACKENDS), default="tensorflow", show_default=True, help="Keras' backend."
)


class _Group(click.Group):
    """Turns tlbench's errors into a line and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TlbenchError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(COULD_NOT_RUN)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Is what we believe about transfer learning still true after this change?"""


@main.command("compare")
@click.argument("old")
@click.argument("new")
@store_option
@fail_option
@click.pass_context
def compare_command(ctx: click.Context, old: str, new: str, store: Path, fail: str) -> None:
    """Compare two saved runs, each a NAME, a NUMBER or a PATH; trains nothing.

    Exit status: 0 where nothing fails, 1 where something has regressed, 2 where they cannot be compared, 3 where
    results are held against themselves.
    """
    fail_on = FailOn.parse(fail)
    comparison = compare(_named(old, store), _named(new, store))
    click.echo(comparisons.describe(comparison_record(comparison, fail_on)))
    ctx.exit(STATUS[comparison.outcome(fail_on)])


def _named(reference: str, store: Path) -> Run:
    folder = store / "baselines"
    # Whichever machine's: both are named by the user.
    found = baselines.find(reference, folder, "")
    if found is None:
        names = ", ".join(path.stem for path in baselines.saved_runs(folder)) or "none"
        msg = f"No saved run is called so in {folder}; there are: {names}. Received: {reference!r}"
        raise ConfigurationError(msg)
    return baselines.load(found.path)


def _numbers(_ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) <= 0:
        msg = f"{parameter.opts[0]} takes positive numbers, separated by commas. Received: {text!r}"
        raise ConfigurationError(msg)
    return found


@main.command("power")
@click.argument("run")
@store_option
@click.option(
    "--effect",
    "effects",
    default="1,2,5",
    show_default=True,
    metavar="A,B,...",
    callback=_numbers,
    help="Distances from a claim's threshold: in points of claims about shares, in thousandths of others.",
)
@click.option("--seeds", default="3,4,5,8,12", show_default=True, metavar="A,B,...", callback=_numbers)
@click.option("--power", type=click.FloatRange(0.06, 0.99), default=POWER, show_default=True, help="Chance to decide.")
def power_command(run: str, store: Path, effects: tuple[float, ...], seeds: tuple[float, ...], power: float) -> None:
    """Say how many seeds decide which difference, from the noise of RUN: a saved NAME, a NUMBER or a PATH.

    Each claim is planned among all claims of the run, at the level of Holm's first step. The noise is an estimate from
    the run's own few seeds: a guide to plan with, no promise.
    """
    claims = _named(run, store).claims
    found = noises(claims)
    counts = [int(count) for count in seeds if count >= 2]
    if len(counts) < len(seeds):
        msg = f"--seeds takes numbers from 2. Received: {', '.join(f'{count:g}' for count in seeds)}"
        raise ConfigurationError(msg)
    rows = []
    for noise in found:
        scale = 100 if noise.unit == "percent" else 1000
        needed = [noise.seeds_for(effect / scale, power) for effect in effects]
        rows.append(
            (
                noise.name.removeprefix("test_"),
                f"{scale * noise.deviation:.1f}",
                *(f"{scale * noise.smallest_difference(count, power):.1f}" for count in counts),
                *(str(count or "over 1000") for count in needed),
            )
        )
    headings = ("claim", "sd between seeds", *(f"{count} seeds" for count in counts), *(f"for {e:g}" for e in effects))
    align = ("left", *("right",) * (len(headings) - 1))
    click.echo(tabulate(rows, headings, disable_numparse=True, colalign=align))
    click.echo(
        f"\nUnder a number of seeds, the smallest distance from the threshold that they decide with a chance of "
        f"{power:.0%} among {len(claims)} claims; under a distance, how many seeds it takes. In points for claims "
        "about shares, in thousandths for others."
    )


@main.command("list")
@store_option
def list_command(store: Path) -> None:
    """List saved runs, and how many trials the store has of each environment."""
    lines = []
    for path in baselines.saved_runs(store / "baselines"):
        try:
            run = baselines.load(path)
        except TlbenchError as error:
            lines.append((path.stem, "", "", "", f"cannot be read: {str(error)[:60]}"))
            continue
        trials = sum(len(arm.trials) for arm in run.arms)
        verdicts = ", ".join(
            f"{count} {outcome}"
            for outcome in ("supported", "refuted", "inconclusive")
            if (count := sum(claim.outcome == outcome for claim in run.claims))
        )
        here = run.surroundings.environment
        lines.append((path.stem, run.created[:16], str(here), f"{len(run.arms)} arms, {trials} trials", verdicts))
    click.echo(tabulate(lines, ("saved run", "at (UTC)", "environment", "", "verdicts")) if lines else "No saved runs.")
    results = store / "results"
    counts = [
        (place.name, len(list(place.glob("*/result.json"))))
        for place in (sorted(results.iterdir()) if results.is_dir() else [])
    ]
    click.echo()
    click.echo(tabulate(counts, ("environment", "stored trials")) if counts else f"No trials are stored in {results}.")


@main.command("show")
@click.argument("run")
@store_option
def show_command(run: str, store: Path) -> None:
    """Show a saved run: what it ran on, its verdicts and what its arms scored."""
    saved = _named(run, store)
    around = saved.surroundings
    facts = {
        "run": f"{saved.name}, {saved.created}",
        **saved.header,
        "machine": f"{around.processor}, {around.cores} cores, {', '.join(around.gpus) or 'no GPU'}",
        "commit": f"{saved.commit.revision}{' with changes' if saved.commit.changed else ''}"
        if saved.commit
        else "none",
    }
    click.echo(tabulate(list(facts.items()), tablefmt="plain"))
    claims = [
        (
            claim.name,
            claim.outcome,
            _mean(list(claim.differences.values()), claim.unit),
            _number(claim.adjusted_p),
        )
        for claim in saved.claims
    ]
    click.echo()
    click.echo(tabulate(claims, ("claim", "verdict", "difference", "p"), disable_numparse=True))
    found = {key for arm in saved.arms for trial in arm.trials.values() for key in trial.scores}
    told = {metric.key: metric.name for metric in told_metrics(found)}
    arms = []
    for arm in saved.arms:
        values = [[trial.scores[key] for trial in arm.trials.values() if key in trial.scores] for key in told]
        means = [f"{sum(each) / len(each):.3f}" if each else "" for each in values]
        arms.append((arm.labels[0], len(arm.trials), *means))
    click.echo()
    click.echo(tabulate(arms, ("arm", "seeds", *told.values()), disable_numparse=True))


def _mean(values: list[float], unit: Unit) -> str:
    return shown_with_unit(sum(values) / len(values), unit) if values else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


@main.command("report")
@click.argument("results", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where it is written; a folder named report in the store, or that of results.json, unless given.",
)
@click.option("--mlflow", metavar="URI", help="Send it to this MLflow tracking server as well.")
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Write TensorBoard's logs of the trials to this folder as well.",
)
def report_command(results: Path, folder: Path | None, mlflow: str | None, tensorboard: str | None) -> None:
    """Make a report again, of a store's last run or of a results.json; trains nothing.

    RESULTS is a store, such as .tlbench, or a results.json.
    """
    if results.is_dir():
        folder = folder or results / "report"
        results = results / LAST_REPORT if (results / LAST_REPORT).is_file() else results / "report" / files.RESULTS
    folder = folder or results.parent
    report = content.load(results)
    files.write(report, folder)
    click.echo(f"The report is {folder / files.PAGE}")
    for line in sinks.send(report, {"mlflow": mlflow, "tensorboard": tensorboard}):
        click.echo(line)


@main.command("doctor")
@store_option
@click.option(
    "--repair", is_flag=True, help="Set damaged results aside and remove leftovers; no result is ever deleted."
)
@click.pass_context
def doctor_command(ctx: click.Context, store: Path, *, repair: bool) -> None:
    """Check a whole store: every result of every environment, saved runs, and what interrupted runs have left.

    Exit status: 0 where all is well, 1 where something was found, repaired or not, 2 where it could not look.
    """
    examination = doctor.examine(store, repair=repair)
    if examination.findings:
        rows = [(str(found.path), found.problem, found.outcome) for found in examination.findings]
        click.echo(tabulate(rows, ("where", "what", "done" if repair else "remedy"), disable_numparse=True))
        click.echo()
    click.echo(examination.summary)
    ctx.exit(REGRESSED if examination.findings else SAFE)


@main.command("fingerprint")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file.")
@click.option(
    "--compare",
    "other",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Hold it against that of this file, or of this saved run.",
)
@click.option("--gpu", is_flag=True, help="On a GPU, in bfloat16 too.")
@click.pass_context
def fingerprint_command(ctx: click.Context, save: Path | None, other: Path | None, *, gpu: bool) -> None:
    """Compute what one fixed network does here, in seconds, and name what first differs from another's.

    Exit status: 0, or 1 where it differs.
    """
    expected = fingerprints.read_file(other) if other else None
    taken = fingerprint.take(environment.current(gpu=gpu))
    if save:
        save.write_text(json.dumps(taken.content(), allow_nan=False) + "\n", encoding="utf-8")
    click.echo(f"{taken.environment}: {len(taken.quantities)} quantities")
    for name, difference in taken.reported.items():
        click.echo(f"reported {name}: {difference:+.1e} beside tlbench's own")
    if expected is not None:
        agreement = fingerprints.compare(expected, taken)
        click.echo(f"{expected.environment} -> here: {agreement}")
        ctx.exit(SAFE if agreement.same else REGRESSED)


@contextlib.contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end a study as Ctrl-C does, with all processes that it has started, and exit status 2."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    # Python lets its main thread alone choose what a signal does.
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, interrupt) if in_main else None
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Interrupted; finished trials are kept, and the same command goes on from there.", err=True)
        raise click.exceptions.Exit(COULD_NOT_RUN) from None
    finally:
        if in_main:
            signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _suite_options(command: Callable[..., None]) -> Callable[..., None]:
    """What every command takes that runs a study; the command gets it as a suite."""

    @functools.wraps(command)
    def with_suite(
        *,
        pytest_arguments: tuple[str, ...],
        expression: str | None,
        profile: str | None,
        seeds: int | None,
        store: Path,
        fresh: bool,
        **others: Any,
    ) -> None:
        arguments = list(pytest_arguments)
        if not arguments and Path("benchmarks").is_dir():
            arguments = ["benchmarks"]
        for option, value in (("-k", expression), ("--tlbench-profile", profile), ("--tlbench-seeds", seeds)):
            if value is not None:
                arguments += [option, str(value)]
        arguments += ["--tlbench-fresh"] if fresh else []
        command(suite=Suite(tuple(arguments), store, lambda line: click.echo(line, err=True)), **others)

    decorated: Callable[..., None] = with_suite
    for option in reversed(
        (
            click.option("-k", "expression", metavar="EXPRESSION", help="Which tests, as pytest's -k."),
            click.option("--profile", metavar="NAME", help="As --tlbench-profile."),
            click.option("--seeds", type=click.IntRange(min=1), help="As --tlbench-seeds."),
            click.option("--fresh", is_flag=True, help="As --tlbench-fresh, on every side."),
            click.option(
                "--with", "extra", multiple=True, metavar="REQUIREMENT", help="Also installed, on every side."
            ),
            backend_option,
            store_option,
            click.argument("pytest_arguments", nargs=-1, metavar="[-- PYTEST ARGUMENTS]"),
        )
    ):
        decorated = option(decorated)
    return decorated


@main.command("upgrade")
@click.argument("old")
@click.argument("new")
@_suite_options
@fail_option
@click.option("--format", "style", type=click.Choice(("simple", "github")), default="simple", help="Of the tables.")
@click.pass_context
def upgrade_command(
    ctx: click.Context,
    old: str,
    new: str,
    suite: Suite,
    extra: tuple[str, ...],
    backend: str,
    fail: str,
    style: Literal["simple", "github"],
) -> None:
    """Run the study under OLD and under NEW requirements, and compare.

    Each is a set of requirements in quotes, for instance "keras==3.12.4" or "tensorflow==2.19.1 keras==3.10". Two
    environments are made with uv; finished trials are kept, so that an interrupted upgrade goes on where it was.

    Exit status: 0 where it is safe, 1 where something has regressed, 2 where one side could not be installed or run, or
    where it was interrupted, 3 where both sides are the same measurements.
    """
    fail_on = FailOn.parse(fail)
    sides = Requirements.parse(old, backend, extra), Requirements.parse(new, backend, extra)
    try:
        with _ending_on_sigterm():
            comparison = upgrade(*sides, suite)
    except EnvironmentFailure as failure:
        click.echo(f"could not run: {failure}")
        ctx.exit(COULD_NOT_RUN)
    click.echo(comparisons.describe(comparison_record(comparison, fail_on), style))
    ctx.exit(STATUS[comparison.outcome(fail_on)])


@main.command("bisect")
@click.argument("package")
@click.argument("first")
@click.argument("last")
@_suite_options
@click.option("--claim", metavar="NAME", help="Find where the verdict on this claim changes.")
@click.option(
    "--metric",
    type=click.Choice(("accuracy", "speed", "fingerprint")),
    help="Find where an arm moves (accuracy), steps take longer (speed) or numerics differ (fingerprint, no training).",
)
@click.option("--versions", metavar="A,B,...", help="Which versions, oldest first, instead of all released ones.")
@click.option("--ratio", default=1.2, show_default=True, help="How many times as long, with --metric speed.")
@click.pass_context
def bisect_command(
    ctx: click.Context,
    package: str,
    first: str,
    last: str,
    suite: Suite,
    extra: tuple[str, ...],
    backend: str,
    claim: str | None,
    metric: str | None,
    versions: str | None,
    ratio: float,
) -> None:
    """Find the first version of PACKAGE, between FIRST and LAST, where a claim or a metric is another than at FIRST.

    Runs stay in the store, so that no version is run twice.

    Exit status: 0 where nothing changes, 1 where the version was found, 2 where the ends could not be run, or where it
    was interrupted.
    """
    if (claim is None) == (metric is None):
        msg = f"Give either --claim or --metric. Received: --claim {claim}, --metric {metric}"
        raise ConfigurationError(msg)
    listed = tuple(versions.split(",")) if versions else released_versions(package, first, last)
    question = Question(claim, metric, ratio)

    def requirements(version: str) -> Requirements:
        return Requirements((f"{package}=={version}",), backend, extra)

    try:
        with _ending_on_sigterm():
            found = find_first_change(listed, requirements, suite, question)
    except EnvironmentFailure as failure:
        click.echo(f"could not run: {failure}")
        ctx.exit(COULD_NOT_RUN)
    if found is None:
        click.echo(f"{question} is at {package} {listed[-1]} as it is at {listed[0]}.")
        ctx.exit(SAFE)
    click.echo(f"{question} changes in {package} {found.first_changed}; {found.last_same} is the last as {listed[0]}.")
    if found.untested:
        click.echo(f"Could not be run, in between: {', '.join(found.untested)}.")
    click.echo(f"{found.tested} of {len(listed)} versions were run. What changes: {found.difference}")
    ctx.exit(REGRESSED)
