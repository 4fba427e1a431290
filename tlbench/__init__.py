"""Studies of transfer learning as pytest benchmarks.

The public names are those of `tlbench.public`, which is imported when the first of them is used: `import tlbench` alone
stays fast, and so does pytest, which imports the plugin in every project.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tlbench.machine import installed


__version__ = "0.1.0"

# Before anything here or in a project's tests imports Keras, which has no backend but TensorFlow by itself.
installed.tell_keras()

if TYPE_CHECKING:
    from tlbench.public import *  # noqa: F403 - exactly the names of its `__all__`.
else:  # Type checkers would take any name for known, misspelt ones too.

    def __getattr__(name: str) -> object:
        """Return a public name, or the list of them."""
        # Other private names are asked for by the import system and by inspection, which need none of it.
        if name == "__all__" or not name.startswith("_"):
            public = import_module("tlbench.public")
            if name in {"__all__", *public.__all__}:
                return getattr(public, name)
        msg = f"tlbench has no public name {name!r}; tlbench.__all__ lists them."
        raise AttributeError(msg)

    def __dir__() -> list[str]:
        """List the public names beside the module's own."""
        return sorted({*globals(), *import_module("tlbench.public").__all__})
