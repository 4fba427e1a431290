"""The arithmetic of a network, counted from its layers.

The convention: a multiplication and the addition that follows are two operations. Only convolutions and dense layers
are counted; normalisation, activations, pooling and sums are left out. A training step is three times its forward pass,
since each of these layers is differentiated by its inputs and by its weights.
"""

from __future__ import annotations

import math

from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError


if TYPE_CHECKING:
    import keras

TRAINING_PER_MULTIPLY_ADD = 3 * 2

# In bfloat16, without sparsity, as NVIDIA's data sheets have it; by what the card calls itself. Of the H100, the SXM
# module's alone: a PCIe card promises less.
PEAK_TFLOPS = {
    "NVIDIA H100 80GB HBM3": 989.0,
    "NVIDIA H200": 989.0,
    "NVIDIA A100-SXM4-40GB": 312.0,
    "NVIDIA A100-SXM4-80GB": 312.0,
    "NVIDIA A100-PCIE-40GB": 312.0,
    "NVIDIA A100 80GB PCIe": 312.0,
}


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of a forward pass of one image.

    Args:
        model: A functional model of `Conv2D`, `SeparableConv2D` and `Dense`, channels last, and layers without kernels.

    Raises:
        ConfigurationError: A layer has a kernel and is none of these.
    """
    from keras import layers

    kernels = {
        layers.Conv2D: ("kernel",),
        layers.SeparableConv2D: ("depthwise_kernel", "pointwise_kernel"),
        layers.Dense: ("kernel",),
    }
    total = 0
    for layer in model.layers:
        names = kernels.get(type(layer), ())
        if not names and any(len(weight.shape) > 1 for weight in layer.weights):
            msg = (
                "Multiply-adds are counted for Conv2D, SeparableConv2D and Dense; count this layer's in flops.py. "
                f"Received: {type(layer).__name__} {layer.name!r}"
            )
            raise ConfigurationError(msg)
        # Each weight of a kernel is multiplied once at every position of the output.
        positions = math.prod(layer.output.shape[1:-1]) if names else 0
        total += positions * sum(math.prod(getattr(layer, name).shape) for name in names)
    return total


def utilisation(images_per_second: float, multiply_adds: int, peak_tflops: float) -> float:
    """The share of a device's peak that training needs for its arithmetic alone.

    Args:
        images_per_second: Images trained on in a second.
        multiply_adds: Multiplications with additions in a forward pass of one image.
        peak_tflops: Operations per second that the device promises, in 10¹².
    """
    return TRAINING_PER_MULTIPLY_ADD * multiply_adds * images_per_second / (peak_tflops * 1e12)
