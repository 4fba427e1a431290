"""The pytest plugin: hooks, markers and fixtures around a run."""

from __future__ import annotations

import base64
import contextlib
import pickle
import signal
import threading
import warnings

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from tlbench.errors import StoreError, UnwritableError
from tlbench.hosts import displays, printing
from tlbench.hosts.declarations import MARKERS, claim_key, declaration, declarations_of, figure_key, table_key, wanted
from tlbench.hosts.failures import failure, pytest_runtest_call, verdict_key  # noqa: F401 - a hook.
from tlbench.hosts.settings import asked_for, facts, pytest_addoption, read_options, usage_errors  # noqa: F401 - a hook.


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tlbench.declare.profiles import Profile
    from tlbench.declare.study import Study
    from tlbench.declare.trials import Network, Trial
    from tlbench.judge.verdicts import Verdict
    from tlbench.report.content import Report
    from tlbench.report.figures import Drawn
    from tlbench.report.tables import FilledTable
    from tlbench.run.gathered import Declaration, Gathered
    from tlbench.run.options import Options
    from tlbench.run.run import Run
    from tlbench.store.results import Result

# Exit status of a run whose comparison found no failure, but compared results with themselves; pytest's own are 0 to 5.
NOT_MEASURED = 6

# Keras' own conversion of TensorFlow's and PyTorch's tensors, under NumPy 2: hundreds a run, nobody's to mend here.
KERAS_COPIES = "__array__ implementation doesn't accept a copy keyword"

unfit_key = pytest.StashKey[str]()

_T = TypeVar("_T")


class DataWarning(UserWarning):
    """The images differ from the published data set."""


class BaselineWarning(UserWarning):
    """The run that another should be compared with is missing, cannot be read, or is of another machine."""


class Hooks:
    """Hooks that a `conftest.py` may implement."""

    def pytest_tlbench_profiles(self) -> Sequence[Profile]:  # type: ignore[empty-body]
        """Profiles of a project's own: sizes, network, images and source, to be named with `--tlbench-profile`."""

    def pytest_tlbench_networks(self) -> Mapping[str, Callable[..., Network]]:  # type: ignore[empty-body]
        """Families of networks of a project's own, by the name that `--tlbench-network` takes.

        A family is a function from settings to a network, such as the class of a network itself.
        """

    def pytest_tlbench_report(self, report: Report) -> None:
        """Called with the report of a run, once its files are written: verdicts, trials, settings and environments."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options where any is given; a contradiction or a malformed value is a usage error."""
    for marker in MARKERS.values():
        config.addinivalue_line("markers", marker)
    config.addinivalue_line("filterwarnings", f"ignore:{KERAS_COPIES}:DeprecationWarning")
    plugin = Plugin(config)
    config.pluginmanager.register(plugin, "tlbench-session")
    # Other sessions need no options, whose profiles take a fifth of a second to import.
    if plugin.asked and plugin.options.gpu and not config.option.collectonly and not config.option.help:
        from tlbench.machine import environment

        with usage_errors():
            environment.current(gpu=True)


