"""Tells sound results from missing and damaged ones, and remembers both for as long as the files do not change."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING

from tlbench.errors import DamagedError
from tlbench.scores.extras import NO_EXTRAS
from tlbench.store import checked, files


if TYPE_CHECKING:
    from pathlib import Path

    from tlbench.declare.evaluations import Work


class Soundness:
    """The sound results of a store.

    Args:
        run: Identifier of the run.
        fresh: Whether results of other runs are taken for missing.
    """

    def __init__(self, run: str, *, fresh: bool) -> None:
        self._run = run
        self._fresh = fresh
        # Results of this run, which need not be read again to know that.
        self._own: set[str] = set()
        # By folder and whether the weights were read: when the files of a sound result were last changed, and the extra
        # predictions among them.
        self._sound: dict[tuple[str, bool], tuple[object, frozenset[str]]] = {}

    def holds(self, place: Path, work: Work, *, read_weights: bool) -> bool:
        """Tell whether a folder holds a sound result with its extras, of this run where only fresh results count.

        Args:
            place: Folder of the result.
            work: Trial or evaluation of the result.
            read_weights: Whether to read all of a trial's weights; otherwise only their size is looked at.

        Raises:
            StoreError: The files cannot be read.
        """
        changed = checked.last_change(place / name for name in files.names(work))
        if changed is None:
            return False
        checked_at, extras = self._sound.get((place.name, read_weights), (None, NO_EXTRAS))
        if checked_at != changed:
            try:
                extras = files.check(place, work.digest, read_weights=read_weights)
            except DamagedError:
                self.forget(place)
                return False
            self._sound[place.name, read_weights] = changed, extras
        return work.extras <= extras and (not self._fresh or self._is_own(place))

    def forget(self, place: Path) -> None:
        """Look at a result anew when it is next asked for.

        Args:
            place: Folder of the result.
        """
        for whole in (False, True):
            self._sound.pop((place.name, whole), None)

    def look_again(self) -> None:
        """Look at all results anew: a disk may lose files that nobody has written to."""
        self._sound.clear()

    def _is_own(self, place: Path) -> bool:
        if place.name in self._own:
            return True
        try:
            own = bool(json.loads((place / files.RESULT).read_text(encoding="utf-8"))["run"] == self._run)
        except (OSError, ValueError, LookupError, TypeError):
            return False
        self._own |= {place.name} if own else set()
        return own
