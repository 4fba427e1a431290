"""Degraded test images, for evaluations of trained networks.

robust = score(arm, on=Degraded("Gaussian blur", 0.02))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench.datasets import degradations
from tlbench.declare.evaluations import TestImages


if TYPE_CHECKING:
    import numpy as np

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Degraded(TestImages):
    """The test images of a trial's split, degraded; each image in the same way for every network.

    Attributes:
        kind: Kind of degradation: `"Gaussian white noise"`, `"Gaussian colour noise"`, `"salt-and-pepper noise"`,
            `"Gaussian blur"`, `"motion blur"` or `"JPEG compression"`, see `tlbench.datasets.degradations`.
        severity: Severity in the unit of the kind: the standard deviation of Gaussian noise, of 255; the share of
            exchanged pixels; the standard deviation of a Gaussian blur or the length of a motion blur as a share of the
            image's width; the quality of JPEG from 100 to 1, where a lower one does more harm.

    Raises:
        ConfigurationError: There is no such kind, or the severity is outside of its range.
    """

    REVISION: ClassVar[int] = 1

    kind: str
    severity: float

    def __post_init__(self) -> None:
        degradations.find(self.kind).check(self.severity)
        # 30 and 30.0 are the same severity, and have the same digest.
        object.__setattr__(self, "severity", float(self.severity))

    @property
    def name(self) -> str:
        """Name in tables and sentences, with the severity."""
        return f"test images{self._of_dataset} with {self.kind}, {self.severity:.4g}"

    @property
    def packages(self) -> tuple[str, ...]:
        """Distributions whose versions are part of the digest: other versions may round or encode otherwise."""
        return degradations.find(self.kind).packages

    def altered(self, images: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The images, degraded."""
        return degradations.find(self.kind).degrade(images, numbers, self.severity)
