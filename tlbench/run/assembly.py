"""Assembles a run: options in, the study with its data and its store out."""

from __future__ import annotations

import secrets

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.datasets import natural_images
from tlbench.datasets.dataset import PARTS
from tlbench.declare import tasks
from tlbench.declare.evaluations import Evaluation
from tlbench.declare.graphs import Graph
from tlbench.declare.revisions import REFERENCE
from tlbench.declare.study import Study
from tlbench.declare.trials import DataReference, Trial
from tlbench.errors import DataError
from tlbench.machine import environment
from tlbench.plan import forecast
from tlbench.run import inputs
from tlbench.store import baselines
from tlbench.store.store import Store


if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from tlbench.datasets.dataset import Dataset, Split
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
            "parts": ", ".join(f"{part} to {end}" for part, end in study.network.flow_ends.items()),
            "transferred from": study.pretrained_name,
            "recipe": f"{study.recipe.optimizer}, learning rate {study.recipe.learning_rate:g} unless a row says "
            f"otherwise, {study.recipe.epochs} epochs, batches of {study.recipe.batch_size}, {study.recipe.precision}",
            "seeds": " ".join(map(str, study.seeds)),
            "split": _told(study.data.split),
            **{
                f"split of {name!r}": _told(reference.split)
                for name, reference in study.datasets.items()
                if reference.split != study.data.split
            },
            "training": self._how,
            "store": near(self.store.folder),
        }

    @property
    def study_in_short(self) -> str:
        """The study in a line: images, network, source of transferred weights and seeds."""
        data = self.datasets[self.study.data.digest]
        seeds = f"{len(self.study.seeds)} seeds" if len(self.study.seeds) > 1 else "1 seed"
        source = self.study.pretrained_name
        return f"{data.name} ({_size(data)}), {self.study.network}, transferred from {source}, {seeds}"

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
        runs = baselines.latest(self.options.saved_runs.folder, environment.machine(self.environment))
        return forecast.peak_memory(trials, runs, self.environment)


def near(path: Path) -> str:
    """Shorten a path to be relative to the current folder, so that a report is the same in any checkout."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _size(dataset: Dataset) -> str:
    return f"{len(dataset.images)} images in {len(dataset.class_names)} classes"


def _and_size(dataset: Dataset) -> str:
    return f"{dataset.name}, {_size(dataset)}, digest {dataset.digest[:12]}"


def _told(split: Split) -> str:
    if not split.given:
        return "each seed draws one" if split.per_seed else "one for all seeds"
    drawn = [part for part in PARTS if part not in split.given]
    rest = f"; {' and '.join(drawn)} drawn from training, one for all seeds" if drawn else ""
    return f"the data set's own: {', '.join(split.given)}{rest}"


def _and_stand_in(dataset: Dataset) -> str:
    """A data set's name and what it stands in for; what is said of that in brackets, a note says once."""
    return (
        f"{dataset.name} (a stand-in for {dataset.stand_in.partition(' (')[0]})" if dataset.stand_in else dataset.name
    )


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

    data = inputs.images(profile, options)
    others = {name: make(profile.network.image_size) for name, make in profile.datasets.items()}
    datasets = {dataset.digest: dataset for dataset in (data, *others.values())}
    start = inputs.pretrained(profile, options, precision, data.class_names)
    if start.dataset is not None:
        datasets[start.dataset.digest] = start.dataset

    split = _enlarged(replace(profile.split, per_seed=options.split == "seed"), data, options)
    own = inputs.divided(split, data)
    study = Study(
        profile=profile.name,
        data=DataReference(data.name, data.digest, own),
        datasets={
            name: DataReference(dataset.name, dataset.digest, inputs.divided(split, dataset))
            for name, dataset in others.items()
        },
        class_names=data.class_names,
        network=profile.network,
        recipe=profile.recipe.at(precision=precision),
        pretrained=start.weights,
        pretrained_name=start.name,
        seeds=tuple(range(options.seeds)),
        # As many under each seed: only which they are is drawn.
        training_images=len(data.parts(own.under(0)).training),
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
        notes=_notes(study, datasets, profile, start.notes),
        warnings=differences if profile.images == "natural-images" else (),
    )


def _enlarged(split: Split, data: Dataset, options: Options) -> Split:
    """The split, with a higher limit where the user's images have more classes than a profile was made for."""
    if options.data is None or split.training_images is None:
        return split
    return replace(split, training_images=max(split.training_images, 2 * len(data.class_names)))


def _notes(
    study: Study, datasets: Mapping[str, Dataset], profile: Profile, on_source: Iterable[str]
) -> tuple[str, ...]:
    notes = [
        f"Dataset {dataset.name} is a stand-in for {dataset.stand_in}."
        for dataset in datasets.values()
        if dataset.stand_in
    ]
    notes += [*on_source, *(note for dataset in datasets.values() for note in dataset.notes)]
    if (limit := study.data.split.training_images) != profile.split.training_images:
        notes.append(
            f"The profile trains on {profile.split.training_images} images; for {len(study.class_names)} classes the "
            f"limit is raised to {limit}, two for each class."
        )
    for reference in (study.data, *study.datasets.values()):
        notes += _notes_on_split(datasets[reference.digest], reference.split, study.seeds)
    return tuple(dict.fromkeys(notes))


def _notes_on_split(dataset: Dataset, split: Split, seeds: Iterable[int]) -> list[str]:
    notes = []
    if split.given:
        notes.append(
            f"The split of {dataset.name} is the data set's own, the same for every seed, and --tlbench-split does not "
            "move it: verdicts hold for this split, and other test images may give others."
        )
    splits = {split.under(seed) for seed in seeds}
    if copies := max(dataset.duplicates_across(dataset.parts(under)) for under in splits):
        most = " under the seed with the most" if len(splits) > 1 else ""
        notes.append(
            f"Test images of {dataset.name} that are, pixel by pixel, also among those it trains on: {copies}{most}."
        )
    return notes
