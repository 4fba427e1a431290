"""The options of a run: one list for pytest's command line, its ini settings, the command `tlbench` and the reference.

To add an option, add a line to `OPTIONS` and an attribute of the same name to `Options`.
"""

from __future__ import annotations

import re

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tlbench.errors import ConfigurationError
from tlbench.machine import environment


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.profiles import Profile
    from tlbench.declare.trials import Network
    from tlbench.judge.comparison import FailOn
    from tlbench.store.places import Place

# Sources of transferred weights that are no path.
SOURCES = ("photographs", "imagenet", "formula")

OptionKind = Literal["flag", "text", "number", "path", "choice"]


@dataclass(frozen=True)
class Option:
    """An option of pytest's command line, which is an ini setting too.

    Attributes:
        name: Name on the command line.
        help: Text for `--help` and the reference.
        kind: Kind of its value; a path in an ini file is relative to that file.
        default: Value of the ini setting where nothing is given.
        metavar: Placeholder of the value in `--help`; None for a flag.
        choices: Allowed values of a choice.
    """

    name: str
    help: str
    kind: OptionKind = "text"
    default: str = ""
    metavar: str | None = None
    choices: tuple[str, ...] = ()

    @property
    def ini(self) -> str:
        """Name of the ini setting, for instance `tlbench_seeds`."""
        return "tlbench_gpu" if self.name == "--gpu" else self.name.removeprefix("--").replace("-", "_")

    @property
    def field(self) -> str:
        """Name of the attribute of `Options`, for instance `seeds`."""
        return self.ini.removeprefix("tlbench_")

    def convert(self, given: Any, base: Path) -> Any:
        """Convert a value of the command line or an ini file; an empty text is None.

        Args:
            given: The value as pytest gives it: a boolean for a flag, otherwise text.
            base: Folder to which a path is relative.

        Raises:
            ConfigurationError: The value is no whole number, or none of the choices.
        """
        if self.kind == "flag":
            return bool(given)
        if not given:
            return None
        if self.kind == "path":
            return base / Path(given).expanduser()
        if self.kind == "number":
            try:
                return int(given)
            except ValueError:
                msg = f"{self.name} must be a whole number. Received: {given!r}"
                raise ConfigurationError(msg) from None
        if self.kind == "choice" and given not in self.choices:
            msg = f"{self.name} must be {' or '.join(self.choices)}. Received: {given!r}"
            raise ConfigurationError(msg)
        return given


