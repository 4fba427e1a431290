"""Families of networks end to end: the poster's Table 2 with two of them, one with BatchNorm and one without."""

from __future__ import annotations

import os
import subprocess
import sys

from pathlib import Path

import pytest

import tlbench


ROOT = Path(__file__).parents[2]

every_family = pytest.mark.skipif(os.environ.get("TLBENCH_FAMILIES") != "all", reason="tox run -e families")


@every_family
@pytest.mark.parametrize(
    "network", ["mobilenet:alpha=0.25,image_size=32,batchnorm_momentum=0.8", "vgg16:image_size=32"]
)
def test_a_family_fills_table_2(network, tmp_path):
    """Each set of frozen flows is trained from a source of the same family; one seed decides no claim."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))}

    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", ROOT / "benchmarks" / "test_table_2_frozen_flows.py", "-q"),
            *("-p", "tiny", "-p", "no:cacheprovider", "--tlbench-profile", "tiny", "--tlbench-network", network),
            *("--tlbench-seeds", "1", "--tlbench-store", tmp_path),
        ],
        env=environment,
        cwd=tmp_path,
        check=True,
    )

    trials = tlbench.read(tmp_path / "report").trials
    frozen = trials[trials.arm.str.startswith("frozen")]
    assert {"frozen all", "frozen none", "frozen entry", "frozen entry+middle"} == set(frozen.arm)
    assert frozen.accuracy.notna().all()
    assert 1 == frozen.seed.nunique()
