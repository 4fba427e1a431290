"""The values that a run gathers for its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tlbench.declare.claims import Claim, evaluations
from tlbench.declare.evaluations import Evaluation
from tlbench.errors import ConfigurationError
from tlbench.report.names import file_name
from tlbench.report.tables import Table


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tlbench.declare.evaluations import Work
    from tlbench.declare.trials import Arm, Trial
    from tlbench.judge.verdicts import Verdict
    from tlbench.report.figures import Figure

    Declaration = Claim | Table | Figure


@dataclass
class Gathered:
    """Values for the report of a run: declarations and verdicts, no results. Processes that share a run exchange them.

    Attributes:
        trials: Trials of the plan, and those that claims have asked for since, by digest.
        evaluations: Evaluations of the plan, and those that claims have asked for since, by digest.
        arms: Labels of arms, by the arm's digest.
        verdicts: Verdicts, in the order of the tests.
        tables: Declared tables.
        figures: Declared figures.
        remarks: Sentences about the run that a user should know.
        not_applicable: Reason for which the images do not serve a claim, by the claim's name.
    """

    trials: dict[str, Trial] = field(default_factory=dict)
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    arms: dict[str, list[str]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    not_applicable: dict[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """True where there is nothing to report."""
        return not (self.verdicts or self.tables or self.figures)

    def add(self, declared: Declaration) -> None:
        """Add a table or a figure; a claim is added with its verdict.

        Args:
            declared: A declaration, which may have been added before.
        """
        if isinstance(declared, Table):
            if declared not in self.tables:
                self.tables.append(declared)
        elif not isinstance(declared, Claim) and declared not in self.figures:
            self.figures.append(declared)

    def leave_out(self, declared: Declaration, reason: str) -> None:
        """Take note of a declaration that the images do not serve; a saved run names the claims among them.

        Args:
            declared: A claim, a table or a figure that is not planned.
            reason: Reason for which the images do not serve it, see `tlbench.run.run.Run.unfit`.
        """
        if isinstance(declared, Claim):
            self.not_applicable[declared.name] = reason

    def add_verdict(self, verdict: Verdict) -> None:
        """Add a verdict, which may have been added before."""
        if not any(other is verdict for other in self.verdicts):
            self.verdicts.append(verdict)

    def add_work(self, works: Iterable[Work]) -> None:
        """Add trials and evaluations."""
        for work in works:
            if isinstance(work, Evaluation):
                self.evaluations[work.digest] = work
            else:
                self.trials[work.digest] = work

    def merge(self, other: Gathered) -> None:
        """Add what another process of the same run has gathered.

        Args:
            other: Values of the other process, which has collected the same tests.
        """
        self.verdicts += other.verdicts
        self.trials |= other.trials
        self.evaluations |= other.evaluations
        self.arms |= other.arms
        self.tables = self.tables or other.tables
        self.figures = self.figures or other.figures
        self.remarks += [remark for remark in other.remarks if remark not in self.remarks]
        self.not_applicable |= other.not_applicable

    def check_names(self) -> None:
        """Make sure that no two tables or figures write the same files.

        Raises:
            ConfigurationError: Two of them do.
        """
        tables, figures = ([declared.name for declared in these] for these in (self.tables, self.figures))
        names = [file_name(name) for name in (*tables, *figures)]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            msg = (
                "Tables and figures need names of their own, after which their files are named; give a parametrized "
                f"one its parameter. Received: {', '.join(doubled)} more than once"
            )
            raise ConfigurationError(msg)


def work_of(declared: Declaration, seeds: Sequence[int]) -> tuple[Work, ...]:
    """The trials that a declaration rests on, then the evaluations of trials.

    Args:
        declared: A claim, a table or a figure.
        seeds: Seeds of the trials.
    """
    # Figures of a user's own need no quantities.
    return (*declared.trials(seeds), *evaluations(getattr(declared, "quantities", ()), seeds))


class Labels:
    """Labels of trials and arms, for progress and the report.

    Args:
        gathered: Receives the labels of arms.
    """

    def __init__(self, gathered: Gathered) -> None:
        self._gathered = gathered
        self.of_trials: dict[str, list[str]] = {}

    def add(self, arms: Iterable[Arm], seeds: Sequence[int]) -> None:
        """Label the trials of some arms.

        Args:
            arms: Arms of a declaration.
            seeds: Seeds of their trials.
        """
        for arm in arms:
            named = self._gathered.arms.setdefault(arm.trial(0).arm_digest, [])
            if arm.label not in named:
                named.append(arm.label)
            for seed in seeds:
                trial = arm.trial(seed)
                self._add(trial, f"{arm.label}, seed {seed}")
                if trial.source is not None and not isinstance(arm.initialisation, type(arm)):
                    self._add(trial.source, f"pretraining on {trial.source.data.name}")

    def first(self, work: Work, unknown: str = "source") -> str:
        """The first label of a trial or an evaluation.

        Args:
            work: Trial or evaluation.
            unknown: Label of a trial that has none.
        """
        if isinstance(work, Evaluation):
            return f"{self.first(work.trial, unknown)} {work.name}"
        return self.of_trials.get(work.digest, [unknown])[0]

    def _add(self, trial: Trial, label: str) -> None:
        labels = self.of_trials.setdefault(trial.digest, [])
        if label not in labels:
            labels.append(label)
