"""The JSON schemas of results.json and matrix.json; run it to write the files anew: python tests/schema.py."""

from __future__ import annotations

import json

from pathlib import Path

from pydantic import TypeAdapter

import tlbench.report

from tlbench.judge.generality import Generality
from tlbench.report import content, generality


FOLDER = Path(tlbench.report.__file__).parent

# Name of the file that each schema is of, its version, and its dataclass.
RESULTS = "results.json", content.SCHEMA_VERSION, content.Report
MATRIX = "matrix.json", generality.SCHEMA_VERSION, Generality


def path(name):
    """The file of a schema."""
    return FOLDER / name.replace(".json", ".schema.json")


def schema(name=RESULTS[0], version=RESULTS[1], written=RESULTS[2]):
    """A JSON schema of draft 2020-12; what each field is, the dataclasses' docstrings say."""
    made = TypeAdapter(written).json_schema(mode="serialization")
    made["properties"] = {"schema_version": {"const": version}} | made["properties"]
    made["required"] = ["schema_version", *made["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name} | made


def text(*described):
    """As it is stored."""
    return json.dumps(schema(*described), indent=1) + "\n"


PATH, MATRIX_PATH = path(RESULTS[0]), path(MATRIX[0])


if __name__ == "__main__":
    for each in (RESULTS, MATRIX):
        path(each[0]).write_text(text(*each), encoding="utf-8")