OPTIONS = (
    Option("--gpu", "Train on a GPU, by default with the profile poster; never falls back to the CPU.", "flag"),
    Option(
        "--tlbench-profile",
        "Sizes of the study: miniature (drawn images, CPU, minutes; the default), thumbnail (your images at 32 px, "
        "CPU; the default with --tlbench-data), pocket (your images at 96 px, a small MobileNet with ImageNet weights, "
        "CPU) or poster (full size; the default with --gpu).",
        metavar="{miniature,thumbnail,pocket,poster}",
    ),
    Option(
        "--tlbench-network",
        "Network in place of the profile's, with its settings, for instance mobilenet:alpha=0.25,image_size=96; "
        "`tlbench networks` lists the families.",
        metavar="FAMILY:SETTINGS",
    ),
    Option(
        "--tlbench-data",
        "Images: a folder or archive (zip, tar) with one folder for each class, arrays (.npz), a table of labels "
        "(.csv, .jsonl, .parquet), or Parquet files of images. Without this option, a profile that needs Natural "
        "Images downloads the data set.",
        "path",
        metavar="PATH",
    ),
    Option(
        "--tlbench-labels",
        "Regular expression whose one group is the class in each file's name of --tlbench-data, for instance "
        r"^(.+)_\d+\.jpg$; with a slash, it searches the path.",
        metavar="PATTERN",
    ),
    Option(
        "--tlbench-source",
        "Source of transferred weights: photographs (weights that tlbench ships, for the network of the profile "
        "thumbnail), imagenet (Keras' published weights), a .keras, .weights.h5 or .h5 file of the study's network, "
        "formula (a network trained on drawn images), or an image folder or archive to train a network on.",
        metavar="{photographs,imagenet,formula}|PATH",
    ),
    Option(
        "--tlbench-weights", "Keras' published file of ImageNet weights, instead of its cache.", "path", metavar="FILE"
    ),
    Option("--tlbench-skip-bad", "Leave out files that are no images, and count them.", "flag"),
    Option("--tlbench-seeds", "Trials per arm (default: the profile's, 3 or more).", "number", metavar="N"),
    Option(
        "--tlbench-max-seeds",
        "Maximum trials per arm for undecided claims (default: as many as --tlbench-seeds).",
        "number",
        metavar="N",
    ),
    Option(
        "--tlbench-split",
        "seed (the default): each seed draws a split into training, validation and test images, so that verdicts hold "
        "for other splits; fixed: all seeds share one split.",
        "choice",
        default="seed",
        metavar="{seed,fixed}",
        choices=("seed", "fixed"),
    ),
    Option(
        "--tlbench-show",
        "Parts of the report to show in the terminal beside the answer, separated by commas: tables, figures, verdicts "
        "(each claim with its seeds), notes, trials (the slowest); or none. Default: all with -v, none without.",
        metavar="WHAT",
    ),
    Option("--tlbench-store", "Folder of results (default: .tlbench).", "path", default=".tlbench", metavar="DIR"),
    Option(
        "--tlbench-report",
        "Folder of report.html, tables, figures and results.json (default: report in the store).",
        "path",
        metavar="DIR",
    ),
    Option("--tlbench-mlflow", "Send the report to this MLflow tracking server as well.", metavar="URI"),
    Option("--tlbench-tensorboard", "Write TensorBoard logs of the trials to this folder too.", "path", metavar="DIR"),
    Option(
        "--tlbench-status",
        "Write the state of the run to this JSON file: planned and trained trials, progress, saved run, outcome.",
        "path",
        metavar="FILE",
    ),
    Option(
        "--tlbench-plan",
        "Show the trials, the stored ones among them, the networks that they share, and the time and memory for the "
        "rest; train nothing.",
        "flag",
    ),
    Option(
        "--tlbench-inconclusive",
        "Outcome of a test whose claim the results cannot decide: skip (the default) or fail.",
        "choice",
        default="skip",
        metavar="{skip,fail}",
        choices=("skip", "fail"),
    ),
    Option(
        "--tlbench-workers",
        "Processes that train at once on a CPU (default: one per core, with 2 GiB each; 1 with --gpu, with "
        "--tlbench-reference and under pytest-xdist).",
        "number",
        metavar="N",
    ),
    Option("--tlbench-no-prefix-cache", "Compute frozen flows in every step, instead of once for each image.", "flag"),
    Option(
        "--tlbench-reference",
        "Train each trial by a fresh network and a plain fit, sharing nothing, apart from other results: the yardstick "
        "for the faster way.",
        "flag",
    ),
    Option(
        "--tlbench-repeat",
        "Train the one trial of this digest again, compare it with the stored result, and keep nothing; run no test.",
        metavar="DIGEST",
    ),
    Option(
        "--tlbench-fresh",
        "Train all trials again and replace stored results: a comparison needs this after a change that keeps no "
        "results apart.",
        "flag",
    ),
    Option("--tlbench-save", "Save the run under this name, to compare later runs with.", metavar="NAME"),
    Option("--tlbench-autosave", "Save the run under a name made of date and commit.", "flag"),
    Option(
        "--tlbench-baselines",
        "Place of saved runs: a folder, a branch of the project's repository (git:BRANCH), or object storage "
        "(s3://bucket/folder, or any other URL that fsspec knows). Default: baselines in the store.",
        metavar="DIR|git:BRANCH|URL",
    ),
    Option(
        "--tlbench-compare",
        "Compare with a saved run: the latest of a name, a number, or a file.",
        metavar="NAME|NNNN|PATH",
    ),
    Option(
        "--tlbench-compare-fail",
        "Findings that make the comparison fail the run, separated by commas: accuracy (arms that regressed, by "
        "accuracy, macro-F1 or loss), claims (verdicts that changed), drift (arms and claims that have become worse "
        "over the saved runs of that name, against the accepted one), fingerprint (numerics that differ), speed:RATIO "
        "(steps that take more than RATIO times as long), measured (results that both runs share, and so nobody "
        "measured). Default: accuracy,claims,measured.",
        default="accuracy,claims,measured",
        metavar="WHAT",
    ),
)


def option(name: str) -> Option:
    """Look an option up by its name on the command line."""
    return next(option for option in OPTIONS if option.name == name)


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
        from tlbench.store.places import place

        return place(self.baselines, self.store / "baselines", Path.cwd())

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
