"""The embedded dataset: eight kinds of objects, drawn by the program from a seed.

Small enough to draw in seconds and hard enough to learn from: objects vary in
build, pose, colour, size and position, stand before clutter, are partly
hidden, lit unevenly and photographed with noise. Cats and dogs share one body
plan; people look like nothing else. That is how the classes of the Natural
Images data set (Roy et al. 2018, arXiv:1807.10108) lie to one another, and
all that this dataset has in common with them.
"""

from __future__ import annotations

import math

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlbench.datasets import drawing
from tlbench.datasets.cache import cached, code_digest
from tlbench.datasets.dataset import Dataset
from tlbench.datasets.drawing import Canvas, Colour, any_colour, draw_clutter, hsv, photograph, shade
from tlbench.errors import ConfigurationError


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray


STAND_IN = "the Natural Images data set (drawn by the program; for trying the suite, not evidence about photographs)"

IMAGES_PER_CLASS = 400

# Sets its random numbers apart from every other dataset's of the same seed.
_STREAM = 1


def _airplane(canvas: Canvas, generator: Generator) -> None:
    sweep, span, tail, girth = generator.uniform((0.1, 0.7, 0.2, 0.1), (0.6, 1.0, 0.4, 0.17))
    paint = hsv(generator.random(), 0.5 * generator.random() ** 2, generator.uniform(0.5, 1.0))
    trim = any_colour(generator)
    wing = shade(paint, generator.uniform(0.7, 0.95))
    for side in (-1, 1):
        canvas.polygon([(0.3, 0), (0.12 - sweep, side * span), (-0.08 - sweep, side * span), (-0.15, 0)], wing)
        canvas.polygon([(-0.65, 0), (-0.85, side * tail), (-1, side * tail), (-0.9, 0)], wing)
        if generator.random() < 0.6:
            canvas.ellipse(0.15 - sweep * 0.4, side * span * 0.45, 0.12, 0.06, shade(paint, 0.55))
    canvas.ellipse(0, 0, 1, girth, paint)
    canvas.stroke([(-0.95, 0), (-0.6, 0)], 0.08, trim)
    canvas.ellipse(0.78, 0, 0.08, girth * 0.5, (40, 50, 70))


def _wheel(canvas: Canvas, x: float, y: float, radius: float, rim: Colour) -> None:
    canvas.ellipse(x, y, radius, radius, (28, 28, 30))
    canvas.ellipse(x, y, radius * 0.55, radius * 0.55, rim)


def _car(canvas: Canvas, generator: Generator) -> None:
    roof, front, back, bonnet, wheel = generator.uniform(
        (-0.6, 0.25, -0.75, -0.12, 0.17), (-0.35, 0.55, -0.4, 0.0, 0.25)
    )
    paint = hsv(generator.random(), generator.random(), generator.uniform(0.35, 1.0))
    glass = hsv(0.58, 0.25, generator.uniform(0.25, 0.8))
    cabin = np.array([(back - 0.15, -0.02), (back + 0.1, roof), (front - 0.25, roof), (front + 0.1, -0.02)])
    canvas.polygon(cabin, shade(paint, 0.9))
    canvas.polygon((cabin - cabin.mean(axis=0)) * (0.8, 0.7) + cabin.mean(axis=0), glass)
    canvas.stroke([((back + front) / 2, roof), ((back + front) / 2, 0)], 0.07, shade(paint, 0.8))
    canvas.polygon(
        [(-1, -0.05), (front, -0.08), (0.92, bonnet + 0.08), (1, 0.15), (0.98, 0.35), (-0.98, 0.35)],
        paint,
    )
    canvas.stroke([(-0.95, 0.32), (0.95, 0.32)], 0.08, shade(paint, 0.6))
    canvas.ellipse(0.92, 0.1, 0.06, 0.06, (250, 240, 190))
    rim = hsv(0, 0, generator.uniform(0.4, 0.9))
    for x in (-0.58, 0.58):
        _wheel(canvas, x, 0.37, wheel, rim)


