"""What the page says of one group, ready for the template, and what of it may be left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from reports.charts.base import svg
from reports.charts.base.chart import Chart
from reports.charts.budgets import Slider, budget_slider
from reports.output.page.html import Drawn
from reports.output.page.scaling import scaling_tables
from reports.output.page.tables import Table, page_tables
from reports.recommend.record import Analysis
from reports.schema.formats import listing, plural, visible
from reports.text.method import limits, method
from reports.text.scaling import unsaid
from reports.text.verdicts import ANSWER, Card, Statement, cards


@dataclass(frozen=True)
class Section:
    """A group's part of the page.

    Attributes:
        prefix: Stands in front of its identifiers.
        label: Its heading.
        folder: Where its figures lie, from the page.
        verdict: The answer, most important first.
        findings: What else was found.
        cards: Numbers to see at a glance.
        cautions: Warnings.
        figures: Charts with their elements.
        tables: Sortable tables.
        method: What was done.
        limits: How to read it.
        unsaid: Why there are no figures of some kind, a sentence each.
        undrawn: Headings of charts that its data allow but that weren't drawn.
        slider: What its budget slider shows; None without one.
        left_out: What of it is beside the page only, as a sentence; "" for nothing.
    """

    prefix: str
    label: str
    folder: str
    verdict: Sequence[Statement]
    findings: Sequence[Statement]
    cards: Sequence[Card]
    cautions: Sequence[Statement]
    figures: Sequence[tuple[Chart, Markup]]
    tables: Sequence[Table]
    method: Sequence[str]
    limits: Sequence[str]
    unsaid: Sequence[str] = ()
    undrawn: Sequence[str] = ()
    slider: Slider | None = None
    left_out: str = ""


@dataclass(frozen=True)
class Part:
    """A group with its drawings.

    Attributes:
        analysis: Its numbers.
        drawn: Its charts.
        headings: Headings of charts that its data allow but that weren't drawn.
        folder: Where its figures lie, from the page.
        verdict: What was found, most important first.
        cautions: Warnings.
    """

    analysis: Analysis
    drawn: Drawn
    headings: Sequence[str]
    folder: str
    verdict: Sequence[Statement]
    cautions: Sequence[Statement]


def sections(parts: Sequence[Part]) -> list[Section]:
    """Return all that the page says of the groups, in order."""
    return [_section(part, index, len(parts)) for index, part in enumerate(parts)]


def expendable(whole: Sequence[Section]) -> list[str]:
    """Return what the page can do without, first to go first.

    Tables go before figures, each kind in all groups at once, then sections, from the last on;
    the first section, and in each the table of batch sizes, stay.
    """
    tables = {_table_key(table): None for section in whole for table in section.tables[1:]}
    figures = {_figure_key(chart): None for section in whole for chart, _ in section.figures}
    others = [section.prefix for section in whole[1:]]
    return [*reversed(tables), *reversed(figures), *reversed(others)]


def without(section: Section, omitted: Collection[str]) -> Section:
    """Return a section without what is omitted, which it names."""
    figures = [pair for pair in section.figures if _figure_key(pair[0]) not in omitted]
    tables = [table for table in section.tables if _table_key(table) not in omitted]
    left_out = _left_out(section, omitted)
    return replace(section, figures=figures, tables=tables, left_out=left_out)


def _figure_key(chart: Chart) -> str:
    return f"figure {chart.name}"


def _table_key(table: Table) -> str:
    return f"table {table.name}"


def _left_out(section: Section, omitted: Collection[str]) -> str:
    beside = [chart.heading for chart, _ in section.figures if _figure_key(chart) in omitted]
    tables = [table.heading for table in section.tables if _table_key(table) in omitted]
    kinds = (
        (f"drawn, but beside the page only, in {section.folder}", beside),
        ("not drawn", section.undrawn),
        ("tables beside the page only, in tables", tables),
    )
    texts = [f"{kind}: {listing(names)}" for kind, names in kinds if names]
    return f"To keep this page small: {'; '.join(texts)}." if texts else ""


def absent(labels: Sequence[str]) -> str:
    """Return a sentence on the groups that have no section; "" if there is none."""
    if not labels:
        return ""
    return (
        f"{plural(len(labels), 'group')} of this study have no section here, to keep this page "
        f"small: {listing(labels)}. Their numbers are in the table above, and all of them in the "
        "tables beside this page."
    )


def _section(part: Part, index: int, number: int) -> Section:
    analysis = part.analysis
    prefix = f"g{index + 1}-" if number > 1 else ""
    return Section(
        prefix=prefix,
        label=visible(analysis.plan.group, most=100),
        folder=part.folder,
        verdict=[statement for statement in part.verdict if statement.kind in ANSWER],
        findings=[statement for statement in part.verdict if statement.kind not in ANSWER],
        cards=cards(analysis),
        cautions=part.cautions,
        figures=[(c, svg.inline(text, c, prefix)) for c, text in part.drawn.values()],
        tables=[*page_tables(analysis), *scaling_tables(analysis)],
        method=method(analysis),
        limits=limits(analysis),
        unsaid=unsaid(analysis),
        undrawn=part.headings,
        slider=budget_slider(analysis, prefix) if "budgets" in part.drawn else None,
    )
