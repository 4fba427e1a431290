"""Saved runs on a branch of the project's repository."""

from __future__ import annotations

import os
import subprocess
import tempfile

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.errors import StoreError
from tlbench.store.baselines import ACCEPTED
from tlbench.store.remotes import TakenError


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# A branch, or a file of an index, that is not there.
NO_COMMIT = "0" * 40

# Runners of CI have no name set, and git asks for one.
_AUTHOR = {
    variable: value
    for role in ("AUTHOR", "COMMITTER")
    for variable, value in ((f"GIT_{role}_NAME", "tlbench"), (f"GIT_{role}_EMAIL", "tlbench@localhost"))
}


@dataclass(frozen=True)
class GitBranch:
    """A branch of the project's repository. The checkout and its index are left as they are.

    Attributes:
        repository: Folder in the repository.
        branch: Branch of saved runs, which has no file of the project.
        remote: Repository to fetch from and to push to, where the project has one of this name.
    """

    repository: Path
    branch: str
    remote: str = "origin"

    def __str__(self) -> str:
        """The place as a user named it."""
        return f"git:{self.branch}"

    def names(self) -> set[str]:
        """Names of all files on the branch."""
        tip = self._tip()
        return (
            set(self._git("ls-tree", "-r", "-z", "--full-tree", "--name-only", tip).decode().split("\0")) - {""}
            if tip
            else set()
        )

    def read(self, names: Collection[str]) -> dict[str, bytes]:
        """Contents of files on the branch, by name."""
        # The tip that `names` has fetched.
        tip = self._local_tip()
        return {name: self._git("cat-file", "blob", f"{tip}:{name}") for name in sorted(names)}

    def write(self, added: Mapping[str, bytes], removed: Collection[str], message: str) -> None:
        """Commit files to the branch, and push it."""
        tip = self._tip()
        if taken := sorted(self.names() & {name for name in added if not name.endswith(ACCEPTED)}):
            msg = f"{self} has these saved runs already; save again. Received: {', '.join(taken)}"
            raise TakenError(msg)
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._git("read-tree", *([tip] if tip else ["--empty"]), variables=index)
            # In this form, names are relative to the repository whichever of its folders git runs in.
            lines = [f"0 {NO_COMMIT}\t{name}\n" for name in removed]
            for name, content in added.items():
                blob = self._git("hash-object", "-w", "--stdin", content=content).decode().strip()
                lines.append(f"100644 {blob}\t{name}\n")
            self._git("update-index", "--add", "--index-info", content="".join(lines).encode(), variables=index)
            tree = self._git("write-tree", variables=index).decode().strip()
        parent = ["-p", tip] if tip else []
        commit = self._git("commit-tree", tree, *parent, "-m", message, variables=_AUTHOR).decode().strip()
        self._publish(commit, tip)

    def _publish(self, commit: str, tip: str) -> None:
        reference = f"refs/heads/{self.branch}"
        try:
            if self._has_remote:
                self._git("push", "--quiet", self.remote, f"{commit}:{reference}")
                self._git("update-ref", self._tracking, commit)
            else:
                # Fails where the branch is elsewhere by now.
                self._git("update-ref", reference, commit, tip or NO_COMMIT)
        except StoreError as error:
            if self._tip() != tip:
                msg = f"{self} was changed by somebody else meanwhile; save again. {error}"
                raise TakenError(msg) from error
            raise

    @property
    def _tracking(self) -> str:
        return f"refs/remotes/{self.remote}/{self.branch}"

    @property
    def _has_remote(self) -> bool:
        return self.remote in self._git("remote").decode().split()

    def _tip(self) -> str:
        """The branch's last commit, as it is at the remote by now; empty where there is no such branch."""
        if self._has_remote:
            if not self._git("ls-remote", self.remote, f"refs/heads/{self.branch}").strip():
                return ""
            self._git("fetch", "--quiet", "--no-tags", self.remote, f"+refs/heads/{self.branch}:{self._tracking}")
        return self._local_tip()

    def _local_tip(self) -> str:
        reference = self._tracking if self._has_remote else f"refs/heads/{self.branch}"
        return self._git("for-each-ref", "--format=%(objectname)", reference).decode().strip()

    def _git(self, *arguments: str, content: bytes | None = None, variables: Mapping[str, str] | None = None) -> bytes:
        command = ["git", "-C", str(self.repository), *arguments]
        # Nobody answers a question for a password at night.
        environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", **(variables or {})}
        try:
            ended = subprocess.run(
                command, input=content, capture_output=True, check=False, timeout=300, env=environment
            )
        except (OSError, subprocess.SubprocessError) as error:
            msg = f"{self} cannot be used, since git does not run in {self.repository}. Received: {error}"
            raise StoreError(msg) from error
        if ended.returncode:
            said = ended.stderr.decode(errors="replace").strip()
            msg = (
                f"{self} cannot be used: `git {arguments[0]}` failed in {self.repository}; check the repository, the "
                f"branch and the right to push. Received: {said}"
            )
            raise StoreError(msg)
        return ended.stdout