def _motorbike(canvas: Canvas, generator: Generator) -> None:
    wheel, fork, seat, tank = generator.uniform((0.3, 0.28, -0.32, 0.2), (0.42, 0.5, -0.15, 0.32))
    paint = hsv(generator.random(), generator.random(), generator.uniform(0.3, 1.0))
    metal = hsv(0, 0, generator.uniform(0.35, 0.8))
    ground = any_colour(generator)
    for x in (-0.6, 0.6):
        canvas.ellipse(x, 0.4, wheel, wheel, (28, 28, 30))
        canvas.ellipse(x, 0.4, wheel * 0.68, wheel * 0.68, ground)
        canvas.ellipse(x, 0.4, wheel * 0.2, wheel * 0.2, metal)
    canvas.stroke([(0.6, 0.4), (fork, -0.5), (fork - 0.2, -0.62)], 0.09, metal)
    canvas.stroke([(-0.6, 0.4), (0.0, 0.35), (fork, -0.2)], 0.1, metal)
    canvas.ellipse(0.0, 0.22, 0.24, 0.2, shade(metal, 0.6))
    canvas.ellipse(0.15, seat, tank, 0.17, paint)
    canvas.polygon([(-0.8, seat - 0.15), (-0.1, seat), (0.0, seat + 0.2), (-0.5, seat + 0.15)], (35, 30, 30))
    canvas.stroke([(-0.9, 0.42), (-0.1, 0.42)], 0.1, shade(metal, 1.2))


def _animal(canvas: Canvas, generator: Generator, *, cat: bool) -> None:
    """Draw a cat or a dog: one body plan, and ranges of proportions that overlap."""
    if cat:
        hue, saturation, value = generator.uniform((0.04, 0.0, 0.15), (0.12, 0.5, 0.95))
        length, girth, legs, head = generator.uniform((0.42, 0.2, 0.3, 0.34), (0.58, 0.28, 0.48, 0.42))
    else:
        hue, saturation, value = generator.uniform((0.04, 0.2, 0.15), (0.12, 0.75, 0.95))
        length, girth, legs, head = generator.uniform((0.46, 0.22, 0.42, 0.3), (0.64, 0.32, 0.62, 0.38))
    head_x, head_y = generator.uniform((0.5, -0.5), (0.62, -0.3))
    fur = hsv(hue, saturation, value)
    dark, belly = shade(fur, 0.72), shade(fur, 1.25)
    ground = 0.15 + legs
    far, near = generator.uniform(-0.08, 0.08, 2)

    for x, colour in ((-length + 0.02, dark), (length - 0.18, dark), (-length + 0.14, fur), (length - 0.06, fur)):
        step = far if colour is dark else near
        canvas.stroke([(x, 0.05), (x + step, ground)], 0.13, colour)
    lift = generator.uniform(-0.2, 0.15)
    if cat:
        tail = [
            (-length, 0),
            (-length - 0.25, -0.1 + lift),
            (-length - 0.3, -0.45 + lift),
            (-length - 0.12, -0.7 + lift),
        ]
        canvas.stroke(tail, 0.12, fur)
    else:
        canvas.stroke([(-length, -0.02), (-length - 0.32, -0.25 + lift)], 0.11, fur)
    canvas.ellipse(0, 0, length + 0.08, girth, fur)
    canvas.ellipse(0, girth * 0.5, length * 0.7, girth * 0.4, belly)
    canvas.polygon([(length - 0.3, -0.1), (length, 0.18), (head_x + 0.1, head_y + 0.1), (head_x - 0.16, head_y)], fur)
    if generator.random() < (0.6 if cat else 0.25):  # Markings.
        for x in generator.uniform(-length, length, 3):
            canvas.stroke([(x, -girth), (x + 0.05, 0.0)], 0.08, dark)

    ear = generator.uniform(0.26, 0.38)
    if cat:
        canvas.ellipse(head_x, head_y, head, head * 0.9, fur)
        for x in (-0.6, 0.55):
            tip = head_x + head * x * 1.15
            canvas.polygon(
                [
                    (head_x + head * (x - 0.38), head_y - head * 0.5),
                    (tip, head_y - head * 0.7 - ear),
                    (head_x + head * (x + 0.38), head_y - head * 0.5),
                ],
                dark,
            )
        canvas.ellipse(head_x + head * 0.3, head_y + head * 0.35, head * 0.4, head * 0.3, belly)
        nose = head_x + head * 0.4
    else:
        snout = generator.uniform(0.26, 0.38)
        canvas.ellipse(head_x + head * 0.7, head_y + head * 0.3, snout, head * 0.5, belly, generator.uniform(0, 0.3))
        canvas.ellipse(head_x, head_y, head * 0.95, head * 0.85, fur)
        canvas.ellipse(head_x - head * 0.55, head_y + ear * 0.4, head * 0.42, ear, dark, generator.uniform(0.0, 0.4))
        nose = head_x + head * 0.7 + snout * 0.85
    canvas.ellipse(nose, head_y + head * 0.25, 0.06, 0.05, (25, 20, 20))
    canvas.ellipse(head_x + head * 0.35, head_y - head * 0.15, 0.05, 0.05, (20, 25, 15))


