"""Drawing of small images: shapes, colours, clutter, and a photograph's faults."""

from __future__ import annotations

import colorsys
import math

from typing import TYPE_CHECKING

import numpy as np

from PIL import Image, ImageDraw


if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import ArrayLike, NDArray


Colour = tuple[int, int, int]

# Drawn at twice the size and reduced: edges come out smooth.
_OVERSAMPLING = 2


_CIRCLE = np.stack([np.cos(np.arange(18) * math.tau / 18), np.sin(np.arange(18) * math.tau / 18)], axis=1)


class Canvas:
    """A picture to draw on, in coordinates that an object brings along.

    Objects are drawn in the square from (-1, -1) at the top left to (1, 1);
    `place` says where on the picture that square lies.
    """

    def __init__(self, image_size: int, background: Colour) -> None:
        self.pixels = image_size * _OVERSAMPLING
        self.picture = Image.new("RGB", (self.pixels, self.pixels), background)
        self._draw = ImageDraw.Draw(self.picture)
        self.place()

    def place(
        self,
        size: float = 1.0,
        x: float = 0.0,
        y: float = 0.0,
        angle: float = 0.0,
        stretch: float = 1.0,
        mirrored: bool = False,
    ) -> None:
        """Put the object's square somewhere.

        Args:
            size: Share of the picture that it fills.
            x: Centre, from -1 (left) to 1.
            y: Centre, from -1 (top) to 1.
            angle: Rotation, in radians.
            stretch: Ratio of width to height.
            mirrored: Whether left and right change places.
        """
        half = self.pixels / 2
        cos, sin = math.cos(angle) * size * half, math.sin(angle) * size * half
        wide = -stretch if mirrored else stretch
        self._matrix = np.array([[cos * wide, sin * wide], [-sin, cos]])
        self._origin = np.array([half * (1 + x), half * (1 + y)])
        self._unit = size * half

    def polygon(self, points: ArrayLike, colour: Colour) -> None:
        """Fill a polygon; `points` has the shape (corners, 2)."""
        self._draw.polygon((np.asarray(points) @ self._matrix + self._origin).ravel().tolist(), fill=colour)

    def textured_polygon(self, points: ArrayLike, texture: NDArray[np.uint8]) -> None:
        """Fill a polygon with what `texture`, of the whole picture's size in `pixels`, has there."""
        mask = Image.new("L", self.picture.size)
        corners = (np.asarray(points) @ self._matrix + self._origin).ravel().tolist()
        ImageDraw.Draw(mask).polygon(corners, fill=255)
        self.picture.paste(Image.fromarray(texture), mask=mask)

    def ellipse(self, x: float, y: float, width: float, height: float, colour: Colour, angle: float = 0.0) -> None:
        """Fill an ellipse around (x, y); width and height are half axes."""
        points = _CIRCLE * (width, height)
        if angle:
            cos, sin = math.cos(angle), math.sin(angle)
            points = points @ np.array([[cos, sin], [-sin, cos]])
        self.polygon(points + np.array((x, y)), colour)

    def stroke(self, points: ArrayLike, width: float, colour: Colour) -> None:
        """Draw along `points`, of the shape (points, 2)."""
        path = (np.asarray(points) @ self._matrix + self._origin).ravel().tolist()
        self._draw.line(path, fill=colour, width=max(1, round(width * self._unit)), joint="curve")


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour from hue, saturation and value, each from 0 to 1."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(1.0, max(0.0, saturation)), min(1.0, max(0.0, value)))
    return int(255 * red), int(255 * green), int(255 * blue)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour, darker (below 1) or lighter (above)."""
    red, green, blue = (min(255, int(channel * factor)) for channel in colour)
    return red, green, blue


def any_colour(generator: Generator) -> Colour:
    """Any colour, greyish ones more often than vivid ones."""
    hue, saturation, value = generator.random(3)
    return hsv(hue, saturation**1.5, 0.15 + 0.85 * value)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour between two, `share` of the way from the first to the second."""
    red, green, blue = (int(one + share * (other - one)) for one, other in zip(first, second, strict=True))
    return red, green, blue


def draw_clutter(canvas: Canvas, generator: Generator, things: int, around: Colour, contrast: float) -> None:
    """Draw shapes without a name: what lies behind an object, and before it.

    Args:
        canvas: What to draw on; its square is moved.
        generator: Draws the shapes' numbers.
        things: Number of shapes.
        around: Colour of the surroundings, from which
        contrast: they differ so much, from 0 to 1.
    """
    for _ in range(things):
        colour = mix(around, any_colour(generator), contrast)
        x, y, size, angle, kind = generator.random(5)
        canvas.place(0.1 + 0.45 * size, 2.4 * x - 1.2, 2.4 * y - 1.2, math.tau * angle, 0.4 + 0.6 * generator.random())
        if kind < 0.35:
            canvas.ellipse(0, 0, 1, 0.8, colour)
        elif kind < 0.75:
            corners = int(generator.integers(3, 6))
            turns = (np.arange(corners) + 0.6 * generator.random(corners)) * math.tau / corners
            canvas.polygon(np.stack([np.cos(turns), np.sin(turns)], axis=1), colour)
        else:
            canvas.stroke(generator.uniform(-1.3, 1.3, (3, 2)), 0.08 + 0.2 * generator.random(), colour)


def photograph(canvas: Canvas, generator: Generator) -> NDArray[np.uint8]:
    """Light the picture from one side and take it with noise.

    Returns:
        uint8, shape (image_size, image_size, 3).
    """
    pixels = np.asarray(canvas.picture.reduce(_OVERSAMPLING), dtype=np.float32)
    size = len(pixels)
    exposure, tilt_x, tilt_y, noise = generator.random(4)
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    light = (0.75 + 0.45 * exposure) * (1 + 0.2 * ((2 * tilt_y - 1) * ramp[:, None] + (2 * tilt_x - 1) * ramp))
    tint = generator.uniform(0.93, 1.07, 3).astype(np.float32)
    grain = generator.standard_normal(pixels.shape, dtype=np.float32)
    pixels = pixels * light[:, :, None] * tint + (1 + 7 * noise * noise) * grain
    taken: NDArray[np.uint8] = np.clip(pixels, 0, 255).astype(np.uint8)
    return taken
