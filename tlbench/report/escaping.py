"""Names from a user's data, made harmless in Markdown and LaTeX; HTML is escaped by Jinja, CSV by defusedcsv."""

from __future__ import annotations

import re

from tabulate import LATEX_ESCAPE_RULES


# What starts a link, an image, HTML, code, emphasis, a column of a table, or a formula on GitHub.
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$&#!])")


def markdown(text: str) -> str:
    """Text as Markdown that shows it as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", one_line(text))


def latex(text: str) -> str:
    """Text as LaTeX that shows it as it is."""
    return "".join(LATEX_ESCAPE_RULES.get(character, character) for character in one_line(text))


def one_line(text: str) -> str:
    """Text without line breaks and other control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)
