"""Names and values as MLflow takes them."""

from __future__ import annotations

import hashlib
import re

from typing import TYPE_CHECKING, TypeVar


if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

# What the oldest of its servers take.
LONGEST_NAME, LONGEST_VALUE = 200, 500


def named(values: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Values by names that MLflow takes; one that becomes the same as another is told from it by a hash.

    Args:
        values: By any text.
    """
    made: dict[str, T] = {}
    for text, value in values:
        # No slash, which a store of files takes for a folder's, and no colon, which Windows does not.
        name = re.sub(r"[^\w\-. ]", "_", text, flags=re.ASCII)[:LONGEST_NAME].strip(". ") or "_"
        if name in made:
            name = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
        made[name] = value
    return made


def cut_to_limit(text: str) -> str:
    """A value, no longer than MLflow takes it."""
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."
