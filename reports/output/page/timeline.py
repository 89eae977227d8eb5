"""How the sweep ran, on the page: its timeline, and what each batch size took."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.analysis.timeline import SLACK, TIMED, Timeline
from reports.charts import timeline_figures
from reports.charts.base import svg
from reports.charts.base.chart import Chart, Words
from reports.output.page.html import Drawn
from reports.output.page.tables import Maker, Table, number_cell, table_of
from reports.recommend.groups import StudyAnalysis
from reports.recommend.record import extreme
from reports.schema.formats import count, percent, plural, seconds

TIMELINE = "timeline"
"""Name of the figure."""
ROW = 0.35
"""Inches of a row of the timeline."""
LEGEND_LINE = 0.19
"""Inches of a line of its legend."""
TALLEST = 4.0
"""Inches that the rows of the timeline may take together."""


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
    """Return what the page tells of how the sweep ran.

    Args:
        study: The numbers.
        drawn: The chart of what ran when, if there is one.
    """
    figures = [(chart, svg.inline(text, chart)) for chart, text in drawn.values()]
    return History(figures, work_tables(study), _unknown(study))


def timeline_charts(study: StudyAnalysis) -> list[Chart]:
    """Return the chart of what ran when; none where nothing is known.

    Args:
        study: The numbers.
    """
    found = study.timeline
    if found.spans.empty:
        return []
    chart = Chart(
        name=TIMELINE,
        heading="The sweep along time",
        tell=lambda: Words(
            finding=_finding(found),
            caption=_caption(found),
            description=_description(found),
        ),
        draw=lambda ax: timeline_figures.timeline(ax, found.spans, found.pauses),
        height=0.8 + max(min(ROW * (found.rows + 1), TALLEST), LEGEND_LINE * len(found.work)),
        right=1.05,
    )
    return [chart]


def work_tables(study: StudyAnalysis) -> list[Table]:
    """Return the table of what each batch size took; none where nothing is known.

    Args:
        study: The numbers.
    """
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


def _finding(found: Timeline) -> str:
    if found.work.empty:
        return f"The timing pass took {seconds(found.seconds)}"
    most = extreme(found.work, "work_share", largest=True)
    took = (
        f"Batch size {most['batch_size']:.0f} took {percent(most['work_share'])} of the training "
        "time"
    )
    if math.isnan(found.busy):
        return took
    return f"{took}; {_workers(found)} busy {percent(found.busy)} of the sweep"


def _workers(found: Timeline) -> str:
    return f"{plural(found.rows, 'worker')} {'was' if found.rows == 1 else 'were'}"


def _caption(found: Timeline) -> str:
    texts = (
        "Every bar is a cohort: trials of one batch size, trained in lockstep; wide bars bear it.",
        "A thin mark is its begin." if len(found.spans) <= timeline_figures.MOST_MARKED else "",
        "It stands in the lowest row that was free: as many rows, or workers, as ran at once.",
        "Busy: of the time from the first begin to the last end of a trial.",
        _passes(found),
        _pauses(found),
        f"Not drawn, as it isn't known when they ran: {plural(found.unknown, 'trial')}."
        if found.unknown
        else "",
    )
    return " ".join(text for text in texts if text)


def _passes(found: Timeline) -> str:
    passes = found.spans[found.spans["stage"] == TIMED]
    trials = found.spans[found.spans["stage"] != TIMED]
    if passes.empty:
        return ""
    beside = any(
        ((trials["started"] < ended) & (trials["ended"] > started + SLACK)).any()
        for started, ended in zip(passes["started"], passes["ended"], strict=True)
    )
    if beside:
        return "By these clocks, trials ran during the timing pass: parts may have been merged."
    length = (passes["ended"] - passes["started"]).sum()
    return f"The timing pass took {seconds(length)}; no trial ran meanwhile."


def _pauses(found: Timeline) -> str:
    if found.pauses.empty:
        return ""
    total = seconds(found.pauses["seconds"].sum())
    one = len(found.pauses) == 1
    return (
        f"Dotted: a pause of {total} is left out."
        if one
        else f"Dotted: {len(found.pauses)} pauses of {total} together are left out."
    )


def _description(found: Timeline) -> str:
    return "; ".join(
        f"batch size {row['batch_size']}: {plural(row['cohorts'], 'cohort')}, "
        f"{seconds(row['work_seconds'])}"
        for row in found.work.to_dict("records")
    )
