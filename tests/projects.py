"""A project of somebody else's, with a tiny profile and a study, for tests of the plugin."""

from __future__ import annotations

from pathlib import Path

# pytester forgets what an inner run imports, and compiled modules cannot be imported twice.
import keras  # noqa: F401
import matplotlib.figure  # noqa: F401
import pandas as pd  # noqa: F401
import PIL.Image  # noqa: F401
import scipy.stats  # noqa: F401

import tlbench.train.training  # noqa: F401


PEBBLE = Path(__file__).with_name("pebble.py").read_text()

# A profile that trains in seconds; the network is that of our own tests.
PROFILE = """
import numpy as np
from pebble import Pebble
from tlbench import Dataset, Profile, Recipe, Split

def colours(size, classes=("cat", "dog", "person"), seed=0):
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(classes)), 30)
    images = generator.integers(0, 200, (len(labels), size, size, 3))
    images[np.arange(len(labels)), :, :, labels] += 40
    return Dataset("colours", images.astype(np.uint8), labels, classes, stand_in="photographs")

def pytest_tlbench_profiles():
    recipe = Recipe(learning_rate=1e-2, batch_size=8, epochs=2)
    split = Split(validation=0.2, test=0.3)
    return [Profile("tiny", colours, lambda size: colours(size, seed=1), Pebble(), recipe, split, recipe)]
"""

STUDY = '''
import pytest
from tlbench import Column, Curves, Row, Table, score

FROZEN = ("entry", "middle", "exit")

def better_rate(study, rate):
    fast = study.random("fast", recipe=study.recipe.at(learning_rate=rate))
    return score(fast).beats(score(study.random("slow", recipe=study.recipe.at(learning_rate=1e-6))))

def rates(study):
    rows = [
        Row("fast", {"accuracy": score(study.random("fast"))}, {"accuracy": "99%"}),
        Row("moved", {"accuracy": score(study.transferred("moved", frozen=FROZEN))}),
    ]
    return Table("Table A", "two arms", "arm", (Column("accuracy"),), tuple(rows))

def curves(study):
    return Curves("Figure A", "two curves", study.random("fast"), study.transferred("moved", frozen=FROZEN))

@pytest.mark.tlbench_table(declare=rates)
def test_rates(table):
    assert table.filled

@pytest.mark.tlbench_claim(declare=better_rate)
@pytest.mark.parametrize("rate", [1e-2])
def test_better(verdict):
    """A network that moves learns more than one that does not."""
    assert verdict.supported, verdict

@pytest.mark.tlbench_figure(declare=curves)
def test_curves(figure):
    assert figure.epochs_to_match
'''
