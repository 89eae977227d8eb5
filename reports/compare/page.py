"""Several studies in one report: a page that holds each against the first, tables and figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from reports.charts.base import svg
from reports.compare.charts import is_ours, match_charts
from reports.compare.matches import Matches, match_studies
from reports.compare.tables import match_frames, match_tables
from reports.compare.text import cautions_of, findings, method_of
from reports.output.csv import to_csv
from reports.output.files import PAGE, remove_leftovers, write
from reports.output.page.html import Drawn, fill, fit
from reports.output.page.page import DOWNLOADS, FIGURES, downloads
from reports.recommend.analysis import analyse_study
from reports.schema.formats import listing, plural, visible
from reports.schema.results import StudyResults

_WORDS = 60


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
    matches = match_studies({name: analyse_study(study) for name, study in studies.items()})
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
    tables = match_tables(matches)
    figures = [(chart, svg.inline(text, chart)) for chart, text in drawn.values()]
    undrawn = len(match_charts(matches, most=None)) - len(figures)

    def page(omitted: Collection[str]) -> str:
        return fill(
            "comparison.html.jinja",
            title=f"{listing([visible(name, _WORDS) for name in matches.studies])} compared",
            summary=_summary(matches),
            findings=findings(matches),
            cautions=cautions_of(matches),
            figures=[pair for pair in figures if pair[0].heading not in omitted],
            tables=[table for table in tables if table.heading not in omitted],
            left_out=_left_out([name for name in names if name in omitted], undrawn),
            method=method_of(matches),
            downloads=downloads(csv, embed=DOWNLOADS not in omitted),
            pictures=[f"{FIGURES}/{name}.svg" for name in drawn],
        )

    names = [*(table.heading for table in tables), *(chart.heading for chart, _ in figures)]
    return fit(page, [DOWNLOADS, *reversed(names)])


def _summary(matches: Matches) -> str:
    counted = [
        f"{visible(name, _WORDS)}: {plural(len(study.groups), 'group')}, "
        f"{plural(study.counts.run, 'trial')}"
        for name, study in matches.studies.items()
    ]
    cells = plural(len(matches.cells), "matched cell")
    return f"{'; '.join(counted)}; {cells}"


def _left_out(omitted: Sequence[str], undrawn: int) -> str:
    texts = []
    if omitted:
        texts.append(f"beside the page only: {listing(omitted)}")
    if undrawn > 0:
        texts.append(f"not drawn: {plural(undrawn, 'figure')} of further groups")
    return f"To keep this page small: {'; '.join(texts)}." if texts else ""
