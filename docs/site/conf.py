"""How the site of the documents is made: `make docs`, which lays its sources out first (tests/support/site.py)."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

project = "The runbook"
author = "its contributors"
copyright = f"MIT licence, {author}"
extensions = ["myst_nb", "sphinx.ext.napoleon", "autoapi.extension", "sphinx_copybutton"]
root_doc = "index"
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False
templates_path: list[str] = []
html_static_path = [str(ROOT / "lib" / "base" / "static" / "zoom.js")]
html_js_files = [("zoom.js", {"defer": "defer"})]

# Notebooks have the outputs that are kept in them, and nothing is fetched from anywhere.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "image/svg+xml", 5)]
myst_heading_anchors = 6
suppress_warnings = [
    "autoapi.python_import_resolution",  # of constants and of what is left out: neither is a page
    "myst.header",  # a notebook's cell may begin one level below the last one
    "misc.highlighting_failure",  # magics are no Python
    "myst-nb.lexer",
]

# What docstrings say; the modules are read, not imported.
autoapi_dirs = [str(ROOT / "lib")]
autoapi_ignore = ["*/templates/*", "*/in_server/*"]
autoapi_root = "reference"
autoapi_add_toctree_entry = False
autoapi_keep_files = False
autoapi_member_order = "bysource"
autoapi_options = ["members", "show-module-summary"]
autoapi_python_class_content = "class"
napoleon_use_ivar = True
