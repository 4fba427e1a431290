"""The figures of a report as pictures; a figure whose values have not changed is not drawn again."""

from __future__ import annotations

import hashlib
import json

from functools import cache
from importlib import metadata, resources
from typing import TYPE_CHECKING

from tlbench.report.drawing import Picture, picture
from tlbench.report.names import file_name
from tlbench.store.publishing import publish


if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tlbench.report.figures import Drawn

# Lies beside the pictures: for each, the values and the code that it was drawn by, and hashes of its files.
RECORD = ".pictures.json"


def write(figures: Iterable[Drawn], folder: Path, data: str) -> dict[str, Picture]:
    """Write each figure as an SVG and a PNG file.

    Args:
        figures: Figures with their values.
        folder: Folder of the report, which may hold pictures of an earlier one.
        data: Sentence on the images, which stands below each figure.

    Returns:
        The pictures by the figure's name.

    Raises:
        OSError: A file cannot be written.
    """
    before, record, made = _recorded(folder), {}, {}
    for figure in figures:
        name = file_name(figure.name)
        # A dataclass of plain values: its text says all that is drawn.
        key = hashlib.sha256(f"{_drawn_by()} {data!r} {figure!r}".encode(errors="surrogatepass")).hexdigest()
        drawn = _read(folder, name, before[name]) if before.get(name, [""])[0] == key else None
        if drawn is None:
            drawn = picture(figure, data)
            publish(folder / f"{name}.svg", drawn.svg)
            (folder / f"{name}.png").write_bytes(drawn.png)
        made[figure.name] = drawn
        record[name] = [key, *_hashes(drawn)]
    publish(folder / RECORD, json.dumps(record, indent=1) + "\n")
    return made


def _read(folder: Path, name: str, recorded: list[str]) -> Picture | None:
    try:
        found = Picture((folder / f"{name}.svg").read_text(encoding="utf-8"), (folder / f"{name}.png").read_bytes())
    except (OSError, UnicodeDecodeError):
        return None
    return found if [*_hashes(found)] == recorded[1:] else None


def _hashes(drawn: Picture) -> tuple[str, str]:
    return hashlib.sha256(drawn.svg.encode()).hexdigest(), hashlib.sha256(drawn.png).hexdigest()


def _recorded(folder: Path) -> dict[str, list[str]]:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {str(name): [str(value) for value in values] for name, values in record.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


@cache
def _drawn_by() -> str:
    """The version of matplotlib, and a hash of the code that draws."""
    package = resources.files("tlbench.report")
    sources = [
        *(package / name for name in ("drawing.py", "escaping.py", "formats.py")),
        *sorted((package / "figures").iterdir(), key=str),
    ]
    code = b"".join(source.read_bytes() for source in sources if source.name.endswith(".py"))
    return f"{metadata.version('matplotlib')} {hashlib.sha256(code).hexdigest()}"
