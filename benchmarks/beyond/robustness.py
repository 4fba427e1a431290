"""Degraded test images: kinds and severities, networks, and the accuracy that networks keep.

Kinds and ranges are those of Roy et al. 2018 (arXiv:1807.10108), who made the Natural Images data set for this
question. The ranges are in their code (github.com/prasunroy/cnn-on-degraded-images, `test.py`).
"""

from __future__ import annotations

import math

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from scipy.stats import kendalltau

from tlbench import Degraded, combined, mean, score

from ..poster import EIGHT_CLASSES, direct, frozen
from .rankings import tau


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench import Arm, Quantity, Study

# Roy et al. blur photographs of several sizes by kernels of so many pixels. That such a kernel's share of the image is
# its share of 224 pixels, the size that VGG, ResNet and MobileNet take, is this suite's convention.
WIDTH = 224

# Four severities of each kind, from mild to severe, with their meaning. All are on the grids of Roy et al.: noise from
# 0 to 255 by 5, shares of pixels from 0 to 1 by 0.05, kernels of 1 to 51 (Gaussian) and of 3 to 31 pixels (motion) by
# 2, qualities from 30 to 0 by 2. `cv2.getGaussianKernel` gives kernels of 21, 31, 41 and 51 pixels the deviations 3.5,
# 5, 6.5 and 8. The choice of four is this suite's: noise doubles, since all networks guess in the end, and blurs begin
# where they change an image of 32 pixels at all; a bar of 7 pixels of 224 is one pixel there.
SEVERITIES = {
    "Gaussian white noise": ("standard deviation (of 255)", (15, 30, 60, 120)),
    "Gaussian colour noise": ("standard deviation (of 255)", (15, 30, 60, 120)),
    "salt-and-pepper noise": ("share of the pixels", (0.05, 0.1, 0.2, 0.4)),
    "Gaussian blur": ("standard deviation (share of the width)", tuple(each / WIDTH for each in (3.5, 5, 6.5, 8))),
    "motion blur": ("length (share of the width)", tuple(each / WIDTH for each in (11, 17, 23, 31))),
    "JPEG compression": ("quality", (30, 20, 10, 2)),
}


def random(study: Study) -> Arm:
    """The poster's arm of random weights on eight classes."""
    return replace(direct(study, EIGHT_CLASSES), label="random")


def transferred(study: Study) -> Arm:
    """The poster's arm of transferred weights with nothing frozen."""
    return replace(frozen(study, "none"), label="transferred")


def networks(study: Study) -> tuple[Arm, ...]:
    """All arms: random weights, and transferred ones with more and more frozen."""
    return random(study), transferred(study), frozen(study, "entry+middle"), frozen(study, "all")


def shown(kind: str, severity: float) -> str:
    """A severity as tables and axes show it."""
    return f"{severity:.1%}" if "blur" in kind else f"{severity:g}"


def degradations(kind: str) -> tuple[Degraded, ...]:
    """Test images at each severity of a kind."""
    return tuple(Degraded(kind, severity) for severity in SEVERITIES[kind][1])


def under(kind: str, arm: Arm) -> Quantity:
    """Mean accuracy over the severities of a kind."""
    return mean(score(arm, on=images) for images in degradations(kind))


def _share(accuracies: Sequence[float], chance: float) -> float:
    on_degraded, on_originals = accuracies
    return (on_degraded - chance) / (on_originals - chance) if on_originals > chance else math.nan


def kept(study: Study, kind: str, arm: Arm) -> Quantity:
    """Accuracy above chance that is left under a kind of degradation, as a share of that on images as they are."""
    share = partial(_share, chance=1 / len(study.class_names))
    return combined(f"share kept under {kind} by [{arm.label}]", share, under(kind, arm), score(arm), unit="percent")


def rank_correlation(study: Study, kind: str) -> Quantity:
    """Kendall's tau-b of the networks' accuracies on images as they are and on degraded ones, from -1 to 1."""
    arms = networks(study)
    accuracies = (*map(score, arms), *(under(kind, arm) for arm in arms))
    of = partial(tau, sizes=(len(arms),), of=kendalltau)
    return combined(f"rank correlation under {kind}", of, *accuracies, highest=1.0)
