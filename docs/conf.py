"""The site: Sphinx reads this file. `python docs/build.py` builds it; docs/site.md says how it is made, and why so."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "claude_stream"
author = "the authors of claude_stream"
project_copyright = author
release = version_of("claude-stream")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_markdown_builder",
    "_pages",
    "_reference",
]

# A name that leads nowhere is a warning, and build.py makes warnings errors.
nitpicky = True
default_role = "py:obj"  # what stands in single backticks in a docstring is a name
myst_heading_anchors = 4
suppress_warnings = ["config.cache"]  # autodoc_type_aliases is made of code

add_module_names = False
maximum_signature_line_length = 130  # counted with the full names of types, which are not shown
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = "claude_stream"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["benchmarks.svg"]  # the Markdown of a page shows its picture too
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

markdown_anchor_sections = True
markdown_anchor_signatures = True
