"""Tables of the page for a manuscript: LaTeX with booktabs, and Markdown."""

from __future__ import annotations

import re

import numpy as np
from pandas.io.formats.style import Styler

from reports.output.page.cells import Table

LONG = 20  # letters of a text from which on it is broken into lines
MOST_ROWS = 40  # rows of a float: more are higher than a page
BROKEN = 75.0  # points of a column whose texts are broken into lines
LETTER, GAP = 5.0, 12.0
"""Points that a letter takes, about, and that lie between two columns, at 10 points."""
COLUMN = 240.0  # points of a column of a two-column page

_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "{}$&#_%"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{SUPERSCRIPT TWO}": r"\textsuperscript{2}",
    "\N{MICRO SIGN}": r"\textmu{}",
    "\N{NO-BREAK SPACE}": "~",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
}
_SHRUNK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%" + "\n"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def latex(text: str) -> str:
    """Return text as LaTeX prints it; letters beyond ASCII are left to its UTF-8."""
    return "".join(_LATEX.get(character, character) for character in text)


def markdown(text: str) -> str:
    """Return text as Markdown shows it, in a cell too."""
    return _MARKDOWN.sub(r"\\\1", text)


def latex_table(table: Table, label: str) -> str:
    """Return a table as LaTeX floats; it needs the packages array, booktabs and graphicx.

    Over both columns of a page if it is wide, and shrunk to them if it is wider still.
    """
    texts = zip(table.headers, *table.texts.to_numpy(), strict=True)
    longest = [max(map(len, column)) for column in texts]
    width = sum(GAP + (BROKEN if length > LONG else length * LETTER) for length in longest)
    styled, starts = _styled(table), range(0, max(len(table.rows), 1), MOST_ROWS)
    floats = []
    for part, start in enumerate(starts, start=1):
        of_several = f" Part {part} of {len(starts)}." if len(starts) > 1 else ""
        others = [row for row in styled.index if row // MOST_ROWS != start // MOST_ROWS]
        floats.append(
            styled.hide(others).to_latex(
                column_format="".join(_alignment(n, first=not at) for at, n in enumerate(longest)),
                environment="table*" if width > COLUMN else "table",
                position_float="centering",
                hrules=True,
                caption=latex(_caption(table) + of_several),
                label=f"tab:{label}-{part}" if part > 1 else f"tab:{label}",
            )
        )
    tabular = r"\begin{tabular}"
    text = "\n".join(floats).replace(tabular, _SHRUNK + tabular)
    return text.replace(r"\end{tabular}", r"\end{tabular}}")


def _styled(table: Table) -> Styler:
    strong = [["textbf: --rwrap;" if cell.strong else "" for cell in row] for row in table.rows]
    headers = [latex(header) for header in table.headers]
    styled = table.texts.map(latex).style.hide(axis="index").relabel_index(headers, axis="columns")
    return styled.apply(lambda _: np.array(strong, object), axis=None)


def _alignment(longest: int, *, first: bool) -> str:
    if longest > LONG:
        return rf">{{\raggedright\arraybackslash}}p{{{BROKEN:g}pt}}"
    return "l" if first else "r"


def markdown_table(table: Table) -> str:
    """Return a table as Markdown, its caption in front."""
    rule = [":--", *["--:"] * (len(table.headers) - 1)]
    rows = [
        [f"**{markdown(c.text)}**" if c.strong else markdown(c.text) for c in row]
        for row in table.rows
    ]
    lines = [f"| {' | '.join(cells)} |" for cells in ([*map(markdown, table.headers)], rule, *rows)]
    return "\n".join([markdown(_caption(table)), "", *lines, ""])


def _caption(table: Table) -> str:
    return f"{table.heading}. {table.note}".strip()
