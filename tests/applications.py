"""Makes `tlbench/networks/applications.json` of the installed Keras: python tests/applications.py.

Where each family can be cut is found in its graph; where its published weights are, Keras says when it is asked for
them, and is kept from downloading them.
"""

from __future__ import annotations

import json
import math
import re
import sys
import warnings

from pathlib import Path
from unittest import mock

import keras

import tlbench.networks

from tlbench.networks.applications import FAMILIES, Application


PATH = Path(tlbench.networks.__file__).with_name("applications.json")

# Arguments that decide which published weights there are.
VARIANTS = {
    "MobileNet": [{"alpha": alpha} for alpha in (1.0, 0.75, 0.5, 0.25)],
    "MobileNetV2": [{"alpha": alpha} for alpha in (1.0, 0.35, 0.5, 0.75, 1.3, 1.4)],
    **{
        function: [
            {"alpha": 1.0, "minimalistic": False},
            {"alpha": 0.75, "minimalistic": False},
            {"alpha": 1.0, "minimalistic": True},
        ]
        for function in ("MobileNetV3Small", "MobileNetV3Large")
    },
}


def edges(model):
    """Pairs of positions of operations in the graph: from one whose output another takes, to the other."""
    position = {id(operation): index for index, operation in enumerate(model.operations)}
    return [
        (position[id(tensor._keras_history.operation)], position[id(operation)])
        for operation in model.operations
        for node in operation._inbound_nodes
        for tensor in node.input_tensors
        if id(tensor._keras_history.operation) in position
    ]


def single_tensors(model):
    """Layers whose output alone connects all before them with all behind them, in the order of the graph."""
    found, names = edges(model), {layer.name for layer in model.layers}
    return [
        operation
        for index, operation in enumerate(model.operations)
        if operation.name in names and {source for source, target in found if source <= index < target} == {index}
    ]


def multiply_adds(layer):
    """Multiplications of a layer, each with its addition, for an image; convolutions and dense layers only."""
    if hasattr(layer, "layers"):
        return sum(map(multiply_adds, layer.layers))
    positions = math.prod(layer.output.shape[1:-1])
    if isinstance(layer, keras.layers.SeparableConv2D):
        return positions * (math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape))
    if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D | keras.layers.Dense):
        return positions * math.prod(layer.kernel.shape)
    return 0


def division(network):
    """Parts and cuts of a network."""
    model = network.build(2)
    ends = [layer for layer in single_tensors(model) if layer.name != "images"]
    pool = ends[-1]
    cuts, size = {}, {}
    for layer in ends[:-1]:
        found = re.fullmatch(FAMILIES[network.function].module_end, layer.name)
        name = next((group for group in found.groups() if group), None) if found else None
        if network.function.startswith("NASNet") and layer is ends[-2]:
            name = "cells"
        if name is not None:
            name = f"block{name}" if name.isdigit() else name
            cuts[name], size[name] = layer.name, layer.output.shape[1]
    cuts["top"] = pool.name
    names, sixteenth = list(size), network.image_size / 16
    middle = [name for name in names if abs(size[name] - sixteenth) <= 2]
    if len(middle) < 2:  # Modules that end in the pooling that follows them, or hardly any module at all.
        before = [name for name in names if size[name] > sixteenth + 2]
        middle = [*before[-1:], *middle] if middle else names[-2:]
    parts = {"entry": cuts[middle[0]], "middle": cuts[middle[-1]], "exit": pool.name}
    body = [layer for layer in model.layers if layer.name != "predictions"]
    return {
        "parts": parts,
        "cuts": cuts,
        "parameters": sum(math.prod(weight.shape) for layer in body for weight in layer.weights),
        "multiply_adds": sum(map(multiply_adds, body)),
    }


class AskedError(Exception):
    """Keras has asked for a file."""


def asked(name, origin, **options):
    raise AskedError(name, origin, options.get("file_hash"))


def published(function, arguments):
    """The files of a variant, that without a head first."""
    files = []
    for head in (False, True):
        try:
            with mock.patch("keras.src.utils.file_utils.get_file", asked), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Of an image size that was not asked for.
                getattr(keras.applications, function)(weights="imagenet", include_top=head, **arguments)
        except AskedError as question:
            _, origin, digest = question.args
            url, _, name = origin.rpartition("/")
            files.append({"name": name, "hash": digest, "head": head})
    return {
        "arguments": sorted(arguments.items()),
        "defaults": sorted(VARIANTS.get(function, [{}])[0].items()),
        "url": f"{url}/",
        "files": files,
    }


def table(functions=tuple(FAMILIES)):
    """The content of the file, for some families."""
    divisions, weights = {}, {}
    for function in functions:
        sys.stderr.write(f"{function}\n")
        divisions[function] = {"plain": division(Application(function))}
        if function.startswith("MobileNetV3"):
            divisions[function]["minimalistic"] = division(Application(function, arguments=(("minimalistic", True),)))
        weights[function] = [published(function, arguments) for arguments in VARIANTS.get(function, [{}])]
    return {"keras": keras.__version__, "divisions": divisions, "weights": weights}


def stored():
    """The stored content."""
    return json.loads(PATH.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PATH.write_text(json.dumps(table(), indent=1) + "\n", encoding="utf-8")
