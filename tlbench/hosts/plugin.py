"""The pytest plugin: options, markers, fixtures, header and terminal summary."""

from __future__ import annotations

import base64
import contextlib
import inspect
import pickle
import re
import shlex
import signal
import threading
import warnings

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from tlbench.errors import ConfigurationError, DataError, SinkError, StoreError, TlbenchError, UnwritableError
from tlbench.plan.schedule import ordered


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tlbench.declare.claims import Claim
    from tlbench.declare.profiles import Profile
    from tlbench.declare.study import Study
    from tlbench.declare.trials import Trial
    from tlbench.judge.verdicts import Verdict
    from tlbench.plan.forecast import Forecast
    from tlbench.report.content import Report
    from tlbench.report.figures import Drawn, Figure
    from tlbench.report.records import ComparisonRecord
    from tlbench.report.tables import FilledTable, Table
    from tlbench.run.options import Options
    from tlbench.run.progress import Stopwatch
    from tlbench.run.session import Session
    from tlbench.store.results import Result
    from tlbench.store.timings import Timing
    from tlbench.train.runner import Runner

MARKERS = {
    "tlbench_claim": "tlbench_claim(declare=function): the claim that the `verdict` fixture judges; the function gets "
    "the study and the test's parameters by name.",
    "tlbench_table": "tlbench_table(declare=function): the table that the `table` fixture fills.",
    "tlbench_figure": "tlbench_figure(declare=function): the figure that the `figure` fixture traces.",
}


class DataWarning(UserWarning):
    """The images are not quite what they should be."""


@dataclass(frozen=True)
class _Option:
    """An option of the command line that is an ini setting too."""

    name: str
    help: str
    default: str
    flag: bool = False
    metavar: str | None = None
    choices: tuple[str, ...] | None = None

    @property
    def ini(self) -> str:
        return self.name.removeprefix("--").replace("-", "_").replace("gpu", "tlbench_gpu")

    def add(self, parser: pytest.Parser, group: pytest.OptionGroup) -> None:
        said = f"{self.help} (ini: {self.ini})"
        if self.flag:
            group.addoption(self.name, dest=self.ini, action="store_true", default=None, help=said)
            parser.addini(self.ini, self.help, type="bool", default=False)
        else:
            group.addoption(self.name, dest=self.ini, metavar=self.metavar, default=None, help=said)
            parser.addini(self.ini, self.help, type="string", default=self.default)

    def value(self, config: pytest.Config) -> Any:
        given = config.getoption(self.ini)
        return config.getini(self.ini) if given is None else given


OPTIONS = (
    _Option("--gpu", "Train on a GPU, by default with the profile poster; never falls back to the CPU.", "", flag=True),
    _Option(
        "--tlbench-profile",
        "Sizes of the study: miniature (drawn images, CPU, minutes; the default), thumbnail (your images at 32 px, "
        "CPU; the default with --tlbench-data) or poster (full size; the default with --gpu).",
        "",
        metavar="{miniature,thumbnail,poster}",
    ),
    _Option(
        "--tlbench-data",
        "Image folder or archive (zip, tar), one folder for each class; Natural Images is downloaded where a profile "
        "needs it and this is not given.",
        "",
        metavar="PATH",
    ),
    _Option(
        "--tlbench-source",
        "Where transferred weights come from: embedded (a network trained on drawn images), imagenet (profile poster), "
        "or an image folder or archive to train one on.",
        "",
        metavar="PATH",
    ),
    _Option(
        "--tlbench-weights", "Keras' published file of ImageNet weights, instead of its cache.", "", metavar="FILE"
    ),
    _Option("--tlbench-skip-bad", "Leave out files that are no images, and count them.", "", flag=True),
    _Option("--tlbench-seeds", "Trials of each arm (default: the profile's, 3 or more).", "", metavar="N"),
    _Option(
        "--tlbench-max-seeds",
        "Trials of each arm that a claim may get which fewer do not decide (default: as many as --tlbench-seeds).",
        "",
        metavar="N",
    ),
    _Option(
        "--tlbench-split",
        "seed (the default): each seed draws a split into training, validation and test images, so that verdicts hold "
        "for other splits; fixed: all seeds share one.",
        "seed",
        metavar="{seed,fixed}",
    ),
    _Option("--tlbench-store", "Where results are kept (default: .tlbench).", ".tlbench", metavar="DIR"),
    _Option(
        "--tlbench-report",
        "Where report.html, tables, figures and results.json are written (default: report in the store).",
        "",
        metavar="DIR",
    ),
    _Option("--tlbench-mlflow", "Send the report to this MLflow tracking server as well.", "", metavar="URI"),
    _Option("--tlbench-tensorboard", "Write TensorBoard's logs of the trials to this folder too.", "", metavar="DIR"),
    _Option(
        "--tlbench-plan",
        "Show the trials, which of them are stored, what they share, and the time and memory that the rest will take; "
        "train nothing.",
        "",
        flag=True,
    ),
    _Option(
        "--tlbench-inconclusive",
        "What a claim does that the results cannot decide: skip (the default) or fail.",
        "skip",
        metavar="{skip,fail}",
    ),
    _Option(
        "--tlbench-workers",
        "Processes that train at once on a CPU (default: one for each core, with 2 GiB for each; 1 with --gpu, with "
        "--tlbench-reference and under pytest-xdist).",
        "",
        metavar="N",
    ),
    _Option(
        "--tlbench-no-prefix-cache",
        "Compute frozen flows in every step, instead of once for each image.",
        "",
        flag=True,
    ),
    _Option(
        "--tlbench-reference",
        "Train each trial by a fresh network and a plain fit, sharing nothing, apart from other results: what the "
        "faster way is held against.",
        "",
        flag=True,
    ),
    _Option(
        "--tlbench-repeat",
        "Train the one trial of this digest again, hold it against what is stored, and keep nothing; run no test.",
        "",
        metavar="DIGEST",
    ),
    _Option(
        "--tlbench-fresh",
        "Train again whatever is stored, and replace it: what a comparison needs after a change that keeps no results "
        "apart.",
        "",
        flag=True,
    ),
    _Option("--tlbench-save", "Save the run under this name, to compare later ones with.", "", metavar="NAME"),
    _Option("--tlbench-autosave", "Save the run under a name made of date and commit.", "", flag=True),
    _Option(
        "--tlbench-compare",
        "Compare with a saved run: the latest of a name, a number, or a file.",
        "",
        metavar="NAME|NNNN|PATH",
    ),
    _Option(
        "--tlbench-compare-fail",
        "What makes that comparison fail the run: accuracy (arms that regressed, by accuracy, macro-F1 or loss), "
        "claims (verdicts that changed), fingerprint (numerics that differ), speed:RATIO (steps that take more than so "
        "many times as long), measured (what was not measured: its two sides are the same stored result), separated by "
        "commas (default: accuracy,claims,measured).",
        "accuracy,claims,measured",
        metavar="WHAT",
    ),
)

