"""What one fixed network does with fixed weights and batches: numerics compared without any statistics.

Weights, images and gradients are drawn by NumPy, never by a framework, so that two fingerprints differ only in what the
frameworks compute: what each layer puts out in inference and in training mode, BatchNorm's moving statistics, the loss,
the gradient of each weight, the steps of each optimizer, and what the framework reports of a test.
"""

from __future__ import annotations

import json
import math

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import numpy as np

from tlbench import backends, metrics
from tlbench.environment import Environment
from tlbench.errors import StoreError
from tlbench.networks.xception import Xception
from tlbench.trials import Recipe


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import keras

    from numpy.typing import NDArray

SCHEMA_VERSION = 1

# Small enough to run without compiling in seconds, and with every kind of layer that the study's network has.
NETWORK = Xception(image_size=32, width=1 / 16, middle_modules=2, stem_stride=1, batchnorm_momentum=0.9)

CLASSES = 8

BATCH = 16

# The last of three batches is not full: frameworks have differed in how they average over it.
TESTED = 2 * BATCH + BATCH // 2

SEED = 20260101

# Random signs that a tensor is projected on; the norm of a difference is known to within a quarter (1/sqrt(2 x 16),
# Achlioptas 2003, J. Comput. Syst. Sci. 66:671).
PROJECTIONS = 16

# How many times the estimated rounding error is put up with. The largest distance seen between two of the three
# backends on a CPU is a thirtieth of what this allows.
SAFETY = 4.0

OPTIMIZERS = tuple(get_args(get_type_hints(Recipe)["optimizer"]))

OPTIMIZER_STEPS = 3


@dataclass(frozen=True)
class Sketch:
    """What is kept of a tensor: enough to tell how far another one is from it.

    Attributes:
        shape: Of the tensor.
        rms: Root of its mean square.
        projections: Its products with fixed random signs, divided by the root of its size; None where a value is no
            finite number.
    """

    shape: tuple[int, ...]
    rms: float
    projections: tuple[float, ...] | None

    def distance(self, other: Sketch) -> float:
        """Estimate of the root mean square of the difference, relative to this tensor's own.

        Infinite where the shapes differ, or one of them has a value that is no finite number and the other has not.
        """
        if self.shape != other.shape or (self.projections is None) != (other.projections is None):
            return math.inf
        if self.projections is None or other.projections is None:
            return 0.0
        difference = math.sqrt(float(np.mean(np.square(np.subtract(self.projections, other.projections)))))
        return difference / self.rms if self.rms else (math.inf if difference else 0.0)


def sketch(tensor: NDArray[Any]) -> Sketch:
    """What is kept of a tensor.

    Args:
        tensor: Of any shape.
    """
    values = np.asarray(tensor, dtype=np.float64).ravel()
    if not np.isfinite(values).all():
        return Sketch(tensor.shape, 0.0, None)
    projections = _signs(values.size) @ values / math.sqrt(values.size)
    return Sketch(tensor.shape, float(np.sqrt(np.mean(values**2))), tuple(map(float, projections)))


@lru_cache(maxsize=64)
def _signs(size: int) -> NDArray[np.int8]:
    return np.random.default_rng([SEED, size]).choice(np.array([-1, 1], np.int8), (PROJECTIONS, size))


@dataclass(frozen=True)
class Quantity:
    """One thing that is computed.

    Attributes:
        stage: Of the computation, for instance `"inference"` or `"gradient"`.
        name: Of the layer, the weight or the optimizer.
        value: What came out; None where this version of the framework has no such thing.
        tolerance: How far another's value may be, relative to its root mean square.
    """

    stage: str
    name: str
    value: Sketch | None
    tolerance: float

    @property
    def key(self) -> str:
        """What it is called."""
        return f"{self.stage} of {self.name}"


@dataclass(frozen=True)
class Fingerprint:
    """All that the fixed network did, in the order of its graph.

    Attributes:
        environment: Where.
        quantities: In the order in which they are computed.
        reported: What the framework reports of a test, less what `tlbench.metrics` makes of the same predictions,
            by name.
    """

    environment: Environment
    quantities: tuple[Quantity, ...]
    reported: dict[str, float]

    def content(self) -> dict[str, Any]:
        """The fingerprint as values of JSON."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def read(content: Mapping[str, Any], source: str = "a saved run") -> Fingerprint:
    """A fingerprint of values of JSON.

    Args:
        content: As `Fingerprint.content` gave them.
        source: Where they come from, for the message of an error.

    Raises:
        StoreError: They are damaged, or of a newer tlbench.
    """
    version = content.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        msg = (
            f"The fingerprint of {source} was written by a newer tlbench: this one reads schema_version up to "
            f"{SCHEMA_VERSION}. Received: {version!r}. Upgrade tlbench, or take it again."
        )
        raise StoreError(msg)
    try:
        return Fingerprint(
            environment=Environment(**content["environment"]),
            quantities=tuple(_quantity(quantity) for quantity in content["quantities"]),
            reported={str(name): float(value) for name, value in content["reported"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"The fingerprint of {source} is damaged; take it again. Received: {error!r}"
        raise StoreError(msg) from error


def read_file(path: Path) -> Fingerprint:
    """A fingerprint of a file, or of a saved run that has one.

    Raises:
        StoreError: It cannot be read, or has none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"The fingerprint {path} cannot be read; take it again. Received: {error}"
        raise StoreError(msg) from error
    if isinstance(content, dict) and isinstance(content.get("fingerprint"), dict):
        content = content["fingerprint"]
    if not isinstance(content, dict) or "quantities" not in content:
        msg = f"{path} is no fingerprint, nor a saved run that has one."
        raise StoreError(msg)
    return read(content, str(path))


