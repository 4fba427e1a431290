"""Those whose training steps are timed, each in a process of its own.

    python -m benchmarks.speed.contenders torch '{"network": {"image_size": 32}, "batch_size": 8}'

A step is forward pass, backward pass and Adam's update over one batch, with the loss read back. Ours is a Keras model,
compiled and fed as `tlbench.train.training` does it there; the rival is timm's Xception in a loop of plain PyTorch.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
import sys
import time

from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import click
import numpy as np

from benchmarks.speed import flops
from tlbench.errors import TlbenchError, TrainingError
from tlbench.machine import backends, environment
from tlbench.networks.xception import Xception


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

# Host memory holds so many different batches; more steps take the same images in another order.
DIFFERENT_BATCHES = 4

LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Setting:
    """The network, batch and steps that are timed, the same for every contender.

    Attributes:
        network: Our network; timm's Xception has one size only, that of `Xception()`.
        classes: Number of outputs.
        batch_size: Images of a step.
        precision: Precision of the layers; weights are always float32.
        device: Device that trains.
        steps: Number of timed steps.
        warm_up: Number of steps before these.
        on_device: Whether the images lie on the device, as with `--gpu`; steps over batches that are sent there, and
            over one batch that is there already, are timed too.
    """

    network: Xception = field(default_factory=Xception)
    classes: int = 1000
    batch_size: int = 32
    precision: Literal["float32", "bfloat16"] = "float32"
    device: Literal["cpu", "gpu"] = "cpu"
    steps: int = 20
    warm_up: int = 3
    on_device: bool = False

    @classmethod
    def read(cls, text: str) -> Setting:
        """Read a setting that `write` has written.

        Raises:
            ConfigurationError: There is no network of this size.
        """
        values = json.loads(text)
        return cls(network=Xception(**values.pop("network")), **values)

    def write(self) -> str:
        """JSON on one line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Contender:
    """One of those that are timed.

    Attributes:
        label: What it is, for the reader.
        backend: Keras' backend, or what a rival is written in.
        ours: Whether it is a network of tlbench.
        own_choice: Whether just-in-time compilation is left to the framework's default instead.
        compiled: Whether `torch.compile` compiles it.
    """

    label: str
    backend: str
    ours: bool = True
    own_choice: bool = False
    compiled: bool = False


CONTENDERS = {
    "tensorflow": Contender("ours on TensorFlow", "tensorflow"),
    "tensorflow-default": Contender("Keras on TensorFlow with its own `jit_compile`", "tensorflow", own_choice=True),
    "jax": Contender("ours on JAX", "jax"),
    "torch": Contender("ours on PyTorch", "torch"),
    "timm": Contender("timm's in plain PyTorch", "torch", ours=False),
    "timm-compiled": Contender("timm's under `torch.compile`", "torch", ours=False, compiled=True),
}


@dataclass(frozen=True)
class Measurement:
    """Measurements of one process of a contender.

    Attributes:
        step_seconds: Median of its steps: ours as tlbench trains, a rival's fed from host memory.
        sent_seconds: Median of its steps over batches that are sent from host memory.
        on_device_seconds: Median of its steps over one batch that is on the device; None where these were not timed.
        input_seconds: Median time in which the host gathers a batch; None for a rival.
        parameters: Number of trainable parameters.
        multiply_adds: Multiplications with additions in a forward pass of one image; None for a rival.
        peak_bytes: Most memory held while batches were sent: the device's, or on a CPU the process's.
        machine: Processor and number of cores.
        device: Name that the device gives itself.
        versions: Versions by distribution.
    """

    step_seconds: float
    sent_seconds: float
    on_device_seconds: float | None
    input_seconds: float | None
    parameters: int
    multiply_adds: int | None
    peak_bytes: int | None
    machine: str
    device: str
    versions: dict[str, str]


def measure(name: str, setting: Setting) -> Measurement:
    """Time a contender in this process, which must run on the backend of the contender.

    Args:
        name: One of `CONTENDERS`.
        setting: Network, batch and steps to time.

    Raises:
        ConfigurationError: The backend is not installed, or sees no GPU where one is asked for.
        TrainingError: The loss is not finite.
    """
    contender = CONTENDERS[name]
    here = environment.current(gpu=setting.device == "gpu")
    timed = _ours(contender, setting) if contender.ours else _timm(contender, setting)
    around = environment.surroundings(here)
    distributions = ("keras", contender.backend) if contender.ours else ("timm", contender.backend)
    machine = f"{around.processor}, {around.cores} cores"
    return Measurement(
        **timed,
        machine=machine,
        device=here.device_name if setting.device == "gpu" else machine,
        versions={distribution: backends.version(distribution) for distribution in distributions},
    )


