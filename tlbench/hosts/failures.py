"""Failures of tests whose claim is not supported, in a few lines: pytest would cut the verdict off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from collections.abc import Generator

    from tlbench.judge.verdicts import Verdict

# The verdict that a test got.
verdict_key: pytest.StashKey[Verdict] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Let `assert verdict.supported, verdict` fail with the verdict alone."""
    try:
        yield
    except AssertionError as error:
        verdict = item.stash.get(verdict_key, None)
        if verdict is None or verdict.supported or not str(error).startswith(f"{verdict.outcome}, "):
            raise
        raise pytest.fail.Exception(failure(verdict), pytrace=False) from None


def failure(verdict: Verdict) -> str:
    """The reason for which a claim's test fails, in four short lines.

    Args:
        verdict: Verdict on the claim.
    """
    from tlbench.report.formats import signed

    unit = verdict.claim.difference.unit
    seeds = ", ".join(signed(value, unit) or "no score" for value in list(verdict.differences.values())[:12])
    more = ", …" if len(verdict.differences) > 12 else ""
    return "\n".join(
        [
            f"{verdict.outcome}, {verdict.reason}",
            verdict.effect,
            f"by seed: {seeds}{more}",
            f"{verdict.claim.left} against {verdict.claim.right}",
        ]
    )
