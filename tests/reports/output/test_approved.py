"""The wording of the page, as approved: two small reports, word by word.

All other tests hold numbers, kinds and names. Where wording changes on purpose,
`APPROVE=1 python -m pytest tests/reports/output/test_approved.py` writes the texts anew: read what
`git diff tests/reports/output/approved` shows before you commit it.
"""

from __future__ import annotations

import os
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports.output.build import build_report
from reports.schema.results import StudyDescription
from tests.reports.conftest import Sketch, make_results, several, small

APPROVED = Path(__file__).with_name("approved")
RENEW = f"APPROVE=1 python -m pytest tests/reports/output/{Path(__file__).name}"
"""The command that writes the approved texts anew."""
REPORTS = {
    "claims": small(),
    "configurations": several(
        {"group": "sgd"},
        {"group": "adam", "optimizer": "adam", "hyperparameters": {"beta1": 0.9, "beta2": 0.999}},
        batch_sizes=(8, 64, 512),
        learning_rates=(0.3, 1.0, 3.0),
        epochs=4,
        claims=False,
        cluster=None,
    ),
}
INLINE = {"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup"}
CELLS = {"td", "th"}
UNSEEN = {"script", "style", "svg"}


class VisibleText(HTMLParser):
    """What a page says: one line for each block, and for each row of a table."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._texts, self._unseen = [""], 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        """Begin a line or a cell."""
        self._unseen += tag in UNSEEN
        if tag in CELLS:
            self._texts.append(" | ")
        elif tag not in INLINE:
            self._texts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """End a line."""
        self._unseen -= tag in UNSEEN
        if tag not in INLINE | CELLS:
            self._texts.append("\n")

    def handle_data(self, data: str) -> None:
        """Keep a text that is seen, its white space as one blank."""
        if not self._unseen:
            self._texts.append(" ".join(f"<{data}>".split())[1:-1])

    def lines(self) -> list[str]:
        """Return the lines that say anything."""
        lines = (line.strip(" |") for line in "".join(self._texts).split("\n"))
        return [line for line in lines if line]


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.usefixtures("undrawn")
def test_the_page_shows_what_was_approved(name: str, tmp_path: Path) -> None:
    description: StudyDescription = REPORTS[name]
    page = build_report(make_results(Sketch(description=description)), tmp_path)
    lines = VisibleText(page.read_text()).lines()
    approved = APPROVED / f"{name}.txt"
    if os.environ.get("APPROVE"):
        approved.write_text("\n".join(lines) + "\n")
    differing = f"the page says something else than {approved}; if it should, run: {RENEW}"
    assert lines == approved.read_text().splitlines(), differing
