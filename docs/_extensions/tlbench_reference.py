"""Directives that take the reference from the code, so that nothing is written twice; each stands in `{eval-rst}`."""

from __future__ import annotations

import inspect
import json
import os
import re

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

from tlbench.hosts import declarations, plugin
from tlbench.run import options


if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

SCHEMA = resources.files("tlbench.report") / "results.schema.json"


class PytestOptions(SphinxDirective):
    """The options that tlbench adds to pytest, each of which `{option}` can refer to."""

    def run(self) -> list[nodes.Node]:
        """One `option` for each."""
        self.env.note_dependency(inspect.getfile(options))
        return self.parse_text_to_nodes("\n".join(self._lines()))

    def _lines(self) -> Iterator[str]:
        for option in options.OPTIONS:
            kind = (
                "a boolean"
                if option.kind == "flag"
                else f"``{option.default}`` unless set"
                if option.default
                else "a string"
            )
            yield f".. option:: {option.name} {option.metavar or ''}".rstrip()
            yield from ("", f"   {option.help}", "", f"   Ini setting: ``{option.ini}``, {kind}.", "")


class PytestMarkers(SphinxDirective):
    """The markers that tlbench adds to pytest."""

    def run(self) -> list[nodes.Node]:
        """A definition for each."""
        self.env.note_dependency(inspect.getfile(plugin))
        lines = []
        for marker in declarations.MARKERS.values():
            signature, _, text = marker.partition(": ")
            lines += [f"``@pytest.mark.{signature}``", f"   {text[:1].upper()}{text[1:]}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


class PytestFixtures(SphinxDirective):
    """Fixtures of the plugin, by name."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """A definition for each; one that is not there is an error of the build."""
        self.env.note_dependency(inspect.getfile(plugin))
        lines = []
        for name in self.arguments[0].split():
            lines += [f"``{name}``", f"   {inspect.getdoc(getattr(plugin, name))}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


class ResultsSchema(SphinxDirective):
    """The JSON Schema of `results.json` and its first level, or that there is none in this version."""

    def run(self) -> list[nodes.Node]:
        """Made from the schema, where the package has one."""
        if not SCHEMA.is_file():
            return self.parse_text_to_nodes("This version of tlbench has no JSON Schema of it.")
        schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
        page = Path(self.env.doc2path(self.env.docname)).parent
        path = Path(os.path.relpath(str(SCHEMA), page)).as_posix()
        lines = [
            "Its JSON Schema comes with the package, as ``tlbench/report/results.schema.json``, and with this page:",
            f":download:`{SCHEMA.name} <{path}>`.",
            "Its first level:",
            "",
        ]
        for name, content in schema.get("properties", {}).items():
            told = content.get("description") or "See the classes below."
            lines += [f"``{name}``", f"   {told}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


def resolve_short_name(
    app: Sphinx, environment: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve a class that an annotation names as its module imports it, for type checkers only.

    Args:
        app: Of the build.
        environment: With all that is documented.
        node: The reference that nothing was found for.
        content: What it shows.

    Returns:
        A link to the only class of that name; None where there is none, or more than one.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].rpartition(".")[2]
    objects = environment.domains.python_domain.objects
    found = [entry for name, entry in objects.items() if name.rpartition(".")[2] == target and not entry.aliased]
    if len(found) != 1:
        return None
    (entry,) = found
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, target)


def leave_out_class(_app: Sphinx, what: str, _name: str, _of: object, _options: object, lines: list[str]) -> None:
    """Show a constant without its class's docstring, which stands beside it once."""
    if what == "data":
        lines.clear()


def keep_whole(_app: Sphinx, what: str, _name: str, _of: object, _options: object, lines: list[str]) -> None:
    """Keep what stands before a colon in a property's first line, which napoleon would take for its type."""
    if what in {"attribute", "property"}:
        lines[:0] = ["..", ""]  # An empty comment is a first line without one.


def show_paths(_app: Sphinx, _context: object, lines: list[str]) -> None:
    """Show the default of the command's options that are paths as it is typed."""
    lines[:] = [re.sub(r"``\w*Path\((.*?)\)``", r"``\1``", line) for line in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives."""
    app.add_directive("pytest-options", PytestOptions)
    app.add_directive("pytest-markers", PytestMarkers)
    app.add_directive("pytest-fixtures", PytestFixtures)
    app.add_directive("results-schema", ResultsSchema)
    app.connect("autodoc-process-docstring", leave_out_class, priority=400)
    app.connect("autodoc-process-docstring", keep_whole, priority=400)
    app.connect("sphinx-click-process-options", show_paths)
    app.connect("missing-reference", resolve_short_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