# Exit status of a run whose comparison found nothing to fail on, but held results against themselves; pytest's own are
# 0 to 5.
NOT_MEASURED = 6

# Keras' own conversion of TensorFlow's and PyTorch's tensors, under NumPy 2: hundreds a run, nobody's to mend here.
KERAS_COPIES = "__array__ implementation doesn't accept a copy keyword"

# What a command to do something else with the same study leaves out, each with its value: what is done with results,
# and workers, which the plan is not known to.
LEFT_OUT = {
    *("--tlbench-compare", "--tlbench-compare-fail", "--tlbench-save", "--tlbench-report", "--tlbench-repeat"),
    *("-n", "--numprocesses", "--dist", "--junitxml", "--junit-xml", "--basetemp"),
}

claim_key = pytest.StashKey["Claim"]()
table_key = pytest.StashKey["Table"]()
figure_key = pytest.StashKey["Figure"]()
unfit_key = pytest.StashKey[str]()


class Hooks:
    """What a `conftest.py` may add."""

    def pytest_tlbench_profiles(self) -> Sequence[Profile]:  # type: ignore[empty-body]
        """Profiles of one's own: sizes, network, images and source, to be named with `--tlbench-profile`."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, each an ini setting too."""
    group = parser.getgroup("tlbench", "transfer-learning benchmarks")
    for option in OPTIONS:
        option.add(parser, group)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options; what cannot be worked with is a usage error."""
    for marker in MARKERS.values():
        config.addinivalue_line("markers", marker)
    config.addinivalue_line("filterwarnings", f"ignore:{KERAS_COPIES}:DeprecationWarning")
    given = {option.ini: option.value(config) for option in OPTIONS}
    plugin = Plugin(config, given)
    config.pluginmanager.register(plugin, "tlbench-session")
    if given["tlbench_gpu"] and not config.option.collectonly and not config.option.help:
        from tlbench.machine import environment

        with _usage_errors():
            environment.current(gpu=True)


class _usage_errors:  # noqa: N801
    """Turns tlbench's errors into pytest's usage errors: one line, exit status 4."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TlbenchError):
            raise pytest.UsageError(str(error)) from error


_T = TypeVar("_T")


