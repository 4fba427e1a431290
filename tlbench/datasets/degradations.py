"""Degradations of images: blur, noise and compression, as pure functions of uint8 arrays.

The kinds are those of Roy, Ghosh, Bhattacharya & Pal 2018, "Effects of Degradations on Deep Neural Network
Architectures" (arXiv:1807.10108), the paper of the Natural Images data set. Two things differ from the authors' code
(github.com/prasunroy/cnn-on-degraded-images, `libs/DegradationModels.py`):

- Noisy pixels are clipped to 0 and 255. The authors stretch every noisy image to the whole range, which also changes
  the brightness and the contrast, even of an image without noise.
- Blur is a share of the image's width. The authors blur photographs of several sizes by kernels of so many pixels, and
  images of 30 pixels would be nothing but blur by these.

To add a kind, write a function like those below and add a line to `DEGRADATIONS`.
"""

from __future__ import annotations

import io

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from tlbench.errors import ConfigurationError


if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Degrade = Callable[[NDArray[np.uint8], NDArray[np.int64], float], NDArray[np.uint8]]


@dataclass(frozen=True)
class Degradation:
    """A kind of degradation.

    Attributes:
        name: Name of the kind, for instance `"Gaussian blur"`.
        measure: Meaning of the severity, with its unit.
        lowest: Lowest severity.
        highest: Highest severity.
        degrade: Function of images, shape (N, H, W, 3), of the position of each image in its dataset, shape (N,), and
            of a severity; returns images of the same shape. The position seeds any noise.
        packages: Distributions that the function computes with, beside NumPy.
    """

    name: str
    measure: str
    lowest: float
    highest: float
    degrade: Degrade
    packages: tuple[str, ...] = ()

    def check(self, severity: float) -> None:
        """Refuse a severity that the kind does not have.

        Raises:
            ConfigurationError: The severity is outside of the kind's range, or no number.
        """
        if not isinstance(severity, Real) or not self.lowest <= severity <= self.highest:
            msg = (
                f"The severity of {self.name} is its {self.measure}, from {self.lowest:g} to {self.highest:g}. "
                f"Received: severity={severity!r}"
            )
            raise ConfigurationError(msg)


def find(name: str) -> Degradation:
    """The kind of degradation of a name.

    Raises:
        ConfigurationError: There is no such kind.
    """
    if name not in DEGRADATIONS:
        msg = f"No kind of degradation has that name; there are: {', '.join(DEGRADATIONS)}. Received: kind={name!r}"
        raise ConfigurationError(msg)
    return DEGRADATIONS[name]


def gaussian_white_noise(images: NDArray[np.uint8], numbers: NDArray[np.int64], deviation: float) -> NDArray[np.uint8]:
    """Add normal noise, the same to the three channels of a pixel.

    Args:
        images: Shape (N, H, W, 3).
        numbers: Seed of each image's noise, shape (N,).
        deviation: Standard deviation of the noise, in units of which white has 255.
    """
    return _noisy(images, numbers, deviation, channels=1)


def gaussian_colour_noise(images: NDArray[np.uint8], numbers: NDArray[np.int64], deviation: float) -> NDArray[np.uint8]:
    """Add normal noise, independent in the three channels; arguments as of `gaussian_white_noise`."""
    return _noisy(images, numbers, deviation, channels=3)


def _noisy(images: NDArray[np.uint8], numbers: NDArray[np.int64], deviation: float, channels: int) -> NDArray[np.uint8]:
    degraded = np.empty_like(images)
    for position, number in enumerate(numbers):
        # The same noise at any deviation: it only grows.
        noise = _generator(number).standard_normal((*images.shape[1:3], channels), np.float32)
        noise *= deviation
        noise = noise + images[position]
        degraded[position] = np.clip(np.rint(noise, out=noise), 0, 255, out=noise)
    return degraded