def _cat(canvas: Canvas, generator: Generator) -> None:
    _animal(canvas, generator, cat=True)


def _dog(canvas: Canvas, generator: Generator) -> None:
    _animal(canvas, generator, cat=False)


def _flower(canvas: Canvas, generator: Generator) -> None:
    petals = int(generator.integers(5, 10))
    hue, saturation, value, reach, slim, turn, heart = generator.uniform(
        (0.7, 0.15, 0.6, 0.33, 0.5, 0.0, 0.13), (1.2, 0.9, 1.0, 0.45, 0.9, 1.0, 0.24)
    )
    petal = hsv(hue, saturation, value)
    green = hsv(generator.uniform(0.22, 0.4), 0.6, generator.uniform(0.25, 0.6))
    bend = generator.uniform(-0.3, 0.3)
    canvas.stroke([(0, -0.2), (bend * 0.4, 0.5), (bend, 1.1)], 0.09, green)
    canvas.ellipse(bend + 0.2, 0.75, 0.26, 0.1, green, -0.6)
    for index in range(petals):
        angle = (index + turn) * math.tau / petals
        x, y = math.cos(angle), math.sin(angle)
        width = reach * slim * 5.0 / petals
        canvas.ellipse(x * reach, y * reach - 0.25, reach, width, shade(petal, 0.85 + 0.15 * (index % 2)), angle)
    canvas.ellipse(0, -0.25, heart, heart, hsv(generator.uniform(0.03, 0.16), 0.8, generator.uniform(0.3, 1.0)))


def _fruit(canvas: Canvas, generator: Generator) -> None:
    hue, saturation, value = generator.uniform((-0.06, 0.5, 0.45), (0.3, 0.95, 1.0))
    skin = hsv(hue, saturation, value)
    stalk = hsv(0.08, 0.5, 0.3)
    kind = generator.random()
    if kind < 0.45:  # Apples and oranges.
        width, height = generator.uniform((0.62, 0.58), (0.78, 0.74))
        canvas.ellipse(0, 0.1, width, height, shade(skin, 0.8))
        canvas.ellipse(-0.05, 0.05, width * 0.88, height * 0.88, skin)
        top = 0.1 - height
    elif kind < 0.75:  # Pears.
        canvas.ellipse(0, 0.3, 0.6, 0.55, shade(skin, 0.85))
        canvas.ellipse(0, -0.25, 0.36, 0.5, shade(skin, 0.85))
        canvas.ellipse(-0.06, 0.26, 0.5, 0.46, skin)
        canvas.ellipse(-0.05, -0.2, 0.28, 0.45, skin)
        top = -0.72
    else:  # Berries on one stalk.
        for x, y in ((-0.4, 0.35), (0.4, 0.3), (0.0, 0.0), (0.0, 0.62)):
            canvas.stroke([(x, y), (0, -0.6)], 0.06, stalk)
            canvas.ellipse(x, y, 0.34, 0.34, shade(skin, 0.8))
            canvas.ellipse(x - 0.04, y - 0.04, 0.28, 0.28, skin)
        top = -0.55
    canvas.stroke([(0, top + 0.08), (generator.uniform(-0.15, 0.15), top - 0.22)], 0.09, stalk)
    if generator.random() < 0.7:
        canvas.ellipse(0.2, top - 0.08, 0.22, 0.1, hsv(0.3, 0.6, generator.uniform(0.3, 0.65)), -0.4)
    canvas.ellipse(-0.25, -0.1, 0.12, 0.16, shade(skin, 1.5))


