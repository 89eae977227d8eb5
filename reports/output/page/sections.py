"""Parts of the page: of each group, of the claims, of how the sweep ran; what may be left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from reports.charts.base import Chart, Drawn, svg
from reports.charts.budgets import Slider, budget_slider
from reports.claims import ClaimVerdict
from reports.claims.evidence import MIXED, NOT_STUDIED, NOT_SUPPORTED, SUPPORTED, UNDECIDED
from reports.output.page._dark import recolorable
from reports.output.page.cells import Table
from reports.recommend import Analysis, StudyAnalysis
from reports.schema import listing, plural, visible
from reports.text import Statement, cautions
from reports.text.verdicts import verdict

Figures = Sequence[tuple[Chart, Markup]]


@dataclass(frozen=True)
class Section:
    """A group's part of the page."""

    analysis: Analysis
    prefix: str  # in front of its identifiers
    folder: str  # where its figures lie, from the page
    verdict: Sequence[Statement]  # most important first
    cautions: Sequence[Statement]  # worst first
    drawn: Drawn
    figures: Figures  # what of it the page shows
    undrawn: Sequence[str]  # headings of charts that the data allow but that weren't drawn
    tables: Sequence[Table]  # the main one first
    slider: Slider | None
    left_out: str = ""  # what of it only the page's folder has, as a sentence

    @property
    def label(self) -> str:
        """Its heading."""
        return visible(self.analysis.plan.group, most=100)


def section(
    analysis: Analysis,
    tables: Sequence[Table],
    drawn: Drawn,
    undrawn: Sequence[str],
    *,
    folder: str,
    prefix: str,
) -> Section:
    """Return all that the page says of a group."""
    said, figures = (verdict(analysis), cautions(analysis)), inlined(drawn, prefix)
    slider = budget_slider(analysis, prefix) if "budgets" in drawn else None
    return Section(analysis, prefix, folder, *said, drawn, figures, undrawn, tables, slider)


def inlined(drawn: Drawn, prefix: str = "") -> list[tuple[Chart, Markup]]:
    """Return charts with their elements as a page shows them."""
    return [
        (each, recolorable(svg.inline(element, each, prefix))) for each, element in drawn.values()
    ]


def expendable(whole: Sequence[Section]) -> list[str]:
    """Return what the page can do without, first to go first: tables, figures, whole sections."""
    tables = {f"table {table.name}": None for part in whole for table in part.tables[1:]}
    figures = {f"figure {name}": None for part in whole for name in part.drawn}
    others = [part.prefix for part in whole[1:]]
    return [*reversed(tables), *reversed(figures), *reversed(others)]


def without(whole: Section, omitted: Collection[str]) -> Section:
    """Return a section without what is omitted, which it names."""
    figures = [chart for chart, _ in whole.figures if f"figure {chart.name}" in omitted]
    tables = [table for table in whole.tables if f"table {table.name}" in omitted]
    kinds = {
        f"drawn, but only in {whole.folder}": [c.heading for c in figures],
        "not drawn": whole.undrawn,
        "tables only in the folder tables": [table.heading for table in tables],
    }
    texts = [f"{kind}: {listing(names)}" for kind, names in kinds.items() if names]
    return replace(
        whole,
        figures=[pair for pair in whole.figures if pair[0] not in figures],
        tables=[table for table in whole.tables if table not in tables],
        left_out=f"To keep this page small: {'; '.join(texts)}." if texts else "",
    )


def absent(labels: Sequence[str]) -> str:
    """Return a sentence on the groups that have no section; "" if there is none."""
    if not labels:
        return ""
    return (
        f"{plural(len(labels), 'configuration')} of this study have no section here, to keep this "
        f"page small: {listing(labels)}. The table above and the files have their numbers."
    )


def unknown_history(study: StudyAnalysis) -> str:
    """Return why nothing is shown of how the sweep ran; "" where something is."""
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
    NOT_SUPPORTED: "doesn't support {}",
    MIXED: "finds that {} depends on the data",
    UNDECIDED: "leaves {} undecided",
}


@dataclass(frozen=True)
class ClaimSection:
    """What the page says of the claims: how many have which verdict, and those it bears on."""

    summary: str
    verdicts: tuple[ClaimVerdict, ...]
    note: str = ""  # where the comparisons are


def claim_section(verdicts: Sequence[ClaimVerdict]) -> ClaimSection:
    """Return what the page says of the claims."""
    studied = tuple(judged for judged in verdicts if judged.verdict != NOT_STUDIED)
    if not studied:
        return ClaimSection(f"This study bears on none of its claims. {_unstudied(verdicts)}", ())
    comparisons = plural(sum(len(judged.evidence) for judged in studied), "comparison")
    names = {v: [judged.claim.name for judged in studied if judged.verdict == v] for v in _SAYS}
    answers = listing([text.format(listing(names[v])) for v, text in _SAYS.items() if names[v]])
    return ClaimSection(
        f"Of these claims, this study {answers}. {_unstudied(verdicts)}".strip(),
        studied,
        f"All {comparisons} are in `tables/claim-evidence.csv`.",
    )


def _unstudied(verdicts: Sequence[ClaimVerdict]) -> str:
    left = [judged for judged in verdicts if judged.verdict == NOT_STUDIED]
    if not left:
        return ""
    needs = "; ".join(f"{judged.claim.name} needs {judged.claim.needs}" for judged in left)
    return f"Not studied: {needs}."
