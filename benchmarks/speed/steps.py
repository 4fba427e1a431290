"""A training step of the same network on each of Keras' backends and in plain PyTorch, on this machine's CPU.

    python -m benchmarks.speed.steps                 # the miniature's network on all backends
    python -m benchmarks.speed.steps --width 1 --middle-modules 8 --stem-stride 2 --image-size 96 --batch-size 8 \
        --classes 1000 --steps 5                     # Xception itself, beside timm's

timm lives in an environment of its own, which uv makes in tlbench's cache folder unless it is installed here. The torch
there is of the version of the one here; PyPI's comes with CUDA (3 GB), so set UV_FIND_LINKS to a folder that has a
wheel for the CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tabulate import tabulate

from benchmarks.speed import comparison
from benchmarks.speed.contenders import CONTENDERS, Setting
from tlbench.networks.xception import Xception


if TYPE_CHECKING:
    from benchmarks.speed.comparison import Comparison
    from benchmarks.speed.contenders import Measurement

# Of the profile `miniature`.
DEFAULTS = Setting(Xception(image_size=32, width=1 / 8, middle_modules=3, stem_stride=1), classes=8)

CHOICES = ("tensorflow", "tensorflow-default", "jax", "torch", "timm", "timm-compiled")

HEADINGS = ("contender", "step (ms)", "of each round", "images/s", "time to ours on TensorFlow", "time to timm's")


@click.command(context_settings={"show_default": True})
@comparison.options(DEFAULTS, CHOICES)
def main(setting: Setting, contenders: tuple[str, ...], **others: Any) -> None:
    """Time a training step of every contender, by turns; all but timm-compiled unless some are named.

    timm's Xception has one size only. Unless ours has it too, it takes part only if it is named.
    """
    comparison.run(
        "benchmarks.speed.steps", setting, contenders or default_contenders(setting), report=report, **others
    )


def default_contenders(setting: Setting) -> list[str]:
    """Whoever trains the network in question, as it comes.

    Args:
        setting: With the network.
    """
    whole = Xception(setting.network.image_size) == setting.network
    return [name for name in CHOICES if CONTENDERS[name].ours or (whole and name == "timm")]


def report(compared: Comparison, command: str) -> str:
    """The table and what it is of, in Markdown.

    Args:
        compared: What every contender took.
        command: That compared them.
    """

    def seconds(measurement: Measurement) -> float:
        return measurement.step_seconds

    def ratio(name: str, to: str) -> str:
        found = compared.ratio(name, to, seconds)
        return "-" if found is None else f"{found:.2f}"

    rows = [
        (
            CONTENDERS[name].label,
            f"{1000 * (compared.median(name, seconds) or 0):.1f}",
            " ".join(f"{1000 * seconds(measurement):.1f}" for measurement in rounds),
            f"{compared.images_per_second(name):.3g}",
            ratio(name, "tensorflow"),
            ratio(name, "timm"),
        )
        for name, rounds in compared.rounds.items()
    ]
    table = tabulate(rows, HEADINGS, tablefmt="github", disable_numparse=True)
    return f"{compared.facts('Training steps.', command)}\n\n{table}"


if __name__ == "__main__":
    main()
