"""The JSON schema of results.json, made of the dataclasses; run it to write the file anew: python tests/schema.py."""

from __future__ import annotations

import json

from pathlib import Path

from pydantic import TypeAdapter

import tlbench.report

from tlbench.report.content import SCHEMA_VERSION, Report


PATH = Path(tlbench.report.__file__).with_name("results.schema.json")


def schema():
    """A JSON schema of draft 2020-12; what each field is, the dataclasses' docstrings say."""
    made = TypeAdapter(Report).json_schema(mode="serialization")
    made["properties"] = {"schema_version": {"const": SCHEMA_VERSION}} | made["properties"]
    made["required"] = ["schema_version", *made["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "results.json"} | made


def text():
    """As it is stored."""
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
