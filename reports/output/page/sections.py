"""What the page says of one group, ready for the template, and what of it may be left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup

from reports.charts.base import svg
from reports.charts.base.chart import Chart
from reports.charts.budgets import Slider, budget_slider
from reports.claims.claims import ClaimVerdict
from reports.claims.evidence import (
    CONTRADICTED,
    MIXED,
    NOT_STUDIED,
    SUPPORTED,
    UNDECIDED,
    Evidence,
    Finding,
)
from reports.output.page.cells import Cell, Table
from reports.output.page.html import Drawn
from reports.output.page.tables import page_tables, scaling_tables, work_tables
from reports.recommend.groups import StudyAnalysis
from reports.recommend.record import Analysis
from reports.schema.formats import MISSING, listing, plural, visible
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


def _unknown(study: StudyAnalysis) -> str:
    if not study.timeline.spans.empty:
        return ""
    if not study.counts.run:
        return "No trial has run yet."
    return (
        "There is no timeline: when these trials ran isn't known. Stores of the first format don't "
        "say it, nor do trials that failed."
    )


_SAYS = {
    SUPPORTED: "supports {}",
    CONTRADICTED: "contradicts {}",
    MIXED: "finds that {} depends on the data",
    UNDECIDED: "can't tell about {}",
}


@dataclass(frozen=True)
class ClaimSection:
    """What the page says of the claims.

    Attributes:
        summary: How many have which verdict, and which can't be judged.
        verdicts: Those that the study bears on.
        table: One row for each of them; None if there is none.
        evidence: One row for each comparison; None if there is none, or they are omitted.
        note: Where the comparisons are if they aren't here; "" if they are, or there are none.
    """

    summary: str
    verdicts: tuple[ClaimVerdict, ...]
    table: Table | None = None
    evidence: Table | None = None
    note: str = ""


def claim_section(verdicts: Sequence[ClaimVerdict], *, evidence: bool = True) -> ClaimSection:
    """Return what the page says of the claims, with or without each comparison behind them."""
    studied = tuple(judged for judged in verdicts if judged.verdict != NOT_STUDIED)
    if not studied:
        return ClaimSection(f"This study bears on none of its claims. {_unstudied(verdicts)}", ())
    comparisons = _evidence(studied)
    return ClaimSection(
        f"{_tally(studied)} {_unstudied(verdicts)}".strip(),
        studied,
        _verdicts(studied),
        comparisons if evidence else None,
        ""
        if evidence
        else f"The {len(comparisons.rows):,} comparisons are in tables/claim-evidence.csv.",
    )


def _tally(studied: Sequence[ClaimVerdict]) -> str:
    names = {v: [judged.claim.name for judged in studied if judged.verdict == v] for v in _SAYS}
    answers = [text.format(listing(names[v])) for v, text in _SAYS.items() if names[v]]
    return f"Of these claims, this study {listing(answers)}."


def _unstudied(verdicts: Sequence[ClaimVerdict]) -> str:
    left = [judged for judged in verdicts if judged.verdict == NOT_STUDIED]
    if not left:
        return ""
    needs = "; ".join(f"{judged.claim.name} needs {judged.claim.needs}" for judged in left)
    return f"Not studied: {needs}."


def _verdicts(studied: Sequence[ClaimVerdict]) -> Table:
    return Table(
        "claims-verdicts",
        "Verdicts",
        "Effect and interval: of the first comparison that the text below names, the mean over all "
        "groups. A change from one batch size to another is taken along the line that fits the "
        "metric best against the logarithm of the batch size: those between speak, too. Each "
        "comparison by itself is listed at the end.",
        ("Claim", "Verdict", "Effect", "95% interval", "Judged under"),
        tuple(_verdict_row(judged) for judged in studied),
    )


def _verdict_row(judged: ClaimVerdict) -> tuple[Cell, ...]:
    return (
        Cell(f"{judged.claim.name}. {judged.claim.text}", judged.claim.name),
        Cell(judged.verdict, judged.verdict, strong=True),
        *_effect(judged.finding, judged.evidence[0]),
        Cell(judged.budget, judged.budget),
    )


def _evidence(studied: Sequence[ClaimVerdict]) -> Table:
    return Table(
        "claims-evidence",
        "Comparisons",
        "In bold: those that judge the claim; the others stand beside. The verdicts of one kind of "
        "comparison are adjusted for their number by Holm's method. Count: seeds, or rounds of the "
        "timing pass.",
        ("Claim", "Comparison", "Groups", "Verdict", "Effect", "95% interval", "Count", "Under"),
        tuple(_evidence_row(judged, each) for judged in studied for each in judged.evidence),
    )


def _evidence_row(judged: ClaimVerdict, evidence: Evidence) -> tuple[Cell, ...]:
    sample, finding = evidence.sample, evidence.finding
    group = visible(sample.group, most=200)
    judges = sample.comparison in judged.claim.judges
    return (
        Cell(judged.claim.name, judged.claim.name),
        Cell(sample.comparison, sample.comparison, strong=judges),
        Cell(group, group),
        Cell(evidence.verdict, evidence.verdict),
        *_effect(finding, evidence),
        Cell(str(finding.count), str(finding.count)),
        Cell(sample.budget, sample.budget),
    )


def _effect(finding: Finding, evidence: Evidence) -> tuple[Cell, Cell]:
    span = evidence.sample.span(finding.low, finding.high)
    low = "" if span == MISSING else repr(finding.low)
    effect = repr(finding.effect) if np.isfinite(finding.effect) else ""
    return Cell(evidence.sample.text(finding.effect), effect), Cell(span, low)