class Plugin:
    """The run of one pytest session.

    Args:
        config: Configuration of the session.

    Attributes:
        asked: Whether an option of tlbench is given.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.asked = asked_for(config)
        self._worker = hasattr(config, "workerinput")
        # Workers take part in the run of the controller, which tells them; any other session makes an identifier up.
        self._identifier: str | None = getattr(config, "workerinput", {}).get("tlbench_run")
        self._run: Run | None = None
        self._compared: list[str] = []
        self._repeated: list[str] = []
        # Problems of the store that a test has failed for already.
        self._refusals: set[str] = set()
        self._pytest_session: pytest.Session | None = None
        self._ending = False
        self._restore_sigterm: Callable[[], object] = lambda: None

    @cached_property
    def options(self) -> Options:
        """Options of the run, read when they are first asked for."""
        with usage_errors():
            return read_options(self._config)

    @property
    def run(self) -> Run:
        """The run, made when it is first asked for."""
        if self._run is None:
            from tlbench.run.commands import Command
            from tlbench.run.run import Run

            self._run = Run(
                self.options,
                identifier=self._identifier,
                command=Command(tuple(map(str, self._config.invocation_params.args))),
                display=displays.display(self._config, silent=self._worker),
                before_training=self._end_on_sigterm,
            )
        return self._run

    @property
    def fail_inconclusive(self) -> bool:
        """True where a claim that cannot be judged fails."""
        return self.options.inconclusive == "fail"

    # Hooks, in the order in which pytest calls them.

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Let a test be parametrized with parameters that only its declaration takes."""
        for name in MARKERS:
            marker = metafunc.definition.get_closest_marker(name)
            declare = marker.kwargs.get("declare") if marker else None
            if callable(declare):  # Anything else is refused once all is collected.
                metafunc.fixturenames += [n for n in wanted(declare) if n not in metafunc.fixturenames]

    def pytest_report_header(self) -> str | None:
        """Show the facts that decide the run and are known without reading images or importing a backend."""
        return facts(self.options) if self.asked else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Ask every benchmark for its declarations, so that the plan is known before anything is trained."""
        declaring = [item for item in session.items if any(item.get_closest_marker(name) for name in MARKERS)]
        for item in declaring:
            for name in MARKERS:
                declaration(item, name)
        if not declaring or self._config.option.collectonly:
            return
        with usage_errors():
            if any("trained" in getattr(item, "fixturenames", ()) for item in session.items):
                self.run.extras.keep_all()  # The test gets results, and may read all that there is.
            self.run.plan([declared for item in declaring for declared in self._declare(item)])
        for difference in self.run.assembly.warnings:
            self._config.issue_config_time_warning(DataWarning(difference), stacklevel=2)

    def pytest_report_collectionfinish(self) -> list[str]:
        """Show the study that is about to run."""
        if self._run is None or not self._run.trials:
            return []
        from tlbench.declare.evaluations import evaluations_of
        from tlbench.report.plans import describe_size

        run, assembly, missing = self._run, self._run.assembly, self._run.missing
        if self._config.get_verbosity() < 0:
            return []
        lines = [] if self.asked else [facts(self.options)]
        lines.append(f"tlbench study: {assembly.study_in_short}")
        if self._config.get_verbosity() > 0:
            lines[-1:] = [f"tlbench {name}: {value}" for name, value in assembly.header.items()]
            lines += [f"tlbench note: {note}" for note in assembly.notes]
        evaluations, to_compute = (len(evaluations_of(works)) for works in (run.planned, missing))
        size = describe_size(run.trials, run.forecast(missing), evaluations, to_compute)
        return [*lines, f"tlbench plan: {size}"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool | None:
        """Run no test where only the plan is asked for, or a trial to be repeated."""
        if not self.asked:
            return None
        if self.options.repeat and not self._worker:
            # Outside of tests, pytest's own filters are not at work.
            with usage_errors(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", KERAS_COPIES, DeprecationWarning)
                self._repeated = self.run.repeat(self.options.repeat)
        return True if self.options.plan or self.options.repeat else None

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip a test whose classes the dataset lacks."""
        if reason := item.stash.get(unfit_key, None):
            pytest.skip(reason)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Hand a worker's verdicts to the controller, which saves the run and compares it."""
        self._pytest_session, self._ending = session, True
        if self._run is None:
            return
        self._run.close()
        if self._worker:
            gathered = base64.b64encode(pickle.dumps(self._run.gathered)).decode()
            self._config.workeroutput["tlbench"] = gathered  # type: ignore[attr-defined]
            return
        # A run that was interrupted is no run to compare with; its trials are in the store all the same.
        whole = exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
        asked = self.options.save or self.options.compare
        if not whole or self.options.plan or self.options.repeat:
            return
        if asked and (self._run.gathered.trials or self._run.gathered.not_applicable):
            saving = self._run.save()
            self._compared = saving.lines
            refused = _warn(self._config, saving.warnings)
            self._compared += refused
            if saving.outcome == "not measured" and self.options.compare_fail.measured:
                session.exitstatus = session.exitstatus or NOT_MEASURED
            if saving.outcome == "failed" or saving.failed or refused:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker the run in which it takes part."""
        from tlbench.run.assembly import new_run

        self._identifier = self._identifier or new_run()
        node.workerinput["tlbench_run"] = self._identifier

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over a worker's verdicts; its results are in the store."""
        if told := getattr(node, "workeroutput", {}).get("tlbench"):
            gathered: Gathered = pickle.loads(base64.b64decode(told))  # noqa: S301 - from our own worker
            self.run.gathered.merge(gathered)

    def pytest_keyboard_interrupt(self) -> None:
        """Finish the report, whoever interrupts once more."""
        self._ending = True

    def pytest_unconfigure(self) -> None:
        """Leave the process as it was."""
        self._restore_sigterm()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        """Print plan, tables, figures and verdicts, and write them."""
        # Where the run was refused, its one message is all that there is to say.
        if self._worker or self._config.option.collectonly or exitstatus == pytest.ExitCode.USAGE_ERROR:
            return
        if self._run is None and not self.asked:
            return
        if self.options.plan:
            with usage_errors():
                printing.print_plan(terminalreporter, self.run)
            return
        for line in self._repeated:
            terminalreporter.write_line(line)
        if self.options.repeat or self._run is None:
            return
        if self._run.gathered.empty:
            printing.print_outcome(terminalreporter, self._run)
            for remark in self._run.gathered.remarks:
                terminalreporter.write_line(f"Note: {remark}")
        else:
            self._print_and_write(terminalreporter, self._run)
        with usage_errors():
            self._run.finish()

    def _print_and_write(self, reporter: pytest.TerminalReporter, run: Run) -> None:
        with usage_errors():
            report = run.report()
            silent = self._config.get_verbosity() < -1
            if self._config.get_verbosity() == -1:
                printing.print_tally(reporter, report)
            elif not silent:
                printing.print_report(reporter, report, printing.shown(self._config, self.options.show))
                printing.print_outcome(reporter, run)
            written = printing.write_report(reporter, run, report, silent=silent)
            self._config.hook.pytest_tlbench_report(report=report)
        if not written and self._pytest_session is not None:
            self._pytest_session.exitstatus = self._pytest_session.exitstatus or pytest.ExitCode.TESTS_FAILED
        if self._compared:
            reporter.section("tlbench comparison")
            for line in self._compared:
                reporter.write_line(line)

    @contextlib.contextmanager
    def refused_once(self) -> Iterator[None]:
        """Fail one test, in a line, for a problem of the store that all of them meet; the others are skipped."""
        try:
            yield
        except StoreError as error:
            told = "unwritable" if isinstance(error, UnwritableError) else str(error)
            if told in self._refusals:
                msg = "not trained, for the reason that another test has failed for"
                raise pytest.skip.Exception(msg) from None
            self._refusals.add(told)
            raise pytest.fail.Exception(str(error), pytrace=False) from None  # The message says all.

    def _declare(self, item: pytest.Item) -> list[Declaration]:
        """The declarations of a test; none where the images do not serve one of them."""
        declarations = declarations_of(item, self.run.study)
        for declared in declarations:
            if reason := self.run.unfit(declared):
                item.stash[unfit_key] = reason
                self.run.gathered.leave_out(declared, reason)
                return []
        return declarations

    def _end_on_sigterm(self) -> None:
        """End as Ctrl-C does, should the system or a scheduler end the run: finished trials are kept and told."""
        if threading.current_thread() is not threading.main_thread():
            return

        def interrupt(_number: int, _frame: object) -> None:
            if not self._ending:
                self._ending = True
                msg = "SIGTERM; finished trials are kept, and the same command goes on from there"
                raise KeyboardInterrupt(msg)

        before = signal.signal(signal.SIGTERM, interrupt)
        self._restore_sigterm = lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _plugin(request: pytest.FixtureRequest) -> Plugin:
    return cast("Plugin", request.config.pluginmanager.get_plugin("tlbench-session"))