def _images(setting: Setting) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Images in host memory, a label of each, and the order in which steps take them."""
    generator = np.random.default_rng(0)
    count, size = DIFFERENT_BATCHES * setting.batch_size, setting.network.image_size
    images = generator.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    labels = generator.integers(0, setting.classes, count)
    steps = setting.warm_up + setting.steps
    order = np.concatenate([generator.permutation(count) for _ in range(math.ceil(steps / DIFFERENT_BATCHES))])
    return images, labels, order[: steps * setting.batch_size]


def _median_step(ends: Iterable[float], setting: Setting) -> float:
    """From the times at which all steps ended."""
    durations = [end - start for start, end in itertools.pairwise(ends)]
    # The first step has no start here: it is one of those that warm up.
    return statistics.median(durations[setting.warm_up - 1 :])


def _ours(contender: Contender, setting: Setting) -> dict[str, Any]:
    import keras

    from tlbench.train.batches import Batches, Rows
    from tlbench.train.device_arrays import Lookup

    images, labels, order = _images(setting)

    def batches_of(array: NDArray[Any]) -> Batches:
        return Batches(Rows(array, np.arange(len(array))), order, setting.batch_size, labels)

    def compile_(model: keras.Model) -> keras.Model:
        options = {} if contender.own_choice else backends.compile_options(setting.device)
        optimizer = keras.optimizers.Adam(LEARNING_RATE)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
        optimizer.build(model.trainable_variables)
        return model

    batches = batches_of(images)
    looked_up = on_device = None
    with backends.device_scope(setting.device):
        precision = {"bfloat16": "mixed_bfloat16"}.get(setting.precision, "float32")
        model = compile_(setting.network.build(setting.classes, precision))
        sent = _fit(model, backends.input_of_fit(batches), setting)
        peak = backends.peak_memory(setting.device)
        if setting.on_device:
            on_device = _fit(model, _resident(batches[0], len(batches)), setting)
            lookup = Lookup(images.shape, "uint8")
            numbers = batches_of(lookup.hold(images))
            looked_up = _fit(compile_(lookup.before(model)), backends.input_of_fit(numbers), setting)
    gathering = [time.perf_counter()]
    for index in range(len(batches)):
        batches[index]
        gathering.append(time.perf_counter())
    return {
        "step_seconds": looked_up or sent,
        "sent_seconds": sent,
        "on_device_seconds": on_device,
        "input_seconds": _median_step(gathering, setting),
        "parameters": sum(math.prod(variable.shape) for variable in model.trainable_variables),
        "multiply_adds": flops.multiply_adds(model),
        "peak_bytes": peak,
    }


def _fit(model: Any, batches: Any, setting: Setting) -> float:
    import keras

    ends: list[float] = []
    # Keras reads a step's loss back where a callback wants it, and waits for it.
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: ends.append(time.perf_counter()))
    history = model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[clock]).history
    _check(history["loss"][0])
    return _median_step(ends, setting)


def _resident(batch: tuple[NDArray[Any], ...], count: int) -> Any:
    """Batches for `fit` that are one and the same, on the device already."""
    import keras

    tensors = tuple(keras.ops.convert_to_tensor(array) for array in batch)

    class Resident(keras.utils.PyDataset):
        def __len__(self) -> int:
            return count

        def __getitem__(self, _index: int) -> Any:
            return tensors

    return Resident()


def _timm(contender: Contender, setting: Setting) -> dict[str, Any]:
    import torch

    if torch.version.cuda is None:
        # PyPI has torchvision for PyTorch with CUDA only. It asks for its own operators by name as timm imports it, and
        # on another PyTorch there are none. timm's Xception uses none.
        name = "torchvision._meta_registrations"
        sys.modules.setdefault(name, ModuleType(name))
    from timm.models.xception import Xception as Rival

    device = "cuda" if setting.device == "gpu" else "cpu"
    # As timm's own training does.
    torch.backends.cudnn.benchmark = True
    model = Rival(num_classes=setting.classes).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
    forward = torch.compile(model) if contender.compiled else model

    def step(x: Any, y: Any) -> float:
        # Images as they come have their channels last, also after `permute`, which copies nothing.
        scaled = x.permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.autocast(device, torch.bfloat16, enabled=setting.precision == "bfloat16"):
            outputs = forward(scaled)
        loss = torch.nn.functional.cross_entropy(outputs.float(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    images, labels, order = _images(setting)

    def batch(index: int) -> tuple[Any, Any]:
        rows = order[index * setting.batch_size : (index + 1) * setting.batch_size]
        return torch.from_numpy(images[rows]).to(device), torch.from_numpy(labels[rows]).to(device)

    fed = _loop(lambda index: step(*batch(index)), setting)
    peak = backends.peak_memory(setting.device)
    resident = batch(0)
    return {
        "step_seconds": fed,
        "sent_seconds": fed,
        "on_device_seconds": _loop(lambda _index: step(*resident), setting) if setting.on_device else None,
        "input_seconds": None,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "multiply_adds": None,
        "peak_bytes": peak,
    }


def _loop(step: Callable[[int], float], setting: Setting) -> float:
    ends, loss = [], math.nan
    for index in range(setting.warm_up + setting.steps):
        loss = step(index)
        ends.append(time.perf_counter())
    _check(loss)
    return _median_step(ends, setting)


def _check(loss: float) -> None:
    if not math.isfinite(loss):
        msg = f"The loss of a timed training is no number: what was timed is not training. Received: loss={loss}"
        raise TrainingError(msg)


@click.command()
@click.argument("name", type=click.Choice(list(CONTENDERS)))
@click.argument("setting")
def main(name: str, setting: str) -> None:
    """Time contender NAME in this process, and print what it took as JSON, on the last line."""
    try:
        measurement = measure(name, Setting.read(setting))
    except TlbenchError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(asdict(measurement)))


if __name__ == "__main__":
    main()
