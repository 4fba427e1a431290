"""What a user can ask for, checked before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tlbench.errors import ConfigurationError
from tlbench.machine import environment


if TYPE_CHECKING:
    from collections.abc import Callable

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.profiles import Profile
    from tlbench.judge.comparison import FailOn


@dataclass(frozen=True)
class Options:
    """What the user asks for.

    Attributes:
        profile: The sizes of the study.
        gpu: Whether to train on a GPU.
        data: Image folder or archive; None for the profile's own images.
        source: `"imagenet"`, `"embedded"`, an image folder or archive; None for the profile's own.
        weights: The published file of ImageNet weights; None for Keras' cache.
        skip_bad: Whether to leave out files that are no images, instead of refusing them.
        seeds: Number of seeds.
        max_seeds: Number of seeds that a claim may get that fewer do not decide.
        split: `"seed"` where each seed draws a split of the images, `"fixed"` where all seeds share the profile's.
        store: Folder of the store.
        report: Folder of the report.
        mlflow: Address of an MLflow tracking server that the report is sent to; None for none.
        tensorboard: Folder of TensorBoard's logs; None for none.
        plan: Whether to show what would be trained, and train nothing.
        repeat: Beginning of the digest of the one trial that is trained again; None to run the tests.
        fail_inconclusive: Whether a claim that cannot be judged fails.
        save: Name under which the run is saved; None to leave it.
        compare: Name, number or file of the saved run that it is compared with; None for none.
        compare_fail: What makes that comparison fail.
        fresh: Whether to train again whatever is stored.
        workers: Number of processes that train at once; None for as many as suit the machine.
        prefix_cache: Whether the output of frozen flows is computed once and kept.
        reference: Whether each trial is trained by a fresh network and a plain `Model.fit`, apart from other results.
    """

    profile: Profile
    gpu: bool
    data: Path | None
    source: str | None
    weights: Path | None
    skip_bad: bool
    seeds: int
    max_seeds: int
    store: Path
    report: Path
    plan: bool
    fail_inconclusive: bool
    save: str | None
    compare: str | None
    compare_fail: FailOn
    split: Literal["seed", "fixed"] = "seed"
    fresh: bool = False
    workers: int | None = 1
    prefix_cache: bool = True
    reference: bool = False
    repeat: str | None = None
    mlflow: str | None = None
    tensorboard: Path | None = None

    @property
    def baselines(self) -> Path:
        """Folder of saved runs."""
        return self.store / "baselines"

    def __post_init__(self) -> None:
        if self.split not in {"seed", "fixed"}:
            msg = f"--tlbench-split must be seed or fixed. Received: {self.split!r}"
            raise ConfigurationError(msg)
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
        if self.data is not None and self.profile.images != "natural-images":
            msg = (
                f"The profile {self.profile.name} has its own images; use --tlbench-profile thumbnail or poster with "
                f"--tlbench-data, or leave one of them out. Received: --tlbench-data {self.data}"
            )
            raise ConfigurationError(msg)
        for option, path in (("--tlbench-data", self.data), ("--tlbench-weights", self.weights)):
            if path is not None and not path.exists():
                msg = f"{option} names a file or folder that is not there. Received: {path}"
                raise ConfigurationError(msg)
        if self.source not in {None, "embedded", "imagenet"} and not Path(str(self.source)).exists():
            msg = f"--tlbench-source must be embedded, imagenet or an image folder or archive. Received: {self.source}"
            raise ConfigurationError(msg)
        if self.weights is not None and self.resolved_source != "imagenet":
            msg = (
                "--tlbench-weights is a file of ImageNet weights, and the source is another one here; leave it out, or "
                f"add --tlbench-source imagenet. Received: {self.weights}"
            )
            raise ConfigurationError(msg)

    @property
    def processes(self) -> int:
        """Number of processes that train at once."""
        if self.workers is not None:
            return self.workers
        # Asked only here: counting what a machine has takes a tenth of pytest's start.
        return 1 if self.gpu or self.reference else environment.suitable_processes()

    @property
    def resolved_source(self) -> str | Callable[[int], Dataset]:
        """The source, the profile's own unless the user names one."""
        return self.source or self.profile.source
