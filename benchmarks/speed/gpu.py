"""Xception's training at full size on a GPU: our path on JAX and on PyTorch, against timm's in plain PyTorch.

    python -m benchmarks.speed.gpu --json gpu.json
    python -m benchmarks.speed.gpu --device cpu --image-size 64 --width 0.125 --batch-size 4 --steps 2 --rounds 1

Needs JAX and torch with CUDA, timm, Keras, click, h5py and tabulate, and no TensorFlow; tlbench is imported from its
folder.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import click

from tabulate import tabulate

from benchmarks.speed import comparison, flops
from benchmarks.speed.contenders import CONTENDERS, Setting


if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.speed.comparison import Comparison
    from benchmarks.speed.contenders import Measurement

DEFAULTS = Setting(batch_size=128, precision="bfloat16", device="gpu", on_device=True)

CHOICES = ("jax", "torch", "timm", "timm-compiled")

HEADINGS = (
    "contender",
    "images/s",
    "of each round",
    "MFU",
    "step (ms)",
    "step, batches sent (ms)",
    "step, batch on the device (ms)",
    "host gathers a batch (ms)",
    "peak memory (GB)",
    "speed to timm's",
    "speed to timm's compiled",
    "on the device, to timm's",
    "on the device, to timm's compiled",
)


@click.command(context_settings={"show_default": True})
@comparison.options(DEFAULTS, CHOICES)
@click.option("--device", type=click.Choice(["gpu", "cpu"]), default="gpu", help="The CPU is for trying this out.")
@click.option(
    "--peak-tflops", type=click.FloatRange(min=0, min_open=True), help="Of the device. [default: by its name]"
)
def main(
    setting: Setting,
    contenders: tuple[str, ...],
    device: Literal["cpu", "gpu"],
    peak_tflops: float | None,
    **others: Any,
) -> None:
    """Train on a GPU with every contender, by turns, and report images per second."""
    comparison.run(
        "benchmarks.speed.gpu",
        replace(setting, device=device),
        contenders or CHOICES,
        report=lambda compared, command: report(compared, command, peak_tflops),
        **others,
    )


def peak_of(compared: Comparison) -> float | None:
    """Peak of the device in this precision, in 10¹² operations per second; None where it is unknown.

    Args:
        compared: Measurements that name the device.
    """
    (first, *_), *_ = compared.rounds.values()
    return flops.PEAK_TFLOPS.get(first.device) if compared.setting.precision == "bfloat16" else None


def report(compared: Comparison, command: str, peak_tflops: float | None = None) -> str:
    """The table and what it is of, in Markdown.

    Args:
        compared: Measurements of all contenders.
        command: Command of the comparison.
        peak_tflops: Peak of the device; None to look it up by the name of the device.
    """
    peak = peak_tflops or peak_of(compared)
    rows = [_row(compared, name, peak) for name in compared.rounds]
    table = tabulate(rows, HEADINGS, tablefmt="github", disable_numparse=True)
    if peak:
        convention = (
            f"MFU: {flops.TRAINING_PER_MULTIPLY_ADD} operations (forward and twice that backward, multiplication and "
            "addition apart) for each multiply-add of convolutions and dense layers, over what the device promises, "
            f"{peak:g} TFLOP/s."
        )
    else:
        convention = "MFU: left out, since the device's peak is not known; see --peak-tflops."
    counts = {f"{count / 1e9:.3g}" for name in compared.rounds if (count := compared.multiply_adds(name))}
    counted = f"Forward pass of an image: {' and '.join(sorted(counts))} billion multiply-adds." if counts else ""
    limits = [
        f"{CONTENDERS[name].label}: a step takes {_to_on_device(compared, name, _step):.2f} times one over a single "
        f"batch on the device, {_to_on_device(compared, name, _sent):.2f} times where batches are sent."
        for name in compared.rounds
        if compared.median(name, _on_device)
    ]
    facts = compared.facts("Training throughput.", command)
    return "\n\n".join(text for text in (facts, table, counted, convention, *limits) if text)


def _row(compared: Comparison, name: str, peak: float | None) -> tuple[str, ...]:
    def text(value: float | None, form: str = "{:.1f}", scale: float = 1e3) -> str:
        return "-" if value is None else form.format(scale * value)

    def speed(to: str, figure: Callable[[Measurement], float | None]) -> str:
        # Times the other way round are speeds.
        return text(compared.ratio(to, name, figure), "{:.2f}", 1)

    speeds = [compared.setting.batch_size / each.step_seconds for each in compared.rounds[name]]
    multiply_adds = compared.multiply_adds(name)
    used = flops.utilisation(compared.images_per_second(name), multiply_adds, peak) if multiply_adds and peak else None
    return (
        CONTENDERS[name].label,
        f"{compared.images_per_second(name):.1f}",
        " ".join(f"{speed:.1f}" for speed in speeds),
        text(used, "{:.1f} %", 100),
        text(compared.median(name, _step)),
        text(compared.median(name, _sent)),
        text(compared.median(name, _on_device)),
        text(compared.median(name, lambda measurement: measurement.input_seconds)),
        text(compared.median(name, lambda measurement: measurement.peak_bytes), scale=1e-9),
        speed("timm", _step),
        speed("timm-compiled", _step),
        speed("timm", _on_device),
        speed("timm-compiled", _on_device),
    )


def _step(measurement: Measurement) -> float:
    return measurement.step_seconds


def _sent(measurement: Measurement) -> float:
    return measurement.sent_seconds


def _on_device(measurement: Measurement) -> float | None:
    return measurement.on_device_seconds


def _to_on_device(compared: Comparison, name: str, figure: Callable[[Measurement], float]) -> float | None:
    return compared.median(name, lambda each: figure(each) / each.on_device_seconds if each.on_device_seconds else None)


if __name__ == "__main__":
    main()
