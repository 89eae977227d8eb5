"""A report is left alone only where nothing that makes it has changed, nor any of its files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reports.output import unchanged as module
from reports.output.build import build_report
from reports.output.unchanged import SEAL, seal, unchanged
from reports.schema.results import StudyResults
from tests.reports.conftest import Sketch, make_results, small, without_timing


@pytest.fixture(scope="module")
def few() -> StudyResults:
    """A small study."""
    return make_results(Sketch(description=small()))


@pytest.fixture(scope="module")
def written(few: StudyResults, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's report, without its drawings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reports.charts.base.svg.draw", lambda _: "<svg width='1' height='1'>x</svg>")
        return build_report(few, tmp_path_factory.mktemp("report")).parent


@pytest.fixture
def folder(few: StudyResults, written: Path, tmp_path: Path) -> Path:
    """The report, sealed where it is."""
    copy = Path(shutil.copytree(written, tmp_path / "report"))
    seal(few, copy)
    return copy


def test_a_sealed_report_is_left_alone(few: StudyResults, folder: Path) -> None:
    assert unchanged(few, folder) == folder / "report.html"
    assert unchanged(few, folder.rename(folder.parent / "moved"))


def test_other_results_change_it(few: StudyResults, folder: Path) -> None:
    description = replace(few.description, sweep_seconds=few.description.sweep_seconds + 1)
    losses = few.trials.assign(validation_loss=few.trials["validation_loss"] * (1 + 1e-15))
    assert unchanged(without_timing(few), folder) is None
    assert unchanged(replace(few, description=description), folder) is None
    assert unchanged(replace(few, trials=losses), folder) is None


def test_another_library_changes_it(
    few: StudyResults, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "version", lambda library: f"{library} 99")
    assert unchanged(few, folder) is None


def test_other_code_changes_it(
    few: StudyResults, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code").mkdir()
    monkeypatch.setattr(module, "__file__", str(tmp_path / "code" / "output" / "unchanged.py"))
    assert unchanged(few, folder) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "tables" / "trials.csv").unlink(),
        lambda folder: (folder / "figures" / "accuracy.svg").write_text("mine"),
        lambda folder: (folder / "report.html").rename(folder / "mine.html"),
        lambda folder: (folder / SEAL).unlink(),
        lambda folder: (folder / SEAL).write_bytes(b"\xff"),
        lambda folder: (folder / SEAL).symlink_to((folder / SEAL).rename(folder / "seal")),
    ],
    ids=["removed", "edited", "renamed", "unsealed", "no text", "link"],
)
def test_another_file_changes_it(
    few: StudyResults, folder: Path, change: Callable[[Path], object]
) -> None:
    change(folder)
    assert unchanged(few, folder) is None


def test_a_copy_is_not_trusted(few: StudyResults, folder: Path) -> None:
    assert unchanged(few, Path(shutil.copytree(folder, folder.parent / "copy"))) is None
