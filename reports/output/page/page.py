"""The page: one HTML file that needs nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from reports.charts.base import svg
from reports.claims.claims import ClaimVerdict
from reports.output.page.claims import claim_section
from reports.output.page.html import fill, shared
from reports.output.page.sections import Drawn, Part, sections
from reports.output.page.size import PAGE_LIMIT, RESERVED, Room
from reports.output.page.tables import group_table
from reports.output.page.timeline import history_section
from reports.recommend.groups import StudyAnalysis
from reports.schema.formats import TIMES, listing, plural, seconds, visible, visible_lines
from reports.text.across import across

FIGURES = "figures"
"""Name of the figures' folder, from the page; with several groups, each has its own in it."""
EMBED_BELOW = 12_000
"""Characters of CSV up to which a table is also a download inside the page."""


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
    compared = [(chart, svg.inline(text, chart)) for chart, text in overall.values()]
    groups = group_table(study) if study.several else None
    ran = history_section(study, history)
    always = (*shared(reload_seconds), plan.specification, *(text for _, text in compared))
    room = _room(*always, *(text for _, text in ran.figures))
    shown, absent = sections(parts, room)
    return fill(
        "report.html.jinja",
        title=plan.title,
        reload_seconds=reload_seconds,
        study=study,
        summary=summary(study),
        across=across(study),
        compared=compared,
        groups=groups,
        claims=claim_section(claims, room) if claims else None,
        sections=shown,
        history=ran,
        absent=absent,
        downloads=[download(f"tables/{name}.csv", text, room) for name, text in csv.items()],
        pictures=[f"{FIGURES}/{name}.svg" for name in (*(overall or parts[0].drawn), *history)],
        folders=[part.folder for part in parts] if study.several else [],
        specification=visible_lines(plan.specification),
        file=shlex.quote(f"{visible(plan.name)}.toml"),
        provenance={visible(k): visible(v) for k, v in sorted(plan.provenance.items())},
    )


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


def _room(*always: str) -> Room:
    return Room(PAGE_LIMIT - RESERVED - sum(len(text.encode()) for text in always))


def download(path: str, text: str, room: Room) -> Download:
    """Return a table as a download, with its content if there is room for it.

    Args:
        path: Where it lies, from the page.
        text: Its content.
        room: What is left of the page.
    """
    if len(text) > EMBED_BELOW:
        return Download(path, "")
    encoded = quote(text, safe=",:;/()=*@")
    if not room.admit("", len(encoded)):
        return Download(path, "")
    return Download(path, f"data:text/csv;charset=utf-8,{encoded}")
