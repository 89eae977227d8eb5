"""From results to a folder: the page, and its tables and figures as files."""

from __future__ import annotations

import re
from pathlib import Path

from reports import charts, page, svg, tables
from reports.document import document
from reports.files import remove_leftovers, write
from reports.group_charts import NAMES as GROUP_CHARTS
from reports.group_charts import group_charts
from reports.groups import StudyAnalysis, analyse_study
from reports.page import FIGURES
from reports.results import StudyResults
from reports.room import figures_for_each
from reports.sections import Drawn, Part

PAGE = "report.html"
"""Name of the page's file."""
DOCUMENT = "report.json"
"""Name of the file with what it says, for programs."""


def build_report(results: StudyResults, folder: Path, *, reload_seconds: int = 0) -> Path:
    """Write the report of a study, and return the path of its page.

    Writes `report.html`, `report.json`, `tables/*.csv` and `figures/*.svg`, with several groups
    `figures/GROUP/*.svg`; each file atomically and the page last; a figure that the data don't
    allow any more is removed. The same results give the same bytes.

    Args:
        results: The study.
        folder: Where to write; made if it isn't there.
        reload_seconds: How often the page loads itself again, for one that is written anew while a
            run is under way; 0 for never.
    """
    folder = Path(folder)
    remove_leftovers(folder)
    study = analyse_study(results)
    overall = {chart.name: (chart, svg.draw(chart)) for chart in group_charts(study)}
    parts = _parts(study)
    frames = tables.tables(study)
    csv = {name: tables.to_csv(frame) for name, frame in frames.items()}
    html = page.render(study, overall, parts, csv, reload_seconds)
    for name, text in csv.items():
        write(folder / "tables" / f"{name}.csv", text)
    _write_figures(folder, FIGURES, overall)
    for part in parts:
        _write_figures(folder, part.folder, part.drawn)
    _remove_others(folder / FIGURES, {FIGURES: overall, **{p.folder: p.drawn for p in parts}})
    write(folder / DOCUMENT, document(study, frames))
    write(folder / PAGE, html)
    return folder / PAGE


def _parts(study: StudyAnalysis) -> list[Part]:
    made = [charts.charts(analysis) for analysis in study.groups]
    most = figures_for_each(len(made), [len(group) for group in made])
    groups = zip(study.groups, made, study.verdicts, study.cautions, strict=True)
    return [
        Part(
            analysis,
            {chart.name: (chart, svg.draw(chart)) for chart in group[:most]},
            [chart.heading for chart in group[most:]],
            f"{FIGURES}/{chart_folder(place, analysis.plan.group)}" if study.several else FIGURES,
            said,
            warned,
        )
        for place, (analysis, group, said, warned) in enumerate(groups, start=1)
    ]


def chart_folder(place: int, label: str) -> str:
    """Return the name of a group's folder: safe everywhere, unique by its number.

    Args:
        place: The group's number.
        label: Its label.
    """
    return f"{place:02d}-{re.sub('[^a-z0-9]+', '-', label.lower()).strip('-')[:40]}".rstrip("-")


def _write_figures(folder: Path, where: str, drawn: Drawn) -> None:
    for name, (chart, element) in drawn.items():
        write(folder / where / f"{name}.svg", svg.alone(element, chart))


def _remove_others(folder: Path, drawn: dict[str, Drawn]) -> None:
    """Remove figures of an earlier report that this one doesn't have; nobody else's files."""
    kept = {
        folder.parent / where / f"{name}.svg" for where, names in drawn.items() for name in names
    }
    ours = {f"{name}.svg" for name in charts.NAMES} | {f"{name}.svg" for name in GROUP_CHARTS}
    for pattern in ("*.svg", "[0-9][0-9]*-*/*.svg"):
        for path in folder.glob(pattern):
            if path.name in ours and path not in kept:
                path.unlink()
