"""Small packages in place of Keras, pytest and tlbench, so that upgrades take seconds and no network."""

from __future__ import annotations

from wheels import make_wheel


KERAS = """
from importlib.metadata import version

class ops:
    zeros = staticmethod(lambda size: [0] * size)
"""

# Stands in for a whole study: one arm, whose accuracy is another from version 3 on.
PYTEST = """
import json, os, pathlib, sys
from importlib.metadata import version

if os.environ.get("STUDY") == "crashes":
    sys.exit("INTERNALERROR> it crashed")
store = pathlib.Path(sys.argv[sys.argv.index("--tlbench-store") + 1])
name = sys.argv[sys.argv.index("--tlbench-save") + 1]
keras = version("keras")
shift = 0.3 if keras >= "3" else 0.0
scores = {
    seed: dict(diverged=False, accuracy=0.8 + 0.01 * seed - shift, loss=0.5, macro_f1=0.8, f1={},
        batch_statistics_accuracy=0.8, validation_accuracy=[0.8], training_accuracy=[0.8], epoch_seconds=[1.0, 0.5],
        epoch_steps=5, epoch_images=160, seconds=2.0)
    for seed in range(4)
}
claim = dict(name="c", statement="C.", threshold=0.0, outcome="refuted" if shift else "supported",
    differences={seed: 0.1 + 0.001 * seed - shift for seed in range(4)}, p=0.01, adjusted_p=0.01, seeds_needed=None,
    on_macro_f1=None)
stored = os.environ.get("STUDY") == "is stored"
digests = {seed: f"digest {seed}" for seed in range(4)} if stored else {}
runs = {seed: "an earlier run" for seed in range(4)} if stored else {}
here = dict(backend="tensorflow", backend_version="1", keras_version=keras, device="cpu", device_name="cpu",
    python_version="3")
around = dict(environment=here, packages={"keras": keras}, platform="linux", processor="cpu", cores=2, gpus=[],
    driver=None, flags={})
run = dict(schema_version=1, name=name, created="2026-11-24T00:00:00+00:00", tlbench_version="0", commit=None,
    header={}, surroundings=around, peak_memory_bytes=None, fingerprint=None, claims=[claim],
    arms=[dict(arm="a", labels=["A"], description={}, digests=digests, trials=scores, runs=runs)])
path = store / "baselines" / "linux_cpu_2cores" / f"0001_{name}.json"
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps(run))
status = pathlib.Path(sys.argv[sys.argv.index("--tlbench-status") + 1])
status.write_text(json.dumps(dict(schema_version=1, trained=1, progress="trial 1/2 [A, seed 0]", saved=str(path))))
print("Saved.")
"""

# `python -m tlbench fingerprint --save PATH`: one quantity, which is another from version 2 on.
TLBENCH = """
import json, pathlib, sys
from importlib.metadata import version

value = 1.0 if version("keras") >= "2" else 0.5
here = dict(backend="tensorflow", backend_version="1", keras_version="1", device="cpu", device_name="cpu",
    python_version="3")
quantity = dict(stage="inference output", name="block1_conv1", tolerance=1e-6,
    absent=None,
    value=dict(shape=[1], rms=value, largest=value, projections=[value] * 16))
content = dict(schema_version=2, environment=here, quantities=[quantity])
pathlib.Path(sys.argv[-1]).write_text(json.dumps(content))
"""


def make_index(folder):
    """An index of wheels; returns the folder of the wheels and the address of the index."""
    wheels = folder / "wheels"
    wheels.mkdir()
    for version in ("1.0", "2.0", "3.0", "4.0"):
        make_wheel(wheels, "keras", version, {"keras/__init__.py": KERAS}, ["other"])
    make_wheel(wheels, "keras", "5.0", {"keras/__init__.py": "raise ImportError('no symbol in this driver')"})
    for version in ("1.0", "2.0"):
        make_wheel(wheels, "other", version, {"other.py": ""})
    for backend in ("tensorflow", "jax"):
        make_wheel(wheels, backend, "3.0", {f"{backend}/__init__.py": ""})
    make_wheel(wheels, "tlbench", "9.9", {"tlbench/__init__.py": "", "tlbench/__main__.py": TLBENCH})
    make_wheel(wheels, "pytest", "9.9", {"pytest/__init__.py": "", "pytest/__main__.py": PYTEST})
    for wheel in wheels.glob("*.whl"):
        page = folder / "simple" / wheel.name.partition("-")[0] / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        with page.open("a") as links:
            links.write(f'<a href="{wheel.as_uri()}">{wheel.name}</a>\n')
    return wheels, (folder / "simple").as_uri()
