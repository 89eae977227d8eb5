"""How Sphinx builds these pages into a site: `sphinx-build -W docs site`."""

import importlib.metadata

project = "bpsweep"
author = "The bpsweep authors"
version = release = importlib.metadata.version("bpsweep")
language = "en"

extensions = ["myst_parser"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "bpsweep"
html_copy_source = False
