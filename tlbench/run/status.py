"""The state of a run in a file, for programs that start runs: `--tlbench-status`."""

from __future__ import annotations

import contextlib
import json

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from tlbench.errors import StoreError
from tlbench.store.publishing import publish


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tlbench.declare.claims import Claim
    from tlbench.declare.trials import Trial
    from tlbench.plan.forecast import Forecast

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class PlanStatus:
    """The plan of a run that trains nothing (`--tlbench-plan`).

    Attributes:
        trials: Digests of the trials, each after its source.
        missing: Expected seconds of each trial that the store lacks, without tracing, by digest; None where nothing
            like it was ever timed.
        seconds: Expected wall time of the missing trials whose time is known.
        not_applicable: Reason for which the images do not serve a claim, by the claim's name.
    """

    trials: tuple[str, ...]
    missing: dict[str, float | None]
    seconds: float
    not_applicable: dict[str, str]


@dataclass(frozen=True)
class RunStatus:
    """The state of a run.

    Attributes:
        state: Step that the run has reached.
        planned: Number of trials in the plan.
        to_train: Number of trials that the store lacked when the plan was made.
        trained: Number of trials that this run has trained so far.
        progress: Last line of progress; empty before a trial or an evaluation has ended.
        outcome: Outcome of the comparison with a saved run; None where there was none.
        saved: File of the saved run; None where nothing was saved.
        claims: Names of the planned claims.
        plan: Plan of a run that trains nothing; None for any other run.
    """

    state: Literal["planned", "training", "finished"] = "planned"
    planned: int = 0
    to_train: int = 0
    trained: int = 0
    progress: str = ""
    outcome: str | None = None
    saved: str | None = None
    claims: tuple[str, ...] = ()
    plan: PlanStatus | None = None


class StatusFile:
    """Writes the state of a run to a file whenever the state changes.

    Args:
        path: The file; each state replaces the one before, whole. None to write nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._status = RunStatus()

    def update(self, **changes: object) -> None:
        """Change some attributes of the state, see `RunStatus`.

        Raises:
            StoreError: The file cannot be written.
        """
        self._status = replace(self._status, **changes)  # type: ignore[arg-type]
        if self._path is None:
            return
        content = {"schema_version": SCHEMA_VERSION, **asdict(self._status)}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            publish(self._path, json.dumps(content, indent=1) + "\n")
        except OSError as error:
            msg = f"The status cannot be written; choose another file with --tlbench-status. Received: {error}"
            raise StoreError(msg) from error

    def planned(
        self,
        trials: Sequence[Trial],
        missing: Sequence[Trial],
        claims: Iterable[Claim],
        forecast: Forecast | None,
        not_applicable: Mapping[str, str],
    ) -> None:
        """Tell the plan.

        Args:
            trials: Trials of the plan, each after its source.
            missing: Trials that the store lacks.
            claims: Planned claims.
            forecast: Forecast of the missing trials, where nothing else is wanted of the run; None for any other run.
            not_applicable: Reason for which the images do not serve a claim, by the claim's name.

        Raises:
            StoreError: The file cannot be written.
        """
        plan = None
        if forecast is not None:
            seconds = {digest: expected.seconds for digest, expected in forecast.expected.items()}
            of_missing = {trial.digest: seconds.get(trial.digest) for trial in missing}
            digests = tuple(trial.digest for trial in trials)
            plan = PlanStatus(digests, of_missing, forecast.seconds, dict(not_applicable))
        names = tuple(claim.name for claim in claims)
        self.update(planned=len(trials), to_train=len(missing), claims=names, plan=plan)

    def finished(self, outcome: str | None, saved: Path | None) -> None:
        """Tell that the run is over.

        Args:
            outcome: Outcome of the comparison with a saved run; None where there was none.
            saved: File of the saved run; None where nothing was saved.

        Raises:
            StoreError: The file cannot be written.
        """
        self.update(state="finished", outcome=outcome, saved=str(saved) if saved else None)

    def trained(self, count: int) -> None:
        """Take note of the number of trials that this run has trained so far; the next line of progress writes it.

        Args:
            count: Number of trials.
        """
        self._status = replace(self._status, trained=count)

    def progress(self, line: str) -> None:
        """Write a line of progress.

        Args:
            line: The line, which tells that a trial or an evaluation has ended.
        """
        # A full disk is told where results are written; here it must not end a training whose result fits.
        with contextlib.suppress(StoreError):
            self.update(state="training", progress=line.strip())


def read(path: Path) -> RunStatus | None:
    """Read the state of a run; None where the run has not written one.

    Raises:
        StoreError: The file is damaged, or another version of tlbench wrote it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("schema_version") != SCHEMA_VERSION:
            msg = f"The status {path} was written by another version of tlbench; run the study again."
            raise StoreError(msg)
        plan = content.pop("plan", None)
        if plan is not None:
            plan = PlanStatus(**(plan | {"trials": tuple(plan["trials"])}))
        return RunStatus(**(content | {"claims": tuple(content.get("claims", ())), "plan": plan}))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        msg = f"The status {path} cannot be read; run the study again. Received: {error!r}"
        raise StoreError(msg) from error
