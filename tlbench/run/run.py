"""A run of a study: plan, train, judge, report and save, without pytest.

    run = Run(options)
    run.plan([claim, table, figure])
    run.train()
    verdicts = run.judge()
    report = run.report()
    run.save()

Each step takes the one before it: whoever asks for a verdict gets the trials that the verdict rests on trained.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tlbench.declare.claims import Claim
from tlbench.errors import DataError, StoreError
from tlbench.judge.judging import judge, looks
from tlbench.plan.schedule import ordered
from tlbench.report.plans import describe_repetition
from tlbench.report.tables import fill
from tlbench.run.assembly import Assembly, assemble
from tlbench.run.commands import Command
from tlbench.run.gathered import Gathered, Labels
from tlbench.run.progress import Progress, Stopwatch
from tlbench.run.reporting import make_report
from tlbench.run.saving import Saving, save_and_compare, saved_run
from tlbench.run.status import StatusFile
from tlbench.run.training import find, make_runner, repeat


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tlbench.declare.study import Study
    from tlbench.declare.trials import Trial
    from tlbench.judge.verdicts import Verdict
    from tlbench.plan.forecast import Forecast
    from tlbench.report.content import Report
    from tlbench.report.figures import Drawn, Figure
    from tlbench.report.tables import FilledTable, Table
    from tlbench.run.gathered import Declaration
    from tlbench.run.options import Options
    from tlbench.store.results import Result
    from tlbench.store.timings import Timing
    from tlbench.train.runner import Runner


class Run:
    """A run of a study.

    Args:
        options: Options of the run.
        identifier: Identifier that processes which share the run agree on; a new one unless given.
        command: Command that started the run, for the commands in the report.
        tell: Shows a line of progress; the second argument says whether the next line may replace it.
        before_training: Called once, before anything is trained.

    Attributes:
        gathered: Values for the report.
        labels: Labels of trials.
        trials: Trials of the plan, each after its source.
    """

    def __init__(
        self,
        options: Options,
        *,
        identifier: str | None = None,
        command: Command | None = None,
        tell: Callable[[str, bool], None] = lambda _line, _passing: None,
        before_training: Callable[[], None] = lambda: None,
    ) -> None:
        self.options = options
        self.gathered = Gathered()
        self.trials: tuple[Trial, ...] = ()
        self._identifier = identifier
        self._command = command or Command()
        self._tell = tell
        self._before_training = before_training
        self._claims: list[Claim] = []
        self.labels = Labels(self.gathered)
        self._results: dict[str, Result] = {}
        self._verdicts: list[Verdict] = []
        self._saving = Saving()
        self._status = StatusFile(options.status)
        self._stopwatch: Stopwatch | None = None

    @cached_property
    def assembly(self) -> Assembly:
        """The parts of the run; images are read or drawn when they are first needed.

        Raises:
            TlbenchError: The data, the store or an option is unusable.
        """
        return assemble(self.options, self._identifier)

    @property
    def study(self) -> Study:
        """The study: data, network, recipe and seeds that arms have in common."""
        return self.assembly.study

    def unfit(self, declared: Declaration) -> str | None:
        """The reason for which the images do not serve a declaration; None where they do.

        Args:
            declared: A claim, a table or a figure.
        """
        try:
            for trial in ordered(declared.trials(self.study.seeds)):
                trial.task.mapping(self.assembly.datasets[trial.data.digest].class_names)
        except DataError as error:
            return str(error)
        return None

    def plan(self, declarations: Iterable[Declaration]) -> tuple[Trial, ...]:
        """Plan the trials that some declarations need; trains nothing.

        Args:
            declarations: Claims, tables and figures that the images serve, see `unfit`.

        Returns:
            The trials, each once and after its source.

        Raises:
            ConfigurationError: Two tables or figures have one name.
            StoreError: Trials are missing, and the store cannot be written.
        """
        trials: list[Trial] = []
        for declared in declarations:
            self.gathered.add(declared)
            if isinstance(declared, Claim):
                self._claims.append(declared)
            trials += declared.trials(self.study.seeds)
            self.labels.add(declared.arms, range(self.options.max_seeds))
        self.gathered.check_names()
        self.trials = ordered([*self.trials, *trials])
        self.gathered.add_trials(self.trials)
        missing = self.missing
        if missing and not self.options.plan:
            self.assembly.store.prepare()
        self._status.update(planned=len(self.trials), to_train=len(missing))
        return self.trials

    @property
    def missing(self) -> tuple[Trial, ...]:
        """Planned trials that the store lacks."""
        return self.assembly.store.missing(self.trials)

    def forecast(self, trials: Sequence[Trial]) -> Forecast:
        """Predict the time of some trials from results that were stored before this run trained any.

        Args:
            trials: Trials, each after its source.
        """
        return self.assembly.forecast(trials, self._timings, self.options.processes)

    @cached_property
    def _timings(self) -> tuple[Timing, ...]:
        return tuple(self.assembly.store.timings())

    def train(self, trials: Iterable[Trial] | None = None) -> None:
        """Train the trials that the store lacks.

        Args:
            trials: Trials, their sources implied; the whole plan unless given.

        Raises:
            Exception: The training of a trial has failed with it.
        """
        wanted = ordered(self.trials if trials is None else trials)
        self.gathered.add_trials(wanted)
        self._runner.train_all(wanted)

    def result(self, trial: Trial) -> Result:
        """A trial's result; the trial is trained where the store lacks it.

        Raises:
            Exception: The training of the trial has failed with it.
        """
        if trial.digest not in self._results:
            self._results[trial.digest] = self._runner.result(trial)
        return self._results[trial.digest]

    def stored(self, trial: Trial) -> Result | None:
        """A trial's result, where the store has it undamaged; trains nothing."""
        if trial.digest in self._results:
            return self._results[trial.digest]
        try:
            return self.assembly.store.load(trial) if trial in self.assembly.store else None
        except StoreError:  # Whoever asked for the result has been told.
            return None

    def repeat(self, digest: str) -> list[str]:
        """Train one trial again, and compare it with the stored result; the store is left as it is.

        Args:
            digest: Beginning of the digest of one trial of the plan, or of those that claims may ask for.

        Returns:
            Lines that tell a user about both.

        Raises:
            ConfigurationError: No trial's digest begins so, or several do.
        """
        later = (claim.trials(range(self.options.max_seeds)) for claim in self._claims)
        trial = find(digest, ordered([*self.trials, *(trial for trials in later for trial in trials)]))
        self._before_training()
        stored = self.stored(trial)
        result = repeat(self.assembly, trial, self._listener(), self.gathered.remarks.append)
        return [*describe_repetition(self.labels.first(trial), trial, result, stored), *self.gathered.remarks]

    def close(self) -> None:
        """End the processes that train."""
        if "_runner" in vars(self):
            self._runner.close()

    @property
    def trained(self) -> tuple[float, Sequence[Trial]] | None:
        """Wall time in seconds from the first trial's start to the last one's end, and the trials; None without any."""
        stopwatch = self._stopwatch
        return (stopwatch.seconds, stopwatch.trained) if stopwatch and stopwatch.trained else None

    @cached_property
    def _runner(self) -> Runner:
        self._before_training()
        runner = make_runner(self.assembly, self._listener(), self.gathered.remarks.append)
        # The whole plan, as soon as some of it is needed: only then are trials that share a network known.
        runner.prepare(self.trials)
        return runner

    def _listener(self) -> Stopwatch:
        _ = self._timings  # Before there are any of this run.
        progress = Progress(
            self.labels.of_trials, self.missing, self._show, self.assembly.graph, self.options.processes
        )
        self._stopwatch = Stopwatch(progress)
        return self._stopwatch

    def _show(self, line: str, passing: bool) -> None:
        if not passing:
            self._status.trial_ended(line)
        self._tell(line, passing)

    def judge(self) -> tuple[Verdict, ...]:
        """The verdicts on all planned claims, judged together, in the order of the plan; trains missing trials."""
        return tuple(self.verdict(claim) for claim in self._claims)

    def verdict(self, claim: Claim) -> Verdict:
        """The verdict on one planned claim, judged together with all others; the report shows it from then on."""
        if not self._verdicts:
            seeds_at_looks = looks(self.options.seeds, self.options.max_seeds)
            self._verdicts = judge(self._claims, self.result, seeds_at_looks, self.train)
        verdict = next(verdict for verdict in self._verdicts if verdict.claim is claim)
        if not any(other is verdict for other in self.gathered.verdicts):
            self.gathered.verdicts.append(verdict)
        return verdict

    def fill(self, table: Table) -> FilledTable:
        """Fill a table, every cell trained."""
        self.train(table.trials(self.study.seeds))
        return fill(table, self.result, self.study.seeds)

    def trace(self, figure: Figure) -> Drawn:
        """Trace a figure, all arms trained."""
        self.train(figure.trials(self.study.seeds))
        return figure.trace(self.result, self.study.seeds)

    def report(self) -> Report:
        """Gather the report from stored results; trains nothing."""
        command = self._command.with_options("--tlbench-repeat")
        return make_report(self.assembly, self.gathered, self.stored, command, self._saving.comparison)

    def save(self) -> Saving:
        """Compare the run with a saved one, and save it, as the options say."""
        run = saved_run(
            self.assembly,
            self.gathered.trials.values(),
            self.stored,
            self.gathered.arms,
            self.gathered.verdicts,
            peak_memory_bytes=self._runner.peak_memory_bytes if "_runner" in vars(self) else None,
        )
        self._saving = save_and_compare(run, self.options, self._command)
        return self._saving

    def finish(self) -> None:
        """Write to the status file that the run is over, where there is one.

        Raises:
            StoreError: The file cannot be written.
        """
        saving = self._saving
        outcome = saving.outcome if saving.comparison else None
        self._status.update(state="finished", outcome=outcome, saved=str(saving.saved) if saving.saved else None)
