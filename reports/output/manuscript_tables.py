"""Tables of the page for a manuscript: LaTeX with booktabs, and Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reports.output.page.tables import Cell, Table

LONG = 20
"""Letters of a text from which on it is broken into lines."""
MOST_ROWS = 40
"""Rows of a float: more are higher than a page."""
BROKEN = 75.0
"""Points of a column whose texts are broken into lines."""
LETTER, GAP = 5.0, 12.0
"""Points that a letter takes, about, and that lie between two columns, at 10 points."""
COLUMN = 240.0
"""Points of a column of a two-column page."""

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

    Example:
        >>> print(latex("50% of $x_1$ & more"))
        50\% of \$x\_1\$ \& more
    """
    return "".join(_LATEX.get(character, character) for character in text)


def markdown(text: str) -> str:
    r"""Return text as Markdown shows it, in a cell too.

    Example:
        >>> print(markdown("a_b | <b>"))
        a\_b \| \<b\>
    """
    return _MARKDOWN.sub(r"\\\1", text)


def latex_table(table: Table, label: str) -> str:
    """Return a table as LaTeX floats; it needs the packages array, booktabs and graphicx.

    A table that is wider than a column goes over the whole width of a two-column page, and is
    shrunk to it if it is wider still; long texts are broken into lines. A table with more than
    `MOST_ROWS` rows is several floats.
    """
    columns = [[head, *texts] for head, texts in zip(table.headers, _texts(table), strict=True)]
    longest = [max(map(len, texts)) for texts in columns]
    rows = [_latex_row(row) for row in table.rows]
    parts = [rows[start : start + MOST_ROWS] for start in range(0, max(len(rows), 1), MOST_ROWS)]
    floats = []
    for place, part in enumerate(parts, start=1):
        of_several = f" Part {place} of {len(parts)}." if len(parts) > 1 else ""
        head = (
            rf"\caption{{{latex(_caption(table) + of_several)}}}",
            rf"\label{{tab:{label}{f'-{place}' if place > 1 else ''}}}",
        )
        floats.append(_float(head, map(latex, table.headers), part, longest))
    return "\n".join(floats)


def _texts(table: Table) -> list[list[str]]:
    """Texts of each column."""
    return [[row[place].text for row in table.rows] for place in range(len(table.headers))]


def _float(
    head: Iterable[str], headers: Iterable[str], rows: Sequence[str], longest: Sequence[int]
) -> str:
    alignment = "".join(_alignment(length, first=not n) for n, length in enumerate(longest))
    width = sum(GAP + (BROKEN if length > LONG else length * LETTER) for length in longest)
    kind = "table*" if width > COLUMN else "table"
    lines = [
        rf"\begin{{{kind}}}",
        r"\centering",
        *head,
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        rf"{' & '.join(headers)} \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}}",
        rf"\end{{{kind}}}",
    ]
    return "\n".join([*lines, ""])


def _alignment(longest: int, *, first: bool) -> str:
    if longest > LONG:
        return rf">{{\raggedright\arraybackslash}}p{{{BROKEN:g}pt}}"
    return "l" if first else "r"


def _latex_row(row: Sequence[Cell]) -> str:
    cells = [rf"\textbf{{{latex(c.text)}}}" if c.strong else latex(c.text) for c in row]
    return rf"{' & '.join(cells)} \\"


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
