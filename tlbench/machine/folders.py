"""The folder for data that a user's projects share."""

from __future__ import annotations

import os

from pathlib import Path

from platformdirs import user_cache_path


ENVIRONMENT_VARIABLE = "TLBENCH_CACHE"


def default_folder() -> Path:
    """The folder that `TLBENCH_CACHE` names, or else the user's cache folder of tlbench."""
    if named := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(named).expanduser()
    return user_cache_path("tlbench")
