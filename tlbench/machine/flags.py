"""Named settings of precision and determinism, as each backend's environment variables.

All of these variables are among `tlbench.machine.backends.DECISIVE_VARIABLES`: results of other values are kept apart.
"""

from __future__ import annotations

import os

from tlbench.errors import ConfigurationError


# By flag and backend. TensorFlow computes with TF32 where the GPU can; PyTorch does for convolutions only.
FLAGS: dict[str, dict[str, dict[str, str]]] = {
    "tf32=off": {name: {"NVIDIA_TF32_OVERRIDE": "0"} for name in ("tensorflow", "jax", "torch")},
    "tf32=on": {
        "tensorflow": {},
        "jax": {"JAX_DEFAULT_MATMUL_PRECISION": "tensorfloat32"},
        "torch": {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"},
    },
    "deterministic=on": {
        "tensorflow": {"TF_DETERMINISTIC_OPS": "1"},
        "jax": {"XLA_FLAGS": "--xla_gpu_deterministic_ops=true"},
    },
}


def variables(flag: str, backend: str) -> dict[str, str]:
    """The environment variables that set a flag.

    Args:
        flag: One of `FLAGS`, for instance `tf32=off`.
        backend: Keras' backend.

    Raises:
        ConfigurationError: The flag is unknown, or the backend has no variable for it.
    """
    if flag not in FLAGS:
        msg = f"A flag is one of {', '.join(FLAGS)}; anything else can be set as a variable. Received: {flag!r}"
        raise ConfigurationError(msg)
    if backend not in FLAGS[flag]:
        msg = f"{backend} has no environment variable for {flag}; set it in the study's conftest.py. Received: {flag!r}"
        raise ConfigurationError(msg)
    found = dict(FLAGS[flag][backend])
    if "XLA_FLAGS" in found and (given := os.environ.get("XLA_FLAGS")):
        found["XLA_FLAGS"] = f"{given} {found['XLA_FLAGS']}"
    return found
