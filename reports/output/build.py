"""From results to a folder: the page, and its tables and figures as files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from reports.charts import charts, group_charts, timeline_charts
from reports.charts.base import svg
from reports.claims.judgement import claims_of
from reports.figures import NAMES
from reports.output import csv as tables
from reports.output.files import PAGE, chart_folder, remove_leftovers, write
from reports.output.json import document
from reports.output.page._tables import page_tables
from reports.output.page.page import FIGURES, render
from reports.output.page.sections import Section, section
from reports.recommend import StudyAnalysis, analyse_study
from reports.schema import StudyResults

DOCUMENT = "report.json"  # name of the file with what it says, for programs
MOST_TABLED = 80  # groups up to which each has all its tables on the page
MOST_DRAWN = 80  # figures drawn for a report; a study of many groups has fewer of them for each


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
    # Arrow's texts cost more than they save in so many tables of so few rows.
    with pd.option_context("mode.string_storage", "python"):
        return _build(results, Path(folder), reload_seconds)


def _build(results: StudyResults, folder: Path, reload_seconds: int) -> Path:
    remove_leftovers(folder)
    study = analyse_study(results)
    overall = svg.draw_all(group_charts(study))
    history = svg.draw_all(timeline_charts(study))
    sections = _sections(study)
    claims = claims_of(study.groups) if results.description.claims else ()
    frames = tables.tables(study, claims)
    csv = {name: tables.to_csv(frame) for name, frame in frames.items()}
    placed = [
        (FIGURES, overall), *((part.folder, part.drawn) for part in sections), (FIGURES, history)
    ]  # fmt: skip
    pictures = [f"{where}/{name}.svg" for where, drawn in placed for name in drawn]
    html = render(
        study, sections, overall, history, claims=claims, csv=csv, pictures=pictures,
        document=DOCUMENT, reload_seconds=reload_seconds,
    )  # fmt: skip
    for name, text in csv.items():
        write(folder / "tables" / f"{name}.csv", text)
    for where, drawn in placed:
        for name, (chart, element) in drawn.items():
            write(folder / where / f"{name}.svg", svg.alone(element, chart))
    # Figures of an earlier report that this one doesn't have; nobody else's files.
    kept = {folder / f"{where}/{name}.svg" for where, drawn in placed for name in drawn}
    ours = {f"{name}.svg" for name in NAMES}
    for pattern in ("*.svg", "[0-9][0-9]*-*/*.svg"):
        for path in (folder / FIGURES).glob(pattern):
            if path.name in ours and path not in kept:
                path.unlink()
    for name in tables.COLUMNS.keys() - frames.keys():
        (folder / "tables" / f"{name}.csv").unlink(missing_ok=True)
    statements = [(part.verdict, part.cautions) for part in sections]
    write(folder / DOCUMENT, document(study, statements, frames))
    write(folder / PAGE, html)
    return folder / PAGE


def _sections(study: StudyAnalysis) -> list[Section]:
    """The parts of the page; of a study of many groups, with fewer figures and tables made."""
    most = MOST_DRAWN // len(study.groups)
    made = [charts(analysis, most + 1) if most else [] for analysis in study.groups]
    return [
        section(
            analysis,
            page_tables(analysis, main_alone=len(made) > MOST_TABLED),
            svg.draw_all(group[:most]),
            ["further figures"] if len(group) > most or not most else [],
            folder=f"{FIGURES}/{chart_folder(number, analysis.plan.group)}"
            if study.several
            else FIGURES,
            prefix=f"g{number}-" if study.several else "",
        )
        for number, (analysis, group) in enumerate(zip(study.groups, made, strict=True), start=1)
    ]
