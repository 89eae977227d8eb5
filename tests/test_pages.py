"""Every command and script of the how-to pages does what the page says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from reports.compare import comparison
from reports.output import build
from sweeps import study
from sweeps.cli import main as cli
from sweeps.run import driver
from sweeps.run._executors import Executor, opened
from sweeps.spec.load import preset_names
from sweeps.worker import measure as timing
from sweeps.worker.workspace import Workspace

pytestmark = [
    pytest.mark.no_cover,  # that lines run in a whole study proves little of them
    pytest.mark.slow,
]

DOCS = Path(__file__).parent.parent / "docs"
PAGES = (
    "comparing-studies",
    "for-papers",
    "own-csv",
    "custom-study",
    "timing",
    "resume",
)


SMALL: dict[str, Any] = {
    "batch_sizes": [16, 64, 256],
    "learning_rates": [0.3, 1.0, 3.0],
    "epochs": 2,
    "seeds": [1, 2],
    "confirmation_seeds": [101, 102],
}
"""What is followed here of a study that ships; `.ci/run` follows the README with the whole."""


def in_threads(
    _backend: str, jobs: int, workspace: Workspace, *_cluster: object
) -> AbstractContextManager[Executor]:
    """Return what trains in threads: processes take longer to start than these studies train."""
    return opened("threading", jobs, workspace)


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-4)
    monkeypatch.setattr(build, "MOST_DRAWN", 0)
    monkeypatch.setattr(comparison, "MOST_DRAWN", 0)
    monkeypatch.setattr(driver, "opened", in_threads)
    whole = study.read_target

    def small(target: str) -> tuple[str, dict[str, Any]]:
        where, keys = whole(target)
        return where, keys | (SMALL if target in preset_names() else {})

    monkeypatch.setattr(study, "read_target", small)


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Yield the blocks of a page in order, each with its language."""
    text = (DOCS / f"{page}.md").read_text("utf-8")
    yield from re.findall(r"^```(toml|python|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed(
    page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_a_recommendation_for_data_of_one_s_own_can_be_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`.ci/run` follows the page's other command, which takes its minute."""
    page = (DOCS / "recommend.md").read_text("utf-8")
    (command,) = re.findall(r"^\$ bpsweep (recommend customers\.csv .*)$", page, re.MULTILINE)
    rows = [f"{n},{n % 7},{'' if n % 9 == 0 else n % 5},-,{n % 7 > 3}" for n in range(200)]
    (tmp_path / "customers.csv").write_text("\n".join(["id,age,visits,notes,outcome", *rows]))
    assert cli.main([*shlex.split(command), "--minutes", "1"]) == 0, capsys.readouterr().err
    *answer, path = capsys.readouterr().out.splitlines()
    assert any("batch size" in line.lower() for line in answer)
    assert path.endswith("report.html")
