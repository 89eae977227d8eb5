"""How Sphinx builds these pages into a site: `sphinx-build -W docs site`."""

import importlib.metadata

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

project = "bpsweep"
author = "The bpsweep authors"
version = release = importlib.metadata.version("bpsweep")
language = "en"

extensions = ["myst_parser"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

html_math_renderer = "mathml"
html_theme = "furo"
html_title = "bpsweep"
html_copy_source = False


def _inline_math(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _math_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Have formulas written as MathML, which browsers show without a script from elsewhere."""
    app.add_html_math_renderer("mathml", (_inline_math, None), (_math_block, None))
