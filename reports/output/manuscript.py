"""Figures and tables for a manuscript: sized for a column, with their fonts, and their captions."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from reports.charts import charts, group_charts, timeline_charts
from reports.charts.base import Chart
from reports.charts.base._axes import panels
from reports.charts.base.style import STYLE
from reports.charts.base.svg import WIDTH
from reports.output.files import chart_folder, refuse_links, write
from reports.output.page._tables import group_table, page_tables
from reports.output.page.cells import Table
from reports.recommend import StudyAnalysis, analyse_study
from reports.schema import StudyResults, visible

FORMATS = ("pdf", "svg", "png")  # kinds of files
COLUMN = 3.25  # inches of a column of a two-column page
DOTS = 600  # dots of an inch of PNG
LEAST_POINTS = 5.0  # values in the cells of a grid that would have to be smaller are left out
PAPER_STYLE = STYLE | {
    "axes.labelsize": 8,
    **dict.fromkeys(("axes.facecolor", "figure.facecolor"), "white"),
    "font.size": 8,
    "lines.markersize": 4,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    **dict.fromkeys(("axes.titlesize", "xtick.labelsize", "ytick.labelsize"), 7),
}
"""matplotlib settings at any width: text is as large as a caption's, and travels with the file."""

_METADATA = {
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": dict.fromkeys(("Creator", "Date", "Format", "Type")),
    "png": {"Software": None},
}


def build_paper(
    results: StudyResults,
    folder: Path,
    *,
    kind: str = "pdf",
    width: float = COLUMN,
    names: Sequence[str] = (),
) -> list[Path]:
    """Write a study's figures and tables for a manuscript, and return the paths of the files.

    Writes a file for each figure, `figures.tex` and `figures.md` with their captions, and
    `TABLE.tex` and `TABLE.md` for each table of the page; with several groups in a folder for each.
    The same results give the same bytes.

    Args:
        results: The study.
        folder: Where to write; made if it isn't there.
        kind: One of `FORMATS`.
        width: Of every figure, in inches.
        names: Of the figures; none for all that the data allow.

    Raises:
        ValueError: The data don't allow a figure that is named.
        OSError: A file can't be written, or a folder in this one is a symbolic link.
    """
    study = analyse_study(results)
    parts = _parts(study)
    known = list(dict.fromkeys(chart.name for drawn, _ in parts.values() for chart in drawn))
    strangers = [name for name in names if name not in known]
    if strangers:
        names = ", ".join(known)
        raise ValueError(f"There is no figure {strangers[0]!r} of this study; there are {names}.")
    refuse_links(folder, *filter(None, parts))
    contents: dict[Path, str | bytes] = {}
    for subfolder, (drawn, tables) in parts.items():
        shown = [chart for chart in drawn if not names or chart.name in names]
        files = _files(subfolder, shown, tables, kind, width)
        contents |= {Path(folder) / subfolder / name: content for name, content in files.items()}
    for path, content in contents.items():
        write(path, content)
    return [*contents]


def _parts(study: StudyAnalysis) -> dict[str, tuple[list[Chart], list[Table]]]:
    """Figures and tables by the folder they lie in, from the manuscript's."""
    ran = timeline_charts(study)
    if not study.several:
        group = study.groups[0]
        return {"": ([*charts(group), *ran], page_tables(group))}
    parts = {"": ([*group_charts(study), *ran], [group_table(study)])}
    for number, group in enumerate(study.groups, start=1):
        of = f", {visible(group.plan.group, most=60)}"
        parts[chart_folder(number, group.plan.group)] = (
            [replace(chart, heading=chart.heading + of) for chart in charts(group)],
            [replace(table, heading=table.heading + of) for table in page_tables(group)],
        )
    return parts


def _files(
    subfolder: str, drawn: list[Chart], tables: list[Table], kind: str, width: float
) -> dict[str, str | bytes]:
    """Contents of a folder's files by their names."""
    label = f"{subfolder}-" if subfolder else ""
    files: dict[str, str | bytes] = {f"{c.name}.{kind}": draw(c, kind, width) for c in drawn}
    tex, md = [], []
    for chart in drawn:
        caption = f"{chart.heading}. {chart.finding}. {chart.caption}"
        # From the manuscript's folder: groups have figures of the same names.
        path = f"{subfolder}/{chart.name}" if subfolder else chart.name
        tex.append(
            "\\begin{figure}\n"
            f"\\includegraphics[width={width:g}in]{{{path}}}\n"
            f"\\caption{{{latex(caption)}}}\n"
            f"\\label{{fig:{label}{chart.name}}}\n"
            "\\end{figure}\n"
        )
        md.append(f"![{markdown(chart.heading)}]({chart.name}.{kind})\n\n{markdown(caption)}\n")
    if drawn:
        files |= {"figures.tex": "\n".join(tex), "figures.md": "\n".join(md)}
    for table in tables:
        files[f"{table.name}.tex"] = latex_table(table, label + table.name)
        files[f"{table.name}.md"] = markdown_table(table)
    return files


