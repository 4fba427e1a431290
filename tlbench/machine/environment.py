"""The environment of a run: backend, device, versions and settings."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess

from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.errors import ConfigurationError
from tlbench.machine import backends


if TYPE_CHECKING:
    from collections.abc import Mapping

# Instruction sets by which oneDNN, Eigen and XLA choose kernels, as Linux calls them.
INSTRUCTIONS = (
    *("avx", "avx2", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16"),
    *("avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "bf16", "i8mm", "sve", "sve2"),
)

# Where Linux describes the processor.
CPUINFO = Path("/proc/cpuinfo")

# A process that trains the miniature holds 1.5 GB with TensorFlow.
PROCESS_BYTES = 2 * 1024**3

# More would trace the few kinds of networks that a study has again and again.
MOST_PROCESSES = 8


@dataclass(frozen=True)
class Environment:
    """All of a machine and its software that can move a score or a time; results of two environments are kept apart.

    Attributes from `numpy_version` on are empty, or 0, in what older versions of tlbench have written.

    Attributes:
        backend: Keras' backend.
        backend_version: Version of the backend.
        keras_version: Keras' version.
        device: `"cpu"` or `"gpu"`.
        device_name: What the device calls itself: the model of a GPU, the architecture of a CPU.
        python_version: Version of Python; for the reader, it keeps no results apart.
        numpy_version: Version of NumPy, which draws splits and orders of images.
        libraries: Names and versions of the libraries that compute for the backend, CUDA's and cuDNN's on a GPU.
        driver: Version of NVIDIA's driver, on a GPU.
        processor: What the CPU calls itself.
        instructions: The CPU's instruction sets that kernels are chosen by.
        cores: Number of processors that the process may use.
        threads: Number of threads that a process computes with on the CPU.
        flags: Settings of precision, determinism and kernels that are not as they are by default.
    """

    backend: str
    backend_version: str
    keras_version: str
    device: str
    device_name: str
    python_version: str
    numpy_version: str = ""
    libraries: str = ""
    driver: str = ""
    processor: str = ""
    instructions: str = ""
    cores: int = 0
    threads: int = 0
    flags: str = ""

    @property
    def key(self) -> str:
        """The key that keeps results apart, as a folder name; precision is part of each trial.

        Its last part is a digest of all attributes but Python's version.
        """
        device = self.device if self.device == "cpu" else self.device_name.replace(" ", "-").lower()
        members = {name: value for name, value in asdict(self).items() if name != "python_version"}
        digest = hashlib.sha256(json.dumps(members, sort_keys=True).encode()).hexdigest()
        return f"{self.backend}-{self.backend_version}_keras-{self.keras_version}_{device}_{digest[:12]}"

    def __str__(self) -> str:
        """One line for a header."""
        return f"{self.backend} {self.backend_version}, keras {self.keras_version}, {self.device} ({self.device_name})"


def suitable_processes() -> int:
    """Number of processes that may train at once on this machine's CPU: one for each core, and 2 GiB for each."""
    import joblib

    try:
        memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows.
        memory_bytes = PROCESS_BYTES * MOST_PROCESSES
    return max(1, min(int(joblib.cpu_count()), memory_bytes // PROCESS_BYTES, MOST_PROCESSES))


def current(*, gpu: bool = False, threads: int | None = None) -> Environment:
    """The environment of this process; the backend is imported for a GPU only.

    Args:
        gpu: Whether to train on a GPU.
        threads: Number of threads that each process that trains is given on the CPU; None for one for each core.

    Raises:
        ConfigurationError: A GPU is asked for and the backend sees none, or the backend is not installed.
    """
    backend = backends.backend()
    backend_version = backends.version(backend)
    device_name = platform.processor() or platform.machine()
    if gpu:
        # Imported here: every start of pytest reads this module, and none but this needs images.
        from tlbench.machine.folders import default_folder

        backends.prepare_gpu(default_folder() / "compiled")
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
        numpy_version=backends.version("numpy"),
        libraries=_listed(backends.libraries("gpu" if gpu else "cpu")),
        driver=(_driver() or "") if gpu else "",
        processor=_processor(),
        instructions=_instructions(),
        cores=_cores(),
        threads=backends.threads(threads or _cores(), _cores()),
        flags=_listed(backends.settings()),
    )


def _listed(named: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in named.items())


@dataclass(frozen=True)
class Surroundings:
    """All that a run's numbers and times may depend on, for the reader of a saved run.

    What of it keeps results apart is in `environment`; the rest, such as the versions of other packages, is recorded.

    Attributes:
        environment: Backend and device.
        packages: Version of every installed distribution, by name.
        platform: Operating system and architecture.
        processor: What the processor calls itself.
        cores: Number of processors the process may use.
        gpus: Names of the GPUs that the backend sees.
        driver: Version of NVIDIA's driver; None without one.
        flags: Precision, determinism and the environment variables that decide on them, by name.
    """

    environment: Environment
    packages: dict[str, str]
    platform: str
    processor: str
    cores: int
    gpus: tuple[str, ...]
    driver: str | None
    flags: dict[str, str]

    @property
    def machine(self) -> str:
        """The name that tells this machine from others, as a folder name."""
        return _machine(self.platform, self.processor, self.cores, self.gpus)


def surroundings(environment: Environment) -> Surroundings:
    """The surroundings of this process; imports the backend.

    Args:
        environment: Environment of this process.
    """
    return Surroundings(
        environment=environment,
        packages=dict(
            sorted((distribution.metadata["Name"], distribution.version) for distribution in metadata.distributions())
        ),
        platform=_platform(),
        processor=_processor(),
        cores=_cores(),
        gpus=_gpus(environment),
        driver=_driver(),
        flags=backends.flags(),
    )


def machine(environment: Environment) -> str:
    """The name of this machine, as in `Surroundings.machine`; imports the backend for a GPU only.

    Args:
        environment: Environment of this process.
    """
    return _machine(_platform(), _processor(), _cores(), _gpus(environment))


def _machine(platform_: str, processor: str, cores: int, gpus: tuple[str, ...]) -> str:
    parts = [platform_, processor, f"{cores}cores", *gpus[:1]]
    return "_".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)[:120]


def _platform() -> str:
    return f"{platform.system()}-{platform.machine()}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus(environment: Environment) -> tuple[str, ...]:
    return backends.gpus() if environment.device == "gpu" else ()


def _processor() -> str:
    # What platform.processor() says is the architecture, on Linux.
    named = re.search(r"^model name\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    return named.group(1).strip() if named else platform.processor() or platform.machine()


def _instructions() -> str:
    # x86 lists "flags", ARM "Features"; elsewhere the processor's model has to say it.
    listed = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    present = set(listed.group(1).split()) if listed else set()
    return " ".join(name for name in INSTRUCTIONS if name in present)


def _cpuinfo() -> str:
    try:
        return CPUINFO.read_text(encoding="utf-8")
    except OSError:
        return ""


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return output.partition("\n")[0].strip() or None
