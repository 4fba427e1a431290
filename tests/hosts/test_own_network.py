"""A family of networks that a project adds by its conftest.py alone."""

from __future__ import annotations

import projects
import pytest


FAMILY = """
from pebble import Pebble

def pytest_tlbench_networks():
    return {"stone": Pebble}
"""


@pytest.fixture
def project(pytester):
    pytester.makepyfile(pebble=projects.PEBBLE, conftest=projects.PROFILE + FAMILY, test_study=projects.STUDY)
    return pytester


def test_a_family_of_the_project_is_trained(project):
    """In place of the profile's network, with the settings that the command line names."""
    result = project.runpytest(
        *("--tlbench-profile", "tiny", "--tlbench-network", "stone:filters=4", "--tlbench-seeds", "2"),
        *("--tlbench-workers", "1", "-p", "no:cacheprovider", "-p", "no:benchmark"),
    )

    assert result.ret in {0, 1}
    result.stdout.fnmatch_lines(["tlbench study: * Pebble(*filters=4*"])
    assert "errors" not in result.parseoutcomes()


def test_a_family_that_there_is_not_is_refused(project):
    """The error names the project's families."""
    result = project.runpytest(
        *("--tlbench-profile", "tiny", "--tlbench-network", "rock", "-p", "no:cacheprovider", "-p", "no:benchmark")
    )

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*no such family of networks*pytest_tlbench_networks adds stone. Received: 'rock'*"])