def _declared(request: pytest.FixtureRequest, key: pytest.StashKey[_T], marker: str) -> _T:
    stash: pytest.Stash = request.node.stash
    if key not in stash:
        msg = f"{request.node.nodeid} uses a fixture that needs the marker {marker}."
        raise pytest.UsageError(msg)
    return stash[key]


def _warn(config: pytest.Config, texts: Sequence[str]) -> list[str]:
    """Issue warnings on the saved run; those that the session's filters turn into errors are returned as lines."""
    refused = []
    for text in texts:
        try:
            config.issue_config_time_warning(BaselineWarning(text), stacklevel=3)
        except BaselineWarning:
            refused.append(f"FAILED: {text}")
    return refused


@pytest.fixture(scope="session")
def study(request: pytest.FixtureRequest) -> Study:
    """The study: data, network, recipe and seeds that arms have in common."""
    return _plugin(request).run.study


@pytest.fixture(scope="session")
def trained(request: pytest.FixtureRequest) -> Iterator[Callable[[Trial], Result]]:
    """A function from a trial to its result, which is trained where the store lacks it."""
    plugin = _plugin(request)

    def result(trial: Trial) -> Result:
        with plugin.refused_once():
            return plugin.run.result(trial)

    return result  # type: ignore[return-value]


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> Verdict:
    """The verdict on the test's claim; the test is skipped where there is none, or fails if so asked."""
    plugin = _plugin(request)
    with plugin.refused_once():
        verdict = plugin.run.verdict(_declared(request, claim_key, "tlbench_claim"))
    request.node.stash[verdict_key] = verdict
    # Properties of the test in JUnit's XML.
    request.node.user_properties += [
        ("tlbench_outcome", verdict.outcome),
        ("tlbench_effect", verdict.effect),
        *(("tlbench_difference", interval.mean) for interval in [verdict.interval] if interval),
        *(("tlbench_p", p) for p in [verdict.p] if p is not None),
    ]
    if verdict.inconclusive:
        if plugin.fail_inconclusive:
            pytest.fail(failure(verdict), pytrace=False)
        pytest.skip(f"inconclusive: {verdict.effect if verdict.p is not None else verdict.reason}")
    return verdict


@pytest.fixture
def table(request: pytest.FixtureRequest) -> FilledTable:
    """The test's table, every cell trained."""
    plugin = _plugin(request)
    with plugin.refused_once():
        return plugin.run.fill(_declared(request, table_key, "tlbench_table"))


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Drawn:
    """The test's figure, all that it shows trained."""
    plugin = _plugin(request)
    with plugin.refused_once():
        return plugin.run.trace(_declared(request, figure_key, "tlbench_figure"))
