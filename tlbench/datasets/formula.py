"""A source dataset from formulas, where the study has ImageNet: no natural images, no objects.

A class is a composition of textured parts, all of it from a few random
numbers: the outline of each part is a radial contour, as in the Radial Contour
Database (Kataoka et al. 2022, arXiv:2206.09132), or a superellipse; its texture
a grating; and the places of the parts stay together as a class' pose, colours
and surroundings vary. That random formulas can stand where photographs
stand was shown with fractals (Kataoka et al. 2020, "Pre-training without
Natural Images", ACCV).

Nothing here is one of the miniature dataset's objects, but clutter, light
and noise are the same: as photographs share theirs.
"""

from __future__ import annotations

import math

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlbench.datasets import drawing, miniature
from tlbench.datasets.cache import cached, code_digest
from tlbench.datasets.dataset import Dataset
from tlbench.datasets.drawing import Canvas, any_colour, draw_clutter, hsv, photograph
from tlbench.datasets.miniature import check_sizes
from tlbench.errors import ConfigurationError


if TYPE_CHECKING:
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray

    from tlbench.datasets.drawing import Colour


STAND_IN = "ImageNet (drawn by the program from formulas; for trying the suite, not evidence about photographs)"

CLASSES = 32
IMAGES_PER_CLASS = 200

# Sets its random numbers apart from the miniature dataset's.
_STREAM = 2

_CORNERS = 28
_TURNS = np.arange(_CORNERS) * math.tau / _CORNERS


@dataclass(frozen=True)
class _Part:
    """One part of a class' composition, in the square from -1 to 1.

    Attributes:
        contour: Corners around the part's own centre, shape (corners, 2).
        place: Centre of the shape, and
        angle: its rotation against the whole.
        hue: Distance of the shape's hue from the image's.
        value: Brightness of the shape.
        waves: Waves of its texture across the whole square; 0 for plain.
        contrast: Contrast of the texture.
    """

    contour: NDArray[np.float64]
    place: NDArray[np.float64]
    angle: float
    hue: float
    value: float
    waves: float
    contrast: float


@dataclass(frozen=True)
class _Formula:
    """One class: its parts, from back to front, and how freely its images choose their hue."""

    parts: tuple[_Part, ...]
    hue: float
    freedom: float
    saturation: float
    turn: float
    scene: NDArray[np.float64]


def _contour(generator: Generator, size: float) -> NDArray[np.float64]:
    slim = generator.uniform(0.3, 1.0)
    if generator.random() < 0.35:
        # |x|^p + |y|^p = 1: stars below p = 1, ellipses at 2, boxes above.
        power = 2 / math.exp(generator.uniform(-0.5, 1.6))
        x, y = np.cos(_TURNS), np.sin(_TURNS)
        outline = np.stack([np.sign(x) * np.abs(x) ** power, np.sign(y) * np.abs(y) ** power], axis=1)
    else:
        radius = np.ones(_CORNERS)
        for wave in generator.integers(2, 8, 2):
            radius += generator.uniform(0.05, 0.4) * np.cos(wave * _TURNS + generator.uniform(0, math.tau))
        outline = radius[:, None] * np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=1)
    return np.asarray(outline * (size, size * slim))


def _formula(label: int, seed: int) -> _Formula:
    generator = np.random.default_rng([_STREAM, seed, label, 0])
    parts = []
    for number in range(int(generator.integers(2, 6))):
        size = generator.uniform(0.55, 0.85) if number == 0 else generator.uniform(0.25, 0.5)
        distance = 0.25 if number == 0 else generator.uniform(0.3, 0.85)
        direction = generator.uniform(0, math.tau)
        parts.append(
            _Part(
                contour=_contour(generator, size),
                place=distance * np.array([math.cos(direction), math.sin(direction)]),
                angle=generator.uniform(0, math.tau),
                hue=generator.uniform(-0.5, 0.5),
                value=generator.uniform(0.15, 1.0),
                waves=generator.uniform(2, 9) if generator.random() < 0.5 else 0.0,
                contrast=generator.uniform(0.2, 0.8),
            )
        )
    return _Formula(
        parts=tuple(parts),
        hue=generator.random(),
        freedom=generator.choice([0.06, 0.5]),
        saturation=generator.uniform(0.1, 0.9),
        turn=generator.choice([0.2, 0.6]),
        scene=generator.uniform((0, 0, 0.2), (1, 0.7, 1)),
    )


