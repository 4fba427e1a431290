"""results.json and matrix.json have the schemas that the repository says."""

from __future__ import annotations

import json

import jsonschema
import pytest
import schema

from cells import matrix

from tlbench.judge.generality import generality
from tlbench.report.generality import text


@pytest.mark.parametrize("described", [schema.RESULTS, schema.MATRIX], ids=lambda described: described[0])
def test_the_schema_in_the_repository_is_that_of_the_code(described):
    """`python tests/schema.py` writes it anew."""
    assert schema.schema(*described) == json.loads(schema.path(described[0]).read_text(encoding="utf-8"))


def test_a_matrix_has_its_schema():
    """With cells that were not run, verdicts without an effect, and means that are not judged."""
    jsonschema.validate(json.loads(text(generality(matrix()))), json.loads(schema.MATRIX_PATH.read_text()))
