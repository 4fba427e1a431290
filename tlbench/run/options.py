"""The options of a run: one list for pytest's command line, its ini settings, the command `tlbench` and the reference.

To add an option, add a line to `OPTIONS` in `tlbench.run.option_list` and an attribute of the same name to `Options`.
"""

from __future__ import annotations

import re

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tlbench.errors import ConfigurationError
from tlbench.machine import environment
from tlbench.run.option_list import OPTIONS, Option, option


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.profiles import Profile
    from tlbench.declare.trials import Network
    from tlbench.judge.comparison import FailOn
    from tlbench.store.places import Place

__all__ = ["OPTIONS", "SOURCES", "Option", "Options", "option", "read"]

# Sources of transferred weights that are no path.
SOURCES = ("photographs", "imagenet", "formula")


@dataclass(frozen=True)
class Options:
    """The options of a run, checked before anything is read.

    Attributes:
        profile: Sizes of the study.
        network: Network in place of the profile's; None for the profile's.
        gpu: Whether to train on a GPU.
        data: Image folder, archive, arrays or table; None for the profile's own images.
        labels: Regular expression that finds the class in the name of each image of `data`; None for folders.
        source: `"photographs"`, `"imagenet"`, `"formula"`, or the path of a weights file, an image folder or an
            archive; None for the profile's own.
        weights: Published file of ImageNet weights; None for Keras' cache.
        skip_bad: Whether to leave out files that are no images, instead of refusing them.
        seeds: Number of seeds.
        max_seeds: Maximum number of seeds for undecided claims.
        split: `"seed"` where each seed draws a split of the images, `"fixed"` where all seeds share the profile's.
        show: Parts of the report that the terminal shows beside the answer; None to go by pytest's verbosity.
        store: Folder of the store.
        report: Folder of the report.
        mlflow: Address of an MLflow tracking server that the report is sent to; None for none.
        tensorboard: Folder of TensorBoard's logs; None for none.
        status: File for the state of the run; None for none.
        plan: Whether to show the plan, and train nothing.
        repeat: Beginning of the digest of the one trial that is trained again; None to run the tests.
        inconclusive: `"fail"` where a claim that the results cannot decide fails its test, `"skip"` otherwise.
        save: Name under which the run is saved; None to leave it.
        baselines: Place of saved runs, see `tlbench.store.places.place`; None for the store's own folder.
        compare: Name, number or file of the saved run to compare with; None for none.
        compare_fail: Findings that make that comparison fail.
        fresh: Whether to train all trials again.
        workers: Number of processes that train at once; None for as many as suit the machine.
        no_prefix_cache: Whether frozen flows are computed in every step.
        reference: Whether each trial is trained by a fresh network and a plain `Model.fit`, apart from other results.
    """

    profile: Profile
    seeds: int
    max_seeds: int
    store: Path
    report: Path
    compare_fail: FailOn = None  # type: ignore[assignment]  # The option's default, see __post_init__.
    network: Network | None = None
    gpu: bool = False
    data: Path | None = None
    labels: str | None = None
    source: str | None = None
    weights: Path | None = None
    skip_bad: bool = False
    plan: bool = False
    inconclusive: Literal["skip", "fail"] = "skip"
    save: str | None = None
    baselines: str | None = None
    compare: str | None = None
    split: Literal["seed", "fixed"] = "seed"
    show: frozenset[str] | None = None
    fresh: bool = False
    workers: int | None = 1
    no_prefix_cache: bool = False
    reference: bool = False
    repeat: str | None = None
    mlflow: str | None = None
    tensorboard: Path | None = None
    status: Path | None = None

    @property
    def saved_runs(self) -> Place:
        """The place of saved runs."""
        # Imported late: pytest of every project imports this module.
        from tlbench.store import places

        return places.of_store(self.baselines, self.store)

    def __post_init__(self) -> None:
        if self.compare_fail is None:
            object.__setattr__(self, "compare_fail", _fail_on(option("--tlbench-compare-fail").default))
        if self.network is not None:
            object.__setattr__(self, "profile", replace(self.profile, network=self.network))
        if self.seeds < 1:
            msg = f"--tlbench-seeds must be at least 1. Received: {self.seeds}"
            raise ConfigurationError(msg)
        if self.max_seeds < self.seeds:
            msg = f"--tlbench-max-seeds must be at least the number of seeds, {self.seeds}. Received: {self.max_seeds}"
            raise ConfigurationError(msg)
        if self.plan and self.repeat:
            msg = "--tlbench-plan trains nothing and --tlbench-repeat trains a trial; leave one of them out."
            raise ConfigurationError(msg)
        if self.workers is not None and self.workers < 1:
            msg = f"--tlbench-workers must be at least 1. Received: {self.workers}"
            raise ConfigurationError(msg)
        if self.workers is not None and self.workers > 1 and (self.gpu or self.reference):
            other = "--gpu: one process holds the GPU" if self.gpu else "--tlbench-reference: it shares nothing"
            msg = f"--tlbench-workers must be 1 with {other}. Received: {self.workers}"
            raise ConfigurationError(msg)
        self._check_data()
        if self.source not in {None, *SOURCES} and not Path(str(self.source)).exists():
            msg = (
                f"--tlbench-source must be {', '.join(SOURCES)}, a weights file, or an image folder or archive. "
                f"Received: {self.source}"
            )
            raise ConfigurationError(msg)
        if self.weights is not None and self.resolved_source != "imagenet":
            msg = (
                "--tlbench-weights is a file of ImageNet weights, and the source is another one here; leave it out, or "
                f"add --tlbench-source imagenet. Received: {self.weights}"
            )
            raise ConfigurationError(msg)

    def _check_data(self) -> None:
        if self.data is not None and self.profile.images != "natural-images":
            msg = (
                f"The profile {self.profile.name} has its own images; use --tlbench-profile thumbnail or poster with "
                f"--tlbench-data, or leave one of them out. Received: --tlbench-data {self.data}"
            )
            raise ConfigurationError(msg)
        if self.labels is not None and self.data is None:
            msg = (
                "--tlbench-labels finds the classes of the images of --tlbench-data; give both, or leave it out. "
                f"Received: --tlbench-labels {self.labels}"
            )
            raise ConfigurationError(msg)
        for name, path in (("--tlbench-data", self.data), ("--tlbench-weights", self.weights)):
            if path is not None and not path.exists():
                msg = f"{name} names a file or folder that is not there. Received: {path}"
                raise ConfigurationError(msg)

    @property
    def processes(self) -> int:
        """Number of processes that train at once."""
        if self.workers is not None:
            return self.workers
        # Asked only here: counting what a machine has takes a tenth of pytest's start.
        return 1 if self.gpu or self.reference else environment.suitable_processes()

    @property
    def threads(self) -> int:
        """Number of threads of each process that trains, where the processes share the machine's cores."""
        import joblib

        return max(1, int(joblib.cpu_count()) // self.processes)

    @property
    def resolved_source(self) -> str | Callable[[int], Dataset]:
        """The source, the profile's own unless the user names one.

        Shipped weights are for one network: with another network, a profile that transfers them trains a source.
        """
        from tlbench.networks import shipped

        if self.source is None and self.profile.source == "photographs":
            return "photographs" if shipped.photographs().fit(self.profile.network) else "formula"
        return self.source or self.profile.source


def read(
    given: Mapping[str, Any],
    base: Callable[[Option], Path],
    profiles: Iterable[Profile],
    networks: Mapping[str, Callable[..., Network]],
    *,
    project: Path,
    distributed: bool = False,
) -> Options:
    """Build the options of a run from values of a command line and ini settings.

    Args:
        given: Values by the options' ini names.
        base: Gives the folder to which an option's path is relative.
        profiles: Profiles beside those of tlbench.
        networks: Families of networks beside those of tlbench, by name.
        project: Folder whose commit names an autosaved run.
        distributed: Whether processes of pytest-xdist share the run, each of which trains alone.

    Raises:
        ConfigurationError: A value is malformed, contradicts another, or names a missing file, profile or network.
    """
    from tlbench.declare.profiles import PROFILES
    from tlbench.store import baselines

    values = {option.field: option.convert(given[option.ini], base(option)) for option in OPTIONS}
    known = {profile.name: profile for profile in (*PROFILES, *profiles)}
    name = values["profile"] or ("poster" if values["gpu"] else "thumbnail" if values["data"] else "miniature")
    if name not in known:
        msg = f"--tlbench-profile must be one of {', '.join(known)}. Received: {name!r}"
        raise ConfigurationError(msg)
    profile = known[name]
    if values["network"] is not None:
        from tlbench.networks import listed

        values["network"] = listed.parse(values["network"], networks)
    if values["source"] not in {None, *SOURCES}:
        values["source"] = str(base(option("--tlbench-source")) / Path(values["source"]).expanduser())
    if values["baselines"] is not None and not re.match(r"git:|\w+://", values["baselines"]):
        values["baselines"] = str(base(option("--tlbench-baselines")) / Path(values["baselines"]).expanduser())
    if values["save"] is not None:
        baselines.check_name(values["save"])
    if values.pop("autosave") and values["save"] is None:
        commit = baselines.commit_of(project)
        values["save"] = "_".join([baselines.now()[:10], *([commit.revision[:12]] if commit else []), "autosaved"])
    seeds = profile.seeds if values["seeds"] is None else values["seeds"]
    store = values["store"] or base(option("--tlbench-store")) / ".tlbench"
    derived = {
        "profile": profile,
        "seeds": seeds,
        "max_seeds": seeds if values["max_seeds"] is None else values["max_seeds"],
        "store": store,
        "report": values["report"] or store / "report",
        "compare_fail": _fail_on(given["tlbench_compare_fail"]),
        "show": _parts(values["show"]),
        "workers": 1 if values["workers"] is None and distributed else values["workers"],
    }
    return Options(**{**values, **derived})


def _fail_on(text: str) -> FailOn:
    # Imported late: pytest of every project imports this module.
    from tlbench.judge.comparison import FailOn

    return FailOn.parse(text)


def _parts(text: str | None) -> frozenset[str] | None:
    from tlbench.report import answer

    return None if text is None else answer.parts(text)
