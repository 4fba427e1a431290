"""What a run runs on."""

from __future__ import annotations

import platform

from dataclasses import dataclass

from tlbench import backends
from tlbench.errors import ConfigurationError


@dataclass(frozen=True)
class Environment:
    """Versions and device; results of one environment are never read in another.

    Attributes:
        backend: Keras' backend.
        backend_version: Its version.
        keras_version: Keras' version.
        device: `"cpu"` or `"gpu"`.
        device_name: What the device calls itself.
        python_version: Version of Python; for the reader, it keeps no results apart.
    """

    backend: str
    backend_version: str
    keras_version: str
    device: str
    device_name: str
    python_version: str

    @property
    def key(self) -> str:
        """What keeps results apart, as a folder name; precision is part of each trial."""
        device = self.device if self.device == "cpu" else self.device_name.replace(" ", "-").lower()
        return f"{self.backend}-{self.backend_version}_keras-{self.keras_version}_{device}"

    def __str__(self) -> str:
        """One line for a header."""
        return f"{self.backend} {self.backend_version}, keras {self.keras_version}, {self.device} ({self.device_name})"


def current(*, gpu: bool = False) -> Environment:
    """The environment of this process; the backend is imported for a GPU only.

    Args:
        gpu: Whether to train on a GPU.

    Raises:
        ConfigurationError: A GPU is asked for and the backend sees none, or the backend is not installed.
    """
    backend = backends.backend()
    backend_version = backends.version(backend)
    device_name = platform.processor() or platform.machine()
    if gpu:
        names = backends.gpus()
        if not names:
            msg = (
                f"--gpu needs a GPU that the backend sees. Received: {backend} {backend_version} sees 0 GPUs. "
                "Check the driver and that the backend's build has GPU support, choose another KERAS_BACKEND, "
                "or leave --gpu out to train on the CPU."
            )
            raise ConfigurationError(msg)
        device_name = names[0]
    return Environment(
        backend=backend,
        backend_version=backend_version,
        keras_version=backends.version("keras"),
        device="gpu" if gpu else "cpu",
        device_name=device_name,
        python_version=platform.python_version(),
    )
