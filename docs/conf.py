"""How Sphinx builds the guide: offline, nothing written twice, and every warning is an error (`tox run -e docs`)."""

from __future__ import annotations

import sys

from pathlib import Path

from tlbench import __version__


sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "tlbench"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "tlbench_reference",
]
exclude_patterns = ["_build", "_extensions", "_static", "beyond", "beyond-imagenet", "matrix", "pocket", "real-images"]

html_theme = "furo"
html_title = f"tlbench {__version__}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["guide.css"]
html_show_copyright = False

# Two hyphens are an option's.
smartquotes = False
myst_enable_extensions = ["colon_fence", "deflist"]
# Headings of these levels can be linked to as `page.md#heading`, and a link to one that is not there is a warning.
myst_heading_anchors = 3

# As docstrings are written: one pair of backticks is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
napoleon_use_ivar = True

# A prompt is shown, and not copied.
copybutton_prompt_text = "$ "

nitpicky = True
# What other projects document: their sites could only be asked over the network.
nitpick_ignore_regex = [
    (r"py:.*", r"(collections|keras|matplotlib|np|numpy|os|pandas|pathlib|pd|types|typing)\..+"),
    (r"py:.*", r"(ArrayLike|Callable|EllipsisType|Iterable|Iterator|Mapping|NDArray|Path|Protocol|Sequence)"),
    # An alias of a `Literal`; docstrings say what it can be.
    (r"py:class", r"Unit|(Comparison)?Outcome|(Change|Value)Status"),
    # An alias: a trial or an evaluation.
    (r"py:class", r"Work"),
    # A cell as the matrix command has measured it; `CellFacts` is what the file keeps.
    (r"py:class", r"MatrixCell"),
    # Parts of `tlbench.Run` and `tlbench.Options` that users are given, and need not name.
    (
        r"py:class",
        r"(tlbench\..+\.)?(Assembly|Command|Declaration|Display|Extras|FailOn|Forecast|Place|Saving|Statistics)",
    ),
]

linkcheck_anchors_ignore_for_url = ["https://github.com/"]
