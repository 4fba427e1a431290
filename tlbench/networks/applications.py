"""The networks of `keras.applications` as families: uint8 images in, their preprocessing inside, every layer named.

Where each can be cut, and where its published weights are, stands in `applications.json`, which
`python tests/applications.py` makes of the installed Keras.
"""

from __future__ import annotations

import contextlib
import json
import re

from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench.errors import ConfigurationError
from tlbench.networks.published import IMAGENET, Published, Statistics, WeightsFile


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import keras


@dataclass(frozen=True)
class Family:
    """A function of `keras.applications`.

    Attributes:
        function: Name of the function.
        scaling: Preprocessing of images, as `keras.applications.imagenet_utils.preprocess_input` names its modes; `""`
            where the network scales images itself; `_IN_NETWORK` where Keras does so only with published weights.
        module_end: Pattern of the last layers of modules, whose first group names the module.
        smallest: Smallest height and width of images, in pixels.
    """

    function: str
    scaling: str
    module_end: str
    smallest: int = 32


_RESNET = r"(conv\d_block\d+)_out"
_EFFICIENTNET = r"(stem)_activation|(block\d+[a-z]+)_(?:add|project_bn|project_activation)"
_MOBILENET_V3 = r"(expanded_conv(?:_\d+)?)_(?:add|project_bn)"
_DENSENET = r"(conv\d_block\d+)_concat|(pool\d)_pool"
_CONVNEXT = r"convnext_\w+_(downsampling_block_\d)"
_NASNET = r"(stem)_bn1|(cells)_end"

# Means and deviations of ImageNet's channels, from `keras.applications.imagenet_utils`.
_MEANS, _DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# EfficientNetB0 to B7 divide by 255 themselves, and Keras normalises only with the statistics that stand in the
# published files: in place of variances these hold deviations, and Keras divides by their roots once more where it
# downloads the files itself (`keras.applications.efficientnet`, tensorflow #49930). In sum that is "torch".
_IN_NETWORK = "torch, times 255"

