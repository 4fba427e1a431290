"""A family of networks with published weights of its own, in a project of somebody else's."""

from __future__ import annotations

import re

import numpy as np
import projects
import pytest

from legacy import write_legacy
from pebble import Pebble, randomise

from tlbench.machine.hashes import md5


# The family is one file: architecture, and where its published weights are.
FAMILY = """
from dataclasses import dataclass
from pebble import Pebble
from tlbench.networks.published import Published, WeightsFile

PEBBLES = Published(
    "pebbles of 5 classes", "http://127.0.0.1:9/", (WeightsFile("pebble.h5", "MD5", head=True),), 5, "pool"
)

@dataclass(frozen=True)
class Family(Pebble):
    @property
    def pretrained(self):
        return PEBBLES if self.filters == 8 else None
"""

STUDY = """
import pytest
from tlbench.declare.claims import score

def moved(study):
    return score(study.transferred("moved", frozen=study.flows)).is_positive()

@pytest.mark.tlbench_claim(declare=moved)
def test_moved(verdict):
    assert verdict.differences

def test_weights(study, trained, pytestconfig):
    plugin = pytestconfig.pluginmanager.get_plugin("tlbench-session")
    trial = study.transferred("moved", frozen=study.flows).trial(0)
    trained(trial)
    print("entry", plugin.run.assembly.store.load_weights(trial)["entry_conv/kernel"].sum())
"""


@pytest.fixture
def project(pytester):
    """A project with the family, a profile of it, and a file of its weights."""
    model = Pebble().build(5)
    randomise(model, np.random.default_rng(0))
    write_legacy(model, pytester.path / "pebble.h5")
    pytester.makepyfile(
        pebble=projects.PEBBLE,
        family=FAMILY.replace("MD5", md5(pytester.path / "pebble.h5")),
        test_study=STUDY,
        conftest=projects.PROFILE.replace("Pebble()", "Family(filters=FILTERS)").replace(
            "from pebble import Pebble", "from family import Family"
        ),
    )
    pytester.expected = model.get_layer("entry_conv").get_weights()[0].sum()
    return pytester


def run(project, filters, *arguments):
    path = project.path / "conftest.py"
    path.write_text(path.read_text().replace("FILTERS", str(filters)))
    # In this process, which has its backend already.
    return project.runpytest(
        *("--tlbench-profile", "tiny", "--tlbench-source", "imagenet", "--tlbench-seeds", "2"),
        *("--tlbench-workers", "1", "-p", "no:cacheprovider", "-p", "no:benchmark", "-s", *arguments),
    )


def test_a_family_brings_its_own_published_weights(project):
    """By its property alone: the options, the header, the transfer and the checks are those of Xception."""
    result = run(project, 8, "--tlbench-weights", "pebble.h5")

    result.assert_outcomes(passed=1, skipped=1)  # Two seeds of two epochs decide nothing.
    result.stdout.fnmatch_lines(["*transferred from pebbles of 5 classes*"])
    (total,) = re.findall(r"entry (-?\d\S*)$", result.stdout.str(), re.MULTILINE)
    assert project.expected == pytest.approx(float(total), abs=1e-5)
    result.stdout.no_fnmatch_line("*ImageNet*")


def test_another_file_than_the_published_one_is_refused(project):
    """By its hash, and with the file that would do."""
    (project.path / "other.h5").write_bytes(b"other")

    result = run(project, 8, "--tlbench-weights", "other.h5")

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*other.h5 is not as published: its MD5 should be*pebble.h5 again. Received: *"])


def test_a_size_without_published_weights_is_refused(project):
    """The network is named."""
    result = run(project, 4, "--tlbench-weights", "pebble.h5")

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*No weights are published for this network*Family(*filters=4*"])
