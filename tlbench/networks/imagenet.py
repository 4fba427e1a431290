"""The classes of ImageNet, and those of a target that share their names.

`imagenet_classes.txt` holds the names of the 1,000 classes of ILSVRC 2012 (Russakovsky et al. 2015,
arXiv:1409.0575), in the order of the published heads, as torchvision writes them (`torchvision.models._meta`, BSD
3-Clause).
"""

from __future__ import annotations

import re

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable


# So many classes of ImageNet are named for each class.
_NAMED = 3


@cache
def classes() -> tuple[str, ...]:
    """The names of ImageNet's 1,000 classes, in the order of the published heads."""
    path = Path(__file__).with_name("imagenet_classes.txt")
    return tuple(path.read_text(encoding="utf-8").splitlines())


def shared(class_names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The classes of ImageNet whose names end in the name of a class: "tiger cat" for "cat".

    Names alone are compared: "beagle" is not found for "dog", and "Madagascar cat", a lemur, is found for "cat".

    Args:
        class_names: Names of a target's classes; case, plural and separators do not matter.

    Returns:
        ImageNet's names by class; classes without any are left out.
    """
    found = {name: _by_ending().get(_words(name), ()) for name in class_names}
    return {name: tuple(names) for name, names in found.items() if names}


def note(class_names: Iterable[str]) -> str:
    """A sentence on the classes that a target shares with ImageNet.

    Args:
        class_names: Names of a target's classes.
    """
    found = [
        f"{name} ({', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''})"
        for name, names in shared(class_names).items()
    ]
    beginning = "The transferred weights were trained on ImageNet's 1,000 classes"
    if not found:
        return f"{beginning}; by name, none of them is a class of these images."
    return f"{beginning}; by name, these classes of the images are among them: {', '.join(found)}."


@cache
def _by_ending() -> dict[tuple[str, ...], list[str]]:
    """ImageNet's names by each of the sequences of words that they end in."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name in classes():
        words = _words(name)
        for start in range(len(words)):
            found.setdefault(words[start:], []).append(name)
    return found


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.removesuffix("s") for word in re.findall(r"[a-z0-9]+", name.lower()))
