"""results.json has the schema that the repository says."""

from __future__ import annotations

import json

import schema


def test_the_schema_in_the_repository_is_that_of_the_code():
    """`python tests/schema.py` writes it anew."""
    assert schema.schema() == json.loads(schema.PATH.read_text(encoding="utf-8"))
