"""A network for tests, weights, and a task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlbench.declare.tasks import Task


# Of the fixture `dataset`; leaves out a third of its images.
RED_GREEN = Task("red/green", red=["red"], green=["green"])


@dataclass(frozen=True)
class Pebble:
    """A network of four convolutions, with the flows of Xception and a shortcut; traced in a second."""

    image_size: int = 8
    filters: int = 8
    batchnorm_momentum: float = 0.9

    @property
    def flow_ends(self):
        """Named as Xception's."""
        return {"entry": "entry_relu", "middle": "middle_add", "exit": "pool"}

    def build(self, classes, dtype="float32"):
        """From uint8 images to probabilities."""
        from keras import Input, Model, layers

        def conv(x, name):
            x = layers.Conv2D(self.filters, 3, padding="same", use_bias=False, dtype=dtype, name=f"{name}_conv")(x)
            return layers.BatchNormalization(momentum=self.batchnorm_momentum, dtype=dtype, name=f"{name}_bn")(x)

        inputs = Input((self.image_size, self.image_size, 3), dtype="uint8", name="images")
        x = layers.Rescaling(1 / 127.5, offset=-1.0, dtype=dtype, name="rescaling")(inputs)
        x = layers.Activation("relu", dtype=dtype, name="entry_relu")(conv(x, "entry"))
        x = layers.Add(dtype=dtype, name="middle_add")([conv(x, "middle"), conv(x, "shortcut")])
        x = layers.Activation("relu", dtype=dtype, name="exit_relu")(conv(x, "exit"))
        x = layers.GlobalAveragePooling2D(dtype=dtype, name="pool")(x)
        outputs = layers.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)
        return Model(inputs, outputs, name="pebble")


def randomise(model, generator):
    """Draw all weights so that signals neither die out nor explode: outputs depend on every layer and image."""

    def draw(weight):
        if weight.ndim == 1:
            return generator.uniform(0.5, 1.5, weight.shape)
        depthwise = weight.ndim == 4 and weight.shape[-1] == 1
        fan_in = np.prod(weight.shape[:2] if depthwise else weight.shape[:-1])
        return generator.normal(0, fan_in**-0.5, weight.shape)

    model.set_weights([draw(weight) for weight in model.get_weights()])
