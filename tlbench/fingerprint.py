"""What one fixed network does with fixed weights and batches: numerics compared without any statistics.

Weights, images and gradients are drawn by NumPy, never by a framework, so that two fingerprints differ only in what the
frameworks compute: what each layer puts out in inference and in training mode, BatchNorm's moving statistics, the loss,
the gradient of each weight, the steps of each optimizer, and what the framework reports of a test, beside what
`tlbench.metrics` makes of the same predictions.
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
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import keras

    from numpy.typing import NDArray

# 2: the largest value of tensors, reasons for what is absent, gradients of every magnitude for optimizers.
SCHEMA_VERSION = 2

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

# What an estimated rounding error is multiplied by, see `take`. It covers all that the estimate leaves out: functions
# that are not rounded correctly (exp, log, rsqrt), convolutions by way of Fourier or Winograd transforms, and signals
# that layers make larger. Measured on a CPU, TensorFlow 2.20, JAX 0.10 and PyTorch 2.13 are apart by at most a
# twentieth of what 1 allows (Keras 3.15.1), so that there is no need for more.
SAFETY = 1.0

# Unit roundoffs.
FLOAT32 = 2.0**-24
BFLOAT16 = 2.0**-8

# Stages of what is said of a test.
REPORTED = "reported test"
OWN = "tlbench's own test"

OPTIMIZERS = tuple(get_args(get_type_hints(Recipe)["optimizer"]))

OPTIMIZER_STEPS = 3

LEARNING_RATE = 1e-2


@dataclass(frozen=True)
class Sketch:
    """What is kept of a tensor: enough to tell how far another one is from it.

    Attributes:
        shape: Of the tensor.
        rms: Root of its mean square; 0 where a value is no finite number.
        largest: Its largest absolute value; 0 likewise.
        projections: Its products with fixed random signs, divided by the root of its size; None where a value is no
            finite number.
    """

    shape: tuple[int, ...]
    rms: float
    largest: float
    projections: tuple[float, ...] | None

    def distance(self, other: Sketch) -> float:
        """Estimate of the root mean square of the difference, relative to the larger of the tensors' own.

        Infinite where the shapes differ, or one of them has a value that is no finite number and the other has not.
        """
        if self.shape != other.shape or (self.projections is None) != (other.projections is None):
            return math.inf
        if self.projections is None or other.projections is None:
            return 0.0
        difference = math.sqrt(float(np.mean(np.square(np.subtract(self.projections, other.projections)))))
        return difference / max(self.rms, other.rms) if difference else 0.0


def sketch(tensor: NDArray[Any]) -> Sketch:
    """What is kept of a tensor.

    Args:
        tensor: Of any shape.
    """
    values = np.asarray(tensor, dtype=np.float64).ravel()
    if not np.isfinite(values).all():
        return Sketch(tensor.shape, 0.0, 0.0, None)
    projections = _signs(values.size) @ values / math.sqrt(values.size)
    rms, largest = float(np.sqrt(np.mean(values**2))), float(np.abs(values).max())
    return Sketch(tensor.shape, rms, largest, tuple(map(float, projections)))


@lru_cache(maxsize=64)
def _signs(size: int) -> NDArray[np.int8]:
    return np.random.default_rng([SEED, size]).choice(np.array([-1, 1], np.int8), (PROJECTIONS, size))


@dataclass(frozen=True)
class Quantity:
    """One thing that is computed.

    Attributes:
        stage: Of the computation, for instance `"inference"` or `"gradient"`.
        name: Of the layer, the weight or the optimizer.
        value: What came out; None where it is absent.
        tolerance: How far another's value may be, relative to its root mean square.
        absent: Why this version of the framework has no such thing; None where it has.
    """

    stage: str
    name: str
    value: Sketch | None
    tolerance: float
    absent: str | None = None

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
    """

    environment: Environment
    quantities: tuple[Quantity, ...]

    @property
    def reported(self) -> dict[str, float]:
        """What the framework reports of a test less what `tlbench.metrics` computes, by metric; NaN where one is."""
        return {name: _scalar(theirs) - _scalar(ours) for name, theirs, ours in self._tested}

    @property
    def disagreements(self) -> tuple[Difference, ...]:
        """Metrics that the framework reports otherwise than `tlbench.metrics` computes them."""
        found = []
        for name, theirs, ours in self._tested:
            if theirs.value is None or ours.value is None:
                continue
            distance, tolerance = ours.value.distance(theirs.value), max(ours.tolerance, theirs.tolerance)
            if distance > tolerance:
                found.append(Difference(f"reported {name} beside tlbench's own", distance, tolerance))
        return tuple(found)

    @property
    def _tested(self) -> list[tuple[str, Quantity, Quantity]]:
        own = {quantity.name: quantity for quantity in self.quantities if quantity.stage == OWN}
        reported = [quantity for quantity in self.quantities if quantity.stage == REPORTED]
        return [(theirs.name, theirs, own[theirs.name]) for theirs in reported if theirs.value and theirs.name in own]

    def content(self) -> dict[str, Any]:
        """The fingerprint as values of JSON."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def _scalar(quantity: Quantity) -> float:
    # Of a metric, which is never negative.
    return math.nan if quantity.value is None or quantity.value.projections is None else quantity.value.rms


def read(content: Mapping[str, Any], source: str = "a saved run") -> Fingerprint:
    """A fingerprint of values of JSON.

    Args:
        content: As `Fingerprint.content` gave them.
        source: Where they come from, for the message of an error.

    Raises:
        StoreError: They are damaged, lack something, or are of another schema.
    """
    version = content.get("schema_version")
    if not isinstance(version, int) or version < 1:
        msg = f"The fingerprint of {source} does not say its schema_version; take it again. Received: {version!r}"
        raise StoreError(msg)
    if version != SCHEMA_VERSION:
        age, remedy = ("a newer", "Upgrade tlbench, or take") if version > SCHEMA_VERSION else ("an older", "Take")
        msg = (
            f"The fingerprint of {source} was written by {age} tlbench: this one reads schema_version "
            f"{SCHEMA_VERSION}. Received: {version!r}. {remedy} it again."
        )
        raise StoreError(msg)
    try:
        return Fingerprint(
            environment=Environment(**content["environment"]),
            quantities=tuple(_quantity(quantity) for quantity in content["quantities"]),
        )
    except KeyError as error:
        msg = f"The fingerprint of {source} lacks {error.args[0]!r}; take it again."
        raise StoreError(msg) from error
    except (TypeError, ValueError, AttributeError) as error:
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
            shape=tuple(map(int, value["shape"])),
            rms=float(value["rms"]),
            largest=float(value["largest"]),
            projections=None if projections is None else tuple(map(float, projections)),
        )
    return Quantity(content["stage"], content["name"], value, float(content["tolerance"]), content["absent"])


@dataclass(frozen=True)
class Difference:
    """A quantity that two fingerprints do not agree on.

    Attributes:
        key: What it is called.
        distance: Between the two, relative to the larger's root mean square.
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
        lacking: Quantities that only one of them has, with the reason where one is known.
        disagreements: What frameworks report otherwise than `tlbench.metrics`, a sentence for each and its environment.
        nearest: The largest share of its tolerance that a quantity on which they agree takes up.
    """

    compared: int
    differences: tuple[Difference, ...]
    lacking: tuple[str, ...]
    disagreements: tuple[str, ...]
    nearest: float

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not self.differences

    def __str__(self) -> str:
        """The first difference, how many there are, and what is to be known besides."""
        if self.same:
            found = f"the same in {self.compared} quantities"
        else:
            found = f"{self.differences[0]}; {len(self.differences)} of {self.compared} quantities differ"
        lacking = f"only one side has {', '.join(self.lacking)}" if self.lacking else ""
        return "; ".join(filter(None, (found, lacking, *self.disagreements)))


def compare(first: Fingerprint, second: Fingerprint) -> Agreement:
    """Hold one fingerprint against another; the first difference in the graph's order is where to look.

    What the framework reports of a test counts as well: where it differs from
    the other's, and `tlbench.metrics` agrees on both, the report has changed
    and training has not. Where a report disagrees with `tlbench.metrics` on both
    sides alike, nothing has changed, and it is said all the same.
    """
    others = {quantity.key: quantity for quantity in second.quantities}
    differences, lacking, nearest, compared = [], [], 0.0, 0
    for quantity in first.quantities:
        other = others.pop(quantity.key, None)
        if other is None:
            lacking.append(quantity.key)
        elif quantity.value is None or other.value is None:
            if quantity.value is not other.value:
                lacking.append(f"{quantity.key} ({quantity.absent or other.absent})")
        else:
            compared += 1
            distance, tolerance = quantity.value.distance(other.value), max(quantity.tolerance, other.tolerance)
            if distance > tolerance:
                differences.append(Difference(quantity.key, distance, tolerance))
            else:
                nearest = max(nearest, distance / tolerance)
    disagreements = tuple(f"{side.environment}: {found}" for side in (first, second) for found in side.disagreements)
    return Agreement(compared, tuple(differences), (*lacking, *others), disagreements, nearest)


def take(environment: Environment) -> Fingerprint:
    """Run the fixed network; imports Keras.

    A tolerance is c u sqrt(K) L. Errors of a sum of K terms grow like sqrt(K) u
    with high probability, u the unit roundoff (Higham & Mary 2019, SIAM J. Sci. Comput. 41:A2815,
    theorem 2.4), and those of the L layers that a value has passed add up at most.
    K is the longest sum: in inference that of a kernel's window and channels, in training mode that of
    a channel's values in a batch too, which BatchNorm's means and kernels' gradients run
    over. A gradient has passed the whole network and the way back.
    bfloat16 rounds what layers put out and accumulates in float32: there u sqrt(K) is 2^-8 + 2^-24 sqrt(K). Optimizers
    are stepped with NumPy's gradients, element by element: K is 1 and L the number of roundings. c is `SAFETY`.

    Args:
        environment: Of this process.
    """
    with backends.device_scope(environment.device):
        quantities = [*_network("float32"), *_optimizers(), *_tested()]
        if environment.device == "gpu":
            quantities += _network("mixed_bfloat16")
    return Fingerprint(environment, tuple(quantities))


def _network(dtype: str) -> Iterator[Quantity]:
    model = _model(dtype)
    start = model.get_weights()
    yield from _outputs(model, dtype)
    model.set_weights(start)
    yield from _gradients(model, dtype)


def _model(dtype: str = "float32") -> keras.Model:
    model = NETWORK.build(CLASSES, dtype)
    model.set_weights(_weights(model))
    return model


def _weights(model: keras.Model) -> list[NDArray[np.float32]]:
    """Weights that keep signals alive through every layer: none dies out, and none explodes."""
    drawn = []
    for index, weight in enumerate(model.get_weights()):
        generator = np.random.default_rng([SEED, index])
        if weight.ndim == 1:
            drawn.append(generator.uniform(0.5, 1.5, weight.shape).astype(np.float32))
        else:
            drawn.append(generator.normal(0, _terms(weight) ** -0.5, weight.shape).astype(np.float32))
    return drawn


def _terms(kernel: NDArray[Any]) -> int:
    """Length of the sums that a kernel takes; a depthwise one sums over its window only."""
    return math.prod(kernel.shape[:2] if kernel.ndim == 4 and kernel.shape[-1] == 1 else kernel.shape[:-1])


def _images() -> NDArray[np.uint8]:
    size = NETWORK.image_size
    return np.random.default_rng(SEED).integers(0, 256, (BATCH, size, size, 3)).astype(np.uint8)


def _labels(count: int) -> NDArray[np.int64]:
    return np.random.default_rng(SEED + 1).integers(0, CLASSES, count)


def _rounding(model: keras.Model, dtype: str, *, training: bool) -> float:
    """What one layer may add to the relative error of what it puts out."""
    longest = max(_terms(weight) for weight in model.get_weights() if weight.ndim > 1)
    if training:
        # As many values as a channel has at most: behind the stem, which shrinks images by its windows.
        longest = max(longest, BATCH * NETWORK.image_size**2)
    low = BFLOAT16 if "bfloat16" in dtype else 0.0
    return SAFETY * (low + FLOAT32 * math.sqrt(longest))


def _stage(name: str, dtype: str) -> str:
    return name if dtype == "float32" else f"{name} in {dtype}"


def _depths(model: keras.Model) -> dict[str, int]:
    """How many layers each one's output has passed at most: those before it in the graph's order, and itself."""
    return {layer.name: depth for depth, layer in enumerate(model.layers)}


def _outputs(model: keras.Model, dtype: str = "float32") -> Iterator[Quantity]:
    """What each layer puts out, in inference and then in training mode, and the moving statistics after that."""
    import keras

    layers, depths = model.layers[1:], _depths(model)  # The first is the input.
    of_layers = keras.Model(model.input, [layer.output for layer in layers])
    images = _images()
    for name, training in (("inference output", False), ("training output", True)):
        rounding = _rounding(model, dtype, training=training)
        for layer, output in zip(layers, of_layers(images, training=training), strict=True):
            yield Quantity(_stage(name, dtype), layer.name, sketch(_array(output)), rounding * depths[layer.name])
    for variable in model.non_trainable_variables:
        depth = depths[variable.path.partition("/")[0]]
        yield Quantity(_stage("moving statistic", dtype), variable.path, sketch(_array(variable)), rounding * depth)


def _gradients(model: keras.Model, dtype: str = "float32") -> Iterator[Quantity]:
    """The loss of a batch in training mode, then gradients of the last weight to the first, as they are computed."""
    import keras

    paths, depths = [variable.path for variable in model.trainable_variables], _depths(model)
    rounding, whole = _rounding(model, dtype, training=True), len(model.layers)
    loss, gradients = backends.loss_and_gradients(
        model, keras.losses.SparseCategoricalCrossentropy(), _images(), _labels(BATCH)
    )
    yield Quantity(_stage("loss", dtype), "the batch", sketch(loss), rounding * whole)
    for path, gradient in reversed(list(zip(paths, gradients, strict=True))):
        depth = 2 * whole - depths[path.partition("/")[0]]
        yield Quantity(_stage("gradient", dtype), path, sketch(gradient), rounding * depth)


def _optimizers() -> Iterator[Quantity]:
    """How far each optimizer moves fixed variables, by fixed gradients."""
    import keras

    generator = np.random.default_rng(SEED + 2)
    size = 1000
    start = (LEARNING_RATE * generator.normal(size=size)).astype(np.float32)
    # Of every magnitude: the optimizers' epsilons count where gradients are as small as they are.
    magnitudes = 10.0 ** generator.uniform(-9, 0, size)
    gradients = (magnitudes * generator.normal(size=(OPTIMIZER_STEPS, size))).astype(np.float32)
    for name in OPTIMIZERS:
        variable = keras.Variable(start.copy())
        optimizer = keras.optimizers.get(name)
        optimizer.learning_rate = LEARNING_RATE
        optimizer.build([variable])
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        # Each step is some ten roundings, and adds to a number that may be some times as large.
        yield Quantity("steps", name, sketch(_array(variable) - start), SAFETY * FLOAT32 * OPTIMIZER_STEPS * 10)


def _tested() -> Iterator[Quantity]:
    """A test as the framework reports it, and as `tlbench.metrics` does, of the same fixed predictions."""
    import keras

    logits = np.random.default_rng(SEED + 3).normal(0, 2, (TESTED, CLASSES)).astype(np.float32)
    labels = _labels(TESTED)
    one_hot = np.eye(CLASSES, dtype=np.float32)[labels]
    inputs = keras.Input((CLASSES,))
    model = keras.Model(inputs, keras.layers.Activation("softmax")(inputs))
    measured: list[Any] = [keras.metrics.CategoricalAccuracy(name="accuracy")]
    if hasattr(keras.metrics, "F1Score"):
        measured.append(keras.metrics.F1Score(average="macro", name="macro_f1"))
    model.compile(loss="categorical_crossentropy", metrics=measured, jit_compile=False)
    reported = model.evaluate(logits, one_hot, batch_size=BATCH, verbose=0, return_dict=True)
    predictions = _array(model(logits, training=False))
    own = {
        "loss": metrics.loss(labels, predictions),
        "accuracy": metrics.accuracy(labels, predictions),
        "macro_f1": metrics.macro_f1(labels, predictions),
    }
    # Softmax, the loss of each image, and the mean.
    tolerance = SAFETY * FLOAT32 * math.sqrt(TESTED) * 3
    for name in own:
        if name in reported:
            yield Quantity(REPORTED, name, sketch(np.array(float(reported[name]))), tolerance)
        else:
            yield Quantity(REPORTED, name, None, tolerance, absent="this version of Keras has no such metric")
    for name, metric in own.items():
        yield Quantity(OWN, name, sketch(np.array(metric)), tolerance)


def _array(tensor: Any) -> NDArray[Any]:
    import keras

    # NumPy has no bfloat16; a cast of what needs none would be compiled by JAX for each shape.
    if "bfloat16" in str(tensor.dtype):
        tensor = keras.ops.cast(tensor, "float32")
    return np.asarray(keras.ops.convert_to_numpy(tensor))