def salt_and_pepper_noise(images: NDArray[np.uint8], numbers: NDArray[np.int64], density: float) -> NDArray[np.uint8]:
    """Make pixels white or black, each with the same chance.

    Args:
        images: Shape (N, H, W, 3).
        numbers: Seed of each image's noise, shape (N,).
        density: Chance that a pixel is exchanged, from 0 to 1.
    """
    degraded = images.copy()
    for position, number in enumerate(numbers):
        # Pixels that are exchanged at a density are also exchanged at any higher one.
        drawn = _generator(number).random(images.shape[1:3], np.float32)
        degraded[position][drawn < density / 2] = 0
        degraded[position][drawn >= 1 - density / 2] = 255
    return degraded


def gaussian_blur(images: NDArray[np.uint8], _numbers: NDArray[np.int64], share: float) -> NDArray[np.uint8]:
    """Convolve images with a Gaussian, their edges mirrored.

    Args:
        images: Shape (N, H, W, 3).
        share: Standard deviation of the Gaussian as a share of the images' width.
    """
    from scipy.ndimage import gaussian_filter

    # scipy divides by the square of the deviation; this one's kernel is a single pixel.
    deviation = max(share * images.shape[2], 1e-3)
    return _each(images, lambda image: gaussian_filter(image, (deviation, deviation, 0), mode="reflect"))


def motion_blur(images: NDArray[np.uint8], _numbers: NDArray[np.int64], share: float) -> NDArray[np.uint8]:
    """Convolve images with a level bar, as a camera that moves to the side does; edges are mirrored.

    Args:
        images: Shape (N, H, W, 3).
        share: Length of the bar as a share of the images' width; a bar of up to one pixel changes nothing.
    """
    from scipy.ndimage import convolve1d

    # Each pixel weighs as much as it shares with the bar, so that a length need not be a whole number.
    length = max(share * images.shape[2], 1)
    reach = np.arange(-np.ceil((length - 1) / 2), np.ceil((length - 1) / 2) + 1)
    weights = np.clip(length / 2 - np.abs(reach) + 0.5, 0, 1)
    return _each(images, lambda image: convolve1d(image, weights / weights.sum(), axis=1, mode="reflect"))


def _each(images: NDArray[np.uint8], blur: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> NDArray[np.uint8]:
    # Image by image: one stays in the processor's cache, and takes the same time in a batch of any size.
    degraded = np.empty_like(images)
    for position, image in enumerate(images):
        degraded[position] = np.rint(blur(image.astype(np.float32)))
    return degraded


def jpeg_compression(images: NDArray[np.uint8], _numbers: NDArray[np.int64], quality: float) -> NDArray[np.uint8]:
    """Compress images as JPEG with halved colour resolution, and decompress them.

    JPEG's blocks have 8 pixels at any size of the image, so that a quality does more harm to smaller images.

    Args:
        images: Shape (N, H, W, 3).
        quality: Quality of the encoder, from 100 (least harm) to 1; rounded.
    """
    from PIL import Image

    degraded = np.empty_like(images)
    for position, image in enumerate(images):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=round(quality), subsampling="4:2:0")
        with Image.open(file, formats=("JPEG",)) as opened:
            degraded[position] = np.asarray(opened)
    return degraded


def _generator(number: int) -> np.random.Generator:
    return np.random.default_rng(int(number))


_SCIPY = ("scipy",)
_DEVIATION = "standard deviation, of 255"

DEGRADATIONS = {
    degradation.name: degradation
    for degradation in (
        Degradation("Gaussian white noise", _DEVIATION, 0, 255, gaussian_white_noise),
        Degradation("Gaussian colour noise", _DEVIATION, 0, 255, gaussian_colour_noise),
        Degradation("salt-and-pepper noise", "share of exchanged pixels", 0, 1, salt_and_pepper_noise),
        Degradation(
            "Gaussian blur", "standard deviation as a share of the image's width", 0, 0.5, gaussian_blur, _SCIPY
        ),
        Degradation("motion blur", "length as a share of the image's width", 0, 1, motion_blur, _SCIPY),
        Degradation("JPEG compression", "quality, 100 for the least harm", 1, 100, jpeg_compression, ("pillow",)),
    )
}