def _textured(canvas: Canvas, corners: NDArray[np.float64], part: _Part, colour: Colour, generator: Generator) -> None:
    """Fill a polygon with a grating instead of one colour."""
    ramp = np.linspace(-1, 1, canvas.pixels, dtype=np.float32)
    angle = part.angle + generator.normal(0, 0.2)
    phase = generator.uniform(0, math.tau)
    # cos(a + b) from two vectors: cheaper than a cosine of every pixel.
    across = math.pi * part.waves * math.cos(angle) * ramp + phase
    down = math.pi * part.waves * math.sin(angle) * ramp[:, None]
    grating = np.cos(across) * np.cos(down) - np.sin(across) * np.sin(down)
    texture = np.asarray(colour, np.float32) * (1 + part.contrast * grating)[:, :, None]
    canvas.textured_polygon(corners, np.clip(texture, 0, 255).astype(np.uint8))


def _draw(formula: _Formula, generator: Generator, image_size: int) -> NDArray[np.uint8]:
    around = any_colour(generator)
    if generator.random() < 0.6:
        around = hsv(*(formula.scene + generator.normal(0, (0.05, 0.1, 0.1))))
    canvas = Canvas(image_size, around)
    draw_clutter(canvas, generator, int(generator.integers(1, 6)), around, 0.45)

    size, x, y, angle, stretch, side = generator.random(6)
    size = 0.7 + 0.3 * size
    room = 1.05 - 0.9 * size
    canvas.place(
        size,
        room * (2 * x - 1),
        room * (2 * y - 1),
        formula.turn * (2 * angle - 1),
        0.85 + 0.3 * stretch,
        mirrored=side < 0.5,
    )
    hue = formula.hue + generator.uniform(-formula.freedom, formula.freedom)
    saturation, value = formula.saturation * generator.uniform(0.6, 1.4), generator.uniform(0.7, 1.3)
    for part in formula.parts:
        bend, grow = generator.normal(0, 0.15), generator.uniform(0.85, 1.15)
        cos, sin = math.cos(part.angle + bend) * grow, math.sin(part.angle + bend) * grow
        corners = part.contour @ np.array([[cos, sin], [-sin, cos]]) + part.place + generator.normal(0, 0.05, 2)
        colour = hsv(hue + part.hue, saturation, part.value * value)
        if part.waves:
            _textured(canvas, corners, part, colour, generator)
        else:
            canvas.polygon(corners, colour)
    if generator.random() < 0.3:
        draw_clutter(canvas, generator, 1, around, 0.8)
    return photograph(canvas, generator)


def draw_formula(
    classes: int = CLASSES,
    images_per_class: int = IMAGES_PER_CLASS,
    image_size: int = 32,
    seed: int = 0,
) -> Dataset:
    """Draw the formula-driven source dataset.

    Every class depends on the seed and its number alone, every image also on
    its number in the class: with more of either, the first stay as they are.

    Args:
        classes: Number of classes.
        images_per_class: Number of images of each.
        image_size: Height and width of the images, in pixels.
        seed: Another seed makes other classes.

    Returns:
        `classes * images_per_class` images, class after class.

    Raises:
        ConfigurationError: Fewer than two classes or one image per class, or
            a size under 8.
    """
    check_sizes(images_per_class, image_size, seed)
    if classes < 2:
        msg = f"classes must be at least 2. Received: classes={classes!r}"
        raise ConfigurationError(msg)
    images = []
    for label in range(classes):
        formula = _formula(label, seed)
        images += [
            _draw(formula, np.random.default_rng([_STREAM, seed, label, 1 + index]), image_size)
            for index in range(images_per_class)
        ]
    digits = len(str(classes - 1))
    return Dataset(
        name="formula",
        images=np.stack(images),
        labels=np.repeat(np.arange(classes, dtype=np.int64), images_per_class),
        class_names=tuple(f"formula-{label:0{digits}}" for label in range(classes)),
        stand_in=STAND_IN,
    )


def load_formula(
    classes: int = CLASSES,
    images_per_class: int = IMAGES_PER_CLASS,
    image_size: int = 32,
    seed: int = 0,
    folder: Path | None = None,
) -> Dataset:
    """Take the formula dataset from the cache; draw it first where it isn't there.

    Args:
        classes: Number of classes, see `draw_formula`.
        images_per_class: Number of images of each class.
        image_size: Height and width, in pixels.
        seed: Seed of the drawing.
        folder: Where the cache is; None for the default one.

    Returns:
        What `draw_formula` returns, its images memory-mapped.

    Raises:
        ConfigurationError: A size is too small or too large, see `draw_formula`.
    """
    code = code_digest(__file__, miniature.__file__, drawing.__file__)
    key = (
        f"formula classes={classes} images_per_class={images_per_class} image_size={image_size} seed={seed} code={code}"
    )
    return cached(key, lambda: draw_formula(classes, images_per_class, image_size, seed), folder)
