"""Puts a run together: options in, a study with its data, store and runner out."""

from __future__ import annotations

import secrets
import tempfile

from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import joblib

from tlbench import __version__
from tlbench.datasets import folder, formula, miniature, natural_images
from tlbench.declare import tasks
from tlbench.declare.revisions import REFERENCE
from tlbench.declare.study import Study
from tlbench.declare.tasks import EVERY_CLASS
from tlbench.declare.trials import DataReference, Graph, ImageNet, Random, Trial
from tlbench.errors import DataError
from tlbench.judge.verdicts import saved_claim
from tlbench.machine import environment
from tlbench.networks import imagenet
from tlbench.plan import forecast
from tlbench.store import baselines
from tlbench.store.baselines import Run
from tlbench.store.store import Store
from tlbench.train import fingerprint
from tlbench.train.executors.inline import Inline
from tlbench.train.executors.processes import Processes
from tlbench.train.prefixes import PrefixCache
from tlbench.train.runner import LocalTraining, Runner, Setup


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.profiles import Profile
    from tlbench.declare.tasks import Task
    from tlbench.judge.verdicts import Verdict
    from tlbench.machine.environment import Environment
    from tlbench.plan.forecast import Forecast, Size
    from tlbench.run.options import Options
    from tlbench.store.results import Result
    from tlbench.store.timings import Timing
    from tlbench.train.runner import Executor, Listener, Trainer


@dataclass(frozen=True)
class Session:
    """A run, put together.

    Attributes:
        options: What the user asked for.
        study: What arms have in common.
        environment: What it runs on.
        datasets: By digest.
        store: Where results are.
        run: Identifies this run in the results that it trains.
        notes: What a reader of the report must know.
        warnings: What is not quite as it should be with the images.
    """

    options: Options
    study: Study
    environment: Environment
    datasets: dict[str, Dataset]
    store: Store
    run: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def header(self) -> dict[str, str]:
        """What decides the run, by name."""
        data, study = self.datasets[self.study.data.digest], self.study
        return {
            "environment": str(self.environment),
            "profile": study.profile,
            "dataset": f"{data.name}, {len(data.images)} images in {len(data.class_names)} classes, "
            f"digest {data.digest[:12]}",
            "transferred from": study.pretrained_name,
            "recipe": f"{study.recipe.optimizer}, learning rate {study.recipe.learning_rate:g} unless a row says "
            f"otherwise, {study.recipe.epochs} epochs, batches of {study.recipe.batch_size}, {study.recipe.precision}",
            "seeds": " ".join(map(str, study.seeds)),
            "split": "each seed draws one" if study.data.split.per_seed else "one for all seeds",
            "training": self._how,
            "store": near(self.store.folder),
        }

    @property
    def _how(self) -> str:
        if self.options.reference:
            return "one trial after the other, each by a fresh network and a plain fit (--tlbench-reference)"
        whole = "" if self.options.prefix_cache else ", frozen flows computed in every step"
        workers = self.options.processes
        if workers == 1:
            return f"in this process{whole}"
        threads = _threads(workers)
        return f"in {workers} processes of {threads} thread{'s' * (threads > 1)} each{whole}"

    @property
    def stand_in(self) -> bool:
        """Whether any of the images stand in for others."""
        return any(dataset.stand_in for dataset in self.datasets.values())

    @property
    def caption(self) -> str:
        """What captions say of the images."""
        data = self.datasets[self.study.data.digest]
        others = [dataset for dataset in self.datasets.values() if dataset.digest != data.digest]
        named = [f"Data: {_and_stand_in(data)}", *(f"weights transferred from {_and_stand_in(one)}" for one in others)]
        return f"{'; '.join(named)}."

    def repeat(self, trial: Trial, listener: Listener, warn: Callable[[str], None]) -> Result:
        """Train a trial again, as a run would, from its source as that is stored; the store is left as it is.

        Args:
            trial: Which.
            listener: Is told what is being trained.
            warn: Is told what a user should know of how it is.
        """
        with tempfile.TemporaryDirectory(prefix="tlbench-repeat-") as folder:
            store = Store(Path(folder), self.environment)
            if trial.source is not None and trial.source in self.store:
                self.store.copy(trial.source, store)
            runner = replace(self, store=store).runner(listener, warn)
            try:
                return runner.result(trial)
            finally:
                runner.close()

    def runner(self, listener: Listener, warn: Callable[[str], None]) -> Runner:
        """A runner of the study's trials.

        Args:
            listener: Is told what is being trained.
            warn: Is told what a user should know of how it is.
        """
        if self.options.reference:
            make_trainer = partial(_make_reference_trainer, self.environment)
        else:
            folder = self.store.folder / "prefixes" if self.options.prefix_cache else None
            make_trainer = partial(_make_trainer, self.environment, folder)
        finder = partial(imagenet.find_weights, self.options.weights)
        setup = Setup(self.store, self.environment, self.datasets, finder, make_trainer)

        executor: Executor = Inline(LocalTraining(setup, listener), self.graph)
        if (count := self.options.processes) > 1:
            executor = Processes(count, _threads(count), setup, self.graph, listener, executor, warn)
        return Runner(self.store, executor, warn)

    def graph(self, trial: Trial) -> Graph:
        """What the trial shares with those that share its compiled network."""
        dataset = self.datasets.get(trial.data.digest)
        return Graph.of(trial, len(trial.task.labels_of(dataset.class_names if dataset else ())))

    def forecast(self, trials: Sequence[Trial], timings: Iterable[Timing], processes: int = 1) -> Forecast:
        """What some trials will take.

        Args:
            trials: Those to train, each after its source.
            timings: See `Store.timings`; those of before the run, where it is held against what happened.
            processes: How many train at once.
        """

        @cache
        def size(data: DataReference, task: Task) -> Size | None:
            dataset = self.datasets.get(data.digest)
            if dataset is None:
                return None
            try:
                training = tasks.examples(dataset, dataset.parts(data.split).training, task)
            except DataError:  # Whoever trains it is told.
                return None
            return forecast.Size(len(task.labels_of(dataset.class_names)), len(training))

        return forecast.predict(trials, timings, lambda trial: size(trial.data, trial.task), processes)

    def peak_memory(self, trials: Iterable[Trial]) -> int | None:
        """Most bytes that a process may hold which trains some trials, from saved runs; None where none tells.

        Args:
            trials: Those to train.
        """
        runs = baselines.latest(self.options.baselines, environment.machine(self.environment))
        return forecast.peak_memory(trials, runs, self.environment)


