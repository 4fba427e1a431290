"""The same study in two environments, and in as many as it takes to find where it changed."""

from __future__ import annotations

import contextlib
import re

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError, EnvironmentFailure, StoreError
from tlbench.hosts.isolation import prepare, run
from tlbench.judge.comparison import compare
from tlbench.run import status
from tlbench.store import baselines
from tlbench.store.fingerprints import compare as compare_fingerprints
from tlbench.store.fingerprints import read_file


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tlbench.hosts.isolation import IsolatedEnvironment
    from tlbench.hosts.requirements import Requirements
    from tlbench.judge.comparison import Comparison
    from tlbench.run.status import RunStatus
    from tlbench.store.baselines import SavedRun
    from tlbench.store.fingerprints import Fingerprint

# pytest: all passed, some failed. A refuted claim is a result.
RAN = (0, 1)


@dataclass(frozen=True)
class Suite:
    """The study that runs in each environment.

    Attributes:
        arguments: Arguments of pytest: files, `-k` and tlbench's options.
        store: Where results, saved runs and environments are kept.
        tell: Is told how far it is.
    """

    arguments: tuple[str, ...]
    store: Path
    tell: Callable[[str], None]

    def prepare(self, requirements: Requirements, like: IsolatedEnvironment | None = None) -> IsolatedEnvironment:
        """An environment with these requirements.

        Raises:
            EnvironmentFailure: It cannot be installed or imported.
        """
        self.tell(f"{requirements}: environment")
        return prepare(requirements, self.store / "environments", like)

    def measure(self, environment: IsolatedEnvironment) -> SavedRun:
        """Run the study in an environment; what its store has is not trained again.

        Raises:
            EnvironmentFailure: pytest could not run it.
        """
        requirements = environment.requirements
        self.tell(f"{requirements}: study")
        reached, output = self._session(environment, "run", "--tlbench-save", name_of(requirements))
        if reached is None or reached.saved is None:
            log = environment.folder / "run.log"
            raise EnvironmentFailure(str(requirements), "run", log, f"no run was saved\n{output}")
        return baselines.load(Path(reached.saved))

    def plan(self, environment: IsolatedEnvironment) -> RunStatus:
        """Plan the study in an environment; trains nothing.

        Raises:
            EnvironmentFailure: pytest could not plan it.
        """
        reached, output = self._session(environment, "plan", "--tlbench-plan")
        if reached is None or reached.plan is None:
            log = environment.folder / "plan.log"
            raise EnvironmentFailure(str(environment.requirements), "plan", log, f"nothing was planned\n{output}")
        return reached

    def _session(self, environment: IsolatedEnvironment, step: str, *further: str) -> tuple[RunStatus | None, str]:
        """A session of pytest: the state that it has reached, and its output."""
        # Old versions warn of what newer ones have done away with, which is no result of the study.
        options = ["-W", "default", "-p", "no:cacheprovider", "--benchmark-skip", *further]
        options += ["--tlbench-store", str(self.store.resolve()), "--tlbench-report", str(report_of(environment))]
        path = environment.folder / "status.json"
        path.unlink(missing_ok=True)
        options += ["--tlbench-status", str(path)]
        command = ["-P", "-m", "pytest", *self.arguments, *options]
        output = run(environment, command, step, accept=RAN, printed=self._progress(path))
        return status.read(path), output

    def fingerprint(self, environment: IsolatedEnvironment) -> Fingerprint:
        """Take the fingerprint of an environment.

        Raises:
            EnvironmentFailure: It could not be run.
        """
        self.tell(f"{environment.requirements}: fingerprint")
        path = environment.folder / "fingerprint.json"
        # -P: a folder tlbench where the user stands is not the one to run.
        run(environment, ["-P", "-m", "tlbench", "fingerprint", "--save", path], "fingerprint")
        return read_file(path)

    def _progress(self, path: Path) -> Callable[[], None]:
        told = ""

        def tell() -> None:
            nonlocal told
            with contextlib.suppress(StoreError):  # The end of the run tells of an unreadable file.
                reached = status.read(path)
                if reached is not None and reached.progress != told:
                    told = reached.progress
                    self.tell(f"  {told}")

        return tell


def name_of(requirements: Requirements) -> str:
    """The name of an environment's saved run."""
    title, longest = re.sub(r"[^\w.]+", "-", str(requirements), flags=re.ASCII), 120
    return f"{title[:longest]}_{requirements.backend}"


def report_of(environment: IsolatedEnvironment) -> Path:
    """The folder of the report of an environment's last study."""
    return environment.folder / "report"


@dataclass(frozen=True)
class Upgraded:
    """A study before and after a change.

    Attributes:
        comparison: Comparison of the two runs.
        report: Folder of the newer run's report.
    """

    comparison: Comparison
    report: Path


