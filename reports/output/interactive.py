"""Results as a notebook shows them: a line of counts, a small table and a figure."""

from __future__ import annotations

import base64

import pandas as pd
from markupsafe import Markup, escape

from reports.charts import charts, group_charts
from reports.charts.base import Chart, svg
from reports.output.page import Table, group_table, page_tables
from reports.output.page.page import summary
from reports.recommend import analyse_study
from reports.schema import StudyResults
from reports.text.instruction import headline

MOST_ROWS = 30  # rows of the table


def as_html(results: StudyResults) -> str:
    """Return a piece of HTML that needs and touches nothing else of its page."""
    study = analyse_study(results)
    if study.several:
        answer, tables, drawn = "", [group_table(study)], group_charts(study)
    else:
        (analysis,) = study.groups
        answer = headline(analysis) if study.counts.run else ""
        tables, drawn = page_tables(analysis) if study.counts.run else [], charts(analysis)
    parts = [Markup("<p>{}</p>").format(text) for text in (answer, summary(study)) if text]
    parts += [_table(table) for table in tables[:1]]
    parts += [_image(chart) for chart in drawn[:1]]
    return str(Markup("").join(parts))


def _table(table: Table) -> Markup:
    bold = {True: Markup("<b>{}</b>"), False: Markup("{}")}
    rows = [[bold[cell.strong].format(cell.text) for cell in row] for row in table.rows[:MOST_ROWS]]
    frame = pd.DataFrame(rows, columns=[escape(header) for header in table.headers])
    with pd.option_context("display.max_colwidth", None):
        html = Markup(frame.to_html(index=False, border=0, escape=False))  # noqa: S704 - escaped
    left = len(table.rows) - MOST_ROWS
    return html + Markup("<p>{} more rows.</p>").format(left) if left > 0 else html


def _image(chart: Chart) -> Markup:
    """Return the figure as an image, so that its style and names stay its own."""
    drawing = svg.alone(svg.draw(chart), chart).encode()
    address = f"data:image/svg+xml;base64,{base64.b64encode(drawing).decode()}"
    return Markup('<img src="{}" alt="{}" style="max-width: 100%">').format(
        address, f"{chart.finding}. {chart.description}"
    )
