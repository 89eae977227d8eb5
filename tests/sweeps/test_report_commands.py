"""Commands that write reports: of one study, of several, into which folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports import StudyResults
from sweeps import Study, cli


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
    found: dict[str, StudyResults] = {}

    def write(studies: dict[str, StudyResults], folder: Path) -> Path:
        found.update(studies)
        return folder / "report.html"

    monkeypatch.setattr("reports.comparison.build_comparison", write)
    return found


def test_studies_are_compared_by_the_names_of_their_folders(
    folders: tuple[str, str],
    compared: dict[str, StudyResults],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["report", *folders, "--out", "both"]) == 0
    assert capsys.readouterr().out == "both/report.html\n"
    assert [*compared] == ["a", "b"]
    assert [one.description.name for one in compared.values()] == ["a", "b"]


def test_folders_of_one_name_are_told_by_their_paths(
    folders: tuple[str, str], compared: dict[str, StudyResults]
) -> None:
    Path("other").mkdir()
    Path(folders[1]).rename("other/a")
    assert cli.main(["report", folders[0], "other/a", "--out", "both"]) == 0
    assert [*compared] == ["a", "other/a"]


@pytest.mark.parametrize("out", [[], ["--out", "a"]])
def test_a_comparison_needs_a_folder_of_its_own(
    out: list[str], folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", *folders, *out]) == 2
    assert capsys.readouterr().err == (
        "error: A report of several studies needs a folder of its own: give it by --out.\n"
    )


def test_a_study_is_not_compared_with_itself(
    folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", folders[0], f"./{folders[0]}", "--out", "both"]) == 2
    assert capsys.readouterr().err == (
        "error: A study can't be compared with itself: name every folder once.\n"
    )


def test_a_folder_that_can_t_be_written_is_told(
    folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    assert cli.main(["report", *folders, "--out", "file"]) == 6
    assert capsys.readouterr().err == (
        "error: file/tables can't be written: Not a directory. The results are kept: `bpsweep "
        "report a b --out file` writes the report again.\n"
    )


def test_a_report_may_lie_elsewhere(
    folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", folders[0], "--out", "elsewhere"]) == 0
    assert capsys.readouterr().out == "elsewhere/report.html\n"
    assert Path("elsewhere/report.html").is_file()
    assert not Path("a/report.html").exists()
