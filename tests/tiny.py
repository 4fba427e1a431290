"""A plugin with the profile `tiny`: the poster's classes and a network so small that planning takes a second."""

from __future__ import annotations

import numpy as np

from pebble import Pebble

from tlbench import Dataset, Profile, Recipe, Split
from tlbench.datasets.natural_images import COUNTS


def images(size, seed=0):
    """Noise in ten images of each class."""
    labels = np.repeat(np.arange(len(COUNTS)), 10)
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), size, size, 3))
    return Dataset("noise", pixels.astype(np.uint8), labels, tuple(COUNTS))


def pytest_tlbench_profiles():
    """Add the profile."""
    source, recipe = lambda size: images(size, seed=1), Recipe(epochs=1)
    return [Profile("tiny", images, source, Pebble(), recipe, Split(validation=0.2, test=0.3), recipe)]
