"""Where results are read and written: all that can move a score or a time keeps them apart."""

from __future__ import annotations

import json
import sys

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest

from tlbench.machine import backends, environment
from tlbench.machine.environment import Environment, current


CPUINFO = """processor\t: 0
model name\t: {model}
flags\t\t: fpu {flags}
"""


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine that is the same wherever the tests run, with a GPU and a driver; a function changes them."""
    for variable in backends.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(environment, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(environment, "_cores", lambda: 4)
    monkeypatch.setattr(backends, "prepare_gpu", lambda _cache: None)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    def set_up(
        model="Xeon",
        flags="avx avx2 fma",
        driver="550.1",
        gpu="H100",
        libraries=("cuda_version 12.4",),
    ):
        (tmp_path / "cpuinfo").write_text(CPUINFO.format(model=model, flags=flags), encoding="utf-8")
        (folder / "nvidia-smi").write_text(f"#!/bin/sh\necho {driver}\n")
        (folder / "nvidia-smi").chmod(0o755)
        monkeypatch.setattr(backends, "gpus", lambda: (gpu,))
        monkeypatch.setattr(backends, "libraries", lambda _device: dict(each.split() for each in libraries))

    set_up()
    return set_up


@pytest.mark.parametrize(
    ("changes", "on_cpu"),
    [
        ({"model": "EPYC"}, True),
        ({"flags": "avx avx2 fma avx512f avx512_vnni"}, True),
        ({"driver": "560.2"}, False),
        ({"gpu": "H200"}, False),
        ({"libraries": ("cuda_version 12.8",)}, True),
        ({"libraries": ("cuda_version 12.4", "cudnn_version 9")}, True),
    ],
    ids=["processor", "instructions", "driver", "gpu", "cuda", "cudnn"],
)
def test_another_machine_keeps_results_apart(machine, changes, on_cpu):
    """On a GPU whatever differs; on a CPU all but the GPU and its driver."""
    cpu, gpu = current(), current(gpu=True)

    machine(**changes)

    assert gpu.key != current(gpu=True).key
    assert on_cpu == (cpu.key != current().key)


@pytest.mark.parametrize("variable", backends.DECISIVE_VARIABLES)
def test_a_variable_that_decides_keeps_results_apart(monkeypatch, variable):
    """Precision, determinism, kernels and pools of threads."""
    before = current()

    monkeypatch.setenv(variable, "1")

    assert before.key != current().key
    assert f"{variable} 1" in current().flags


@pytest.mark.parametrize("variable", sorted(set(backends.VARIABLES) - set(backends.DECISIVE_VARIABLES)))
def test_a_variable_that_chooses_is_only_recorded(monkeypatch, variable):
    """It says which device, or how many threads, which keep results apart by themselves."""
    before = current()

    monkeypatch.setenv(variable, "4")

    assert before.key == current().key


@pytest.mark.parametrize("name", ["numpy", "keras", "tensorflow"])
def test_another_version_keeps_results_apart(monkeypatch, name):
    """Of NumPy as well, which draws splits and orders."""
    before = current()
    version = backends.version

    monkeypatch.setattr(backends, "version", lambda asked: "99" if asked == name else version(asked))

    assert before.key != current().key


@pytest.mark.parametrize(("name", "value"), [("floatx", "float64"), ("epsilon", 1e-5)])
def test_keras_settings_keep_results_apart(tmp_path, name, value):
    """As its file has them, before anybody imports it; the default ones, written down, are no other environment."""
    (tmp_path / "keras").mkdir()
    file = tmp_path / "keras" / "keras.json"
    file.write_text(json.dumps({"floatx": "float32", "epsilon": 1e-07, "image_data_format": "channels_last"}))
    before = current()

    file.write_text(json.dumps({name: value}))

    assert before.key != current().key
    file.unlink()
    assert before.key == current().key


@pytest.mark.parametrize(
    ("backend", "module", "flags"),
    [
        (
            "tensorflow",
            {"tf32": False},
            "tf32 False",
        ),
        ("jax", {"jax_default_matmul_precision": "float32"}, "matmul_precision float32"),
        ("torch", {"deterministic": True}, "deterministic True"),
    ],
)
def test_settings_of_an_imported_backend_keep_results_apart(monkeypatch, backend, module, flags):
    """TF32, precision and determinism, where somebody has set them; imported and left alone it is as before."""
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr(backends, "version", lambda _name: "1")
    before = current()

    monkeypatch.setitem(sys.modules, backend, imported(backend))
    untouched = current()
    monkeypatch.setitem(sys.modules, backend, imported(backend, **module))

    assert before == untouched
    assert before.key != current().key
    assert flags == current().flags


def imported(backend, **settings):
    """A backend with the settings that it has by default, but for some."""
    if backend == "tensorflow":
        tf32 = settings.get("tf32", True)
        threading = SimpleNamespace(
            get_intra_op_parallelism_threads=lambda: 0, get_inter_op_parallelism_threads=lambda: 0
        )
        experimental = SimpleNamespace(tensor_float_32_execution_enabled=lambda: tf32)
        return SimpleNamespace(config=SimpleNamespace(threading=threading, experimental=experimental))
    if backend == "jax":
        return SimpleNamespace(
            config=SimpleNamespace(**({"jax_default_matmul_precision": None, "jax_enable_x64": False} | settings))
        )
    deterministic = settings.get("deterministic", False)
    return SimpleNamespace(
        backends=SimpleNamespace(
            cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False)),
            cudnn=SimpleNamespace(allow_tf32=True, benchmark=False),
        ),
        are_deterministic_algorithms_enabled=lambda: deterministic,
    )


def test_threads_and_cores_keep_results_apart(monkeypatch):
    """Threads, since sums are added up in another order; cores, since times are of so many."""
    four, one = current(), current(threads=1)

    assert [4, 1] == [four.threads, one.threads]
    assert four.key != one.key
    monkeypatch.setattr(environment, "_cores", lambda: 8)
    assert one.key != current(threads=1).key


@pytest.mark.parametrize(
    ("backend", "variables", "wanted", "expected"),
    [
        ("tensorflow", {}, 2, 2),
        ("tensorflow", {"TF_NUM_INTRAOP_THREADS": "3"}, 2, 3),
        ("tensorflow", {"TF_NUM_INTRAOP_THREADS": "0"}, 2, 2),
        ("torch", {"OMP_NUM_THREADS": "3"}, 2, 3),
        ("jax", {}, 2, 4),
        ("jax", {}, 1, 1),
        ("jax", {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}, 2, 1),
        ("jax", {"XLA_FLAGS": "--xla_dump_to=x"}, 1, 4),
    ],
)
def test_threads_are_those_that_a_process_will_have(monkeypatch, backend, variables, wanted, expected):
    """What the user's variables say comes first; JAX has one thread or one for each core."""
    monkeypatch.setenv("KERAS_BACKEND", backend)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert expected == backends.threads(wanted, 4)


def test_every_attribute_but_pythons_version_is_part_of_the_key():
    """So is one that is added later."""
    here = current(gpu=True)

    for field in fields(Environment):
        value = getattr(here, field.name)
        other = replace(here, **{field.name: value + (1 if isinstance(value, int) else "x")})

        assert (field.name == "python_version") == (here.key == other.key), field.name


def test_a_key_is_a_name_that_a_folder_can_have():
    """On any system, and begins with what a reader looks for."""
    key = current(gpu=True).key

    assert key.startswith("tensorflow-")
    assert "_h100_" in key
    assert len(key) < 120
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_+")
