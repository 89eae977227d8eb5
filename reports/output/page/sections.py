"""What the page says of one group, ready for the template, and what of it has room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.charts.base import svg
from reports.charts.base.chart import Chart
from reports.charts.budget_charts import Slider, budget_slider
from reports.output.page.scaling import scaling_tables
from reports.output.page.size import Room
from reports.output.page.tables import Table, page_tables
from reports.recommend.record import Analysis
from reports.schema.formats import listing, plural, visible
from reports.text.method import limits, method
from reports.text.scaling import unsaid
from reports.text.verdicts import ANSWER, Card, Statement, cards

_MARKUP = 70
"""Bytes around the text of a paragraph or a cell."""

Drawn = Mapping[str, tuple[Chart, str]]
"""Charts with their SVG elements, by name."""


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


def sections(parts: Sequence[Part], room: Room) -> tuple[list[Section], str]:
    """Return the sections that fit, each with what fits of it, the same for all groups.

    First come what is said and the table of batch sizes, group by group; then the figures, one
    kind after the other; then the other tables.

    The sections, and a sentence on the groups without one; "" if there is none.
    """
    whole = [_section(part, place, len(parts)) for place, part in enumerate(parts)]
    kept = [
        section
        for section in whole
        if room.admit(section.label, _said(section), *map(_table_bytes, section.tables[:1]))
    ]
    absent, room.refused = room.refused, []
    names = _kinds([[chart.name for chart, _ in section.figures] for section in kept])
    shown = {name for name in names if room.admit("", *_figure_bytes(kept, name))}
    others = _kinds([[table.name for table in section.tables[1:]] for section in kept])
    shown |= {name for name in others if room.admit("", *_tables_bytes(kept, name))}
    return [_trimmed(s, p, shown) for s, p in _paired(kept, whole, parts)], _absent(absent)


def _section(part: Part, place: int, number: int) -> Section:
    analysis = part.analysis
    prefix = f"g{place + 1}-" if number > 1 else ""
    return Section(
        prefix=prefix,
        label=visible(analysis.plan.group, most=100),
        folder=part.folder,
        verdict=[one for one in part.verdict if one.kind in ANSWER],
        findings=[one for one in part.verdict if one.kind not in ANSWER],
        cards=cards(analysis),
        cautions=part.cautions,
        figures=[(c, svg.inline(text, c, prefix)) for c, text in part.drawn.values()],
        tables=[*page_tables(analysis), *scaling_tables(analysis)],
        method=method(analysis),
        limits=limits(analysis),
        unsaid=unsaid(analysis),
        slider=budget_slider(analysis, prefix) if "budgets" in part.drawn else None,
    )


def _paired(
    kept: Sequence[Section], whole: Sequence[Section], parts: Sequence[Part]
) -> list[tuple[Section, Part]]:
    by_prefix = {section.prefix: part for section, part in zip(whole, parts, strict=True)}
    return [(section, by_prefix[section.prefix]) for section in kept]


def _trimmed(section: Section, part: Part, shown: set[str]) -> Section:
    out = [chart.heading for chart, _ in section.figures if chart.name not in shown]
    missing = [table.heading for table in section.tables[1:] if table.name not in shown]
    texts = []
    if out:
        texts.append(f"drawn, but beside the page only, in {section.folder}: {listing(out)}")
    if part.headings:
        texts.append(f"not drawn: {listing(part.headings)}")
    if missing:
        texts.append(f"tables beside the page only, in tables: {listing(missing)}")
    return Section(
        **section.__dict__
        | {
            "figures": [pair for pair in section.figures if pair[0].name in shown],
            "tables": [*section.tables[:1], *(t for t in section.tables[1:] if t.name in shown)],
            "slider": section.slider if "budgets" in shown else None,
            "left_out": f"To keep this page small: {'; '.join(texts)}." if texts else "",
        }
    )


def _absent(labels: Sequence[str]) -> str:
    if not labels:
        return ""
    return (
        f"{plural(len(labels), 'group')} of this study have no section here, to keep this page "
        f"small: {listing(labels)}. Their numbers are in the table above, and all of them in the "
        "tables beside this page."
    )


def _kinds(lists: Sequence[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in lists for name in names))


def _said(section: Section) -> int:
    texts = [
        *(statement.text for statement in (*section.verdict, *section.findings, *section.cautions)),
        *(text for card in section.cards for text in (card.label, card.value, card.note)),
        *section.unsaid,
        *section.method,
        *section.limits,
    ]
    return sum(len(text.encode()) + _MARKUP for text in texts) + 2_000


def _figure_bytes(kept: Sequence[Section], name: str) -> list[int]:
    drawings = [
        len(drawing.encode()) + len(chart.caption) + len(chart.finding) + 600
        for section in kept
        for chart, drawing in section.figures
        if chart.name == name
    ]
    if name != "budgets":
        return drawings
    sliders = [section.slider for section in kept if section.slider]
    return drawings + [len(s.data) + len(s.frame) + 2_500 for s in sliders]


def _tables_bytes(kept: Sequence[Section], name: str) -> list[int]:
    return [_table_bytes(t) for section in kept for t in section.tables if t.name == name]


def _table_bytes(table: Table) -> int:
    cells = sum(len(cell.text.encode()) + len(cell.key) for row in table.rows for cell in row)
    number = len(table.rows) * len(table.headers)
    return cells + _MARKUP * number // 2 + 1_000
