"""Versions, flags and facts of the machine that differ between two saved runs."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlbench.store.baselines import SavedRun


def differing_versions(old: SavedRun, new: SavedRun) -> Iterable[tuple[str, str | None, str | None]]:
    """Differences of packages, flags, machine and commit: name, old and new value; None where a run has none."""

    def facts(run: SavedRun) -> dict[str, str]:
        around = run.surroundings
        return {
            "python": around.environment.python_version,
            "backend": around.environment.backend,
            "device": f"{around.environment.device} ({around.environment.device_name})",
            "machine": around.machine,
            "driver": around.driver or "none",
            "libraries": around.environment.libraries or "none",
            "instructions": around.environment.instructions or "unknown",
            "threads": str(around.environment.threads or "unknown"),
            "commit": (run.commit.revision[:12] + ("+" if run.commit.changed else "")) if run.commit else "none",
            **{f"flag {name}": value for name, value in around.flags.items()},
            **around.packages,
        }

    before, after = facts(old), facts(new)
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)