FAMILIES = {
    family.function: family
    for family in (
        Family("MobileNet", "tf", r"(conv1)_relu|conv_pw_(\d+)_relu"),
        Family("MobileNetV2", "tf", r"(Conv1)_relu|(expanded_conv|block_\d+)_(?:add|project_BN)"),
        Family("MobileNetV3Small", "", _MOBILENET_V3),
        Family("MobileNetV3Large", "", _MOBILENET_V3),
        *(Family(f"EfficientNetB{size}", _IN_NETWORK, _EFFICIENTNET) for size in range(8)),
        *(Family(f"EfficientNetV2{size}", "", _EFFICIENTNET) for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
        *(Family(f"ResNet{depth}", "caffe", _RESNET) for depth in (50, 101, 152)),
        *(Family(f"ResNet{depth}V2", "tf", _RESNET) for depth in (50, 101, 152)),
        *(Family(f"DenseNet{depth}", "torch", _DENSENET) for depth in (121, 169, 201)),
        *(Family(f"ConvNeXt{size}", "", _CONVNEXT) for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
        Family("InceptionV3", "tf", r"(mixed\d+)", smallest=75),
        Family("InceptionResNetV2", "tf", r"(mixed_\w+)|(block\d+_\d+)_ac", smallest=75),
        Family("NASNetMobile", "tf", _NASNET),
        Family("NASNetLarge", "tf", _NASNET),
        Family("VGG16", "caffe", r"(block\d)_pool"),
        Family("VGG19", "caffe", r"(block\d)_pool"),
    )
}


@dataclass(frozen=True)
class Application:
    """A network of `keras.applications` at one size, with a head for the labels of a task.

    The network takes uint8 images and preprocesses them itself, as the family's `preprocess_input` does.
    Its parts are `entry`, up to the first module at a sixteenth of the image's resolution, `middle`, up to the last
    module at that resolution, and `exit`, as Xception's are; families without such a border are divided as
    `applications.json` says. Its cuts are the ends of all modules that leave a single tensor.

    Attributes:
        function: Name of the function in `keras.applications`, for instance `"MobileNet"`.
        image_size: Height and width of the input, in pixels.
        arguments: Further arguments of the function, as pairs of name and value, for instance `(("alpha", 0.25),)`.
        batchnorm_momentum: Momentum of BatchNorm's moving statistics; None for the family's own, which needs hundreds
            of steps to forget the statistics that it starts from.
    """

    function: str
    image_size: int = 224
    arguments: tuple[tuple[str, Any], ...] = field(default=())
    batchnorm_momentum: float | None = None

    # See `tlbench.declare.revisions`: bumped when a change of this module can move a score.
    REVISION: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if self.function not in FAMILIES:
            msg = (
                "There is no such network in keras.applications, or none that tlbench divides into parts; there are "
                f"{', '.join(FAMILIES)}. Received: {self.function!r}"
            )
            raise ConfigurationError(msg)
        object.__setattr__(self, "arguments", tuple(sorted(dict(self.arguments).items())))
        smallest = FAMILIES[self.function].smallest
        if not isinstance(self.image_size, int) or self.image_size < smallest:
            msg = (
                f"{self.function} takes images of at least {smallest} pixels, as a whole number. "
                f"Received: image_size={self.image_size!r}"
            )
            raise ConfigurationError(msg)
        if self.batchnorm_momentum is not None and not 0 < self.batchnorm_momentum < 1:
            msg = (
                f"The batchnorm_momentum of {self.function} must lie between 0 and 1. "
                f"Received: batchnorm_momentum={self.batchnorm_momentum!r}"
            )
            raise ConfigurationError(msg)

    def __str__(self) -> str:
        """The network as `--tlbench-network` takes it."""
        settings = {**dict(self.arguments), "image_size": self.image_size}
        if self.batchnorm_momentum is not None:
            settings["batchnorm_momentum"] = self.batchnorm_momentum
        return f"{self.function}:{','.join(f'{name}={value}' for name, value in settings.items())}"

    @property
    def flow_ends(self) -> dict[str, str]:
        """The last layer of each part, in the order of the graph."""
        return dict(self._division["parts"])

    @property
    def cuts(self) -> dict[str, str]:
        """The last layer of each module, in the order of the graph."""
        return dict(self._division["cuts"])

    @property
    def _division(self) -> Mapping[str, Any]:
        divisions: Mapping[str, Any] = _table()["divisions"][self.function]
        minimalistic = dict(self.arguments).get("minimalistic", False)
        return divisions["minimalistic" if minimalistic else "plain"]  # type: ignore[no-any-return]

    @property
    def pretrained(self) -> Published | None:
        """Keras' ImageNet weights of this architecture, at any image size; None where there are none."""
        for published in _table()["weights"][self.function]:
            if dict(published["arguments"]) == {**dict(published["defaults"]), **dict(self.arguments)}:
                return Published(
                    name=IMAGENET,
                    url=published["url"],
                    files=tuple(WeightsFile(**file) for file in published["files"]),
                    classes=1000,
                    body_end=list(self.flow_ends.values())[-1],
                    statistics=self.statistics,
                )
        return None

    @property
    def statistics(self) -> Statistics | None:
        """Statistics that Keras' files hold for the first layer and that `build` has as constants; None without any."""
        return Statistics(_MEANS, _DEVIATIONS) if FAMILIES[self.function].scaling == _IN_NETWORK else None

    def build(self, classes: int, dtype: str = "float32") -> keras.Model:
        """Build the network with fresh weights.

        Args:
            classes: Number of outputs, softmax probabilities.
            dtype: Keras dtype policy of the layers, for instance `"float32"` or `"mixed_bfloat16"`. Probabilities are
                float32 always.

        Returns:
            A functional model from uint8 images of shape `(batch, image_size, image_size, 3)` to `(batch, classes)`.

        Raises:
            ConfigurationError: The function refuses an argument.
        """
        import keras

        layers = keras.layers
        inputs = keras.Input((self.image_size, self.image_size, 3), dtype="uint8", name="images")
        with _dtype_policy(dtype):
            x = _preprocessed(inputs, FAMILIES[self.function].scaling)
            convnext = self.function.startswith("ConvNeXt")
            try:
                body = getattr(keras.applications, self.function)(
                    include_top=False,
                    weights=None,
                    input_tensor=x,
                    # ConvNeXt normalises what it has pooled.
                    pooling="avg" if convnext else None,
                    **dict(self.arguments),
                )
            except (TypeError, ValueError) as error:
                msg = f"keras.applications.{self.function} refuses an argument of {self}. Received: {error}"
                raise ConfigurationError(msg) from error
            x = body.output if convnext else layers.GlobalAveragePooling2D(name="pool")(body.output)
        outputs = layers.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)
        model = _with_own_names(keras.Model(inputs, outputs, name=self.function.lower()))
        if self.batchnorm_momentum is not None:
            for layer in _all_layers(model):
                if isinstance(layer, layers.BatchNormalization):
                    layer.momentum = self.batchnorm_momentum
        return model


def sizes(function: str) -> tuple[int, int]:
    """Parameters and multiply-adds of a family without its head, with default arguments at 224 px.

    Args:
        function: Name of the function in `keras.applications`.
    """
    division = _table()["divisions"][function]["plain"]
    return division["parameters"], division["multiply_adds"]


def _preprocessed(images: Any, scaling: str) -> Any:
    """Images as a family's `preprocess_input` gives them."""
    from keras import layers

    def rescaled(x: Any, scale: Any, offset: Any) -> Any:
        return layers.Rescaling(scale, offset=offset, name="preprocessing")(x)

    if scaling == "tf":
        return rescaled(images, 1 / 127.5, -1.0)
    if scaling in {"torch", _IN_NETWORK}:
        unit = 255 if scaling == _IN_NETWORK else 1
        scale = [unit / 255 / deviation for deviation in _DEVIATIONS]
        offset = [-unit * mean / deviation for mean, deviation in zip(_MEANS, _DEVIATIONS, strict=True)]
        return rescaled(images, scale, offset)
    if scaling == "caffe":  # Blue, green, red.
        return rescaled(images[..., ::-1], 1.0, [-103.939, -116.779, -123.68])
    return rescaled(images, 1.0, 0.0)


@contextlib.contextmanager
def _dtype_policy(dtype: str) -> Iterator[None]:
    # The functions of `keras.applications` take no dtype.
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _with_own_names(model: keras.Model) -> keras.Model:
    """The same architecture, with names in place of those that Keras has counted up in this process.

    Stored weights go by name: a layer must have the same name in every process.
    """
    import keras

    counts: dict[str, int] = {}
    renamed: dict[str, str] = {}
    for layer in model.layers:
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(layer).__name__).lower()
        if re.fullmatch(rf"{kind}(_\d+)?", layer.name):
            counts[kind] = counts.get(kind, 0) + 1
            renamed[layer.name] = f"{kind}_no_{counts[kind]}"
    if not renamed:
        return model
    config = model.get_config()
    for layer in config["layers"]:
        layer["name"] = layer["config"]["name"] = renamed.get(layer["name"], layer["name"])
    # Some families have layers of their own. Keras' layers are known, and an operation may share a layer's name.
    own = {type(layer).__name__: type(layer) for layer in _all_layers(model)}
    own = {name: _naming_weights(layer) for name, layer in own.items() if not hasattr(keras.layers, name)}
    return type(model).from_config(_with_references(config, renamed), custom_objects=own)


def _naming_weights(layer: type) -> type:
    """The same kind of layer with a name for each weight, which ConvNeXt's scales lack."""

    def add_weight(self: Any, *arguments: Any, **options: Any) -> Any:
        options["name"] = options.get("name") or f"weight_no_{len(self.weights) + 1}"
        return layer.add_weight(self, *arguments, **options)  # type: ignore[attr-defined]

    return type(layer.__name__, (layer,), {"add_weight": add_weight})


def _with_references(value: Any, renamed: Mapping[str, str]) -> Any:
    """A configuration whose references to layers, of a name and two numbers, have the new names."""
    if isinstance(value, dict):
        return {name: _with_references(each, renamed) for name, each in value.items()}
    if not isinstance(value, list | tuple):
        return value
    if len(value) == 3 and isinstance(value[0], str) and all(isinstance(number, int) for number in value[1:]):
        return [renamed.get(value[0], value[0]), *value[1:]]
    return [_with_references(each, renamed) for each in value]


def _all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _all_layers(layer)


@cache
def _table() -> Any:
    return json.loads(resources.files("tlbench.networks").joinpath("applications.json").read_text(encoding="utf-8"))
