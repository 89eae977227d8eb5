"""What every page has: style, script, a policy that allows nothing else, its template, its size."""

from __future__ import annotations

import base64
import hashlib
import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.charts.base.chart import Chart
from reports.schema.formats import visible

PAGE_LIMIT = 1_500_000  # bytes that a page may have

Drawn = Mapping[str, tuple[Chart, str]]  # charts with their SVG elements, by name

_HERE = Path(__file__).parents[1]


def fit(page: Callable[[Collection[str]], str], expendable: Sequence[str]) -> str:
    """Return the page without as many of its expendable parts, first ones first, as it must."""
    whole = page(())
    if _fits(whole):
        return whole
    least = bisect_left(
        range(len(expendable)), True, key=lambda number: _fits(page(expendable[:number]))
    )
    return page(expendable[:least])


def _fits(page: str) -> bool:
    return len(page.encode()) <= PAGE_LIMIT


def fill(template: str, *, title: str, reload_seconds: int = 0, **values: object) -> str:
    """Return a page."""
    style = _asset("report.css")
    script = _asset("report.js") + (_asset("live.js") if reload_seconds else "")
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            policy=_policy(style, script),
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
    return environment


def with_code(text: str) -> Markup:
    """Return a text in which what stands between backticks is set as code."""
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


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
