"""The computations of one fixed network with fixed weights and batches: numerics compared without any statistics.

Weights, images and gradients are drawn by NumPy, never by a framework, so that two fingerprints differ only in what the
frameworks compute: what each layer puts out in inference and in training mode, BatchNorm's moving statistics, the loss,
the gradient of each weight, the steps of each optimizer, and what the framework reports of a test, beside what
`tlbench.scores.metrics` makes of the same predictions.
"""

from __future__ import annotations

import math

from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import numpy as np

from tlbench.declare.trials import Recipe
from tlbench.machine import backends
from tlbench.networks.xception import Xception
from tlbench.scores import metrics
from tlbench.store.fingerprints import OWN, REPORTED, SEED, Fingerprint, FingerprintEntry, sketch


if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

    from numpy.typing import NDArray

    from tlbench.machine.environment import Environment

# Small enough to run without compiling in seconds, and with every kind of layer that the study's network has.
NETWORK = Xception(image_size=32, width=1 / 16, middle_modules=2, stem_stride=1, batchnorm_momentum=0.9)

CLASSES = 8

BATCH = 16

# The last of three batches is not full: frameworks have differed in how they average over it.
TESTED = 2 * BATCH + BATCH // 2

# What an estimated rounding error is multiplied by, see `take`. It covers all that the estimate leaves out: functions
# that are not rounded correctly (exp, log, rsqrt), convolutions by way of Fourier or Winograd transforms, and signals
# that layers make larger. Measured on a CPU, TensorFlow 2.20, JAX 0.10 and PyTorch 2.13 are apart by at most a
# twentieth of what 1 allows (Keras 3.15.1), so that there is no need for more.
SAFETY = 1.0

# Unit roundoffs.
FLOAT32 = 2.0**-24
BFLOAT16 = 2.0**-8

OPTIMIZERS = tuple(get_args(get_type_hints(Recipe)["optimizer"]))

OPTIMIZER_STEPS = 3

LEARNING_RATE = 1e-2


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
        environment: Environment of this process.
    """
    with backends.device_scope(environment.device):
        quantities = [*_network("float32"), *_optimizers(), *_tested()]
        if environment.device == "gpu":
            quantities += _network("mixed_bfloat16")
    return Fingerprint(environment, tuple(quantities))


def _network(dtype: str) -> Iterator[FingerprintEntry]:
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
    """The relative error that one layer may add to its output."""
    longest = max(_terms(weight) for weight in model.get_weights() if weight.ndim > 1)
    if training:
        # As many values as a channel has at most: behind the stem, which shrinks images by its windows.
        longest = max(longest, BATCH * NETWORK.image_size**2)
    low = BFLOAT16 if "bfloat16" in dtype else 0.0
    return SAFETY * (low + FLOAT32 * math.sqrt(longest))


def _stage(name: str, dtype: str) -> str:
    return name if dtype == "float32" else f"{name} in {dtype}"


def _depths(model: keras.Model) -> dict[str, int]:
    """The largest number of layers that each layer's output has passed: all before it in the graph, and itself."""
    return {layer.name: depth for depth, layer in enumerate(model.layers)}


def _outputs(model: keras.Model, dtype: str = "float32") -> Iterator[FingerprintEntry]:
    """The output of each layer, in inference and then in training mode, and the moving statistics after that."""
    import keras

    layers, depths = model.layers[1:], _depths(model)  # The first is the input.
    of_layers = keras.Model(model.input, [layer.output for layer in layers])
    images = _images()
    for name, training in (("inference output", False), ("training output", True)):
        rounding = _rounding(model, dtype, training=training)
        for layer, output in zip(layers, of_layers(images, training=training), strict=True):
            yield FingerprintEntry(
                _stage(name, dtype), layer.name, sketch(_array(output)), rounding * depths[layer.name]
            )
    for variable in model.non_trainable_variables:
        depth = depths[variable.path.partition("/")[0]]
        yield FingerprintEntry(
            _stage("moving statistic", dtype), variable.path, sketch(_array(variable)), rounding * depth
        )


def _gradients(model: keras.Model, dtype: str = "float32") -> Iterator[FingerprintEntry]:
    """The loss of a batch in training mode, then gradients of the last weight to the first, as they are computed."""
    import keras

    paths, depths = [variable.path for variable in model.trainable_variables], _depths(model)
    rounding, whole = _rounding(model, dtype, training=True), len(model.layers)
    loss, gradients = backends.loss_and_gradients(
        model, keras.losses.SparseCategoricalCrossentropy(), _images(), _labels(BATCH)
    )
    yield FingerprintEntry(_stage("loss", dtype), "the batch", sketch(loss), rounding * whole)
    for path, gradient in reversed(list(zip(paths, gradients, strict=True))):
        depth = 2 * whole - depths[path.partition("/")[0]]
        yield FingerprintEntry(_stage("gradient", dtype), path, sketch(gradient), rounding * depth)


def _optimizers() -> Iterator[FingerprintEntry]:
    """The distance by which each optimizer moves fixed variables, under fixed gradients."""
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
        yield FingerprintEntry("steps", name, sketch(_array(variable) - start), SAFETY * FLOAT32 * OPTIMIZER_STEPS * 10)


def _tested() -> Iterator[FingerprintEntry]:
    """A test as the framework reports it, and as `tlbench.scores.metrics` does, of the same fixed predictions."""
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
            yield FingerprintEntry(REPORTED, name, sketch(np.array(float(reported[name]))), tolerance)
        else:
            yield FingerprintEntry(REPORTED, name, None, tolerance, absent="this version of Keras has no such metric")
    for name, metric in own.items():
        yield FingerprintEntry(OWN, name, sketch(np.array(metric)), tolerance)


def _array(tensor: Any) -> NDArray[Any]:
    import keras

    # NumPy has no bfloat16; a cast of what needs none would be compiled by JAX for each shape.
    if "bfloat16" in str(tensor.dtype):
        tensor = keras.ops.cast(tensor, "float32")
    return np.asarray(keras.ops.convert_to_numpy(tensor))
