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
from typing import TYPE_CHECKING, overload

from tlbench.declare.claims import Claim
from tlbench.declare.evaluations import trials_of
from tlbench.errors import StoreError
from tlbench.judge.judging import judge, looks
from tlbench.plan.schedule import ordered
from tlbench.report.plans import describe_repetition
from tlbench.report.tables import fill
from tlbench.run.assembly import Assembly, assemble
from tlbench.run.commands import Command
from tlbench.run.extras import Extras
from tlbench.run.gathered import Gathered, Labels, work_of
from tlbench.run.progress import Silent
from tlbench.run.reporting import make_report
from tlbench.run.saving import Saving, save_and_compare, saved_run
from tlbench.run.status import StatusFile
from tlbench.run.training import find, make_runner, make_stopwatch, repeat
from tlbench.scores.extras import NO_EXTRAS


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tlbench.declare.evaluations import Evaluation, Work
    from tlbench.declare.study import Study
    from tlbench.declare.trials import Trial
    from tlbench.judge.verdicts import Verdict
    from tlbench.plan.forecast import Forecast
    from tlbench.report.content import Report
    from tlbench.report.figures import Drawn, Figure
    from tlbench.report.tables import FilledTable, Table
    from tlbench.run.gathered import Declaration
    from tlbench.run.options import Options
    from tlbench.run.progress import Display, Stopwatch
    from tlbench.store.results import EvaluationResult, Result
    from tlbench.store.timings import Timing
    from tlbench.train.runner import Runner


