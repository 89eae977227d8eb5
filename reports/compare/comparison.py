"""Several studies in one report: a page that holds each against the first, tables and figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pandas as pd

from reports.charts.base import Drawn, svg
from reports.compare._figures import NAMES, match_charts
from reports.compare._findings import cautions_of, findings, method_of
from reports.compare._matches import (
    MATCH_COLUMNS,
    STUDY_COLUMNS,
    UNMATCHED_COLUMNS,
    Matches,
    match_studies,
)
from reports.output.csv import column_meanings, to_csv
from reports.output.files import PAGE, remove_leftovers, write
from reports.output.page import cells
from reports.output.page.page import DOWNLOADS, FIGURES, downloads, fill, fit
from reports.output.page.sections import inlined
from reports.recommend import analyse_study
from reports.schema import (
    MISSING,
    Column,
    Measure,
    StudyResults,
    count,
    listing,
    plural,
    rate,
    visible,
)

MOST_DRAWN = 24  # figures; groups beyond them are in the tables alone
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
    charts = match_charts(matches)
    drawn = svg.draw_all(charts[:MOST_DRAWN])
    csv = {name: to_csv(frame) for name, frame in match_frames(matches).items()}
    html = _page(matches, drawn, csv, len(charts) - len(drawn))
    for name, content in csv.items():
        write(folder / "tables" / f"{name}.csv", content)
    for name, (chart, element) in drawn.items():
        write(folder / FIGURES / f"{name}.svg", svg.alone(element, chart))
    for path in (folder / FIGURES).glob("*.svg"):
        if path.stem not in drawn and re.fullmatch(rf"({'|'.join(NAMES)})-\d+", path.stem):
            path.unlink()
    write(folder / PAGE, html)
    return folder / PAGE


def _page(matches: Matches, drawn: Drawn, csv: Mapping[str, str], undrawn: int) -> str:
    tables, figures = match_tables(matches), inlined(drawn)
    counted = [
        f"{visible(name, _WORDS)}: {plural(len(study.groups), 'group')}, "
        f"{plural(study.counts.run, 'trial')}"
        for name, study in matches.studies.items()
    ]

    def page(omitted: Collection[str]) -> str:
        only = [name for name in names if name in omitted]
        left = [f"only in the page's folder: {listing(only)}"] if only else []
        left += [f"not drawn: {plural(undrawn, 'figure')} of further groups"] if undrawn else []
        return fill(
            "comparison.html.jinja",
            title=f"{listing([visible(name, _WORDS) for name in matches.studies])} compared",
            drawings=[drawing for _, drawing in figures],
            summary=f"{'; '.join(counted)}; {plural(len(matches.cells), 'matched cell')}",
            findings=findings(matches),
            cautions=cautions_of(matches),
            figures=[pair for pair in figures if pair[0].heading not in omitted],
            tables=[table for table in tables if table.heading not in omitted],
            left_out=f"To keep this page small: {'; '.join(left)}." if left else "",
            method=method_of(matches),
            downloads=downloads(csv, embed=DOWNLOADS not in omitted),
            pictures=[f"{FIGURES}/{name}.svg" for name in drawn],
        )

    names = [*(table.heading for table in tables), *(chart.heading for chart, _ in figures)]
    return fit(page, [DOWNLOADS, *reversed(names)])


COLUMNS: dict[str, tuple[Column, ...]] = {
    "studies": STUDY_COLUMNS,
    "matched": MATCH_COLUMNS,
    "unmatched": UNMATCHED_COLUMNS,
}


def match_frames(matches: Matches) -> dict[str, pd.DataFrame]:
    """Return every table in the page's folder, by the names of `COLUMNS`, and what columns mean."""
    frames = (matches.groups, matches.cells, matches.unmatched)
    return dict(zip(COLUMNS, frames, strict=True)) | {"columns": column_meanings(COLUMNS)}


def match_tables(matches: Matches) -> list[cells.Table]:
    """Return the tables of the page that have rows."""
    made = (_studies(matches), _cells(matches), _unmatched(matches))
    return [table for table in made if table.rows]


def _studies(matches: Matches) -> cells.Table:
    measures = {
        (name, group.plan.group): group.measure
        for name, study in matches.studies.items()
        for group in study.groups
    }
    columns: dict[str, cells.Maker] = {
        "Study": cells.text("study"),
        "Group": cells.text("group"),
        "Dataset": cells.text("dataset"),
        **cells.summary_columns(lambda row: measures[row["study"], row["group"]]),
        "Machine": cells.text("machine"),
    }
    return cells.table_of("studies", "Studies", cells.SUMMARY_NOTE, columns, matches.groups)


def _cells(matches: Matches) -> cells.Table:
    measures = {(pair.study, pair.first.plan.group): pair.other.measure for pair in matches.pairs}

    def measured(make: Callable[[Measure], cells.Maker]) -> cells.Maker:
        return lambda row: make(measures[row["study"], row["group"]])(row)

    columns: dict[str, cells.Maker] = {
        "Batch size": cells.number("batch_size", str),
        "Group": cells.text("group"),
        "Other study": cells.text("study"),
        "First rate": cells.number("first_learning_rate", rate),
        "Its rate": cells.number("learning_rate", rate),
        "First mean": measured(lambda measure: cells.number("first_metric", measure.text)),
        "Its mean": measured(lambda measure: cells.number("metric", measure.text)),
        "Difference": measured(
            lambda measure: cells.number("difference", measure.change, strong="established")
        ),
        "95% interval": measured(
            lambda measure: cells.interval("difference_low", "difference_high", measure.signed_span)
        ),
        "Interval": lambda row: cells.text_cell(
            f"{row['method']}, {count(row['seeds'])} seeds" if row["method"] else MISSING
        ),
    }
    note = (
        f"“First” is {visible(matches.first, _WORDS)}; the difference is the other study minus it. "
        f"In bold: significant by Holm's method over all matched cells. {MISSING}: can't be "
        "compared."
    )
    return cells.table_of("matched", "Matched cells", note, columns, matches.cells)


def _unmatched(matches: Matches) -> cells.Table:
    columns: dict[str, cells.Maker] = {
        "Study": cells.text("study"),
        "Group": cells.text("group"),
        "Batch sizes": cells.text("batch_sizes"),
        "Missing in": cells.text("against"),
    }
    note = "Batch sizes of groups that have no match in the other study, or not at this batch size."
    return cells.table_of("unmatched", "Without a counterpart", note, columns, matches.unmatched)
