"""`--tlbench-source` takes a file of weights that a user saved from the study's network."""

from __future__ import annotations

import re

import numpy as np
import projects
import pytest

from pebble import Pebble


STUDY = """
import pytest
from tlbench import score

def better(study):
    frozen = study.transferred("frozen", frozen=study.flows)
    return score(frozen).beats(score(study.random("random")))

@pytest.mark.tlbench_claim(declare=better)
def test_better(verdict):
    print(verdict)
"""


@pytest.fixture
def project(pytester):
    """A project with a profile, a study, and weights of its network under two names."""
    model = Pebble().build(5)
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.5, 1, value.shape) for value in model.get_weights()])
    model.save_weights(pytester.path / "mine.weights.h5")
    Pebble(filters=6).build(5).save_weights(pytester.path / "wide.weights.h5")
    pytester.makepyfile(pebble=projects.PEBBLE, conftest=projects.PROFILE, test_study=STUDY)
    return pytester


def options(source):
    return "--tlbench-profile", "tiny", "--tlbench-source", source, "--tlbench-seeds", "2", "-p", "no:cacheprovider"


def run(project, source, *arguments):
    # In this process, which has its backend already.
    return project.runpytest(*options(source), "--tlbench-workers", "1", "-p", "no:benchmark", *arguments)


def test_a_file_of_weights_is_a_source(project):
    """The header names the file, nothing is pretrained, and the run trains to its verdict, in other processes."""
    result = project.runpytest_subprocess(*options("mine.weights.h5"), "--tlbench-workers", "2")

    assert result.ret in {0, 1}
    result.stdout.fnmatch_lines(["*transferred from mine.weights.h5, SHA-256 *", "*4 trials*"])


def test_the_files_digest_is_in_the_trials(project):
    """Another file of the same name trains other trials; a copy under another name trains the same."""
    first = run(project, "mine.weights.h5", "--tlbench-plan").stdout.str()
    (project.path / "copy.weights.h5").write_bytes((project.path / "mine.weights.h5").read_bytes())
    copied = run(project, "copy.weights.h5", "--tlbench-plan").stdout.str()
    Pebble().build(5).save_weights(project.path / "mine.weights.h5")
    other = run(project, "mine.weights.h5", "--tlbench-plan").stdout.str()

    transferred = [re.findall(r"weights of \S+ .*?([0-9a-f]{12})", text) for text in (first, copied, other)]
    assert transferred[0]
    assert transferred[0] == transferred[1]
    assert not set(transferred[0]) & set(transferred[2])


def test_the_weights_of_another_network_are_refused(project):
    """By the first weight, with both shapes; the random arm's results are kept."""
    result = run(project, "wide.weights.h5")

    assert 1 == result.ret
    result.stdout.fnmatch_lines(
        ["*wide.weights.h5 is of another network: weight 'entry_conv/kernel' has shape*(3, 3, 3, 8)*"]
    )
    again = run(project, "wide.weights.h5", "--tlbench-plan").stdout.str()
    assert "2 are stored" in again
