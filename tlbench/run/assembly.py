"""Assembles a run: options in, the study with its data and its store out."""

from __future__ import annotations

import secrets

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.datasets import folder, formula, miniature, natural_images
from tlbench.declare import tasks
from tlbench.declare.evaluations import Evaluation
from tlbench.declare.graphs import Graph
from tlbench.declare.revisions import REFERENCE
from tlbench.declare.study import Study
from tlbench.declare.tasks import EVERY_CLASS
from tlbench.declare.trials import DataReference, ImageNet, Random, SavedWeights, Trial
from tlbench.errors import DataError
from tlbench.machine import environment
from tlbench.networks import imagenet, published, saved, shipped
from tlbench.plan import forecast
from tlbench.store import baselines
from tlbench.store.store import Store


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from tlbench.datasets.dataset import Dataset
    from tlbench.declare.evaluations import Work
    from tlbench.declare.profiles import Profile
    from tlbench.declare.tasks import Task
    from tlbench.machine.environment import Environment
    from tlbench.plan.forecast import Forecast, Size
    from tlbench.run.options import Options
    from tlbench.store.timings import Timing


@dataclass(frozen=True)
class Assembly:
    """The parts of a run, ready to train.

    Attributes:
        options: Options of the run.
        study: Data, network, recipe and seeds that arms have in common.
        environment: Environment of this process.
        datasets: Datasets by digest.
        store: Store of results.
        run: Identifier of this run in the results that it trains.
        weights: File of the weights that *transferred* arms start from; None where a trial trains them, and for
            ImageNet's in Keras' cache.
        notes: Sentences that a reader of the report must know.
        warnings: Sentences about images that differ from the published data set.
    """

    options: Options
    study: Study
    environment: Environment
    datasets: dict[str, Dataset]
    store: Store
    run: str
    weights: Path | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def header(self) -> dict[str, str]:
        """The facts that decide the run, by name."""
        data, study = self.datasets[self.study.data.digest], self.study
        return {
            "environment": str(self.environment),
            "profile": study.profile,
            "dataset": _and_size(data),
            **{
                f"dataset {name!r}": _and_size(self.datasets[reference.digest])
                for name, reference in study.datasets.items()
            },
            "network": str(study.network),
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
        whole = ", frozen flows computed in every step" if self.options.no_prefix_cache else ""
        workers = self.options.processes
        if workers == 1:
            return f"in this process{whole}"
        threads = self.options.threads
        return f"in {workers} processes of {threads} thread{'s' * (threads > 1)} each{whole}"

    @property
    def stand_in(self) -> bool:
        """True where images of the run stand in for others."""
        return any(dataset.stand_in for dataset in self.datasets.values())

    @property
    def caption(self) -> str:
        """The sentence on the images that captions end with."""
        study = self.study
        data = [each.digest for each in (study.data, *study.datasets.values())]
        source = study.pretrained
        start = (
            f"weights transferred from {_and_stand_in(self.datasets[source.data.digest])}"
            if isinstance(source, Trial)
            else f"transferred: {source.name}"
        )
        return f"Data: {', '.join(_and_stand_in(self.datasets[each]) for each in data)}; {start}."

    def graph(self, trial: Trial) -> Graph:
        """The key under which a trial shares a compiled network."""
        dataset = self.datasets.get(trial.data.digest)
        return Graph.of(trial, len(trial.task.labels_of(dataset.class_names if dataset else ())))

    def kind(self, work: Work) -> Hashable:
        """The key under which trials share a compiled network, and evaluations a network that only predicts."""
        if not isinstance(work, Evaluation):
            return self.graph(work)
        graph = self.graph(work.trial)
        return "evaluation", graph.network, graph.labels, graph.precision

    def unfit(self, works: Iterable[Work]) -> str | None:
        """The reason for which the images do not serve some trials and evaluations; None where they do.

        Args:
            works: Trials and evaluations.
        """
        try:
            for work in works:
                if isinstance(work, Evaluation):
                    work.examples(self.datasets)
                else:
                    work.task.mapping(self.datasets[work.data.digest].class_names)
        except DataError as error:
            return str(error)
        return None

    def forecast(self, trials: Sequence[Trial], timings: Iterable[Timing], processes: int = 1) -> Forecast:
        """Predict the time that some trials will take.

        Args:
            trials: Trials to train, each after its source.
            timings: Times of stored trials. A prediction that is compared with the run's own time needs the timings
                of before the run.
            processes: Number of processes that train at once.
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
        """Predict the peak memory of a process that trains some trials, in bytes; None without a saved run to tell.

        Args:
            trials: Trials to train.
        """
        runs = baselines.latest(self.options.baselines, environment.machine(self.environment))
        return forecast.peak_memory(trials, runs, self.environment)


def near(path: Path) -> str:
    """Shorten a path to be relative to the current folder, so that a report is the same in any checkout."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _and_size(dataset: Dataset) -> str:
    size = f"{len(dataset.images)} images in {len(dataset.class_names)} classes"
    return f"{dataset.name}, {size}, digest {dataset.digest[:12]}"


def _and_stand_in(dataset: Dataset) -> str:
    return f"{dataset.name} (a stand-in for {dataset.stand_in})" if dataset.stand_in else dataset.name


def new_run() -> str:
    """Make an identifier of a run: its start, and a random number."""
    return f"{baselines.now()}-{secrets.token_hex(4)}"


def assemble(options: Options, run: str | None = None) -> Assembly:
    """Read or draw the images, and assemble the run; trains nothing.

    Args:
        options: Options of the run.
        run: Identifier of the run, where several processes take part in it.

    Raises:
        TlbenchError: The data, the store or an option is unusable.
    """
    profile = options.profile
    processes = options.processes
    here = environment.current(gpu=options.gpu, threads=options.threads if processes > 1 else None)
    # What the reference path trains is never taken for the results that it is held against, nor for those of a
    # reference path that trained otherwise.
    reference = options.store / f"reference-{REFERENCE.number}"
    run = run or new_run()
    store = Store(reference if options.reference else options.store, here, run, fresh=options.fresh)
    precision = "mixed_bfloat16" if options.gpu else "float32"

    data = _images(profile, options)
    others = {name: make(profile.network.image_size) for name, make in profile.datasets.items()}
    datasets = {dataset.digest: dataset for dataset in (data, *others.values())}
    start = _pretrained(profile, options, precision, data.class_names)
    if start.dataset is not None:
        datasets[start.dataset.digest] = start.dataset

    split = replace(profile.split, per_seed=options.split == "seed")
    study = Study(
        profile=profile.name,
        data=DataReference(data.name, data.digest, split),
        datasets={name: DataReference(dataset.name, dataset.digest, split) for name, dataset in others.items()},
        class_names=data.class_names,
        network=profile.network,
        recipe=profile.recipe.at(precision=precision),
        pretrained=start.weights,
        pretrained_name=start.name,
        seeds=tuple(range(options.seeds)),
    )
    notes = [
        f"Dataset {dataset.name} is a stand-in for {dataset.stand_in}."
        for dataset in datasets.values()
        if dataset.stand_in
    ]
    notes += [*start.notes, *(note for dataset in datasets.values() for note in dataset.notes)]
    splits = {split.under(seed) for seed in study.seeds}
    for each in (data, *others.values()):
        if copies := max(each.duplicates_across(each.parts(under)) for under in splits):
            most = " under the seed with the most" if len(splits) > 1 else ""
            notes.append(
                f"Test images of {each.name} that are, pixel by pixel, also among those it trains on: {copies}{most}."
            )
    differences = natural_images.count_differences(data) if natural_images.looks_like_natural_images(data) else ()
    return Assembly(
        options,
        study,
        here,
        datasets,
        store,
        run,
        start.file,
        notes=tuple(dict.fromkeys(notes)),
        warnings=differences if profile.images == "natural-images" else (),
    )


def _images(profile: Profile, options: Options) -> Dataset:
    size = profile.network.image_size
    if callable(profile.images):
        return profile.images(size)
    if profile.images == "miniature":
        return miniature.load_miniature(image_size=size)
    return _read(options.data or natural_images.download(), size, options)


@dataclass(frozen=True)
class _Start:
    """The weights that *transferred* arms start from.

    Attributes:
        weights: Start of these arms' trials.
        name: Name of the weights in tables.
        file: File of the weights; None where a trial trains them, and for ImageNet's in Keras' cache.
        dataset: Images that a trial trains them on; None where no trial does.
        notes: Sentences that a reader of the report must know.
    """

    weights: ImageNet | SavedWeights | Trial
    name: str
    file: Path | None = None
    dataset: Dataset | None = None
    notes: tuple[str, ...] = ()


def _pretrained(profile: Profile, options: Options, precision: str, class_names: Sequence[str]) -> _Start:
    source = options.resolved_source
    if source == "imagenet":
        weights = published.of_network(profile.network)
        file = weights.find(options.weights)
        return _Start(ImageNet(published.md5(file)), weights.name, options.weights, notes=(imagenet.note(class_names),))
    if source == "photographs":
        own = shipped.photographs()
        return _Start(SavedWeights(f"weights of {own.name}", own.sha256), own.name, own.path, notes=(own.note,))
    if not callable(source) and source != "formula" and Path(source).suffix in saved.SUFFIXES:
        path = Path(source)
        sha256 = saved.digest(path)
        name = f"{path.name}, SHA-256 {sha256[:12]}"
        return _Start(SavedWeights(f"weights of {path.name}", sha256), name, path)

    data = _source_images(source, profile, options)
    trial = Trial(
        data=DataReference(data.name, data.digest, profile.source_split),
        task=EVERY_CLASS,
        network=profile.network,
        initialisation=Random(),
        frozen=frozenset(),
        recipe=profile.source_recipe.at(precision=precision),
        seed=0,
    )
    name = f"{data.name}, {len(data.images)} images in {len(data.class_names)} classes"
    return _Start(trial, f"{name}, a stand-in (see the notes)" if data.stand_in else name, dataset=data)


def _source_images(source: str | Callable[[int], Dataset], profile: Profile, options: Options) -> Dataset:
    size = profile.network.image_size
    if callable(source):
        return source(size)
    return formula.load_formula(image_size=size) if source == "formula" else _read(Path(source), size, options)


def _read(path: Path, size: int, options: Options) -> Dataset:
    # A new format of images is a file in `tlbench/datasets/` and a line here.
    return folder.read_images(path, size, skip_bad=options.skip_bad)
