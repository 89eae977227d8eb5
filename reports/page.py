"""The page: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import svg
from reports.cautions import incident_cautions
from reports.claim_page import claim_section
from reports.formats import TIMES, listing, plural, seconds, visible, visible_lines
from reports.groups import StudyAnalysis, across
from reports.page_tables import group_table
from reports.room import PAGE_LIMIT, RESERVED, Room
from reports.sections import Drawn, Part, sections

FIGURES = "figures"
"""Name of the figures' folder, from the page; with several groups, each has its own in it."""
EMBED_BELOW = 60_000
"""Characters of CSV up to which a table is also a download inside the page."""

_HERE = Path(__file__).parent


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
    study: StudyAnalysis, overall: Drawn, parts: Sequence[Part], csv: Mapping[str, str]
) -> str:
    """Return the page.

    Args:
        study: The numbers.
        overall: Charts over all groups, with their SVG elements, by name.
        parts: The groups with their charts, in order.
        csv: Tables as CSV, by name.
    """
    style, script = _asset("report.css"), _asset("report.js")
    plan = study.description
    compared = [(chart, svg.inline(text, chart)) for chart, text in overall.values()]
    groups = group_table(study) if study.several else None
    room = _room(style, script, plan.specification, *(text for _, text in compared))
    shown, absent = sections(parts, room)
    return _environment().get_template("report.html.jinja").render(
        study=study,
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy=_policy(style, script),
        title=visible(plan.title),
        summary=summary(study),
        incidents=incident_cautions(plan),
        across=across(study),
        compared=compared,
        groups=groups,
        claims=claim_section(study.claims, room),
        sections=shown,
        absent=absent,
        downloads=[_download(f"tables/{name}.csv", text, room) for name, text in csv.items()],
        pictures=[f"{FIGURES}/{name}.svg" for name in (overall or parts[0].drawn)],
        folders=[part.folder for part in parts] if study.several else [],
        specification=visible_lines(plan.specification),
        provenance={visible(k): visible(v) for k, v in sorted(plan.provenance.items())},
    )  # fmt: skip


def summary(study: StudyAnalysis) -> str:
    """Return the study in one line of counts.

    Args:
        study: The numbers.
    """
    plan, counts = study.description, study.counts
    return (
        f"{_grid(study)}, {len(plan.confirmation_seeds)} more for the "
        f"selected rates; {plural(counts.run, 'trial')}: {counts.ok:,} ok, {counts.diverged:,} "
        f"diverged, {counts.failed:,} failed; {seconds(plan.sweep_seconds)} with "
        f"{plural(plan.jobs, 'worker')}"
    )


def _grid(study: StudyAnalysis) -> str:
    """Product of the axes; with several groups, whose axes may differ, their number."""
    plan = study.description
    first = plan.groups[0]
    datasets = list(dict.fromkeys(visible(g.dataset, most=60) for g in plan.groups))
    axes: list[tuple[int, str]] = [(len(plan.seeds), "seed")]
    if study.several:
        axes.insert(0, (len(plan.groups), "group"))
    else:
        axes.insert(0, (len(first.learning_rates), "learning rate"))
        axes.insert(0, (len(first.batch_sizes), "batch size"))
    product = f" {TIMES} ".join(plural(number, noun) for number, noun in axes)
    return f"{product} on {listing(datasets, most=4)}"


def _room(*always: str) -> Room:
    return Room(PAGE_LIMIT - RESERVED - sum(len(text.encode()) for text in always))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _asset(name: str) -> str:
    return (_HERE / "assets" / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Content security policy: this style sheet and this script, and nothing from anywhere."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src-elem '{_digest(style)}'; "
        "style-src-attr 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _download(path: str, text: str, room: Room) -> Download:
    encoded = quote(text, safe=",:;/()=*@")
    if len(text) > EMBED_BELOW or not room.admit("", len(encoded)):
        return Download(path, "")
    return Download(path, f"data:text/csv;charset=utf-8,{encoded}")