def _quantity(content: Mapping[str, Any]) -> Quantity:
    value = content["value"]
    if value is not None:
        projections = value["projections"]
        value = Sketch(
            tuple(value["shape"]), float(value["rms"]), None if projections is None else tuple(map(float, projections))
        )
    return Quantity(content["stage"], content["name"], value, float(content["tolerance"]))


@dataclass(frozen=True)
class Difference:
    """A quantity that two fingerprints do not agree on.

    Attributes:
        key: What it is called.
        distance: Between the two, relative to the first's root mean square.
        tolerance: What it may be.
    """

    key: str
    distance: float
    tolerance: float

    def __str__(self) -> str:
        """In a line."""
        return f"{self.key} differs by {self.distance:.1e} of its size (tolerance {self.tolerance:.1e})"


@dataclass(frozen=True)
class Agreement:
    """What two fingerprints agree and do not agree on.

    Attributes:
        compared: Number of quantities that both have.
        differences: In the order of the graph.
        lacking: Quantities that only one of them has.
        nearest: The largest share of its tolerance that a quantity on which they agree takes up.
    """

    compared: int
    differences: tuple[Difference, ...]
    lacking: tuple[str, ...]
    nearest: float

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not self.differences

    def __str__(self) -> str:
        """The first difference, and how many there are."""
        lacking = f"; only one side has {', '.join(self.lacking)}" if self.lacking else ""
        if self.same:
            return f"the same in {self.compared} quantities{lacking}"
        more = f"; {len(self.differences)} of {self.compared} quantities differ"
        return f"{self.differences[0]}{more}{lacking}"


def compare(first: Fingerprint, second: Fingerprint) -> Agreement:
    """Hold one fingerprint against another; the first difference in the graph's order is where to look.

    What the framework reports of a test counts as well: where it is the same
    beside `tlbench.metrics` in one and another in the other, the report has changed and
    training has not.
    """
    others = {quantity.key: quantity for quantity in second.quantities}
    differences, lacking, nearest, compared = [], [], 0.0, 0
    for quantity in first.quantities:
        other = others.pop(quantity.key, None)
        if other is None or quantity.value is None or other.value is None:
            if other is None or (quantity.value is None) != (other.value is None):
                lacking.append(quantity.key)
            continue
        compared += 1
        distance, tolerance = quantity.value.distance(other.value), max(quantity.tolerance, other.tolerance)
        if distance > tolerance:
            differences.append(Difference(quantity.key, distance, tolerance))
        else:
            nearest = max(nearest, distance / tolerance)
    return Agreement(compared, tuple(differences), (*lacking, *others), nearest)


def take(environment: Environment) -> Fingerprint:
    """Run the fixed network; imports Keras.

    A tolerance is the safety factor times the unit roundoff of the layers'
    dtype, the root of the longest sum and the number of layers on the way: errors of sums
    of K terms grow like sqrt(K) u with high probability (Higham & Mary 2019, SIAM J.
    Sci. Comput. 41:A2815, theorem 2.4), those of layers add up. A gradient's way
    leads forth and back. Optimizers are stepped with gradients of NumPy's, element by element.

    Args:
        environment: Of this process.
    """
    with backends.device_scope(environment.device):
        quantities = list(_network("float32", ""))
        quantities += _optimizers()
        reported, tested = _reported()
        quantities += tested
        if environment.device == "gpu":
            quantities += _network("mixed_bfloat16", " in bfloat16")
    return Fingerprint(environment, tuple(quantities), reported)


def _weights(model: keras.Model) -> list[NDArray[np.float32]]:
    """Weights that keep signals alive through every layer: none dies out, and none explodes."""
    drawn = []
    for index, weight in enumerate(model.get_weights()):
        generator = np.random.default_rng([SEED, index])
        if weight.ndim == 1:
            drawn.append(generator.uniform(0.5, 1.5, weight.shape).astype(np.float32))
        else:
            # A depthwise kernel sums over its window only.
            fan_in = math.prod(weight.shape[:2] if weight.ndim == 4 and weight.shape[-1] == 1 else weight.shape[:-1])
            drawn.append(generator.normal(0, fan_in**-0.5, weight.shape).astype(np.float32))
    return drawn


