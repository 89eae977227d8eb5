"""Commands that write reports: of one study, of several, into which folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from refused import states

from reports import StudyResults
from sweeps import Study
from sweeps.cli import main as cli


@pytest.fixture
def folders(
    tmp_path: Path, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """Return the folders of two studies, relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Study(**keys | {"name": name, "timing": False}).run(name, backend="sequential")
    return "a", "b"


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> dict[str, StudyResults]:
    """Return what is compared; a page that says nothing is written."""
    given: dict[str, StudyResults] = {}

    def write(studies: dict[str, StudyResults], folder: Path) -> Path:
        given.update(studies)
        return folder / "report.html"

    monkeypatch.setattr("reports.compare.comparison.build_comparison", write)
    return given


def test_studies_are_compared_by_the_names_of_their_folders(
    folders: tuple[str, str],
    compared: dict[str, StudyResults],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["report", *folders, "--out", "both"]) == 0
    assert capsys.readouterr().out == "both/report.html\n"
    assert [*compared] == ["a", "b"]
    assert [study.description.name for study in compared.values()] == ["a", "b"]


def test_folders_of_one_name_are_labelled_by_their_paths(
    folders: tuple[str, str], compared: dict[str, StudyResults]
) -> None:
    Path("other").mkdir()
    Path(folders[1]).rename("other/a")
    assert cli.main(["report", folders[0], "other/a", "--out", "both"]) == 0
    assert [*compared] == ["a", "other/a"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a", "b"], "--out"),
        (["a", "b", "--out", "a"], "--out"),
        (["a", "./a", "--out", "both"], "compared with itself"),
    ],
)
@pytest.mark.usefixtures("folders")
def test_a_comparison_needs_two_studies_and_a_folder_of_its_own(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", *arguments]) == 2
    states(capsys.readouterr().err, "error: ", words)


def test_a_folder_that_can_t_be_written_is_reported(
    folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    assert cli.main(["report", *folders, "--out", "file"]) == 6
    states(capsys.readouterr().err, "error: file/tables", "`bpsweep report a b --out file`")


def test_a_report_may_lie_elsewhere(
    folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", folders[0], "--out", "elsewhere"]) == 0
    assert capsys.readouterr().out == "elsewhere/report.html\n"
    assert Path("elsewhere/report.html").is_file()
    assert not Path("a/report.html").exists()


def test_figures_for_a_manuscript_are_written_next_to_the_report(
    folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--format", "svg", "--width", "84mm", "--figures", "accuracy"]
    assert cli.main(["report", folders[0], *options]) == 0
    assert capsys.readouterr().out.startswith("a/paper/accuracy.svg\na/paper/figures.tex\n")
    assert 'width="238.1' in Path("a/paper/accuracy.svg").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--width", "3in"], "--format pdf, svg or png"),
        (["--figures", "seeds"], "--format pdf, svg or png"),
        (["--format", "pdf", "--width", "3 inches"], "2.5in to 20in.*'3 inches'"),
        (["--format", "pdf", "--width", "1000in"], "2.5in to 20in.*'1000in'"),
        (["b", "--format", "pdf"], "one folder"),
    ],
)
def test_what_is_no_figure_for_a_manuscript_is_refused(
    options: list[str],
    message: str,
    folders: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["report", folders[0], *options]) == 2
    assert re.match(f"error: .*{message}", capsys.readouterr().err)
