"""The report's folder: the same bytes for the same results, and never half a file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.pyplot import get_fignums

from reports.figures import CHARTS, TIMELINE
from reports.output.build import build_report
from reports.output.csv import COLUMNS
from reports.output.files import PAGE
from reports.schema.results import StudyResults
from tests.reports.conftest import Sketch, make_results, small, without_timing


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_folder_has_page_tables_and_figures(digits_report: Path) -> None:
    expected = {"report.html", "report.json", "tables/columns.csv"}
    expected |= {f"tables/{name}.csv" for name in COLUMNS if name != "optima"}
    expected |= {f"figures/{name}.svg" for name in (*CHARTS, TIMELINE)}
    assert set(contents(digits_report.parent)) == expected


def test_the_same_results_give_the_same_bytes(
    digits: StudyResults, digits_report: Path, tmp_path: Path
) -> None:
    build_report(digits, tmp_path / "new" / "folder")
    assert contents(tmp_path / "new" / "folder") == contents(digits_report.parent)


def test_the_page_stays_small(digits_report: Path) -> None:
    assert digits_report.stat().st_size < 600_000


@pytest.fixture
def few() -> StudyResults:
    """A small study."""
    return make_results(Sketch(description=small()))


@pytest.mark.usefixtures("undrawn")
def test_a_figure_that_is_no_longer_possible_is_removed(few: StudyResults, tmp_path: Path) -> None:
    build_report(few, tmp_path)
    assert (tmp_path / "figures" / "seconds-per-update.svg").exists()
    other = tmp_path / "figures" / "mine.svg"
    other.write_text("mine")
    build_report(without_timing(few), tmp_path)
    assert not (tmp_path / "figures" / "seconds-per-update.svg").exists()
    assert other.read_text() == "mine"


@pytest.mark.usefixtures("undrawn")
def test_a_failed_write_leaves_the_old_page_and_no_rest(
    few: StudyResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build_report(few, tmp_path).read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left on device"):
        build_report(without_timing(few), tmp_path)
    assert (tmp_path / PAGE).read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_selecting_rates_loads_no_drawing_library() -> None:
    code = (
        "import sys, reports.analysis.selection; "
        "print({'matplotlib', 'seaborn', 'jinja2'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_a_report_leaves_pyplot_without_figures(digits_report: Path) -> None:
    assert digits_report.exists()
    assert get_fignums() == []
