"""Degradations: what they do to images, for any image, batch and severity."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.datasets.degradations import DEGRADATIONS, find
from tlbench.errors import ConfigurationError


# From no harm to much, by kind.
SEVERITIES = {
    "Gaussian white noise": (0, 10, 40, 120, 255),
    "Gaussian colour noise": (0, 10, 40, 120, 255),
    "salt-and-pepper noise": (0, 0.05, 0.2, 0.6, 1),
    "Gaussian blur": (0, 0.02, 0.05, 0.15, 0.5),
    "motion blur": (0, 0.1, 0.2, 0.5, 1),
    "JPEG compression": (100, 60, 25, 8, 1),
}

NOISES = [name for name in DEGRADATIONS if "noise" in name]


def smooth_images(count=6, height=24, width=32):
    """Slopes of colours with an edge, and not square."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    slopes = generator.uniform(-3, 3, (count, 2, 3))
    images = 128 + slopes[:, 0, None, None] * (x[..., None] - 16) + slopes[:, 1, None, None] * (y[..., None] - 12)
    images[:, height // 2 :] *= 0.6
    return np.clip(images, 0, 255).astype(np.uint8)


def damage(before, after):
    return float(((before.astype(float) - after) ** 2).mean())


@pytest.mark.parametrize("kind", DEGRADATIONS)
@settings(max_examples=15)
@given(data=st.data())
def test_shape_and_type_are_kept(kind, data):
    """Of any number of images, of any size and content, at any severity; the images themselves are left alone."""
    count, height, width = (data.draw(st.integers(*bounds)) for bounds in ((0, 3), (1, 20), (1, 20)))
    severity = data.draw(st.floats(DEGRADATIONS[kind].lowest, DEGRADATIONS[kind].highest))
    images = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 256, (count, height, width, 3))
    images = images.astype(np.uint8)
    before = images.copy()

    degraded = DEGRADATIONS[kind].degrade(images, np.arange(count), severity)

    assert (images.shape, np.uint8) == (degraded.shape, degraded.dtype)
    assert np.array_equal(before, images)


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_the_mildest_severity_changes_nothing(kind):
    """JPEG rounds, and halves the resolution of colours: its best quality is as near as it gets."""
    images = smooth_images()
    degraded = DEGRADATIONS[kind].degrade(images, np.arange(len(images)), SEVERITIES[kind][0])

    if kind == "JPEG compression":
        assert damage(images, degraded) < 1
    else:
        assert np.array_equal(images, degraded)


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_damage_grows_with_severity(kind):
    """Mean squared error, at every step, and each step by a good deal."""
    images = smooth_images()
    damages = [
        damage(images, DEGRADATIONS[kind].degrade(images, np.arange(len(images)), severity))
        for severity in SEVERITIES[kind]
    ]

    assert all(1.15 * mild < severe for mild, severe in itertools.pairwise(damages))


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_an_image_is_degraded_alike_in_any_batch_and_order(kind):
    """By its position in the dataset, whichever images stand beside it."""
    images, numbers = smooth_images(), np.array([7, 0, 123_456, 3, 99, 12])
    severity = SEVERITIES[kind][2]
    together = DEGRADATIONS[kind].degrade(images, numbers, severity)
    order = np.array([4, 1, 5, 0])

    assert np.array_equal(together[order], DEGRADATIONS[kind].degrade(images[order], numbers[order], severity))
    assert np.array_equal(together[2:3], DEGRADATIONS[kind].degrade(images[2:3], numbers[2:3], severity))


@pytest.mark.parametrize("kind", NOISES)
def test_equal_images_get_different_noise(kind):
    """Position by position."""
    images = np.full((2, 16, 16, 3), 128, np.uint8)
    first, second = DEGRADATIONS[kind].degrade(images, np.array([0, 1]), SEVERITIES[kind][2])

    assert not np.array_equal(first, second)


@pytest.mark.parametrize("kind", NOISES)
def test_noise_is_centred(kind):
    """On grey, its mean lies within four standard errors of zero."""
    images = np.full((40, 32, 32, 3), 127, np.uint8)
    noise = DEGRADATIONS[kind].degrade(images, np.arange(40), SEVERITIES[kind][1]).astype(float) - 127
    # White noise, and salt and pepper, repeat themselves in the three channels. Salt is 128 above 127, and pepper 127
    # below: half a level more for every exchanged pixel.
    independent = noise if "colour" in kind else noise[..., 0]
    centre = 0.5 * SEVERITIES[kind][1] if "salt" in kind else 0

    assert abs(independent.mean() - centre) < 4 * independent.std() / np.sqrt(independent.size)


