"""How Sphinx builds these pages into a site: `sphinx-build -W docs site`."""

import importlib.metadata
import re
import sys
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

sys.path.insert(0, str(Path(__file__).parent))
from make_gallery import follow

project = "bpsweep"
author = project_copyright = "The bpsweep authors"
version = release = importlib.metadata.version("bpsweep")
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

default_role = "code"
autodoc_default_options = {
    "members": True,
    "exclude-members": "set_fit_request, set_partial_fit_request, set_score_request",
}
autodoc_member_order = "bysource"
napoleon_use_ivar = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

html_math_renderer = "mathml"
html_theme = "furo"
html_title = "bpsweep"
html_copy_source = False
html_static_path = ["style.css"]
html_css_files = ["style.css"]


def _inline_math(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _math_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode


def _make_reports(app: Sphinx) -> None:
    """Make the example reports in the site itself, by the commands that their page shows."""
    page = (Path(app.srcdir) / "examples.md").read_text("utf-8")
    reports = [Path(app.outdir) / link for link in re.findall(r'<a href="([^"]+)"', page)]
    if app.builder.format == "html" and not all(report.is_file() for report in reports):
        follow(page, Path(app.outdir) / "studies")


def setup(app: Sphinx) -> None:
    """Have formulas written as MathML, which needs no script, and example reports made."""
    app.connect("builder-inited", _make_reports)
    app.add_html_math_renderer("mathml", (_inline_math, None), (_math_block, None))