class Run:
    """A run of a study.

    Args:
        options: Options of the run.
        identifier: Identifier that processes which share the run agree on; a new one unless given.
        command: Command that started the run, for the commands in the report.
        display: Shows the progress of training; shows nothing unless given.
        before_training: Called once, before anything is trained.

    Attributes:
        gathered: Values for the report.
        extras: Extra predictions of trials.
        labels: Labels of trials.
        planned: Trials and evaluations of the plan, each after its source.
    """

    def __init__(
        self,
        options: Options,
        *,
        identifier: str | None = None,
        command: Command | None = None,
        display: Display | None = None,
        before_training: Callable[[], None] = lambda: None,
    ) -> None:
        self.options = options
        self.gathered = Gathered()
        self.extras = Extras()
        self.planned: tuple[Work, ...] = ()
        self._identifier = identifier
        self._command = command or Command()
        self._display = display or Silent()
        self._before_training = before_training
        self._claims: list[Claim] = []
        self.labels = Labels(self.gathered)
        self._results: dict[str, Result | EvaluationResult] = {}
        self._verdicts: list[Verdict] = []
        self._saving = Saving()
        self._status = StatusFile(options.status)

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
        return self.assembly.unfit(ordered(work_of(declared, self.study.seeds)))

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Trials of the plan, each after its source."""
        return trials_of(self.planned)

    def plan(self, declarations: Iterable[Declaration]) -> tuple[Work, ...]:
        """Plan the trials and evaluations that some declarations need; trains nothing.

        Args:
            declarations: Claims, tables and figures that the images serve, see `unfit`.

        Returns:
            The trials and evaluations, each once and after its source.

        Raises:
            ConfigurationError: Two tables or figures have one name.
            StoreError: Trials are missing, and the store cannot be written.
        """
        works: list[Work] = []
        for declared in declarations:
            self.gathered.add(declared)
            if isinstance(declared, Claim):
                self._claims.append(declared)
            works += work_of(declared, self.study.seeds)
            self.extras.add(declared, self.study.seeds[:1])
            self.labels.add(declared.arms, range(self.options.max_seeds))
        self.gathered.check_names()
        self._results.clear()  # They may lack extra predictions.
        self.planned = ordered(map(self.extras.on, [*self.planned, *works]))
        self.gathered.add_work(self.planned)
        missing = self.missing
        if missing and not self.options.plan:
            self.assembly.store.prepare()
        forecast = self.forecast(missing) if self.options.plan and self.options.status else None
        self._status.planned(self.trials, trials_of(missing), self._claims, forecast, self.gathered.not_applicable)
        return self.planned

    @property
    def missing(self) -> tuple[Work, ...]:
        """Planned trials and evaluations that the store lacks."""
        return self.assembly.store.missing(self.planned)

    def forecast(self, works: Sequence[Work]) -> Forecast:
        """Predict the time of some trials from results that were stored before this run trained any.

        Args:
            works: Trials, each after its source; evaluations among them, which take seconds, are not counted.
        """
        return self.assembly.forecast(trials_of(works), self._timings, self.options.processes)

    @cached_property
    def _timings(self) -> tuple[Timing, ...]:
        return tuple(self.assembly.store.timings())

    def train(self, works: Iterable[Work] | None = None) -> None:
        """Train the trials, and compute the evaluations, that the store lacks.

        Args:
            works: Trials and evaluations, their sources implied; the whole plan unless given.

        Raises:
            Exception: The training of a trial, or an evaluation, has failed with it.
        """
        wanted = ordered(self.planned if works is None else map(self.extras.on, works))
        self.gathered.add_work(wanted)
        self._runner.train_all(wanted)

    @overload
    def result(self, work: Trial) -> Result: ...
    @overload
    def result(self, work: Evaluation) -> EvaluationResult: ...
    @overload
    def result(self, work: Work) -> Result | EvaluationResult: ...
    def result(self, work: Work) -> Result | EvaluationResult:
        """The result of a trial or an evaluation, which is computed where the store lacks it.

        Raises:
            Exception: The training of the trial, or the evaluation, has failed with it.
        """
        if work.digest not in self._results:
            self._results[work.digest] = self._runner.result(self.extras.on(work))
        return self._results[work.digest]

    @overload
    def stored(self, work: Trial) -> Result | None: ...
    @overload
    def stored(self, work: Evaluation) -> EvaluationResult | None: ...
    @overload
    def stored(self, work: Work) -> Result | EvaluationResult | None: ...
    def stored(self, work: Work) -> Result | EvaluationResult | None:
        """The result of a trial or an evaluation, where the store has it undamaged; computes nothing."""
        if work.digest in self._results:
            return self._results[work.digest]
        try:
            return self.assembly.store.load(work) if work.with_extras(NO_EXTRAS) in self.assembly.store else None
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
        later = (trial for claim in self._claims for trial in claim.trials(range(self.options.max_seeds)))
        trial = find(digest, ordered([*self.trials, *later]))
        self._before_training()
        result = repeat(self.assembly, trial, self._stopwatch, self.gathered.remarks.append)
        told = describe_repetition(self.labels.first(trial), trial, result, self.stored(trial))
        return [*told, *self.gathered.remarks]

    def close(self) -> None:
        """End the processes that train."""
        if "_runner" in vars(self):
            self._runner.close()

    @property
    def trained(self) -> tuple[float, Sequence[Trial]] | None:
        """Wall time in seconds from the first trial's start to the last one's end, and the trials; None without any."""
        return self._stopwatch.outcome if "_stopwatch" in vars(self) else None

    @cached_property
    def _runner(self) -> Runner:
        self._before_training()
        runner = make_runner(self.assembly, self._stopwatch, self.gathered.remarks.append)
        runner.prepare(self.planned)  # All of it: only then are trials that share a network known.
        return runner

    @cached_property
    def _stopwatch(self) -> Stopwatch:
        _ = self._timings  # Before there are any of this run.
        return make_stopwatch(self.assembly, self.labels, self.missing, self._claims, self._display, self._status)

    def judge(self) -> tuple[Verdict, ...]:
        """The verdicts on all planned claims, judged together, in the order of the plan; trains missing trials."""
        return tuple(self.verdict(claim) for claim in self._claims)

    def verdict(self, claim: Claim) -> Verdict:
        """The verdict on one planned claim, judged together with all others; the report shows it from then on."""
        if not self._verdicts:
            seeds_at_looks = looks(self.options.seeds, self.options.max_seeds)
            self._verdicts = judge(self._claims, self.result, seeds_at_looks, self.train)
        verdict = next(verdict for verdict in self._verdicts if verdict.claim is claim)
        self.gathered.add_verdict(verdict)
        return verdict

    def fill(self, table: Table) -> FilledTable:
        """Fill a table, every cell trained."""
        self.train(work_of(table, self.study.seeds))
        return fill(table, self.result, self.study.seeds)

    def trace(self, figure: Figure) -> Drawn:
        """Trace a figure, all arms trained."""
        self.train(work_of(figure, self.study.seeds))
        return figure.trace(self.result, self.study.seeds)

    def report(self) -> Report:
        """Gather the report from stored results; trains nothing."""
        command = self._command.with_options("--tlbench-repeat")
        return make_report(self.assembly, self.gathered, self.stored, command, self._saving.comparison)

    def save(self) -> Saving:
        """Compare the run with a saved one, and save it, as the options say."""
        run = saved_run(
            self.assembly,
            self.gathered,
            self.stored,
            peak_memory_bytes=self._runner.peak_memory_bytes if "_runner" in vars(self) else None,
        )
        self._saving = save_and_compare(run, self.options, self._command)
        return self._saving

    def finish(self) -> None:
        """Write to the status file that the run is over, where there is one.

        Raises:
            StoreError: The file cannot be written.
        """
        outcome = self._saving.outcome if self._saving.comparison else None
        self._status.finished(outcome, self._saving.saved)
