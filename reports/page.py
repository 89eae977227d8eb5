"""The page: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import svg
from reports.analysis import Analysis
from reports.cautions import cautions
from reports.charts import Chart
from reports.formats import TIMES, plural, seconds, visible, visible_lines
from reports.method import limits, method
from reports.page_tables import page_tables
from reports.verdicts import cards, verdict

EMBED_BELOW = 120_000
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
    analysis: Analysis, drawn: Mapping[str, tuple[Chart, str]], csv: Mapping[str, str]
) -> str:
    """Return the page.

    Args:
        analysis: The numbers.
        drawn: Charts with their SVG elements, by name.
        csv: Tables as CSV, by name.
    """
    style, script = _asset("report.css"), _asset("report.js")
    plan = analysis.description
    return _environment().get_template("report.html.jinja").render(
        a=analysis,
        plan=plan,
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy=_policy(style, script),
        title=visible(plan.title),
        summary=summary(analysis),
        verdict=verdict(analysis),
        cards=cards(analysis),
        cautions=cautions(analysis),
        figures=[(chart, svg.inline(text, chart)) for chart, text in drawn.values()],
        tables=page_tables(analysis),
        method=method(analysis),
        limits=limits(analysis),
        downloads=[_download(f"tables/{name}.csv", text) for name, text in csv.items()],
        pictures=[f"figures/{name}.svg" for name in drawn],
        specification=visible_lines(plan.specification),
        provenance={visible(k): visible(v) for k, v in sorted(plan.provenance.items())},
    )  # fmt: skip


def summary(analysis: Analysis) -> str:
    """Return the study in one line of counts.

    Args:
        analysis: The numbers.
    """
    plan, counts = analysis.description, analysis.counts
    grid = f" {TIMES} ".join(
        plural(len(axis), noun)
        for axis, noun in (
            (plan.batch_sizes, "batch size"),
            (plan.learning_rates, "learning rate"),
            (plan.seeds, "seed"),
        )
    )
    return (
        f"{grid} on {visible(plan.dataset, most=60)}, {len(plan.confirmation_seeds)} more for the "
        f"selected rates; {plural(counts.run, 'trial')}: {counts.ok:,} ok, {counts.diverged:,} "
        f"diverged, {counts.failed:,} failed; {seconds(plan.sweep_seconds)} with "
        f"{plural(plan.jobs, 'worker')}"
    )


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


def _download(path: str, text: str) -> Download:
    if len(text) > EMBED_BELOW:
        return Download(path, "")
    encoded = base64.b64encode(text.encode()).decode()
    return Download(path, f"data:text/csv;charset=utf-8;base64,{encoded}")