def upgrade(old: Requirements, new: Requirements, suite: Suite) -> Upgraded:
    """Run a study before and after a change of versions, and compare.

    The older environment takes over the newer one's versions of all that the
    change does not name, where it can: what differs is then what the change is
    about.

    Raises:
        EnvironmentFailure: One of the sides cannot be installed, imported or run.
    """
    after = suite.prepare(new)
    before = suite.prepare(old, like=after)
    # First, since it takes seconds: what it finds is known long before the study has been trained.
    suite.tell(f"fingerprint: {compare_fingerprints(suite.fingerprint(before), suite.fingerprint(after))}")
    return Upgraded(compare(suite.measure(before), suite.measure(after)), report_of(after))


@dataclass(frozen=True)
class Question:
    """The claim or the metric that may change between versions.

    Attributes:
        claim: Name of a claim whose verdict may change.
        metric: `"accuracy"`, `"speed"` or `"fingerprint"`.
        ratio: How many times as long a step must take, for `"speed"`.
    """

    claim: str | None
    metric: str | None
    ratio: float

    def compared_with(self, first: IsolatedEnvironment, suite: Suite) -> Callable[[IsolatedEnvironment], str | None]:
        """A function that says what is another in an environment than in the first, in a line; None where nothing is.

        Raises:
            EnvironmentFailure: The first cannot be run; the function raises it for the other.
        """
        if self.metric == "fingerprint":
            fingerprint = suite.fingerprint(first)

            def numerics(environment: IsolatedEnvironment) -> str | None:
                agreement = compare_fingerprints(fingerprint, suite.fingerprint(environment))
                return None if agreement.same else str(agreement)

            return numerics
        run = suite.measure(first)
        return lambda environment: self._moved(compare(run, suite.measure(environment)))

    def _moved(self, comparison: Comparison) -> str | None:
        if not comparison.measured:
            msg = (
                "Two versions were not measured apart: both read the same stored results. Name versions that differ, "
                f"or add --fresh. Received: {comparison.old.name} and {comparison.new.name}"
            )
            raise ConfigurationError(msg)
        if self.claim is not None:
            changes = {change.name: change for change in comparison.claims}
            if self.claim not in changes:
                names = ", ".join(changes) or "none"
                msg = f"No claim that was run is called so; there are: {names}. Received: {self.claim!r}"
                raise ConfigurationError(msg)
            change = changes[self.claim]
            return f"{change.old} -> {change.new}" if change.status == "changed verdict" else None
        if self.metric == "speed":
            step = comparison.step_time
            slower = step is not None and step.interval is not None and step.interval[0] > self.ratio
            return f"a training step takes {step.ratio:.2f} times as long" if step is not None and slower else None
        moved = [f"{arm.label} has {arm.status}" for arm in comparison.arms if arm.status in {"regressed", "improved"}]
        return ", ".join(moved) or None

    def __str__(self) -> str:
        """As a sentence begins with it."""
        return f"The verdict on {self.claim}" if self.claim else f"The {self.metric}"


@dataclass(frozen=True)
class FirstChange:
    """The place of a change, among versions in order.

    Attributes:
        last_same: The last version at which it was as at the first.
        first_changed: The first at which it was not.
        difference: What it was there.
        untested: Versions between the two that could not be run.
        tested: How many versions were run.
    """

    last_same: str
    first_changed: str
    difference: str
    untested: tuple[str, ...]
    tested: int


def bisect(versions: Sequence[str], difference: Callable[[str], str | None]) -> FirstChange | None:
    """Find where something changed, by halving; versions that cannot be run are gone around.

    Args:
        versions: In order, two or more. It is taken to change once between them.
        difference: What is another at a version than at the first, None where nothing is.

    Returns:
        None where the last version is as the first.

    Raises:
        EnvironmentFailure: The last version cannot be run.
    """
    low, high, tested = 0, len(versions) - 1, 2
    found = difference(versions[high])
    if found is None:
        return None
    untested: set[int] = set()
    while open_ones := [index for index in range(low + 1, high) if index not in untested]:
        index = open_ones[len(open_ones) // 2]
        try:
            here = difference(versions[index])
        except EnvironmentFailure:
            untested.add(index)
            continue
        tested += 1
        if here is None:
            low = index
        else:
            high, found = index, here
    between = tuple(versions[index] for index in range(low + 1, high))
    return FirstChange(versions[low], versions[high], found, between, tested)


def find_first_change(
    versions: Sequence[str], requirements: Callable[[str], Requirements], suite: Suite, question: Question
) -> FirstChange | None:
    """Find the first version where something is another than at the first of them.

    Args:
        versions: In order, two or more.
        requirements: Gives the requirements of an environment with a version.
        suite: What is run in each.
        question: What may change.

    Raises:
        EnvironmentFailure: The first or the last version cannot be run.
        ConfigurationError: There are too few versions, or no claim is called so.
    """
    if len(versions) < 2:
        msg = f"To find a change takes two versions or more. Received: {', '.join(versions) or 'none'}"
        raise ConfigurationError(msg)
    newest = suite.prepare(requirements(versions[-1]))
    compared = question.compared_with(suite.prepare(requirements(versions[0]), like=newest), suite)

    def difference(version: str) -> str | None:
        environment = newest if version == versions[-1] else suite.prepare(requirements(version), like=newest)
        found = compared(environment)
        suite.tell(f"{environment.requirements}: {found or 'as the first'}")
        return found

    return bisect(versions, difference)