def draw(chart: Chart, kind: str, width: float = COLUMN) -> bytes:
    """Return a figure as a file of exactly that width, all of its text of a readable size."""
    with mpl.rc_context(PAPER_STYLE):
        # Narrow figures are higher for their width: text doesn't shrink with it.
        figure = Figure((width, chart.height * (width / WIDTH) ** 0.5), layout="constrained")
        drawn = chart.draw(figure.add_subplot())
        for panel in panels(drawn):
            # A second line for what a panel's title says in particular.
            title = panel.get_title(loc="left").replace(": ", ":\n")
            panel.set_title(title, loc="left", fontsize=mpl.rcParams["axes.titlesize"])
        figure.draw_without_rendering()
        box = figure.bbox
        for panel in panels(drawn):
            _fit_values(panel)
            # Labels of axes that are longer than the figure shrink, too.
            labels = ((panel.xaxis.label, box.width), (panel.yaxis.label, box.height))
            for label, room in labels:
                extent = label.get_window_extent()
                label.set_fontsize(_shrunk(label, max(extent.width, extent.height), room))
            _thin_out(panel)
        written = io.BytesIO()
        figure.savefig(written, format=kind, dpi=DOTS, metadata=_METADATA[kind])
    return written.getvalue()


def _fit_values(ax: Axes) -> None:
    """Shrink the contents of the cells of a grid to their width."""
    values = [text for text in ax.texts if text.get_label()]
    if not values or not ax.collections or ax.get_xscale() != "linear":
        return
    cell = abs(ax.transData.transform((1, 0))[0] - ax.transData.transform((0, 0))[0])
    widest = max(values, key=lambda text: text.get_window_extent().width)
    size = _shrunk(widest, widest.get_window_extent().width, cell)
    for text in values:
        text.set_fontsize(size)
        text.set_visible(size >= LEAST_POINTS)


def _shrunk(text: Text, length: float, room: float) -> float:
    """Return the size at which a text of that length fits, at most its own."""
    return float(text.get_fontsize()) * min(1.0, 0.85 * room / max(length, 1e-9))


def _thin_out(ax: Axes) -> None:
    """Leave out every second label of the x axis, and again, until none touches the next."""
    while True:
        shown = [label for label in ax.get_xticklabels() if label.get_text()]
        boxes = [label.get_window_extent() for label in shown]
        if all(left.x1 + 2 <= right.x0 for left, right in pairwise(boxes)):
            return
        places = [label.get_position()[0] for label in shown]
        ax.set_xticks(places[::2], [label.get_text() for label in shown[::2]])


LONG = 20  # letters of a text from which on it is broken into lines
MOST_ROWS = 40  # rows of a float: more are higher than a page
BROKEN = 75.0  # points of a column whose texts are broken into lines
LETTER, GAP = 5.0, 12.0  # points of a letter, about, and between two columns, at 10 points
COLUMN_POINTS = 240.0  # points of a column of a two-column page

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
    """Return a table as LaTeX floats; it needs the packages array, booktabs and graphicx."""
    texts = zip(table.headers, *table.texts.to_numpy(), strict=True)
    longest = [max(map(len, column)) for column in texts]
    width = sum(GAP + (BROKEN if length > LONG else length * LETTER) for length in longest)
    strong = [["textbf: --rwrap;" if cell.strong else "" for cell in row] for row in table.rows]
    styled = table.texts.map(latex).style.hide(axis="index")
    styled = styled.relabel_index([*map(latex, table.headers)], axis="columns")
    styled = styled.apply(lambda _: np.array(strong, object), axis=None)
    starts = range(0, max(len(table.rows), 1), MOST_ROWS)
    prose = rf">{{\raggedright\arraybackslash}}p{{{BROKEN:g}pt}}"
    columns = [prose if n > LONG else "r" if at else "l" for at, n in enumerate(longest)]
    floats = []
    for part, start in enumerate(starts, start=1):
        of_several = f" Part {part} of {len(starts)}." if len(starts) > 1 else ""
        others = [row for row in styled.index if row // MOST_ROWS != start // MOST_ROWS]
        floats.append(
            styled.hide(others).to_latex(
                column_format="".join(columns),
                environment="table*" if width > COLUMN_POINTS else "table",
                position_float="centering",
                hrules=True,
                caption=latex(_table_caption(table) + of_several),
                label=f"tab:{label}-{part}" if part > 1 else f"tab:{label}",
            )
        )
    tabular = r"\begin{tabular}"
    text = "\n".join(floats).replace(tabular, _SHRUNK + tabular)
    return text.replace(r"\end{tabular}", r"\end{tabular}}")


def markdown_table(table: Table) -> str:
    """Return a table as Markdown, its caption in front."""
    rule = [":--", *["--:"] * (len(table.headers) - 1)]
    rows = [
        [f"**{markdown(c.text)}**" if c.strong else markdown(c.text) for c in row]
        for row in table.rows
    ]
    lines = [f"| {' | '.join(cells)} |" for cells in ([*map(markdown, table.headers)], rule, *rows)]
    return "\n".join([markdown(_table_caption(table)), "", *lines, ""])


def _table_caption(table: Table) -> str:
    return f"{table.heading}. {table.note}".strip()
