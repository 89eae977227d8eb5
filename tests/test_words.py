"""The words of a private vocabulary are written nowhere: in no page, message, docstring or guide.

Code, quotations and the names of axes and arguments are no prose.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports.charts.base import svg
from reports.output.build import build_report
from tests.reports.conftest import make_results
from tests.reports.output.test_approved import VisibleText

ROOT = Path(__file__).parents[1]
WORDS = re.compile(
    r"can't be told|cannot be told|not told from|told apart|told from|tells? apart|\btold\b"
    r"|\btells?\b|likewise|\bbeside\b|held against|the way to the target|reckoned from"
    r"|in one piece|closed form|plain descent|lost seeds?|timing pass|timing rounds?"
    r"|(training|validation|test) part\b|\bitems?\b|by tensor operations|speak, too"
    r"|far as can be told|\bstands? (in|for|on|at|here|there|below|above)\b|\bbears? it\b"
    r"|off by up to|beware|is no (number|dataset|file|column)|so many|of late|now and then",
    re.IGNORECASE,
)
NO_PROSE = re.compile(
    r"per-item|```.*?```|`[^`]*`|\$[^$]*\$|“[^”]*”|\"[^\"\n]*\"|\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|\]\([^)]*\)"
    r"|^>.*?$|^ +\**\w+: ",
    re.DOTALL | re.MULTILINE,
)
"""An engine's name, code, formulas, quotations, addresses, and arguments in a docstring."""


def found_in(text: str) -> list[str]:
    """Return the phrases of the vocabulary in a text, each with what is around it."""
    prose = NO_PROSE.sub(" ", text)
    return [
        prose[max(match.start() - 30, 0) : match.end() + 30].replace("\n", " ")
        for match in WORDS.finditer(prose)
    ]


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each string of a module that may be prose: with a space in it."""
    tree = ast.parse(path.read_text("utf-8"))
    axes = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.Subscript) and ast.unparse(outer.value) == "Annotated"
        for node in ast.walk(outer.slice)
        if isinstance(node, ast.Constant) and len(str(node.value)) < 40
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in axes and " " in str(node.value):
            yield node.lineno, str(node.value)


def sources() -> list[Path]:
    rooms = ("bpengine", "sweeps", "reports")
    paths = (path for room in rooms for path in (ROOT / room).rglob("*"))
    return sorted(path for path in paths if path.suffix in {".py", ".jinja", ".toml"})


def guides() -> list[Path]:
    return [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("[RC]*.md"))]


def matches(path: Path) -> list[str]:
    """Return where a file has such a phrase."""
    name = path.relative_to(ROOT)
    if path.suffix == ".py":
        return [
            f"{name}:{line}: {phrase}" for line, text in literals(path) for phrase in found_in(text)
        ]
    return [f"{name}: {phrase}" for phrase in found_in(path.read_text("utf-8"))]


@pytest.mark.parametrize(
    "text",
    ["Sizes that can't be told apart.", "The test part.", "It has 5 items.", "as told beside it"],
)
def test_a_phrase_is_seen(text: str) -> None:
    assert found_in(text)


@pytest.mark.parametrize("text", ["“Iterate over the items”", "`data.items()`", "> as told\n"])
def test_code_and_quotations_are_not(text: str) -> None:
    assert not found_in(text)


def test_messages_and_docstrings_are_plain() -> None:
    assert [phrase for path in sources() for phrase in matches(path)] == []


def test_guides_are_plain() -> None:
    assert [p for path in guides() if path.name != "CHANGELOG.md" for p in matches(path)] == []


def test_a_page_is_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "draw", lambda _chart: "<svg width='1' height='1'>x</svg>")
    page = build_report(make_results(), tmp_path).read_text("utf-8")
    assert [phrase for line in VisibleText(page).lines() for phrase in found_in(line)] == []
