"""The page: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.charts.base import Drawn
from reports.claims import ClaimVerdict
from reports.figures import UNFOLDED
from reports.output.page._dark import dark_rules
from reports.output.page._tables import group_table, optima_table
from reports.output.page.sections import (
    Section,
    absent,
    claim_section,
    expendable,
    inlined,
    unknown_history,
    without,
)
from reports.recommend import StudyAnalysis
from reports.schema import listing, plural, seconds, visible
from reports.schema.formats import TIMES, visible_lines
from reports.text import across
from reports.text.instruction import confidence_line, evidence, headline, surer
from reports.text.method import limits, method
from reports.text.reaching_target import unsaid
from reports.text.verdicts import cards

FIGURES = "figures"  # folder; with several groups, each has its own in it
EMBED_BELOW = 12_000  # characters of CSV up to which a table is also a download inside the page
_SENTENCES = (headline, evidence, confidence_line, surer, cards, method, limits, unsaid)
DOWNLOADS = "downloads"  # what goes first where the page is too large: tables inside it as CSV


def render(
    study: StudyAnalysis,
    sections: Sequence[Section],
    overall: Drawn,
    history: Drawn,
    *,
    claims: Sequence[ClaimVerdict],
    csv: Mapping[str, str],
    pictures: Sequence[str],
    document: str,
    reload_seconds: int = 0,
) -> str:
    """Return the page, with charts over all groups and of how the sweep ran."""
    plan = study.description
    compared, timeline = inlined(overall), inlined(history)
    figures = [*compared, *timeline, *(pair for part in sections for pair in part.figures)]
    fixed: dict[str, Any] = {
        "study": study,
        "summary": summary(study),
        "across": across(study),
        "compared": compared,
        "groups": group_table(study) if study.several else None,
        "answered": not plan.finished or study.summary["recommended"].notna().any(),
        "optima": optima_table(study) if study.description.has_optima else None,
        "timeline": timeline,
        "drawings": [drawing for _, drawing in figures],
        "unknown_history": unknown_history(study),
        "unfolded": UNFOLDED,
        "pictures": pictures,
        "document": document,
        "specification": visible_lines(plan.specification),
        "file": shlex.quote(f"{visible(plan.name)}.toml"),
        "provenance": {visible(k): visible(v) for k, v in sorted(plan.provenance.items())},
        **{sentence.__name__: sentence for sentence in _SENTENCES},
    }

    def page(omitted: Collection[str]) -> str:
        return fill(
            "report.html.jinja",
            title=f"Batch size for {_data(study)}",
            reload_seconds=reload_seconds,
            claims=claim_section(claims) if claims else None,
            sections=[without(part, omitted) for part in sections if part.prefix not in omitted],
            absent=absent([part.label for part in sections if part.prefix in omitted]),
            downloads=downloads(csv, embed=DOWNLOADS not in omitted),
            **fixed,
        )

    return fit(page, [DOWNLOADS, *expendable(sections)])


def _data(study: StudyAnalysis) -> str:
    """Names of the datasets, or of what trains on data of its own."""
    if study.description.finished:
        return visible(study.description.name, most=60)
    groups = study.description.groups
    names = dict.fromkeys(visible(plan.subject, most=60) for plan in groups)
    return listing([*names], most=4)


def summary(study: StudyAnalysis) -> str:
    """Return the study in one line of counts."""
    plan, counts = study.description, study.counts
    if plan.finished:
        return (
            f"{plural(counts.run, 'finished run')}: {counts.ok:,} with a result, "
            f"{counts.diverged:,} diverged"
        )
    first, fresh = plan.groups[0], len(plan.confirmation_seeds)
    # The axes of several groups may differ.
    several = {"configuration": len(plan.groups)}
    single = {"batch size": len(first.batch_sizes), "learning rate": len(first.learning_rates)}
    axes = (several if study.several else single) | {"seed": len(plan.seeds) or fresh}
    product = f" {TIMES} ".join(plural(number, noun) for noun, number in axes.items())
    more = f", {fresh} more for the selected rates" if plan.seeds and fresh else ""
    return (
        f"{product} on {_data(study)}{more}; {plural(counts.run, 'trial')}: {counts.ok:,} ok, "
        f"{counts.diverged:,} diverged, {counts.failed:,} failed; "
        f"{seconds(plan.sweep_seconds)} with {plural(plan.jobs, 'worker')}"
    )


def downloads(csv: Mapping[str, str], *, embed: bool) -> dict[str, str]:
    """Return the paths of tables, with the content of small ones as an address or ""."""
    return {
        f"tables/{name}.csv": f"data:text/csv;charset=utf-8,{quote(text, safe=',:;/()=*@')}"
        if embed and len(text) <= EMBED_BELOW
        else ""
        for name, text in csv.items()
    }


PAGE_LIMIT = 1_500_000  # bytes that a page may have
_HERE = Path(__file__).parents[1]


def fit(page: Callable[[Collection[str]], str], expendable: Sequence[str]) -> str:
    """Return the page without as many of its expendable parts, first ones first, as it must."""
    if len((whole := page(())).encode()) <= PAGE_LIMIT:
        return whole

    def fits(number: int) -> bool:
        return len(page(expendable[:number]).encode()) <= PAGE_LIMIT

    return page(expendable[: bisect_left(range(len(expendable)), True, key=fits)])


def fill(
    template: str,
    *,
    title: str,
    drawings: Iterable[Markup] = (),
    reload_seconds: int = 0,
    **values: object,
) -> str:
    """Return a page; `drawings` are the figures in it."""
    style = _asset("report.css") + dark_rules(drawings)
    script = _asset("report.js") + (_asset("live.js") if reload_seconds else "")
    # This style sheet and this script, and nothing from anywhere.
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src-elem '{_digest(style)}'; "
        "style-src-attr 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            policy=policy,
            title=visible(title),
            reload_seconds=reload_seconds,
            **values,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = with_code
    environment.filters["shown"] = visible
    return environment


def with_code(text: str) -> Markup:
    """Return a text in which what stands between backticks is set as code."""
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


@cache
def _asset(name: str) -> str:
    """A file of the page's, without what is there for its authors: comments and indents."""
    text = (_HERE / "assets" / name).read_text(encoding="utf-8")
    return re.sub(r"^ *(//.*\n)?", "", text, flags=re.MULTILINE)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
