"""The markers of a test, and the claim, table or figure that each declares."""

from __future__ import annotations

import inspect

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from collections.abc import Callable

    from tlbench.declare.claims import Claim
    from tlbench.declare.study import Study
    from tlbench.report.figures import Figure
    from tlbench.report.tables import Table
    from tlbench.run.gathered import Declaration

MARKERS = {
    "tlbench_claim": "tlbench_claim(declare=function): the claim that the `verdict` fixture judges; the function gets "
    "the study and the test's parameters by name.",
    "tlbench_table": "tlbench_table(declare=function): the table that the `table` fixture fills.",
    "tlbench_figure": "tlbench_figure(declare=function): the figure that the `figure` fixture traces.",
}

claim_key: pytest.StashKey[Claim] = pytest.StashKey()
table_key: pytest.StashKey[Table] = pytest.StashKey()
figure_key: pytest.StashKey[Figure] = pytest.StashKey()


def declarations_of(item: pytest.Item, study: Study) -> list[Declaration]:
    """The declarations of a test, which its stash keeps for its fixtures.

    Args:
        item: A test.
        study: The study that its declarations get.
    """
    found: list[Declaration] = []
    for name, key in (("tlbench_claim", claim_key), ("tlbench_table", table_key), ("tlbench_figure", figure_key)):
        declare = declaration(item, name)
        if declare is None:
            continue
        declared = declare(study, **_parameters(item, declare))
        if name == "tlbench_claim":
            test = getattr(item, "function", None)
            declared = declared.named(item.name, (inspect.getdoc(test) or "").partition("\n")[0])
        item.stash[key] = declared
        found.append(declared)
    return found


def declaration(item: pytest.Item, name: str) -> Callable[..., Any] | None:
    """The function that a test's marker declares; None without that marker.

    Args:
        item: A test.
        name: Name of the marker.

    Raises:
        pytest.UsageError: The marker has other arguments.
    """
    marker = item.get_closest_marker(name)
    if marker is None:
        return None
    # By keyword, since pytest takes a marker's only argument, if it is a function, for the test itself.
    declare = marker.kwargs.get("declare")
    if marker.args or set(marker.kwargs) != {"declare"} or not callable(declare):
        received = ", ".join([*map(repr, marker.args), *(f"{key}={value!r}" for key, value in marker.kwargs.items())])
        msg = (
            f"{item.nodeid}: the marker {name} takes declare=function, from a study to what the test is about. "
            f"Received: {received or 'nothing'}"
        )
        raise pytest.UsageError(msg)
    return declare  # type: ignore[no-any-return]


def wanted(declare: Callable[..., Any]) -> list[str]:
    """Names of the parameters of a declaring function, but for the first, the study."""
    return list(inspect.signature(declare).parameters)[1:]


def _parameters(item: pytest.Item, declare: Callable[..., Any]) -> dict[str, Any]:
    names = wanted(declare)
    given = item.callspec.params if hasattr(item, "callspec") else {}
    missing = [name for name in names if name not in given]
    if missing:
        msg = (
            f"{item.nodeid}: what it declares depends on {', '.join(missing)}, which the test has no parameter for. "
            f"Received: {', '.join(given) or 'no parameters'}"
        )
        raise pytest.UsageError(msg)
    return {name: given[name] for name in names}
