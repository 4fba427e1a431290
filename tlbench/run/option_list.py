"""The list of options that a run takes, see `tlbench.run.options`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tlbench.errors import ConfigurationError


OptionKind = Literal["flag", "text", "number", "path", "choice"]

# Options that `tlbench matrix` takes more than once, each value for runs of its own.
AXES = ("--tlbench-profile", "--tlbench-network", "--tlbench-data", "--tlbench-source", "--tlbench-split")


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
        "over the saved runs of that name, against the accepted one, and scores that have changed while nothing "
        "recorded has), fingerprint (numerics that differ), speed:RATIO "
        "(steps that take more than RATIO times as long), measured (results that both runs share, and so nobody "
        "measured). Default: accuracy,claims,measured.",
        default="accuracy,claims,measured",
        metavar="WHAT",
    ),
)


def option(name: str) -> Option:
    """Look an option up by its name on the command line."""
    return next(option for option in OPTIONS if option.name == name)