def test_the_deviation_of_noise_is_its_severity():
    """In grey levels, where nothing is clipped."""
    images = np.full((20, 32, 32, 3), 127, np.uint8)
    noise = find("Gaussian colour noise").degrade(images, np.arange(20), 20).astype(float) - 127

    assert 20 == pytest.approx(noise.std(), rel=0.02)


def test_white_noise_is_the_same_in_every_channel():
    """A grey image stays grey; colour noise colours it."""
    grey = np.full((1, 16, 16, 3), 127, np.uint8)
    white, colour = (find(f"Gaussian {name} noise").degrade(grey, np.arange(1), 30) for name in ("white", "colour"))

    assert np.ptp(white, axis=3).max() == 0
    assert np.ptp(colour, axis=3).max() > 0


def test_salt_and_pepper_exchange_a_share_of_the_pixels():
    """Half of them white, half black, in all channels."""
    images = np.full((20, 32, 32, 3), 127, np.uint8)
    degraded = find("salt-and-pepper noise").degrade(images, np.arange(20), 0.3)

    assert 0.15 == pytest.approx((degraded == 255).all(axis=3).mean(), abs=0.01)
    assert 0.15 == pytest.approx((degraded == 0).all(axis=3).mean(), abs=0.01)
    assert {0, 127, 255} == set(np.unique(degraded))


def test_blur_scales_with_the_width_of_the_image():
    """The same picture at twice the size loses the same share of its contrast."""
    small = np.zeros((1, 32, 32, 3), np.uint8)
    small[:, :, 8:24] = 200
    large = small.repeat(2, axis=1).repeat(2, axis=2)
    kept = [find("Gaussian blur").degrade(images, np.arange(1), 0.2).std() for images in (small, large)]

    assert kept[0] == pytest.approx(kept[1], rel=0.02)
    assert kept[0] < 0.7 * small.std()


def test_a_blurred_image_is_that_of_scipy():
    """To the rounding of a grey level."""
    from scipy.ndimage import gaussian_filter, uniform_filter1d

    images = np.random.default_rng(0).integers(0, 256, (2, 24, 30, 3)).astype(np.uint8)
    blurred = find("Gaussian blur").degrade(images, np.arange(2), 0.05)
    moved = find("motion blur").degrade(images, np.arange(2), 0.1)

    assert np.abs(gaussian_filter(images.astype(float), (0, 1.5, 1.5, 0)) - blurred).max() < 0.51
    assert np.abs(uniform_filter1d(images.astype(float), 3, axis=2) - moved).max() < 0.51


def test_motion_blurs_to_the_side_only():
    """Rows that are all alike along it are left as they are; a length between two whole ones lies between them."""
    rows = np.arange(0, 240, 10, np.uint8)[None, :, None, None] * np.ones((1, 1, 32, 3), np.uint8)
    bar = np.zeros((1, 1, 31, 3), np.uint8)
    bar[:, :, 15] = 240
    heights = [find("motion blur").degrade(bar, np.arange(1), length / 31)[0, 0, 15, 0] for length in (3, 4, 5)]

    assert np.array_equal(rows, find("motion blur").degrade(rows, np.arange(1), 0.3))
    assert [80, 60, 48] == heights


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_a_severity_out_of_range_is_refused(kind):
    """The message names kind, range and value; what is no number is refused too."""
    degradation = find(kind)
    for bad in (degradation.lowest - 1, degradation.highest + 1, float("nan"), float("inf"), "1", None):
        with pytest.raises(ConfigurationError, match=rf"of {kind} .* to {degradation.highest:g}\. Received: severity="):
            degradation.check(bad)
    degradation.check(degradation.highest)


def test_an_unknown_kind_is_refused():
    """The message lists those that there are."""
    with pytest.raises(ConfigurationError, match=r"there are: Gaussian white noise, .*\. Received: kind='fog'"):
        find("fog")
