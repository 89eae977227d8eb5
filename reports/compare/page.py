"""Several studies in one report: a page that holds each against the first, tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reports.charts.base import svg
from reports.charts.base.chart import Chart
from reports.compare.charts import is_ours, match_charts
from reports.compare.matches import Matches, match_studies
from reports.compare.tables import match_frames, match_tables
from reports.compare.text import cautions_of, findings, method_of
from reports.output.csv import to_csv
from reports.output.files import PAGE, remove_leftovers, write
from reports.output.page.html import fill, shared
from reports.output.page.page import FIGURES, download
from reports.output.page.sections import Drawn
from reports.output.page.size import PAGE_LIMIT, RESERVED, Room
from reports.output.page.tables import Table
from reports.recommend.analysis import analyse_study
from reports.schema.formats import listing, plural, visible
from reports.schema.results import StudyResults

_WORDS = 60
_CELL_BYTES = 110
"""Around the text of a cell."""


def build_comparison(studies: Mapping[str, StudyResults], folder: Path) -> Path:
    """Write the report of several studies, and return the path of its page.

    Writes `report.html`, `tables/*.csv` and `figures/*.svg` as `reports.build_report` does. The
    same results give the same bytes.

    Args:
        studies: Two or more, by what they are to be called; the first is what the others are held
            against.
        folder: Where to write; made if it isn't there.

    Raises:
        ValueError: There are fewer than two.
    """
    if len(studies) < 2:  # noqa: PLR2004
        raise ValueError(f"A comparison needs two studies or more, but got {list(studies)}.")
    folder = Path(folder)
    remove_leftovers(folder)
    matches = match_studies({name: analyse_study(one) for name, one in studies.items()})
    drawn = {chart.name: (chart, svg.draw(chart)) for chart in match_charts(matches)}
    csv = {name: to_csv(frame) for name, frame in match_frames(matches).items()}
    html = _page(matches, drawn, csv)
    for name, text in csv.items():
        write(folder / "tables" / f"{name}.csv", text)
    for name, (chart, element) in drawn.items():
        write(folder / FIGURES / f"{name}.svg", svg.alone(element, chart))
    for path in (folder / FIGURES).glob("*.svg"):
        if path.stem not in drawn and is_ours(path.stem):
            path.unlink()
    write(folder / PAGE, html)
    return folder / PAGE


def _page(matches: Matches, drawn: Drawn, csv: Mapping[str, str]) -> str:
    room = Room(PAGE_LIMIT - RESERVED - sum(len(text.encode()) for text in shared()))
    tables = [one for one in match_tables(matches) if room.admit(one.heading, _bytes(one))]
    figures = [
        (chart, element)
        for chart, element in ((c, svg.inline(text, c)) for c, text in drawn.values())
        if room.admit(chart.heading, len(element.encode()) + len(chart.caption) + 1_000)
    ]
    return fill(
        "comparison.html.jinja",
        title=f"{listing([visible(name, _WORDS) for name in matches.studies])} compared",
        summary=_summary(matches),
        findings=findings(matches),
        cautions=cautions_of(matches),
        figures=figures,
        tables=tables,
        left_out=_left_out(matches, [chart for chart, _ in drawn.values()], room.refused),
        method=method_of(matches),
        downloads=[download(f"tables/{name}.csv", text, room) for name, text in csv.items()],
        pictures=[f"{FIGURES}/{name}.svg" for name in drawn],
    )


def _summary(matches: Matches) -> str:
    counted = [
        f"{visible(name, _WORDS)}: {plural(len(study.groups), 'group')}, "
        f"{plural(study.counts.run, 'trial')}"
        for name, study in matches.studies.items()
    ]
    cells = plural(len(matches.cells), "matched cell")
    return f"{'; '.join(counted)}; {cells}"


def _left_out(matches: Matches, drawn: list[Chart], refused: list[str]) -> str:
    texts = []
    if refused:
        texts.append(f"beside the page only: {listing(refused)}")
    possible = len(match_charts(matches, most=None))
    if possible > len(drawn):
        texts.append(f"not drawn: {plural(possible - len(drawn), 'figure')} of further groups")
    return f"To keep this page small: {'; '.join(texts)}." if texts else ""


def _bytes(table: Table) -> int:
    return 1_000 + sum(len(cell.text) + _CELL_BYTES for row in table.rows for cell in row)
