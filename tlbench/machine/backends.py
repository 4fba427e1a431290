"""Differences between Keras' backends; the only module that may import one."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

from importlib import metadata
from typing import TYPE_CHECKING, Any

from tlbench.errors import ConfigurationError
from tlbench.machine import installed
from tlbench.machine.packages import LIBRARIES


if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import keras

    from numpy.typing import NDArray

# Environment variables that decide on precision, determinism, kernels or pools of threads: results of other values are
# kept apart. TLBENCH_ENVIRONMENT names an isolated environment, for all in it that nothing else here says.
DECISIVE_VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG",
    "DNNL_MAX_CPU_ISA",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_MAX_CPU_ISA",
    "TF_CUDNN_DETERMINISTIC",
    "TF_CUDNN_USE_AUTOTUNE",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_XLA_FLAGS",
    "TLBENCH_ENVIRONMENT",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "XLA_FLAGS",
)

# Those that a saved run records besides; what they decide, devices and numbers of threads, is kept apart by itself.
VARIABLES = (
    *DECISIVE_VARIABLES,
    "CUDA_VISIBLE_DEVICES",
    "JAX_PLATFORMS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)

# The variable that says how many threads an operation is computed with.
THREADS_VARIABLE = {"tensorflow": "TF_NUM_INTRAOP_THREADS", "torch": "OMP_NUM_THREADS"}

# Settings of Keras that a backend's results depend on, as they are unless somebody changes them.
KERAS_DEFAULTS = {"floatx": "float32", "epsilon": "1e-07", "image_data_format": "channels_last"}


def backend() -> str:
    """Name of Keras' backend, found without importing it.

    Raises:
        ConfigurationError: No backend is installed, or Keras is told one that tlbench does not train on.
    """
    if "keras" in sys.modules:
        return str(sys.modules["keras"].backend.backend())
    name = installed.chosen()
    if name is None:
        msg = f"Keras has no backend here: {installed.REMEDY}. Received: none of {', '.join(installed.BACKENDS)}"
        raise ConfigurationError(msg)
    if name not in installed.BACKENDS:
        msg = f"tlbench trains on the backends {', '.join(installed.BACKENDS)}. Received: KERAS_BACKEND={name!r}"
        raise ConfigurationError(msg)
    return name


def version(distribution: str) -> str:
    """Installed version of a distribution or a backend, found without importing it.

    Raises:
        ConfigurationError: It is not installed.
    """
    found = installed.version(distribution)
    if found is not None:
        return found
    if distribution in installed.BACKENDS:
        msg = (
            f'The backend {distribution!r} is not installed: pip install "tlbench[{distribution}]", or choose another '
            f"KERAS_BACKEND. Received: KERAS_BACKEND={distribution!r}"
        )
    else:
        msg = f"{distribution} is not installed: pip install {distribution}. Received: {distribution!r}"
    raise ConfigurationError(msg)


def gpus() -> tuple[str, ...]:
    """Names of the GPUs that the backend sees; imports the backend."""
    name = backend()
    if name == "tensorflow":
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(device) for device in devices]
        return tuple(detail.get("device_name", "GPU") for detail in details)
    if name == "jax":
        import jax

        return tuple(device.device_kind for device in jax.devices() if device.platform == "gpu")
    import torch

    return tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))


def prepare_gpu(cache: Path) -> None:
    """Let memory grow as it is needed, and keep compiled programs; to be called before the backend is first used.

    Memory goes back to the driver when the process ends; until then the backend keeps what it has asked for.

    Args:
        cache: Folder where JAX keeps what it has compiled; TensorFlow's and PyTorch's own settings are left alone.
    """
    name = backend()
    if name == "tensorflow":
        import tensorflow as tf

        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
    elif name == "jax":
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        import jax

        if jax.config.jax_compilation_cache_dir is None:  # As JAX_COMPILATION_CACHE_DIR may say.
            jax.config.update("jax_compilation_cache_dir", str(cache))


def device_scope(device: str) -> AbstractContextManager[Any]:
    """Place what is computed inside on `"cpu"` or `"gpu"`."""
    import keras

    # PyTorch tells "cpu:0" from "cpu", where Keras' variables are, and would train copies of them.
    name = device if backend() == "torch" and device == "cpu" else f"{device}:0"
    return keras.device(name)  # type: ignore[no-any-return]


def compile_options(device: str) -> dict[str, Any]:
    """Arguments of `Model.compile` for just-in-time compilation.

    XLA on a CPU trains Xception ten times slower than TensorFlow's own
    kernels; JAX has nothing else; Keras' own choice is kept for TensorFlow on a GPU.

    Args:
        device: `"cpu"` or `"gpu"`.
    """
    jit = {"tensorflow": "auto" if device == "gpu" else False, "jax": True, "torch": False}
    return {"jit_compile": jit[backend()]}


def thread_variables(threads: int) -> dict[str, str]:
    """Environment variables that keep a process, which has not imported its backend yet, to some threads on the CPU.

    Args:
        threads: Number of them.
    """
    count = str(threads)
    name = backend()
    if name == "tensorflow":
        return {"TF_NUM_INTRAOP_THREADS": count, "TF_NUM_INTEROP_THREADS": count}
    if name == "jax":
        # JAX computes with one thread or with one for each core.
        return {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"} if threads == 1 else {}
    return {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}


def threads(wanted: int, cores: int) -> int:
    """Number of threads that a process will compute with on the CPU.

    Args:
        wanted: Variables as of `thread_variables`; a variable that the user has set takes precedence.
        cores: Number of processors the process may use.
    """
    name = backend()
    if name == "jax":
        one = "xla_cpu_multi_thread_eigen=false" in os.environ.get("XLA_FLAGS", "")
        return 1 if one or (wanted == 1 and "XLA_FLAGS" not in os.environ) else cores
    said = os.environ.get(THREADS_VARIABLE[name], "")
    return int(said) if said.isdigit() and int(said) else wanted


def libraries(device: str) -> dict[str, str]:
    """Versions of the libraries that compute for the backend, by name, found without importing the backend on a CPU.

    Args:
        device: `"cpu"` or `"gpu"`, for which CUDA's and cuDNN's are among them.
    """
    name = backend()
    found = {}
    if name == "jax":
        with contextlib.suppress(metadata.PackageNotFoundError):
            found["jaxlib"] = metadata.version("jaxlib")
    if device == "cpu":
        return found
    for distribution in metadata.distributions():
        title = str(distribution.metadata["Name"]).lower()
        if title.startswith(LIBRARIES):
            found[title] = distribution.version
    if name == "tensorflow":
        import tensorflow as tf

        build = tf.sysconfig.get_build_info()
        found |= {key: str(build[key]) for key in ("cuda_version", "cudnn_version") if key in build}
    elif name == "torch":
        import torch

        found |= {"cuda_version": str(torch.version.cuda), "cudnn_version": str(torch.backends.cudnn.version())}
    return dict(sorted(found.items()))


def settings() -> dict[str, str]:
    """Settings of precision, determinism and kernels that differ from their defaults, by name.

    A backend is not imported for it: as long as nobody has, its settings are the default ones or those of variables.
    """
    found = {name: value for name, value in _keras_settings().items() if value != KERAS_DEFAULTS[name]}
    name = backend()
    module: Any = sys.modules.get(name)
    changed: dict[str, Any] = {}
    if module is not None and name == "tensorflow":
        threading = module.config.threading
        changed = {
            "tf32": (module.config.experimental.tensor_float_32_execution_enabled(), True),
            "intra_op_threads": (threading.get_intra_op_parallelism_threads(), 0),
            "inter_op_threads": (threading.get_inter_op_parallelism_threads(), 0),
        }
    elif module is not None and name == "jax":
        changed = {
            "matmul_precision": (module.config.jax_default_matmul_precision, None),
            "x64": (module.config.jax_enable_x64, False),
        }
    elif module is not None:
        changed = {
            "tf32": (module.backends.cuda.matmul.allow_tf32, False),
            "cudnn_tf32": (module.backends.cudnn.allow_tf32, True),
            "cudnn_benchmark": (module.backends.cudnn.benchmark, False),
            "deterministic": (module.are_deterministic_algorithms_enabled(), False),
        }
    found |= {key: str(value) for key, (value, default) in changed.items() if value != default}
    return found | {variable: os.environ[variable] for variable in DECISIVE_VARIABLES if variable in os.environ}


def _keras_settings() -> dict[str, str]:
    if "keras" in sys.modules:
        config: Any = sys.modules["keras"].config
        values = {name: getattr(config, name)() for name in KERAS_DEFAULTS}
    else:
        values = installed.configuration()
    given = {name: values.get(name, default) for name, default in KERAS_DEFAULTS.items()}
    return given | {"epsilon": f"{float(given['epsilon']):g}"}


def loss_and_gradients(
    model: keras.Model, loss: Callable[[Any, Any], Any], x: NDArray[Any], y: NDArray[Any]
) -> tuple[NDArray[Any], list[NDArray[Any]]]:
    """The loss of a batch in training mode, and its gradients; compiled by JAX only.

    Args:
        model: Whose trainable weights are differentiated by; its moving statistics stay as they are on JAX only.
        loss: From labels and outputs to a scalar.
        x: Inputs.
        y: Labels.

    Returns:
        Loss, and a gradient for each trainable weight in the model's order.
    """
    import numpy as np

    name = backend()
    trained = [variable.value for variable in model.trainable_variables]
    if name == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradients = [np.asarray(gradient) for gradient in tape.gradient(value, trained)]
    elif name == "jax":
        import jax

        def objective(trained: Any, untrained: Any) -> Any:
            outputs, _ = model.stateless_call(trained, untrained, x, training=True)
            return loss(y, outputs)

        untrained = [variable.value for variable in model.non_trainable_variables]
        # As a whole: one operation after another takes JAX several times as long to compile.
        value, found = jax.jit(jax.value_and_grad(objective))(trained, untrained)
        gradients = [np.asarray(gradient) for gradient in found]
    else:
        import torch

        value = loss(y, model(x, training=True))
        gradients = [gradient.detach().cpu().numpy() for gradient in torch.autograd.grad(value, trained)]
        value = value.detach().cpu().numpy()
    return np.asarray(value), gradients


def input_of_fit(batches: keras.utils.PyDataset) -> Any:
    """Input of `Model.fit` for batches.

    On TensorFlow a `tf.data.Dataset` without autotuning: that of Keras has it, and letting go of its iterator at the
    end of `fit` then waits for a thread, 0.9 s in a third of all epochs.

    Args:
        batches: Each a tuple of arrays that differ in values only.
    """
    if backend() != "tensorflow":
        return batches
    import tensorflow as tf

    dataset = tf.data.Dataset.from_generator(
        lambda: (batches[index] for index in range(len(batches))),
        # Of any number of rows, as Keras has it: with a known one TensorFlow rounds otherwise than a plain `fit`.
        output_signature=tuple(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in batches[0]),
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    cardinality = tf.data.experimental.assert_cardinality(len(batches))
    return dataset.apply(cardinality).prefetch(2).with_options(options)


def flags() -> dict[str, str]:
    """Settings of precision and determinism, by name; imports the backend."""
    import keras

    found = {
        "floatx": keras.config.floatx(),
        "epsilon": f"{keras.config.epsilon():g}",
        "image_data_format": keras.config.image_data_format(),
    }
    name = backend()
    if name == "tensorflow":
        import tensorflow as tf

        found["tf32"] = str(tf.config.experimental.tensor_float_32_execution_enabled())
        found["intra_op_threads"] = str(tf.config.threading.get_intra_op_parallelism_threads())
    elif name == "jax":
        import jax

        found["matmul_precision"] = str(jax.config.jax_default_matmul_precision)
        found["x64"] = str(jax.config.jax_enable_x64)
    else:
        import torch

        found["tf32"] = str(torch.backends.cuda.matmul.allow_tf32)
        found["cudnn_benchmark"] = str(torch.backends.cudnn.benchmark)
        found["deterministic"] = str(torch.are_deterministic_algorithms_enabled())
        found["threads"] = str(torch.get_num_threads())
    return found | {variable: os.environ[variable] for variable in VARIABLES if variable in os.environ}


def peak_memory(device: str) -> int | None:
    """Most bytes that this process has held on its device so far; None where the backend does not say.

    Args:
        device: `"cpu"` counts the process's resident memory, `"gpu"` the backend's allocations.
    """
    if device == "cpu":
        try:
            import resource
        except ImportError:  # Windows.
            return None
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # In kilobytes, but for macOS.
        return peak if sys.platform == "darwin" else peak * 1024
    name = backend()
    if name == "tensorflow":
        import tensorflow as tf

        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    if name == "jax":
        import jax

        return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    import torch

    return int(torch.cuda.max_memory_allocated())


def device_memory() -> int | None:
    """Bytes of the GPU that this process may use in all; None where the backend does not say, as TensorFlow's."""
    name = backend()
    if name == "jax":
        import jax

        return (jax.devices()[0].memory_stats() or {}).get("bytes_limit")
    if name == "torch":
        import torch

        return int(torch.cuda.mem_get_info()[1])
    return None


def model_behind(layer: keras.layers.Layer, output: Any) -> keras.Model:
    """The part of a functional model that follows a layer, sharing the model's layers.

    Args:
        layer: One of the model's.
        output: Symbolic tensor computed from the layer's output.

    Raises:
        ValueError: It is computed from more than that.
    """
    import keras

    part = keras.Model(layer.output, output)
    if layer not in part.layers:
        return part
    # Keras 3.0 keeps what the layer's output is computed from, with nothing to compute it from.
    inputs = keras.Input(batch_shape=layer.output.shape, dtype=layer.output.dtype)
    try:
        return keras.models.clone_model(part, input_tensors=inputs, clone_function=lambda shared: shared)
    except KeyError as error:
        msg = f"Output is not connected to layer {layer.name!r}."
        raise ValueError(msg) from error


def release_memory() -> None:
    """Let go of what models that are no longer used have left behind."""
    import keras

    keras.utils.clear_session()
    gc.collect()
    if backend() == "torch":
        import torch

        torch.cuda.empty_cache()
