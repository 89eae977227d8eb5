"""How the sweep ran, on the page: its timeline, and what each batch size took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.charts.base import svg
from reports.charts.base.chart import Chart
from reports.output.page.html import Drawn
from reports.output.page.tables import Maker, Table, number_cell, table_of
from reports.recommend.groups import StudyAnalysis
from reports.schema.formats import count, percent, seconds


@dataclass(frozen=True)
class History:
    """How the sweep ran, as the page shows it.

    Attributes:
        figures: The chart of what ran when, with its element; none where nothing is known.
        tables: What each batch size took, likewise.
        why: Why there is neither; "" where there is something.
    """

    figures: Sequence[tuple[Chart, Markup]]
    tables: Sequence[Table]
    why: str


def history_section(study: StudyAnalysis, drawn: Drawn) -> History:
    """Return what the page tells of how the sweep ran."""
    figures = [(chart, svg.inline(text, chart)) for chart, text in drawn.values()]
    return History(figures, work_tables(study), _unknown(study))


def work_tables(study: StudyAnalysis) -> list[Table]:
    """Return the table of what each batch size took; none where nothing is known."""
    columns: Mapping[str, Maker] = {
        "Batch size": lambda row: number_cell(row["batch_size"], str),
        "Cohorts": lambda row: number_cell(row["cohorts"], count),
        "Trials": lambda row: number_cell(row["trials"], count),
        "Time of all": lambda row: number_cell(row["work_seconds"], seconds),
        "Share": lambda row: number_cell(row["work_share"], percent),
    }
    note = (
        "Cohorts of all groups and stages; begin and end of each are in timeline.csv. Time of all: "
        "their seconds added up, although some ran beside each other."
    )
    made = table_of("work", "What each batch size took", note, columns, study.timeline.work)
    return [made] if made.rows else []


def _unknown(study: StudyAnalysis) -> str:
    if not study.timeline.spans.empty:
        return ""
    if not study.counts.run:
        return "No trial has run yet."
    return (
        "There is no timeline: when these trials ran isn't known. Stores of the first format don't "
        "say it, nor do trials that failed."
    )