def _options(config: pytest.Config, given: dict[str, Any]) -> Options:
    from tlbench.declare.profiles import PROFILES
    from tlbench.judge.comparison import FailOn
    from tlbench.run.options import Options
    from tlbench.store import baselines

    def path(name: str, base: Path) -> Path | None:
        return base / Path(given[name]).expanduser() if given[name] else None

    # What stands in an ini file is relative to it; what is typed, to where it is typed.
    def base(name: str) -> Path:
        return config.invocation_params.dir if config.getoption(name) is not None else config.rootpath

    gpu, data = given["tlbench_gpu"], path("tlbench_data", base("tlbench_data"))
    named = given["tlbench_profile"] or ("poster" if gpu else "thumbnail" if data else "miniature")
    own = (profile for profiles in config.hook.pytest_tlbench_profiles() for profile in profiles)
    profiles = {profile.name: profile for profile in (*PROFILES, *own)}
    if named not in profiles:
        msg = f"--tlbench-profile must be one of {', '.join(profiles)}. Received: {named!r}"
        raise ConfigurationError(msg)
    source = given["tlbench_source"] or None
    if source not in (None, "embedded", "imagenet"):
        source = str(path("tlbench_source", base("tlbench_source")))
    store = base("tlbench_store") / Path(given["tlbench_store"]).expanduser()
    save = given["tlbench_save"] or None
    if save is not None:
        baselines.check_name(save)
    if save is None and given["tlbench_autosave"]:
        commit = baselines.commit_of(config.rootpath)
        save = "_".join([baselines.now()[:10], *([commit.revision[:12]] if commit else []), "autosaved"])
    inconclusive = given["tlbench_inconclusive"]
    if inconclusive not in ("skip", "fail"):
        msg = f"--tlbench-inconclusive must be skip or fail. Received: {inconclusive!r}"
        raise ConfigurationError(msg)
    seeds = _whole_number(given, "tlbench_seeds", profiles[named].seeds)
    return Options(
        profile=profiles[named],
        gpu=gpu,
        data=data,
        source=source,
        weights=path("tlbench_weights", base("tlbench_weights")),
        skip_bad=given["tlbench_skip_bad"],
        seeds=seeds,
        max_seeds=_whole_number(given, "tlbench_max_seeds", seeds),
        split=given["tlbench_split"],
        fresh=given["tlbench_fresh"],
        store=store,
        report=path("tlbench_report", base("tlbench_report")) or store / "report",
        mlflow=given["tlbench_mlflow"] or None,
        tensorboard=path("tlbench_tensorboard", base("tlbench_tensorboard")),
        plan=given["tlbench_plan"],
        repeat=given["tlbench_repeat"] or None,
        fail_inconclusive=inconclusive == "fail",
        save=save,
        compare=given["tlbench_compare"] or None,
        compare_fail=FailOn.parse(given["tlbench_compare_fail"]),
        workers=_whole_number(given, "tlbench_workers", 1 if _is_distributed(config) else None),
        prefix_cache=not given["tlbench_no_prefix_cache"],
        reference=given["tlbench_reference"],
    )


def _is_distributed(config: pytest.Config) -> bool:
    # The controller of pytest-xdist as well: it reads what its workers train, and so must be in their environment.
    return hasattr(config, "workerinput") or getattr(config.option, "dist", "no") != "no"


def _whole_number(given: dict[str, Any], name: str, default: _T) -> int | _T:
    try:
        return int(given[name]) if given[name] else default
    except ValueError:
        msg = f"--{name.replace('_', '-')} must be a whole number. Received: {given[name]!r}"
        raise ConfigurationError(msg) from None


