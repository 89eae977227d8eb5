"""The page: one HTML file that needs nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from reports.charts.base import svg
from reports.claims.claims import ClaimVerdict
from reports.output.page.html import Drawn, fill, fit
from reports.output.page.sections import (
    Part,
    absent,
    claim_section,
    expendable,
    history_section,
    sections,
    without,
)
from reports.output.page.tables import group_table
from reports.recommend.groups import StudyAnalysis
from reports.schema.formats import TIMES, listing, plural, seconds, visible, visible_lines
from reports.text.across import across

FIGURES = "figures"
"""Name of the figures' folder, from the page; with several groups, each has its own in it."""
EMBED_BELOW = 12_000
"""Characters of CSV up to which a table is also a download inside the page."""
DOWNLOADS, EVIDENCE = "downloads", "evidence"
"""What goes first where the page is too large: tables inside it as CSV, comparisons of claims."""


@dataclass(frozen=True)
class Download:
    """A file beside the page.

    Attributes:
        path: Where it lies, from the page.
        data: Its content as an address; empty if it is too large for that.
    """

    path: str
    data: str


def render(
    study: StudyAnalysis,
    overall: Drawn,
    parts: Sequence[Part],
    history: Drawn,
    *,
    claims: Sequence[ClaimVerdict],
    csv: Mapping[str, str],
    reload_seconds: int = 0,
) -> str:
    """Return the page.

    Args:
        study: The numbers.
        overall: Charts over all groups, with their SVG elements, by name.
        parts: The groups with their charts, in order.
        history: Charts of how the sweep ran.
        claims: What the study says of the paper's claims; empty where nobody asked for them.
        csv: Tables as CSV, by name.
        reload_seconds: How often the page loads itself again while a run is under way; 0 for never.
    """
    plan = study.description
    whole = sections(parts)
    fixed: dict[str, Any] = {
        "study": study,
        "summary": summary(study),
        "across": across(study),
        "compared": [(chart, svg.inline(text, chart)) for chart, text in overall.values()],
        "groups": group_table(study) if study.several else None,
        "history": history_section(study, history),
        "pictures": [f"{FIGURES}/{name}.svg" for name in (*(overall or parts[0].drawn), *history)],
        "folders": [part.folder for part in parts] if study.several else [],
        "specification": visible_lines(plan.specification),
        "file": shlex.quote(f"{visible(plan.name)}.toml"),
        "provenance": {visible(k): visible(v) for k, v in sorted(plan.provenance.items())},
    }

    def page(omitted: Collection[str]) -> str:
        return fill(
            "report.html.jinja",
            title=plan.title,
            reload_seconds=reload_seconds,
            claims=claim_section(claims, evidence=EVIDENCE not in omitted) if claims else None,
            sections=[
                without(section, omitted) for section in whole if section.prefix not in omitted
            ],
            absent=absent([section.label for section in whole if section.prefix in omitted]),
            downloads=downloads(csv, embed=DOWNLOADS not in omitted),
            **fixed,
        )

    return fit(page, [DOWNLOADS, EVIDENCE, *expendable(whole)])


def summary(study: StudyAnalysis) -> str:
    """Return the study in one line of counts.

    Args:
        study: The numbers.
    """
    plan, counts = study.description, study.counts
    fresh = len(plan.confirmation_seeds)
    more = f", {fresh} more for the selected rates" if plan.seeds and fresh else ""
    return (
        f"{_grid(study)}{more}; {plural(counts.run, 'trial')}: {counts.ok:,} ok, "
        f"{counts.diverged:,} diverged, {counts.failed:,} failed; "
        f"{seconds(plan.sweep_seconds)} with {plural(plan.jobs, 'worker')}"
    )


def _grid(study: StudyAnalysis) -> str:
    """Product of the axes; with several groups, whose axes may differ, their number."""
    plan = study.description
    first = plan.groups[0]
    datasets = list(dict.fromkeys(visible(g.dataset, most=60) for g in plan.groups))
    axes: list[tuple[int, str]] = [(len(plan.seeds or plan.confirmation_seeds), "seed")]
    if study.several:
        axes.insert(0, (len(plan.groups), "group"))
    else:
        axes.insert(0, (len(first.learning_rates), "learning rate"))
        axes.insert(0, (len(first.batch_sizes), "batch size"))
    product = f" {TIMES} ".join(plural(number, noun) for number, noun in axes)
    return f"{product} on {listing(datasets, most=4)}"


def downloads(csv: Mapping[str, str], *, embed: bool) -> list[Download]:
    """Return tables as downloads, small ones with their content if that is to be in the page."""
    return [
        Download(f"tables/{name}.csv", _address(text) if embed else "")
        for name, text in csv.items()
    ]


def _address(text: str) -> str:
    if len(text) > EMBED_BELOW:
        return ""
    return f"data:text/csv;charset=utf-8,{quote(text, safe=',:;/()=*@')}"
