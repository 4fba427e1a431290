"""An installation without a backend, or with one that is not TensorFlow."""

from __future__ import annotations

import importlib.util
import json
import re

from pathlib import Path

import pytest

from bare import Bare

from tlbench.machine.installed import BACKENDS


NAMES = {"tensorflow": ("tensorflow", "tf_nightly", "intel_extension"), "jax": ("jax",), "torch": ("torch",)}

# Keras imports these where they are.
SLOW = ("pandas", "matplotlib")

STUDY = """
import pytest
from tlbench import score

def better(study):
    return score(study.transferred("moved")).beats(score(study.random("random")))

@pytest.mark.tlbench_claim(declare=better)
def test_better(verdict):
    assert verdict.supported
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Python without TensorFlow, JAX and PyTorch."""
    hidden = [name for names in NAMES.values() for name in names]
    return Bare(tmp_path_factory.mktemp("bare") / "packages", hidden)


@pytest.fixture
def project(tmp_path):
    """A study of the tiny profile."""
    (tmp_path / "test_study.py").write_text(STUDY)
    return tmp_path


def test_a_study_without_a_backend_is_a_usage_error(bare, project):
    """Its one message names the remedy, and nothing is trained."""
    ended = bare.run("-m", "pytest", "-p", "tiny", "--tlbench-profile", "tiny", cwd=project)

    assert 4 == ended.returncode, ended.stdout + ended.stderr
    assert 'ERROR: Keras has no backend here: pip install "tlbench[tensorflow]"' in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_study_is_collected_without_a_backend(bare, project):
    """Keras is not imported for that."""
    ended = bare.run("-m", "pytest", "-p", "tiny", "--tlbench-profile", "tiny", "--collect-only", "-q", cwd=project)

    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert "1 test collected" in ended.stdout


COMMANDS = """
import json
from pathlib import Path
from click.testing import CliRunner
from nights import series
from tlbench.hosts.cli import main
from tlbench.store import baselines

for saved in series(nights=6, arms=2):
    baselines.save(saved, Path("store", "baselines"))
ended = [CliRunner().invoke(main, command) for command in ARGUMENTS]
print(json.dumps([(each.exit_code, each.output) for each in ended]))
"""


def test_stored_results_are_judged_and_reported_without_a_backend(bare, tmp_path):
    """So are saved runs followed and compared; a command that needs Keras names the remedy."""
    results = Path(__file__).parents[1] / "report" / "results_of_schema_4.json"
    expected = {
        ("--help",): (0, "Usage: "),
        ("report", str(results), "--to", "report"): (0, "The report is report/report.html"),
        ("history", "nightly", "--store", "store"): (0, "Nothing has become worse than the accepted run 0001_nightly"),
        ("compare", "1", "2", "--store", "store"): (0, "; claims: 1 same"),
        ("list", "--store", "store"): (0, "0003_nightly"),
        ("networks",): (0, "mobilenet"),
        ("networks", "xception"): (2, 'Error: Keras has no backend here: pip install "tlbench[tensorflow]"'),
        ("fingerprint",): (2, 'Error: Keras has no backend here: pip install "tlbench[tensorflow]"'),
    }

    ended = bare.run("-c", COMMANDS.replace("ARGUMENTS", repr(list(map(list, expected)))), cwd=tmp_path)

    assert 0 == ended.returncode, ended.stderr
    for (status, words), (received, output) in zip(expected.values(), json.loads(ended.stdout), strict=True):
        assert status == received, output
        assert words in output


ONLY = """
import sys
import pytest
pytest.main(["-p", "tiny", "--tlbench-profile", "tiny", "--collect-only"])
import keras
print(keras.backend.backend(), "tensorflow" in sys.modules)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_only_backend_is_used(backend, tmp_path):
    """Keras is told so by the plugin, although its own file says TensorFlow; the header names it."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    hidden = [name for other in BACKENDS if other != backend for name in NAMES[other]]
    only = Bare(tmp_path / "packages", [*hidden, *SLOW])
    (only.home / "keras.json").write_text('{"backend": "tensorflow"}')
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_study.py").write_text(STUDY)

    ended = only.run("-c", ONLY, cwd=project)

    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert re.search(rf"^tlbench: [\d.]+, {backend} [\d.+a-z]+, keras ", ended.stdout, re.MULTILINE), ended.stdout
    assert f"{backend} False" == ended.stdout.splitlines()[-1]