def near(path: Path) -> str:
    """A path as it would be typed here: the report of a study is then the same in any checkout."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _and_stand_in(dataset: Dataset) -> str:
    return f"{dataset.name} (a stand-in for {dataset.stand_in})" if dataset.stand_in else dataset.name


def _threads(workers: int) -> int:
    return max(1, int(joblib.cpu_count()) // workers)


def _make_trainer(environment: Environment, folder: Path | None) -> Trainer:
    # Imported here, as below: what is stored already is judged without a backend.
    from tlbench.train.device_arrays import DeviceArrays, capacity_bytes
    from tlbench.train.training import Trainer

    device_arrays = DeviceArrays(bytes_) if (bytes_ := capacity_bytes(environment.device)) else None
    try:
        prefix_cache = PrefixCache(folder=folder) if folder is not None else None
    except OSError:  # Where nothing can be written, memory is left.
        prefix_cache = PrefixCache()
    return Trainer(environment, prefix_cache, device_arrays)


def _make_reference_trainer(environment: Environment) -> Trainer:
    from tlbench.train.reference import ReferenceTrainer

    return ReferenceTrainer(environment)


def new_run() -> str:
    """Identifies a run: when it began, and a number that no other has."""
    return f"{baselines.now()}-{secrets.token_hex(4)}"


def open_session(options: Options, run: str | None = None) -> Session:
    """Read or draw the images, and put the run together; trains nothing.

    Args:
        options: What the user asks for.
        run: Identifies the run, where several processes take part in it.

    Raises:
        TlbenchError: The data, the store or an option cannot be worked with.
    """
    profile = options.profile
    processes = options.processes
    here = environment.current(gpu=options.gpu, threads=_threads(processes) if processes > 1 else None)
    # What the reference path trains is never taken for the results that it is held against, nor for those of a
    # reference path that trained otherwise.
    reference = options.store / f"reference-{REFERENCE.number}"
    run = run or new_run()
    store = Store(reference if options.reference else options.store, here, run, fresh=options.fresh)
    precision = "mixed_bfloat16" if options.gpu else "float32"

    data = _images(profile, options)
    datasets = {data.digest: data}
    pretrained: ImageNet | Trial
    if options.resolved_source == "imagenet":
        imagenet.check_fits(profile.network)
        path = imagenet.find_weights(options.weights)
        pretrained, pretrained_name = ImageNet(imagenet.md5(path)), "ImageNet (Keras' published weights)"
    else:
        source = _source_images(profile, options)
        datasets[source.digest] = source
        pretrained = Trial(
            data=DataReference(source.name, source.digest, profile.source_split),
            task=EVERY_CLASS,
            network=profile.network,
            initialisation=Random(),
            frozen=frozenset(),
            recipe=profile.source_recipe.at(precision=precision),
            seed=0,
        )
        pretrained_name = f"{source.name}, {len(source.images)} images in {len(source.class_names)} classes"
        if source.stand_in:
            pretrained_name += ", a stand-in (see the notes)"

    split = replace(profile.split, per_seed=options.split == "seed")
    study = Study(
        profile=profile.name,
        data=DataReference(data.name, data.digest, split),
        class_names=data.class_names,
        network=profile.network,
        recipe=profile.recipe.at(precision=precision),
        pretrained=pretrained,
        pretrained_name=pretrained_name,
        seeds=tuple(range(options.seeds)),
    )
    notes = [
        f"Dataset {dataset.name} is a stand-in for {dataset.stand_in}."
        for dataset in datasets.values()
        if dataset.stand_in
    ]
    notes += [note for dataset in datasets.values() for note in dataset.notes]
    splits = {split.under(seed) for seed in study.seeds}
    if copies := max(data.duplicates_across(data.parts(each)) for each in splits):
        most = " under the seed with the most" if len(splits) > 1 else ""
        notes.append(
            f"Test images of {data.name} that are, pixel by pixel, also among those it trains on: {copies}{most}."
        )
    differences = natural_images.count_differences(data) if natural_images.looks_like_natural_images(data) else ()
    return Session(
        options,
        study,
        here,
        datasets,
        store,
        run,
        notes=tuple(dict.fromkeys(notes)),
        warnings=differences if profile.images == "natural-images" else (),
    )


def saved_run(
    session: Session,
    trials: Iterable[Trial],
    result: Callable[[Trial], Result | None],
    labels: Mapping[str, Sequence[str]],
    verdicts: Iterable[Verdict],
    *,
    peak_memory_bytes: int | None,
) -> Run:
    """A run as it is saved and compared.

    Args:
        session: That has run.
        trials: Of its plan.
        result: Gives a trial's result, or None where there is none.
        labels: What arms are called, by `Trial.arm`.
        verdicts: On its claims.
        peak_memory_bytes: The most that a process has held that trained some of them; None where nothing was trained.
    """
    here = session.environment
    return Run(
        name=session.options.save or "this run",
        created=baselines.now(),
        tlbench_version=__version__,
        commit=baselines.commit_of(Path.cwd()),
        header=session.header,
        surroundings=environment.surroundings(here),
        peak_memory_bytes=peak_memory_bytes,
        fingerprint=fingerprint.take(here).content(),
        arms=baselines.saved_arms(trials, result, labels),
        claims=tuple(saved_claim(verdict, result) for verdict in verdicts),
        id=session.run,
    )


def _images(profile: Profile, options: Options) -> Dataset:
    size = profile.network.image_size
    if callable(profile.images):
        return profile.images(size)
    if profile.images == "miniature":
        return miniature.load_miniature(image_size=size)
    path = options.data or natural_images.download()
    return folder.read_images(path, size, skip_bad=options.skip_bad)


def _source_images(profile: Profile, options: Options) -> Dataset:
    size, source = profile.network.image_size, options.resolved_source
    if callable(source):
        return source(size)
    if source == "embedded":
        return formula.load_formula(image_size=size)
    return folder.read_images(Path(source), size, skip_bad=options.skip_bad)
