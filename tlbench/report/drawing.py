"""Draws figures with matplotlib: one style for all, legible at half a page and by the colour-blind."""

from __future__ import annotations

import io
import textwrap
import warnings

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlbench.report.escaping import one_line


if TYPE_CHECKING:
    import matplotlib.figure

    from tlbench.report.figures import Drawn

# Okabe & Ito 2008, "Color Universal Design": told apart with any kind of colour vision. Those with a contrast of 3 to
# both a white page and the dark one of the HTML report come first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

# The same hues for a dark page, in the same order: there those above would look dim.
COLOURS_ON_DARK = ("#4FB0EC", "#FF8A47", "#3DCB9F", "#E7A6CB", "#F5B93B", "#A3DBFA")

# Of text and axes: exactly this is replaced by the colour of the text around it where a figure is part of a page.
INK = "#1b1c1d"

# Three and a half inches are a column of a paper; twice as many, at a font twice as large, are drawn here.
WIDTH_INCHES, HEIGHT_INCHES = 7.0, 4.4

# A title above and the data below, so that a picture is understood outside its page: characters in a line, and inches
# that a line takes.
TITLE_CHARACTERS, TITLE_INCHES = 58, 0.26
DATA_CHARACTERS, DATA_INCHES = 84, 0.19

STYLE: dict[str, Any] = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 13,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": "DejaVu Sans",  # Which matplotlib brings along: the same everywhere.
    "font.size": 13,
    "grid.color": "#8a8a8a",
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 2.2,
    "patch.edgecolor": INK,
    "savefig.facecolor": "none",
    "svg.hashsalt": "tlbench",  # Names of clip paths, which are random otherwise.
    "svg.fonttype": "path",
    "text.color": INK,
    "text.usetex": False,
    # A dollar sign in a name is no formula.
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True)
class Picture:
    """A figure, drawn.

    Attributes:
        svg: Text of an SVG file, with a transparent ground.
        png: Bytes of a PNG file, on white.
    """

    svg: str
    png: bytes


def picture(drawn: Drawn, data: str = "") -> Picture:
    """Draw a figure with its name and title above and its data below; equal ones become equal bytes.

    Args:
        drawn: With its values. It may ask for more height than usual by an attribute `height_inches`.
        data: Sentence on the images, which stands below.
    """
    # Without pyplot: no window system is looked for and no figure is left open.
    import cycler
    import matplotlib as mpl

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    style: Any = STYLE | {"axes.prop_cycle": cycler.cycler(color=COLOURS)}
    with mpl.rc_context(style), warnings.catch_warnings():
        # A name may hold what the font has no sign for: a box stands in its place, and the figure's text has it.
        warnings.filterwarnings("ignore", "Glyph .* missing from (current )?font", UserWarning)
        # Which some versions of matplotlib add where that is of some scripts, such as Devanagari.
        warnings.filterwarnings("ignore", "Matplotlib currently does not support .* natively", UserWarning)
        height = getattr(drawn, "height_inches", HEIGHT_INCHES)
        title = _lines(f"{drawn.name}: {drawn.title}", TITLE_CHARACTERS)
        below = _lines(data, DATA_CHARACTERS)
        height += TITLE_INCHES * len(title) + DATA_INCHES * len(below)
        canvas = Canvas(figsize=(WIDTH_INCHES, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))
        FigureCanvasAgg(canvas)
        drawn.draw(canvas)
        canvas.suptitle("\n".join(title), x=0.012, ha="left", fontsize=13, fontweight="bold")
        if below:
            canvas.supxlabel("\n".join(below), x=0.012, ha="left", fontsize=10)
        # Ticks follow from the room that the first layout leaves, and their labels need room in turn.
        canvas.draw_without_rendering()
        return Picture(_svg(canvas), _png(canvas))


def _lines(text: str, characters: int) -> list[str]:
    return textwrap.wrap(one_line(text).strip(), characters, max_lines=3, placeholder=" ...")


def _svg(canvas: matplotlib.figure.Figure) -> str:
    file = io.StringIO()
    canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _png(canvas: matplotlib.figure.Figure) -> bytes:
    file = io.BytesIO()
    canvas.savefig(file, format="png", dpi=150, facecolor="white", metadata={"Software": None})
    return file.getvalue()
