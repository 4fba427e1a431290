"""The shipped source network: an Xception for 32 px, trained on photographs and saved with its provenance.

    python -m benchmarks.source cifar-10-30k.zip --data-name CIFAR-10 --citation "Krizhevsky 2009" --licence "unstated"

The network is that of the profile `thumbnail`. The recipe is fixed here, before any image of a target was seen: that of
the profile's own sources, in larger batches and for more epochs, since there are four times as many images.
"""

from __future__ import annotations

import json

from dataclasses import asdict
from pathlib import Path

import click
import keras

from tlbench import DataReference, Random, Split, Trial, read_images
from tlbench.declare.profiles import SMALL, SMALL_SOURCE
from tlbench.declare.tasks import EVERY_CLASS
from tlbench.machine import environment, hashes
from tlbench.networks.shipped import FOLDER, PHOTOGRAPHS
from tlbench.scores import metrics
from tlbench.store.baselines import now
from tlbench.train import transfer
from tlbench.train.training import Trainer


RECIPE = SMALL_SOURCE.at(batch_size=64, epochs=16)
SPLIT = Split(validation=0.05, test=0.1)
SEED = 0


@click.command(help=__doc__)
@click.argument("images", type=click.Path(exists=True, path_type=Path))
@click.option("--data-name", required=True, help="Name of the data set in reports.")
@click.option("--citation", required=True, help="Paper that describes the data set.")
@click.option("--licence", required=True, help="Licence of the photographs.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, help="Folder to write to.")
def main(images: Path, data_name: str, citation: str, licence: str, folder: Path) -> None:
    """Train the source network, and write its weights and their provenance."""
    data = read_images(images, SMALL.image_size, name=data_name)
    reference = DataReference(data.name, data.digest, SPLIT)
    trial = Trial(reference, EVERY_CLASS, SMALL, Random(), frozenset(), RECIPE, SEED)
    result, weights = Trainer(environment.current()).train(
        trial, data, None, lambda epoch, accuracy: click.echo(f"epoch {epoch} of {RECIPE.epochs}: {accuracy:.1%}")
    )
    model = SMALL.build(len(data.class_names))
    transfer.write(model, weights)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{PHOTOGRAPHS}.weights.h5"
    model.save_weights(path)
    parts = data.parts(SPLIT)
    provenance = {
        "name": f"photographs of {data_name}",
        "network": f"{SMALL.family}:{','.join(f'{name}={value}' for name, value in asdict(SMALL).items())}",
        "parameters": model.count_params(),
        "data": {
            "name": data_name,
            "citation": citation,
            "licence": licence,
            "digest": data.digest,
            "classes": list(data.class_names),
            "training images": len(parts.training),
            "test images": len(parts.test),
        },
        "recipe": asdict(RECIPE),
        "seed": SEED,
        "accuracy": round(metrics.accuracy(result.labels, result.probabilities), 4),
        "trained": now(),
        "environment": str(result.environment),
        "keras": keras.__version__,
        "sha256": hashes.sha256(path),
    }
    (folder / f"{PHOTOGRAPHS}.json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
    click.echo(f"{path}: {provenance['accuracy']:.1%} of {len(parts.test)} test images of its own")


if __name__ == "__main__":
    main()