@dataclass
class _Shared:
    """What workers tell the controller: all of it values, none of it results."""

    trials: dict[str, Trial] = field(default_factory=dict)
    arms: dict[str, list[str]] = field(default_factory=dict)
    claims: list[Verdict] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Plugin:
    """One pytest session's study.

    Args:
        config: Of the session.
        given: Options and ini settings by name.
    """

    def __init__(self, config: pytest.Config, given: dict[str, Any]) -> None:
        self._config = config
        with _usage_errors():
            self._options = _options(config, given)
        self._worker = hasattr(config, "workerinput")
        # Workers take part in the run of the controller, which tells them; anywhere else the session makes one up.
        self._run: str | None = getattr(config, "workerinput", {}).get("tlbench_run")
        self._session: Session | None = None
        self._labels: dict[str, list[str]] = {}
        self._plan: tuple[Trial, ...] = ()
        self._results: dict[str, Result] = {}
        self._claims: list[Claim] = []
        self._verdicts: list[Verdict] = []
        self._shared = _Shared()
        self._comparison: ComparisonRecord | None = None
        self._compared: list[str] = []
        self._repeated: list[str] = []
        self._remarks: list[str] = []
        self._stopwatch: Stopwatch | None = None
        # What tests have failed for already that is no fault of theirs.
        self._refusals: set[str] = set()
        self._pytest_session: pytest.Session | None = None
        self._ending = False
        self._restore_sigterm: Callable[[], object] = lambda: None

    # The run, in the order in which pytest calls it.

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Let a test be parametrized with what only its declaration takes."""
        for name in MARKERS:
            marker = metafunc.definition.get_closest_marker(name)
            declare = marker.kwargs.get("declare") if marker else None
            if callable(declare):  # Anything else is refused once all is collected.
                metafunc.fixturenames += [n for n in _wanted(declare) if n not in metafunc.fixturenames]

    def pytest_report_header(self) -> str | None:
        """Say what decides the run, as far as it is known without reading images or importing a backend."""
        from tlbench import __version__
        from tlbench.machine import backends

        try:
            name = backends.backend()
            backend = f"{name} {backends.version(name)}, keras {backends.version('keras')}"
        except TlbenchError as error:
            backend = str(error)
        return (
            f"tlbench: {__version__}, {backend}, {'gpu' if self._options.gpu else 'cpu'}, "
            f"profile {self._options.profile.name}, {self._options.seeds} seeds{self._more_seeds}"
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Ask every benchmark what it needs, so that the plan is known before anything is trained."""
        declaring = [item for item in session.items if any(item.get_closest_marker(name) for name in MARKERS)]
        for item in declaring:
            for name in MARKERS:
                _declaration(item, name)
        if not declaring or self._config.option.collectonly:
            return
        with _usage_errors():
            study = self.session.study
            trials: list[Trial] = []
            for item in declaring:
                trials += self._declare(item, study)
            _check_names([*self._shared.tables, *self._shared.figures])
            self._plan = ordered(trials)
            self._shared.trials = {trial.digest: trial for trial in self._plan}
            if not self._options.plan and self._missing:
                self.session.store.prepare()
        for difference in self.session.warnings:
            self._config.issue_config_time_warning(DataWarning(difference), stacklevel=2)

    def pytest_report_collectionfinish(self) -> list[str]:
        """Show the study that is about to run."""
        if self._session is None or not self._plan:
            return []
        from tlbench.report.plans import describe_size

        lines = [f"tlbench {name}: {value}" for name, value in self._session.header.items()]
        lines += [f"tlbench note: {note}" for note in self._session.notes]
        return [*lines, f"tlbench plan: {describe_size(self._plan, self._forecast(self._missing))}"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool | None:
        """Run no test where only the plan is asked for, or a trial to be repeated."""
        if self._options.repeat and not self._worker:
            # Outside of tests, pytest's own filters are not at work.
            with _usage_errors(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", KERAS_COPIES, DeprecationWarning)
                self._repeated = self._repeat(self._options.repeat)
        return True if self._options.plan or self._options.repeat else None

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip what the dataset has no classes for."""
        if reason := item.stash.get(unfit_key, None):
            pytest.skip(reason)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Hand a worker's verdicts to the controller, which saves the run and compares it."""
        self._pytest_session, self._ending = session, True
        if "_runner" in vars(self):
            self._runner.close()
        if self._worker:
            self._shared.remarks = self._remarks
            shared = base64.b64encode(pickle.dumps(self._shared)).decode()
            self._config.workeroutput["tlbench"] = shared  # type: ignore[attr-defined]
            return
        # A run that was interrupted is no run to compare with; its trials are in the store all the same.
        whole = exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
        asked = self._options.save or self._options.compare
        if not (whole and asked and self._shared.trials) or self._options.plan or self._options.repeat:
            return
        self._compared = self._save_and_compare(session)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker which run it takes part in."""
        from tlbench.run.session import new_run

        self._run = self._run or new_run()
        node.workerinput["tlbench_run"] = self._run

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker has judged; its results are in the store."""
        if told := getattr(node, "workeroutput", {}).get("tlbench"):
            shared: _Shared = pickle.loads(base64.b64decode(told))  # noqa: S301 - from our own worker
            self._shared.claims += shared.claims
            self._shared.trials |= shared.trials
            self._shared.arms |= shared.arms
            self._shared.tables = self._shared.tables or shared.tables
            self._shared.figures = self._shared.figures or shared.figures
            self._remarks += [remark for remark in shared.remarks if remark not in self._remarks]

    def pytest_keyboard_interrupt(self) -> None:
        """Finish what is left to say, whoever asks once more."""
        self._ending = True

    def pytest_unconfigure(self) -> None:
        """Leave the process as it was."""
        self._restore_sigterm()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        """Print plan, tables, figures and verdicts, and write them."""
        # Where the run was refused, its one message is all that there is to say.
        if self._worker or self._config.option.collectonly or exitstatus == pytest.ExitCode.USAGE_ERROR:
            return
        if self._options.plan:
            self._print_plan(terminalreporter)
            return
        for line in self._repeated:
            terminalreporter.write_line(line)
        if self._options.repeat:
            return
        shared = self._shared
        if not (shared.claims or shared.tables or shared.figures):
            self._print_outcome(terminalreporter)
            for remark in self._remarks:
                terminalreporter.write_line(f"Note: {remark}")
            return
        with _usage_errors():
            report = self._report()
            _print_report(terminalreporter, report)
            self._print_outcome(terminalreporter)
            self._write(terminalreporter, report)
            self._send(terminalreporter, report)
        if self._compared:
            terminalreporter.section("tlbench comparison")
            for line in self._compared:
                terminalreporter.write_line(line)

    # What fixtures ask for.

    @property
    def session(self) -> Session:
        """The run, put together when it is first asked for."""
        if self._session is None:
            from tlbench.run.session import open_session

            self._session = open_session(self._options, self._run)
        return self._session

    @property
    def fail_inconclusive(self) -> bool:
        """Whether a claim that cannot be judged fails."""
        return self._options.fail_inconclusive

    def result(self, trial: Trial) -> Result:
        """A trial's result, trained where it is not stored."""
        if trial.digest not in self._results:
            with self._refused_once():
                self._results[trial.digest] = self._runner.result(trial)
        return self._results[trial.digest]

    def judge(self, claim: Claim) -> Verdict:
        """The verdict on a claim, judged together with all others of the run; it is part of the report from then on."""
        from tlbench.judge.judging import judge, looks

        if not self._verdicts:
            seeds_at_looks = looks(self._options.seeds, self._options.max_seeds)
            self._verdicts = judge(self._claims, self.result, seeds_at_looks, self._train_all)
        verdict = next(verdict for verdict in self._verdicts if verdict.claim is claim)
        self._shared.claims.append(verdict)
        return verdict

    def fill(self, table: Table) -> FilledTable:
        """A table with every cell trained."""
        from tlbench.report.tables import fill

        self._train_all(table.trials(self.session.study.seeds))
        return fill(table, self.result, self.session.study.seeds)

    def trace(self, figure: Figure) -> Drawn:
        """A figure with all that it shows trained."""
        self._train_all(figure.trials(self.session.study.seeds))
        return figure.trace(self.result, self.session.study.seeds)

    # Its own affairs.

    @cached_property
    def _runner(self) -> Runner:
        self._end_on_sigterm()
        runner = self.session.runner(self._listener(), self._remarks.append)
        # The whole plan, when the first test asks for some of it: only then are trials that share a network known.
        runner.prepare(self._plan)
        return runner

    def _train_all(self, trials: Iterable[Trial]) -> None:
        wanted = ordered(trials)
        self._shared.trials |= {trial.digest: trial for trial in wanted}
        with self._refused_once():
            self._runner.train_all(wanted)

    @contextlib.contextmanager
    def _refused_once(self) -> Iterator[None]:
        """Fail one test, in a line, for what the store has against all of them; the others are skipped."""
        try:
            yield
        except StoreError as error:
            told = "unwritable" if isinstance(error, UnwritableError) else str(error)
            if told in self._refusals:
                msg = "not trained, for the reason that another test has failed for"
                raise pytest.skip.Exception(msg) from None
            self._refusals.add(told)
            raise pytest.fail.Exception(str(error), pytrace=False) from None  # All that led to it is in the message.

    def _end_on_sigterm(self) -> None:
        """End as Ctrl-C does, should the system or a scheduler end the run: what is finished is kept and told."""
        if threading.current_thread() is not threading.main_thread():
            return

        def interrupt(_number: int, _frame: object) -> None:
            if not self._ending:
                self._ending = True
                msg = "SIGTERM; finished trials are kept, and the same command goes on from there"
                raise KeyboardInterrupt(msg)

        before = signal.signal(signal.SIGTERM, interrupt)
        self._restore_sigterm = lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)

    @property
    def _more_seeds(self) -> str:
        seeds, most = self._options.seeds, self._options.max_seeds
        return f", up to {most} where they do not decide" if most > seeds else ""

    def _declare(self, item: pytest.Item, study: Study) -> list[Trial]:
        trials: list[Trial] = []
        named = (("tlbench_claim", claim_key), ("tlbench_table", table_key), ("tlbench_figure", figure_key))
        for name, key in named:
            declare = _declaration(item, name)
            if declare is None:
                continue
            declared = declare(study, **_parameters(item, declare))
            if name == "tlbench_claim":
                test = getattr(item, "function", None)
                declared = declared.named(item.name, (inspect.getdoc(test) or "").partition("\n")[0])
            item.stash[key] = declared
            needed = declared.trials(study.seeds)
            try:
                for trial in needed:
                    self._check(trial)
            except DataError as error:
                item.stash[unfit_key] = str(error)
                return []
            if name == "tlbench_table" and declared not in self._shared.tables:
                self._shared.tables.append(declared)
            if name == "tlbench_figure" and declared not in self._shared.figures:
                self._shared.figures.append(declared)
            if name == "tlbench_claim":
                self._claims.append(declared)
            trials += needed
            self._label(declared, range(self._options.max_seeds))
        return trials

    def _check(self, trial: Trial | None) -> None:
        while trial is not None:
            trial.task.mapping(self.session.datasets[trial.data.digest].class_names)
            trial = trial.source

    def _label(self, declared: Claim | Table | Figure, seeds: Sequence[int]) -> None:
        for arm in declared.arms:
            named = self._shared.arms.setdefault(arm.trial(0).arm, [])
            if arm.label not in named:
                named.append(arm.label)
            for seed in seeds:
                trial = arm.trial(seed)
                self._name(trial, f"{arm.label}, seed {seed}")
                if trial.source is not None and not isinstance(arm.initialisation, type(arm)):
                    self._name(trial.source, f"pretraining on {trial.source.data.name}")

    def _name(self, trial: Trial, label: str) -> None:
        labels = self._labels.setdefault(trial.digest, [])
        if label not in labels:
            labels.append(label)

    def _listener(self) -> Any:
        from tlbench.run.progress import Progress, Stopwatch

        _ = self._timings  # Before there are any of this run.
        self._stopwatch = Stopwatch(Progress(self._labels, self._missing, self._tell(), self._options.processes))
        return self._stopwatch

    @property
    def _missing(self) -> tuple[Trial, ...]:
        return self.session.store.missing(self._plan)

    @cached_property
    def _timings(self) -> tuple[Timing, ...]:
        return tuple(self.session.store.timings())

    def _forecast(self, trials: Sequence[Trial]) -> Forecast:
        return self.session.forecast(trials, self._timings, self._options.processes)

    def _tell(self) -> Callable[[str, bool], None]:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or self._worker or self._config.get_verbosity() < 0:
            return lambda _line, _passing: None

        from tlbench.report import terminal

        capture = self._config.pluginmanager.get_plugin("capturemanager")

        def tell(line: str, passing: bool) -> None:
            # Fixtures run while their output is captured, which these lines are no part of.
            with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
                if not passing:
                    reporter.ensure_newline()
                    reporter.write_line(f"  {line}")
                elif reporter.isatty:
                    # A line that is too long would be broken, and no longer be replaced by the next.
                    reporter.rewrite(terminal.cut(f"  {line}", reporter._tw.fullwidth - 1), erase=True)  # noqa: SLF001

        return tell

    def _stored(self, trial: Trial) -> Result | None:
        if trial.digest in self._results:
            return self._results[trial.digest]
        try:
            return self.session.store.load(trial) if trial in self.session.store else None
        except StoreError:  # A test has failed for it; what remains is told without it.
            return None

    def _report(self) -> Report:
        from tlbench import __version__
        from tlbench.report.content import Report, printable
        from tlbench.report.gathering import arm_records, claim_record
        from tlbench.report.tables import fill
        from tlbench.store import baselines

        session, shared = self.session, self._shared
        seeds = session.study.seeds
        arms, environments = arm_records(shared.trials.values(), self._stored, shared.arms)
        report = Report(
            created=baselines.now(),
            tlbench_version=__version__,
            header=session.header,
            environments=tuple(dict.fromkeys([session.environment, *environments])),
            notes=(*session.warnings, *session.notes, *self._remarks),
            data=session.caption,
            stand_in=session.stand_in,
            tables=tuple(fill(table, self._stored, seeds) for table in shared.tables),
            figures=tuple(figure.trace(self._stored, seeds) for figure in shared.figures),  # type: ignore[misc]
            claims=tuple(map(claim_record, shared.claims)),
            arms=arms,
            repeat=self._command("--tlbench-repeat"),
            comparison=self._comparison,
        )
        return printable(report)

    def _write(self, reporter: pytest.TerminalReporter, report: Report) -> None:
        from tlbench.report import files
        from tlbench.run.session import near

        problem: TlbenchError | None = None
        try:
            self.session.store.keep_report(report.text())
        except StoreError as error:
            problem = error
        try:
            files.write(report, self._options.report)
            reporter.write_line(f"The report is {near(self._options.report / files.PAGE)}")
        except ConfigurationError as error:
            problem = error
        if problem is not None:
            reporter.write_line(str(problem), red=True)
            if self._pytest_session is not None and self._pytest_session.exitstatus == pytest.ExitCode.OK:
                self._pytest_session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _send(self, reporter: pytest.TerminalReporter, report: Report) -> None:
        from tlbench.report import sinks

        folder = self._options.tensorboard
        try:
            for line in sinks.send(
                report, {"mlflow": self._options.mlflow, "tensorboard": str(folder) if folder else None}
            ):
                reporter.write_line(line)
        except SinkError as error:  # The run is done and its report written: that is no reason to fail.
            reporter.write_line(f"Warning: {error}", yellow=True)

    def _repeat(self, digest: str) -> list[str]:
        from tlbench.report.plans import describe_repetition

        claims = [claim.trials(range(self._options.max_seeds)) for claim in self._claims]
        known = {trial.digest: trial for trial in ordered([*self._plan, *(trial for of in claims for trial in of)])}
        found = [trial for trial in known.values() if trial.digest.startswith(digest.lower())]
        if len(found) != 1:
            msg = (
                f"--tlbench-repeat must be the beginning of one trial's digest, of those that the collected tests "
                f"need; --tlbench-plan lists them. Received: {digest!r}, which {len(found)} of {len(known)} begin with"
            )
            raise ConfigurationError(msg)
        (trial,) = found
        self._end_on_sigterm()
        stored = self._stored(trial)
        result = self.session.repeat(trial, self._listener(), self._remarks.append)
        name = self._labels.get(trial.digest, ["source"])[0]
        return [*describe_repetition(name, trial, result, stored), *self._remarks]

    def _save_and_compare(self, session: pytest.Session) -> list[str]:
        from tlbench.judge.comparison import compare
        from tlbench.report.comparisons import describe
        from tlbench.report.gathering import comparison_record
        from tlbench.run.session import saved_run
        from tlbench.store import baselines

        options, lines = self._options, []
        run = saved_run(
            self.session,
            self._shared.trials.values(),
            self._stored,
            self._shared.arms,
            self._shared.claims,
            peak_memory_bytes=self._runner.peak_memory_bytes if "_runner" in vars(self) else None,
        )
        outcome = "passed"
        if options.compare:
            machine = run.surroundings.machine
            try:
                found = baselines.find(options.compare, options.baselines, machine)
                if found is None:
                    lines.append(
                        f"Warning: nothing to compare with: no saved run {options.compare!r} in {options.baselines}; "
                        f"save one with --tlbench-save {options.compare}."
                    )
                else:
                    comparison = compare(baselines.load(found.path), run)
                    self._comparison = comparison_record(comparison, options.compare_fail)
                    if found.other_machine:
                        lines.append(f"Warning: {found.path} is of another machine than this one, {machine}.")
                    lines.append(describe(self._comparison))
                    outcome = self._comparison.outcome
            except StoreError as error:
                lines.append(f"Warning: nothing to compare with: {error}")
        if outcome == "not measured":
            if session.exitstatus == pytest.ExitCode.OK and options.compare_fail.measured:
                session.exitstatus = NOT_MEASURED
            lines.append(f"To measure: {self._command('--tlbench-compare', options.compare or '', '--tlbench-fresh')}")
        elif outcome == "failed":
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            name = options.save or options.compare or ""
            if not baselines.is_name(name):
                name = "NAME"
            lines.append(f"To accept what has changed: {self._command_to_accept(name)}")
        if options.save and outcome != "passed":
            why = "it failed the comparison" if outcome == "failed" else "nothing of it, or too little, was measured"
            lines.append(f"Not saved as {options.save!r}, since {why}.")
        elif options.save:
            try:
                lines.append(f"Saved as {baselines.save(run, options.baselines)}")
            except StoreError as error:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
                lines.append(f"Not saved: {error}")
        return lines

    def _command_to_accept(self, name: str) -> str:
        return self._command("--tlbench-save", name)

    def _command(self, *added: str) -> str:
        """This run's command, with other options for what comes after training."""
        arguments, skip = [], False
        for argument in self._config.invocation_params.args:
            option, given, _ = str(argument).partition("=")
            if option in LEFT_OUT:
                skip = not given
            elif skip:
                skip = False
            elif option != "--tlbench-autosave" and not re.fullmatch(r"-n(\d+|auto|logical)", option):
                arguments.append(str(argument))
        return shlex.join(["pytest", *arguments, *added])

    def _print_plan(self, reporter: pytest.TerminalReporter) -> None:
        from tlbench.report.plans import describe, describe_forecast

        reporter.section("tlbench plan")
        if not self._plan:
            reporter.write_line("No test that was collected declares a claim, a table or a figure.")
            return
        missing = self._missing
        forecast = self._forecast(missing)
        reporter.write_line(describe(self._plan, self._labels, lambda trial: trial not in missing, forecast))
        if missing:
            for trial in missing:
                if reason := self.session.store.damage(trial):
                    reporter.write_line(f"Damaged, and to be trained again: {trial.digest[:12]} ({reason})")
            reporter.write_line(describe_forecast(forecast, self.session.peak_memory(missing)))

    def _print_outcome(self, reporter: pytest.TerminalReporter) -> None:
        from tlbench.report.plans import describe_outcome

        if self._stopwatch is not None and self._stopwatch.trained:
            forecast = self._forecast(self._stopwatch.trained)
            reporter.write_line(describe_outcome(self._stopwatch.seconds, forecast))


def _check_names(declared: Sequence[Table | Figure]) -> None:
    from tlbench.report.names import file_name

    names = [file_name(one.name) for one in declared]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        msg = (
            "Tables, and figures, need names of their own, which their files are called by; give a parametrized one "
            f"its parameter. Received: {', '.join(doubled)} more than once"
        )
        raise ConfigurationError(msg)


def _print_report(reporter: pytest.TerminalReporter, report: Report) -> None:
    from tlbench.report import formats, terminal

    width = reporter._tw.fullwidth  # noqa: SLF001 - pytest shows no other way to what it measures.
    # A section does not end the line of dots that is before it, and what is written first would stand in its place.
    reporter.ensure_newline()
    for filled in report.tables:
        reporter.section(terminal.wrapped(f"{filled.name}: {filled.title}", width - 10).partition("\n")[0])
        reporter.write_line(terminal.table(filled, width))
    if report.tables:
        reporter.write_line(terminal.wrapped(f"({formats.ABOUT_TABLES})", width))
    for drawn in report.figures:
        reporter.section(terminal.wrapped(f"{drawn.name}: {drawn.title}", width - 10).partition("\n")[0])
        reporter.write_line(terminal.figure(drawn, width))
    reporter.section("tlbench verdicts" if report.claims else "tlbench")
    colours = {"supported": {"green": True}, "refuted": {"red": True}, "inconclusive": {"yellow": True}}
    for record in report.claims:
        reporter.write(f"{record.outcome:{terminal.INDENT}}", **colours[record.outcome])
        reporter.write_line(terminal.claim(record, width))
    for note in report.notes:
        reporter.write_line(terminal.wrapped(f"Note: {note}", width))
    for number, line in enumerate(terminal.slowest(report, width)):
        if not number:
            reporter.write_line("The slowest trials:")
        reporter.write_line(line)


def _declaration(item: pytest.Item, name: str) -> Callable[..., Any] | None:
    marker = item.get_closest_marker(name)
    if marker is None:
        return None
    # By keyword, since pytest takes a marker's only argument, if it is a function, for the test itself.
    declare = marker.kwargs.get("declare")
    if marker.args or set(marker.kwargs) != {"declare"} or not callable(declare):
        received = ", ".join([*map(repr, marker.args), *(f"{key}={value!r}" for key, value in marker.kwargs.items())])
        msg = (
            f"{item.nodeid}: the marker {name} takes declare=function, from a study to what the test is about. "
            f"Received: {received or 'nothing'}"
        )
        raise pytest.UsageError(msg)
    return declare  # type: ignore[no-any-return]


def _wanted(declare: Callable[..., Any]) -> list[str]:
    # All parameters but the first, which is the study.
    return list(inspect.signature(declare).parameters)[1:]


def _parameters(item: pytest.Item, declare: Callable[..., Any]) -> dict[str, Any]:
    wanted = _wanted(declare)
    given = item.callspec.params if hasattr(item, "callspec") else {}
    missing = [name for name in wanted if name not in given]
    if missing:
        msg = (
            f"{item.nodeid}: what it declares depends on {', '.join(missing)}, which the test has no parameter for. "
            f"Received: {', '.join(given) or 'no parameters'}"
        )
        raise pytest.UsageError(msg)
    return {name: given[name] for name in wanted}


def _plugin(request: pytest.FixtureRequest) -> Plugin:
    return cast("Plugin", request.config.pluginmanager.get_plugin("tlbench-session"))


def _declared(request: pytest.FixtureRequest, key: pytest.StashKey[_T], marker: str) -> _T:
    stash: pytest.Stash = request.node.stash
    if key not in stash:
        msg = f"{request.node.nodeid} uses a fixture that needs the marker {marker}."
        raise pytest.UsageError(msg)
    return stash[key]


@pytest.fixture(scope="session")
def study(request: pytest.FixtureRequest) -> Study:
    """The study: data, network, recipe and seeds that arms have in common."""
    return _plugin(request).session.study


@pytest.fixture(scope="session")
def trained(request: pytest.FixtureRequest) -> Iterator[Callable[[Trial], Result]]:
    """A function from a trial to its result, which is trained where the store lacks it."""
    return _plugin(request).result  # type: ignore[return-value]


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> Verdict:
    """The verdict on the test's claim; the test is skipped where there is none, or fails if so asked."""
    plugin = _plugin(request)
    verdict = plugin.judge(_declared(request, claim_key, "tlbench_claim"))
    # Properties of the test in JUnit's XML.
    request.node.user_properties += [
        ("tlbench_outcome", verdict.outcome),
        ("tlbench_effect", verdict.effect),
        *(("tlbench_difference", interval.mean) for interval in [verdict.interval] if interval),
        *(("tlbench_p", p) for p in [verdict.p] if p is not None),
    ]
    if verdict.inconclusive:
        if plugin.fail_inconclusive:
            pytest.fail(f"not judged: {verdict}", pytrace=False)
        pytest.skip(f"not judged: {verdict}")
    return verdict


@pytest.fixture
def table(request: pytest.FixtureRequest) -> FilledTable:
    """The test's table, every cell trained."""
    return _plugin(request).fill(_declared(request, table_key, "tlbench_table"))


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Drawn:
    """The test's figure, all that it shows trained."""
    return _plugin(request).trace(_declared(request, figure_key, "tlbench_figure"))
