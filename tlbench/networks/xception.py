"""Xception (Chollet 2017, arXiv:1610.02357), at any width and depth, every layer named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench.errors import ConfigurationError
from tlbench.networks import published
from tlbench.networks.published import Published, WeightsFile


if TYPE_CHECKING:
    import keras


# Hashes as in `keras.applications.xception`.
IMAGENET = Published(
    name=published.IMAGENET,
    url="https://storage.googleapis.com/tensorflow/keras-applications/xception/",
    files=(
        WeightsFile(
            "xception_weights_tf_dim_ordering_tf_kernels_notop.h5", "b0042744bf5b25fce3cb969f33bebb97", head=False
        ),
        WeightsFile("xception_weights_tf_dim_ordering_tf_kernels.h5", "0a58e3b7378bc2990ea3b43d5981f1f6", head=True),
    ),
    classes=1000,
    body_end="avg_pool",
)


@dataclass(frozen=True)
class Xception:
    """An Xception of one size.

    With the defaults it is `keras.applications.Xception`: the same layers in
    the same order, so that Keras' published weights load into it.

    Attributes:
        image_size: Height and width of the input, in pixels.
        width: Multiplies the number of filters of every layer.
        middle_modules: Number of modules in the middle flow; the study has 8.
        stem_stride: Stride of the first convolution; 1 keeps small images
            from shrinking to a single pixel before the middle flow.
        batchnorm_momentum:
            Momentum of the moving statistics. Keras' 0.99 needs some 500 steps
            to forget the statistics it starts from.
    """

    image_size: int = 299
    width: float = 1.0
    middle_modules: int = 8
    stem_stride: int = 2
    batchnorm_momentum: float = 0.99

    family: ClassVar[str] = "xception"

    # See `tlbench.declare.revisions`: bumped when a change of this module can move a score.
    REVISION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        minimum = {
            "image_size": 8,
            "middle_modules": 1,
            "stem_stride": 1,
        }
        for name, smallest in minimum.items():
            value = getattr(self, name)
            if not isinstance(value, int) or value < smallest:
                msg = f"Xception's {name} must be a whole number of at least {smallest}. Received: {name}={value!r}"
                raise ConfigurationError(msg)
        if not 0 < self.width < float("inf"):
            msg = f"Xception's width must be a positive number. Received: width={self.width!r}"
            raise ConfigurationError(msg)
        if self.image_size < 3 + 2 * self.stem_stride:
            msg = (
                f"Xception's first two convolutions need images of at least {3 + 2 * self.stem_stride} pixels at this "
                f"stem_stride. Received: stem_stride={self.stem_stride!r}, image_size={self.image_size!r}"
            )
            raise ConfigurationError(msg)
        if not 0 < self.batchnorm_momentum < 1:
            msg = (
                "Xception's batchnorm_momentum must lie between 0 and 1. "
                f"Received: batchnorm_momentum={self.batchnorm_momentum!r}"
            )
            raise ConfigurationError(msg)

    @property
    def pretrained(self) -> Published | None:
        """Keras' ImageNet weights, which the full network has at any image size; None otherwise."""
        return IMAGENET if self.width == 1 and self.middle_modules == 8 else None

    @property
    def flow_ends(self) -> dict[str, str]:
        """The last layer of each flow, in the order of the graph.

        Entry and middle flow end at an `add` (before the ReLU of the module
        that follows), where the graph is a single tensor wide.
        """
        return {
            "entry": "block4_add",
            "middle": f"block{4 + self.middle_modules}_add",
            "exit": "avg_pool",
        }

    @property
    def cuts(self) -> dict[str, str]:
        """The last layer of each module, in the order of the graph: `block1` to `block4` are the entry flow's."""
        middle = {f"block{5 + module}": f"block{5 + module}_add" for module in range(self.middle_modules)}
        entry = {"block1": "block1_conv2_act", **{name: f"{name}_add" for name in ("block2", "block3", "block4")}}
        return entry | middle | {"block13": "block13_add", "block14": "avg_pool"}

    def build(self, classes: int, dtype: str = "float32") -> keras.Model:
        """Build the network with fresh weights.

        Args:
            classes: Number of outputs, softmax probabilities.
            dtype: Keras dtype policy of the layers, for instance `"float32"`
                or `"mixed_bfloat16"`. Probabilities are float32 always.

        Returns:
            A functional model from uint8 images of shape
            `(batch, image_size, image_size, 3)` to `(batch, classes)`.
        """
        from keras import Input, Model, layers

        def filters(full_size: int) -> int:
            return max(1, round(full_size * self.width))

        def batchnorm(x: Any, name: str) -> Any:
            return layers.BatchNormalization(momentum=self.batchnorm_momentum, dtype=dtype, name=name)(x)

        def relu(x: Any, name: str) -> Any:
            return layers.Activation("relu", dtype=dtype, name=name)(x)

        def conv(x: Any, name: str, size: int, kernel: int, **options: Any) -> Any:
            x = layers.Conv2D(filters(size), kernel, use_bias=False, dtype=dtype, name=name, **options)(x)
            return batchnorm(x, f"{name}_bn")

        def sepconv(x: Any, name: str, size: int) -> Any:
            x = layers.SeparableConv2D(filters(size), 3, padding="same", use_bias=False, dtype=dtype, name=name)(x)
            return batchnorm(x, f"{name}_bn")

        def shrink(x: Any, shortcut: Any, block: str) -> Any:
            x = layers.MaxPooling2D(3, strides=2, padding="same", dtype=dtype, name=f"{block}_pool")(x)
            return layers.Add(dtype=dtype, name=f"{block}_add")([x, shortcut])

        inputs = Input((self.image_size, self.image_size, 3), dtype="uint8", name="images")
        x = layers.Rescaling(1 / 127.5, offset=-1.0, dtype=dtype, name="rescaling")(inputs)

        # Entry flow: modules 1 to 4.
        x = conv(x, "block1_conv1", 32, 3, strides=self.stem_stride)
        x = relu(x, "block1_conv1_act")
        x = conv(x, "block1_conv2", 64, 3)
        x = relu(x, "block1_conv2_act")

        for block, size in (("block2", 128), ("block3", 256), ("block4", 728)):
            shortcut = conv(x, f"{block}_shortcut", size, 1, strides=2, padding="same")
            if block != "block2":  # The stem has ended in a ReLU.
                x = relu(x, f"{block}_sepconv1_act")
            x = sepconv(x, f"{block}_sepconv1", size)
            x = relu(x, f"{block}_sepconv2_act")
            x = sepconv(x, f"{block}_sepconv2", size)
            x = shrink(x, shortcut, block)

        # Middle flow: modules 5 to 12 at full depth.
        for module in range(self.middle_modules):
            block = f"block{5 + module}"
            shortcut = x
            for step in (1, 2, 3):
                x = relu(x, f"{block}_sepconv{step}_act")
                x = sepconv(x, f"{block}_sepconv{step}", 728)
            x = layers.Add(dtype=dtype, name=f"{block}_add")([x, shortcut])

        # Exit flow: modules 13 and 14, so named at every depth.
        shortcut = conv(x, "block13_shortcut", 1024, 1, strides=2, padding="same")
        x = relu(x, "block13_sepconv1_act")
        x = sepconv(x, "block13_sepconv1", 728)
        x = relu(x, "block13_sepconv2_act")
        x = sepconv(x, "block13_sepconv2", 1024)
        x = shrink(x, shortcut, "block13")

        x = sepconv(x, "block14_sepconv1", 1536)
        x = relu(x, "block14_sepconv1_act")
        x = sepconv(x, "block14_sepconv2", 2048)
        x = relu(x, "block14_sepconv2_act")
        x = layers.GlobalAveragePooling2D(dtype=dtype, name="avg_pool")(x)

        outputs = layers.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)
        return Model(inputs, outputs, name=self.family)
