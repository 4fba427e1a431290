"""The duties of a place of saved runs that is no folder; see `tlbench.store.places`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tlbench.errors import StoreError


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class TakenError(StoreError):
    """Somebody else has changed the place meanwhile: the names that were chosen may be taken."""


class Remote(Protocol):
    """A place that is no folder. Names are relative paths with slashes."""

    def names(self) -> set[str]:
        """Names of all files.

        Raises:
            StoreError: The place cannot be reached.
        """

    def read(self, names: Collection[str]) -> dict[str, bytes]:
        """Contents of files, by name.

        Raises:
            StoreError: The place cannot be reached.
        """

    def write(self, added: Mapping[str, bytes], removed: Collection[str], message: str) -> None:
        """Add and remove files.

        Args:
            added: Contents by name.
            removed: Names of files to remove.
            message: Sentence that says why.

        Raises:
            TakenError: A saved run of a name is there already, or the place was changed since it was read.
            StoreError: The place cannot be written.
        """