def _person(canvas: Canvas, generator: Generator) -> None:
    tone, warmth, width, height, jaw = generator.uniform((0.45, 0.3, 0.38, 0.48, 0.35), (1.0, 0.5, 0.46, 0.58, 0.6))
    skin = hsv(0.06, warmth, tone)
    hair = hsv(generator.uniform(0.03, 0.12), generator.uniform(0.0, 0.7), generator.uniform(0.08, 0.75))
    clothes = any_colour(generator)
    style = generator.random()
    shoulders = generator.uniform(0.72, 0.98)
    if style < 0.45:  # Long hair falls behind the shoulders.
        canvas.ellipse(0, -0.1, width + 0.2, height + 0.2, hair)
        canvas.polygon([(-width - 0.18, -0.1), (width + 0.18, -0.1), (width + 0.14, 0.7), (-width - 0.14, 0.7)], hair)
    canvas.polygon(
        [
            (-shoulders, 1.15),
            (-shoulders + 0.1, 0.72),
            (-0.2, 0.5),
            (0.2, 0.5),
            (shoulders - 0.1, 0.72),
            (shoulders, 1.15),
        ],
        clothes,
    )
    canvas.polygon([(-0.15, 0.2), (0.15, 0.2), (0.18, 0.55), (0, 0.7), (-0.18, 0.55)], shade(skin, 0.85))
    if style < 0.92:
        canvas.ellipse(0, -0.3, width + 0.07, height * 0.85, hair)
    canvas.ellipse(0, -0.1, width, height, skin)
    if style < 0.92:  # A fringe.
        side = generator.uniform(-0.2, 0.2)
        canvas.polygon(
            [(-width, -0.25), (-width * 0.7, -0.6), (width * 0.7, -0.6), (width, -0.25), (side, -0.42)], hair
        )
    eyes = (30, 25, 25)
    for x in (-0.16, 0.16):
        canvas.ellipse(x, -0.12, 0.07, 0.05, (235, 235, 235))
        canvas.ellipse(x, -0.12, 0.045, 0.05, eyes)
        canvas.stroke([(x - 0.09, -0.23), (x + 0.09, -0.23)], 0.05, shade(hair, 0.8))
    canvas.stroke([(0, -0.08), (0.03, 0.08)], 0.05, shade(skin, 0.8))
    canvas.stroke([(-jaw * 0.3, 0.2), (0, 0.23), (jaw * 0.3, 0.2)], 0.06, hsv(0.99, 0.55, tone * 0.75))


@dataclass(frozen=True)
class _Kind:
    """One class of objects.

    Attributes:
        draw: Draws the object in the square from -1 to 1.
        turn: How far it may turn from upright, in radians.
        scene: Lowest and highest hue, saturation and value of its usual surroundings.
        ground: Lowest and highest hue, saturation and value of what it usually stands on, if anything.
        size: How large it is among the others; people are taken from near.
    """

    draw: Callable[[Canvas, Generator], None]
    turn: float
    scene: tuple[tuple[float, float, float], tuple[float, float, float]]
    ground: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    size: float = 1.0


_SKY = ((0.52, 0.05, 0.6), (0.62, 0.5, 1.0))
_STREET = ((0.5, 0.0, 0.45), (0.65, 0.3, 0.95))
_ASPHALT = ((0.05, 0.0, 0.25), (0.15, 0.15, 0.6))
_HOME = ((0.05, 0.05, 0.35), (0.15, 0.45, 0.9))
_LAWN = ((0.1, 0.2, 0.3), (0.35, 0.6, 0.7))
_LEAVES = ((0.22, 0.2, 0.1), (0.4, 0.7, 0.55))
_TABLE = ((0.03, 0.0, 0.6), (0.14, 0.35, 1.0))
_WALL = ((0.0, 0.0, 0.2), (1.0, 0.25, 0.95))

# As in photographs, surroundings say something, but cars share theirs with motorbikes and cats with dogs.
_KINDS = {
    "airplane": _Kind(_airplane, 0.6, _SKY),
    "car": _Kind(_car, 0.15, _STREET, _ASPHALT),
    "cat": _Kind(_cat, 0.15, _HOME, _LAWN, size=1.15),
    "dog": _Kind(_dog, 0.15, _HOME, _LAWN, size=1.15),
    "flower": _Kind(_flower, 0.4, _LEAVES),
    "fruit": _Kind(_fruit, 0.4, _TABLE),
    "motorbike": _Kind(_motorbike, 0.15, _STREET, _ASPHALT),
    "person": _Kind(_person, 0.12, _WALL, size=1.25),
}

