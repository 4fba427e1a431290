"""Keeps `pytest benchmarks` to the poster; `pytest benchmarks/beyond` runs the experiments beyond it."""

collect_ignore = ["beyond"]
