"""Costs of the harness: a long training by tlbench and by bare Keras on the same arrays, and memory over many trials.

    python -m benchmarks.speed.overhead

Each side trains in processes of its own, by turns. Bare Keras compiles as
tlbench does, fits with validation after each epoch and predicts the test
images.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from tabulate import tabulate


ROOT = Path(__file__).resolve().parents[2]

TINY_TRIALS = 50


def _trial(epochs: int) -> tuple[Any, Any]:
    from tlbench.datasets import miniature
    from tlbench.declare.profiles import MINIATURE
    from tlbench.declare.tasks import EVERY_CLASS
    from tlbench.declare.trials import DataReference, Random, Trial

    dataset = miniature.load_miniature(image_size=MINIATURE.network.image_size)
    return dataset, Trial(
        data=DataReference(dataset.name, dataset.digest, MINIATURE.split),
        task=EVERY_CLASS,
        network=MINIATURE.network,
        initialisation=Random(),
        frozen=frozenset(),
        recipe=MINIATURE.recipe.at(epochs=epochs),
        seed=0,
    )


def by_tlbench(epochs: int) -> float:
    """Train the miniature's network for some epochs as tlbench does; returns the seconds."""
    from tlbench.machine import environment
    from tlbench.train.prefixes import PrefixCache
    from tlbench.train.training import Trainer

    dataset, trial = _trial(epochs)
    trainer = Trainer(environment.current(), PrefixCache())
    started = time.perf_counter()
    trainer.train(trial, dataset, None)
    return time.perf_counter() - started


def by_keras(epochs: int) -> float:
    """The same network, arrays and number of steps with nothing but Keras; returns the seconds."""
    import keras

    from tlbench.machine import backends
    from tlbench.train.batches import PREDICTION_BATCH

    dataset, trial = _trial(epochs)
    parts = dataset.parts(trial.data.split)
    training, validation, test = (
        (dataset.images[part], dataset.labels[part]) for part in (parts.training, parts.validation, parts.test)
    )
    started = time.perf_counter()
    keras.utils.set_random_seed(trial.seed)
    model = trial.network.build(len(dataset.class_names))
    optimizer = keras.optimizers.get(trial.recipe.optimizer)
    options = backends.compile_options("cpu")
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    model.fit(
        *training,
        batch_size=trial.recipe.batch_size,
        epochs=epochs,
        validation_data=validation,
        validation_batch_size=PREDICTION_BATCH,
        verbose=0,
    )
    model.predict(test[0], batch_size=PREDICTION_BATCH, verbose=0)
    return time.perf_counter() - started


def many(trials: int) -> list[int]:
    """Train tiny trials, one after the other in this process; returns the resident memory after each, in bytes."""
    from tlbench.machine import environment
    from tlbench.networks.xception import Xception
    from tlbench.train.prefixes import PrefixCache
    from tlbench.train.training import Trainer

    dataset, trial = _trial(1)
    trainer = Trainer(environment.current(), PrefixCache())
    network = Xception(image_size=16, width=1 / 16, middle_modules=1, stem_stride=1)
    images = dataset.images[:, ::2, ::2]
    small = replace(dataset, images=images.copy())
    tiny = replace(
        trial,
        data=replace(trial.data, digest=small.digest, split=replace(trial.data.split, training_images=96)),
        network=network,
    )
    held = []
    for seed in range(trials):
        trainer.train(replace(tiny, seed=seed), small, None)
        held.append(_resident_bytes())
    return held


def _resident_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


SIDES = {"tlbench": by_tlbench, "keras": by_keras}


def _in_a_process(side: str, epochs: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.speed.overhead", "side", side, "--epochs", str(epochs)]
    process = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(process.stdout.splitlines()[-1])  # type: ignore[no-any-return]


@click.group(invoke_without_command=True)
@click.option("--epochs", default=40, show_default=True, help="Of the long training: 30 steps each.")
@click.option("--rounds", default=3, show_default=True)
@click.pass_context
def main(context: click.Context, epochs: int, rounds: int) -> None:
    """Compare tlbench with bare Keras."""
    if context.invoked_subcommand:
        return
    measured: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            measured[side].append(_in_a_process(side, epochs))
            click.echo(f"{side}: {measured[side][-1]}", err=True)

    lines = []
    for name, key, scale in (("seconds", "seconds", 1), ("peak memory, MB", "peak_bytes", 1e6)):
        ours, bare = ([each[key] / scale for each in measured[side]] for side in ("tlbench", "keras"))
        ratio = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
        lines.append([name, *(f"{statistics.median(values):.1f}" for values in (ours, bare)), f"{ratio:.3f}"])
    click.echo(tabulate(lines, [f"{epochs} epochs, one trial", "tlbench", "bare Keras", "ratio"], tablefmt="github"))

    held = [bytes_ / 1e6 for bytes_ in _in_a_process("many", TINY_TRIALS)["held"]]
    shown = [1, 2, 5, 10, 20, 30, 40, TINY_TRIALS]
    click.echo()
    click.echo(
        tabulate(
            [["resident memory, MB", *(f"{held[count - 1]:.0f}" for count in shown)]],
            ["after so many tiny trials", *map(str, shown)],
            tablefmt="github",
        )
    )
    click.echo(f"\nFrom the 10th to the last: {held[-1] / held[9] - 1:+.1%}.")


@main.command()
@click.argument("name", type=click.Choice([*SIDES, "many"]))
@click.option("--epochs", required=True, type=int)
def side(name: str, epochs: int) -> None:
    """Measure one side in this process, and print what it took as JSON."""
    from tlbench.machine import backends

    if name == "many":
        click.echo(json.dumps({"held": many(epochs)}))
        return
    seconds = SIDES[name](epochs)
    click.echo(json.dumps({"seconds": seconds, "peak_bytes": backends.peak_memory("cpu")}))


if __name__ == "__main__":
    main()
