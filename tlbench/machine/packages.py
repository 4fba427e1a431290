"""The packages whose versions can move a score or a time: the one list of them."""

from __future__ import annotations

from packaging.utils import canonicalize_name


# Keras, its backends under all names that they are published by, and the libraries that compute for them.
NAMES = frozenset(
    {
        *("keras", "keras-nightly", "tf-keras"),
        *("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel", "tensorflow-macos"),
        *("tensorflow-metal", "tensorflow-rocm", "tf-nightly", "tf-nightly-cpu", "intel-extension-for-tensorflow"),
        *("jax", "jaxlib", "jax-metal", "opt-einsum"),
        *("torch", "triton", "pytorch-triton", "intel-extension-for-pytorch"),
        # Splits and orders of images are drawn with NumPy, bfloat16 is of ml-dtypes, images are read with Pillow.
        *("numpy", "ml-dtypes", "pillow"),
    }
)

# CUDA, cuDNN and NCCL as NVIDIA publishes them, and JAX's plugins for GPUs.
LIBRARIES = ("nvidia-", "jax-cuda", "jax-rocm")

# The packages that a change is named after, the first one first.
LEADING = ("keras", "tensorflow", "jax", "torch", "jaxlib", "numpy")

# The packages of one backend alone; a study on another backend does not import them.
OF_BACKENDS = {
    "tensorflow": ("tensorflow", "tf-nightly", "intel-extension-for-tensorflow"),
    "jax": ("jax",),
    "torch": ("torch", "triton", "pytorch-triton", "intel-extension-for-pytorch"),
}


def backend_of(name: str) -> str | None:
    """The one backend that a package is of; None for a package that several backends or all of them use.

    Args:
        name: Name of a distribution that matters, normalised.
    """
    return next((backend for backend, names in OF_BACKENDS.items() if name.startswith(names)), None)


def matters(name: str) -> bool:
    """True for a package that can move a score or a time.

    Args:
        name: Name of a distribution, in any spelling.
    """
    name = canonicalize_name(name)
    return name in NAMES or name.startswith(LIBRARIES)
