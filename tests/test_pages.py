"""Every command and script of the tutorial and the how-to pages does what the page says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps import cli, timing

DOCS = Path(__file__).parent.parent / "docs"
PAGES = (
    "tutorial",
    "comparing-studies",
    "for-papers",
    "own-csv",
    "custom-study",
    "timing",
    "resume",
    "python",
)


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Yield the blocks of a page in order, each with its language."""
    text = (DOCS / f"{page}.md").read_text("utf-8")
    yield from re.findall(r"^```(toml|python|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-4)
    followed = 0
    for language, text in blocks(page):
        if language == "toml":
            name = text.splitlines()[0].removeprefix("# ")
            (tmp_path / name).write_text(text)
        elif language == "python":
            exec(compile(text, f"{page}.md", "exec"), {})  # noqa: S102 - our own page
        for command in re.findall(r"^\$ bpsweep (.*)$", text, re.MULTILINE):
            assert cli.main(shlex.split(command)) == 0, (command, capsys.readouterr().err)
        followed += 1
    assert followed
    assert "error" not in capsys.readouterr().err