# Share of the images whose surroundings are anything but the usual.
_ELSEWHERE = 0.2

CLASS_NAMES = tuple(_KINDS)


def check_sizes(images_per_class: int, image_size: int, seed: int) -> None:
    """Check what every drawn dataset is asked for.

    Raises:
        ConfigurationError: A number that cannot be drawn with.
    """
    for name, value, smallest in (
        ("images_per_class", images_per_class, 1),
        ("image_size", image_size, 8),
        ("seed", seed, 0),
    ):
        if value < smallest:
            msg = f"{name} must be at least {smallest}. Received: {name}={value!r}"
            raise ConfigurationError(msg)


def _draw(label: int, index: int, image_size: int, seed: int) -> NDArray[np.uint8]:
    generator = np.random.default_rng([_STREAM, seed, label, index])
    kind = _KINDS[CLASS_NAMES[label]]
    usual = generator.random() >= _ELSEWHERE
    around = hsv(*generator.uniform(*kind.scene)) if usual else any_colour(generator)
    canvas = Canvas(image_size, around)
    if kind.ground is not None:
        ground = hsv(*generator.uniform(*kind.ground)) if usual else any_colour(generator)
        left, right = generator.uniform(0.1, 0.6, 2)
        canvas.polygon([(-1, left), (1, right), (1, 1), (-1, 1)], ground)
    draw_clutter(canvas, generator, int(generator.integers(1, 6)), around, 0.45)

    size, x, y, angle, stretch, side = generator.random(6)
    size = 0.7 + 0.3 * size
    room = 1.05 - 0.9 * size
    canvas.place(
        size * kind.size,
        room * (2 * x - 1),
        room * (2 * y - 1),
        kind.turn * (2 * angle - 1),
        0.9 + 0.2 * stretch,
        mirrored=side < 0.5,
    )
    kind.draw(canvas, generator)
    if generator.random() < 0.3:
        draw_clutter(canvas, generator, 1, around, 0.8)
    return photograph(canvas, generator)


def draw_miniature(images_per_class: int = IMAGES_PER_CLASS, image_size: int = 32, seed: int = 0) -> Dataset:
    """Draw the miniature dataset.

    Every image depends on the seed, its class and its number in the class
    alone: with more images per class, the first ones stay as they are.

    Args:
        images_per_class: Number of images of each of the eight classes.
        image_size: Height and width of the images, in pixels.
        seed: Another seed draws other images of the same kinds of objects.

    Returns:
        `8 * images_per_class` images, class after class.

    Raises:
        ConfigurationError: Fewer than one image per class, or a size under 8.
    """
    check_sizes(images_per_class, image_size, seed)
    images = [
        _draw(label, index, image_size, seed) for label in range(len(CLASS_NAMES)) for index in range(images_per_class)
    ]
    return Dataset(
        name="miniature",
        images=np.stack(images),
        labels=np.repeat(np.arange(len(CLASS_NAMES), dtype=np.int64), images_per_class),
        class_names=CLASS_NAMES,
        stand_in=STAND_IN,
    )


def load_miniature(
    images_per_class: int = IMAGES_PER_CLASS,
    image_size: int = 32,
    seed: int = 0,
    folder: Path | None = None,
) -> Dataset:
    """Take the miniature dataset from the cache; draw it first where it isn't there.

    Args:
        images_per_class: Number of images of each class.
        image_size: Height and width, in pixels.
        seed: Seed of the drawing.
        folder: Where the cache is; None for the default one.

    Returns:
        What `draw_miniature` returns, its images memory-mapped.

    Raises:
        ConfigurationError: A size is too small or too large, see `draw_miniature`.
    """
    code = code_digest(__file__, drawing.__file__)
    key = f"miniature images_per_class={images_per_class} image_size={image_size} seed={seed} code={code}"
    return cached(key, lambda: draw_miniature(images_per_class, image_size, seed), folder)
