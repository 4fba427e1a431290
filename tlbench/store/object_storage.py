"""Saved runs in object storage, or in any other file system that fsspec knows."""

from __future__ import annotations

import contextlib

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlbench.errors import ConfigurationError, StoreError
from tlbench.store.baselines import ACCEPTED
from tlbench.store.remotes import TakenError


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


@dataclass(frozen=True)
class ObjectStorage:
    """A folder of object storage, or of any other file system that fsspec knows.

    Attributes:
        url: Address of the folder, for instance `s3://bucket/folder`.
    """

    url: str

    def __str__(self) -> str:
        """The place as a user named it."""
        return self.url

    def names(self) -> set[str]:
        """Names of all files in the folder."""
        files, root = self._opened()
        with self._reached():
            files.invalidate_cache()
            found = files.find(root) if files.exists(root) else []
        return {str(path).removeprefix(root).lstrip("/") for path in found}

    def read(self, names: Collection[str]) -> dict[str, bytes]:
        """Contents of files, by name."""
        files, root = self._opened()
        with self._reached():
            return {name: files.cat_file(f"{root}/{name}") for name in sorted(names)}

    def write(self, added: Mapping[str, bytes], removed: Collection[str], message: str) -> None:  # noqa: ARG002 - no log
        """Write files, and delete others; a run that is there is not replaced."""
        files, root = self._opened()
        for name, content in added.items():
            self._create(files, f"{root}/{name}", content, new=not name.endswith(ACCEPTED))
        with self._reached():
            for name in removed:
                if files.exists(f"{root}/{name}"):
                    files.rm_file(f"{root}/{name}")

    def _create(self, files: Any, path: str, content: bytes, *, new: bool) -> None:
        msg = f"{self} has this saved run already; save again. Received: {path}"
        with self._reached():
            # Not every driver knows the mode.
            taken = new and files.exists(path)
        if taken:
            raise TakenError(msg)
        try:
            with self._reached():
                files.makedirs(path.rpartition("/")[0], exist_ok=True)
                files.pipe_file(path, content, mode="create" if new else "overwrite")
        except FileExistsError as error:
            raise TakenError(msg) from error

    def _opened(self) -> tuple[Any, str]:
        try:
            import fsspec
        except ImportError as error:
            msg = f"Saved runs at a URL need fsspec: pip install 'tlbench[remote]'. Received: {self.url}"
            raise ConfigurationError(msg) from error
        try:
            files, root = fsspec.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            msg = (
                "--tlbench-baselines names a kind of storage whose driver is not installed, such as s3fs for s3:// or "
                f"gcsfs for gs://. Received: {self.url} ({error})"
            )
            raise ConfigurationError(msg) from error
        return files, root.rstrip("/")

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except FileExistsError:
            raise
        except Exception as error:  # Drivers raise whatever their libraries do.
            msg = f"Saved runs at {self.url} cannot be reached; check the address and the credentials. "
            msg += f"Received: {error!r}"
            raise StoreError(msg) from error
