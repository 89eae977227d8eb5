"""Tables of the page for a manuscript: LaTeX with booktabs, and Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reports.page_tables import Cell, Table

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
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
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def latex(text: str) -> str:
    r"""Return text as LaTeX prints it; letters beyond ASCII are left to its UTF-8.

    Args:
        text: Anybody's text, on one line.

    Example:
        >>> print(latex("50% of $x_1$ & more"))
        50\% of \$x\_1\$ \& more
    """
    return "".join(_LATEX.get(character, character) for character in text)


def markdown(text: str) -> str:
    r"""Return text as Markdown shows it, in a cell too.

    Args:
        text: Anybody's text, on one line.

    Example:
        >>> print(markdown("a_b | <b>"))
        a\_b \| \<b\>
    """
    return _MARKDOWN.sub(r"\\\1", text)


def latex_table(table: Table, label: str) -> str:
    """Return a table as a LaTeX float; it needs the package booktabs.

    Args:
        table: Of the page.
        label: What it is referred to by.
    """
    alignment = f"l{'r' * (len(table.headers) - 1)}"
    rows = [_latex_row(row) for row in table.rows]
    lines = [
        r"\begin{table}",
        rf"\caption{{{latex(_caption(table))}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        rf"{' & '.join(map(latex, table.headers))} \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join([*lines, ""])


def _latex_row(row: Sequence[Cell]) -> str:
    cells = [rf"\textbf{{{latex(c.text)}}}" if c.strong else latex(c.text) for c in row]
    return rf"{' & '.join(cells)} \\"


def markdown_table(table: Table) -> str:
    """Return a table as Markdown, its caption in front.

    Args:
        table: Of the page.
    """
    rule = [":--", *["--:"] * (len(table.headers) - 1)]
    rows = [
        [f"**{markdown(c.text)}**" if c.strong else markdown(c.text) for c in row]
        for row in table.rows
    ]
    lines = [f"| {' | '.join(cells)} |" for cells in ([*map(markdown, table.headers)], rule, *rows)]
    return "\n".join([markdown(_caption(table)), "", *lines, ""])


def _caption(table: Table) -> str:
    return f"{table.heading}. {table.note}".strip()