def _images(count: int) -> NDArray[np.uint8]:
    size = NETWORK.image_size
    return np.random.default_rng(SEED).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def _labels(count: int) -> NDArray[np.int64]:
    return np.random.default_rng(SEED + 1).integers(0, CLASSES, count)


def _network(dtype: str, suffix: str) -> Iterable[Quantity]:
    import keras

    model = NETWORK.build(CLASSES, dtype)
    model.set_weights(_weights(model))
    images, labels = _images(BATCH), _labels(BATCH)
    # What has no values of its own to speak of is left out: the input.
    layers = [layer for layer in model.layers if layer.name != model.layers[0].name]
    of_layers = keras.Model(model.input, [layer.output for layer in layers])
    # Adds up from the input: the depth of a layer.
    depths = {layer.name: depth for depth, layer in enumerate(layers, start=1)}
    whole = len(layers)
    rounding = _unit(dtype) * SAFETY * math.sqrt(_longest_sum(model))

    for stage, training in ((f"inference output{suffix}", False), (f"training output{suffix}", True)):
        before = model.get_weights()
        for layer, output in zip(layers, of_layers(images, training=training), strict=True):
            value = sketch(_array(output))
            yield Quantity(stage, layer.name, value, rounding * depths[layer.name])
        model.set_weights(before)

    loss = keras.losses.SparseCategoricalCrossentropy()
    value_of_loss, gradients, statistics = backends.loss_and_gradients(model, loss, images, labels)
    yield Quantity(f"loss{suffix}", "the batch", sketch(value_of_loss), rounding * whole)
    trained = [variable.path for variable in model.trainable_variables]
    # Backwards, as they are computed.
    for path, gradient in reversed(list(zip(trained, gradients, strict=True))):
        depth = whole + (whole - depths[path.partition("/")[0]]) + 1
        yield Quantity(f"gradient{suffix}", path, sketch(gradient.astype(np.float64)), rounding * depth)
    for path, state in statistics.items():
        yield Quantity(f"moving statistic{suffix}", path, sketch(state), rounding * depths[path.partition("/")[0]])


def _optimizers() -> Iterable[Quantity]:
    import keras

    generator = np.random.default_rng(SEED + 2)
    start = generator.normal(size=1000).astype(np.float32)
    steps = generator.normal(size=(OPTIMIZER_STEPS, 1000)).astype(np.float32)
    for name in OPTIMIZERS:
        variable = keras.Variable(start.copy())
        optimizer = keras.optimizers.get(name)
        optimizer.learning_rate = 1e-2
        optimizer.build([variable])
        for step in steps:
            optimizer.apply([keras.ops.convert_to_tensor(step)], [variable])
        moved = _array(variable) - start
        # The step is the difference of numbers that are a hundred times as large.
        yield Quantity("steps", name, sketch(moved), _unit("float32") * SAFETY * OPTIMIZER_STEPS * 100)


def _reported() -> tuple[dict[str, float], list[Quantity]]:
    import keras

    model = NETWORK.build(CLASSES)
    model.set_weights(_weights(model))
    images, labels = _images(TESTED), _labels(TESTED)
    one_hot = np.eye(CLASSES, dtype=np.float32)[labels]
    measured: list[Any] = [keras.metrics.CategoricalAccuracy(name="accuracy")]
    if hasattr(keras.metrics, "F1Score"):
        measured.append(keras.metrics.F1Score(average="macro", name="macro_f1"))
    model.compile(loss="categorical_crossentropy", metrics=measured, **backends.compile_options("cpu"))
    found = model.evaluate(images, one_hot, batch_size=BATCH, verbose=0, return_dict=True)
    predictions = np.concatenate(
        [_array(model(images[first : first + BATCH], training=False)) for first in range(0, TESTED, BATCH)]
    )
    ours = {
        "loss": metrics.loss(labels, predictions),
        "accuracy": metrics.accuracy(labels, predictions),
        "macro_f1": metrics.macro_f1(labels, predictions),
    }
    tolerance = _unit("float32") * SAFETY * math.sqrt(_longest_sum(model)) * len(model.layers)
    quantities = []
    for name in ours:
        value = sketch(np.array(float(found[name]))) if name in found else None
        quantities.append(Quantity("reported test", name, value, tolerance))
    return {name: float(found[name]) - value for name, value in ours.items() if name in found}, quantities


def _longest_sum(model: keras.Model) -> int:
    # Of the convolutions and the head. BatchNorm's means go over more values, of which they are the mean.
    return max(int(math.prod(weight.shape[:-1])) for weight in model.get_weights() if weight.ndim > 1)


def _unit(dtype: str) -> float:
    return 2.0**-8 if "bfloat16" in dtype else 2.0**-24


def _array(tensor: Any) -> NDArray[Any]:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")))
