"""The report of a study that runs: partial while it does, final in the end, never in the way."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.schema.results import StudyResults
from sweeps import Study, results
from sweeps.cli import main as cli
from sweeps.errors import StoreError
from sweeps.run import live_report as watching
from sweeps.run.live_report import watch
from sweeps.store.lock import locked

pytestmark = pytest.mark.slow

RELOADING = 'data-reload="10"'


@pytest.fixture
def folder(tmp_path: Path, keys: dict[str, Any]) -> Path:
    """Return the folder of a study that has run."""
    Study(**keys | {"timing": False}).run(tmp_path / "study", backend="sequential")
    return tmp_path / "study"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which every look at the run adds; the run ends after the third."""
    seen: list[int] = []
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(watching, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(watching, "MOST_SHARE", 1e9)

    def owner_of(_folder: Path) -> str | None:
        seen.append(0)
        return "a process" if len(seen) <= 4 else None

    monkeypatch.setattr(watching, "owner_of", owner_of)
    return seen


def halved(study: StudyResults) -> StudyResults:
    kept = study.trials[: len(study.trials) // 2].reset_index(drop=True)
    return replace(study, trials=kept)


@pytest.fixture
def reloads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have pages written that say little; return a list that gets when each is to reload."""
    seconds: list[int] = []

    def write(study: StudyResults, folder: Path, *, reload_seconds: int = 0) -> Path:
        seconds.append(reload_seconds)
        page = folder / "report.html"
        page.write_text(str(study.description))
        return page

    monkeypatch.setattr("reports.build_report", write)
    return seconds


def test_the_page_is_partial_while_the_run_goes_on_and_final_in_the_end(
    folder: Path, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = results(folder)
    seen: list[str] = []

    def partial(_folder: Path) -> StudyResults:
        if (folder / "report.html").exists():
            seen.append((folder / "report.html").read_text())
        return halved(study) if len(looks) <= 4 else study

    monkeypatch.setattr(watching, "results", partial)
    final = watch(folder).read_bytes()
    assert len(looks) == 5
    assert len(set(seen)) == 1
    assert RELOADING in seen[0]
    assert "6 of 12 planned trials have not run. A run is under way" in seen[0]
    assert cli.main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_bytes() == final


def test_nothing_is_written_while_times_are_measured(
    folder: Path, looks: list[int], reloads: list[int]
) -> None:
    watch(folder)
    assert len(looks) == 5
    assert reloads == [0]


def test_a_run_that_has_hardly_begun_is_waited_for(
    folder: Path, looks: list[int], reloads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_yet(path: Path) -> StudyResults:
        return results(folder if len(looks) > 4 else path / "nothing")

    monkeypatch.setattr(watching, "results", not_yet)
    watch(folder)
    assert reloads == [0]


def test_ctrl_c_ends_the_watching_with_a_page_that_does_not_reload(
    folder: Path, reloads: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    with locked(folder):
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        assert cli.main(["watch", str(folder)]) == 0
        timer.join()
    assert capsys.readouterr().out == f"{folder}/report.html\n"
    assert reloads == [0]


def test_what_has_not_changed_is_not_written_again(
    folder: Path, looks: list[int], reloads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = halved(results(folder))
    monkeypatch.setattr(watching, "results", lambda _: study)
    watch(folder)
    assert len(looks) == 5
    assert reloads == [10, 0]


def test_a_study_that_does_not_run_is_reported_once(folder: Path, reloads: list[int]) -> None:
    watch(folder)
    assert reloads == [0]


class Clock:
    """Replaces the module `time`: sleeping takes no time, and every write takes some."""

    def __init__(self, until: float) -> None:
        self.now = self.spent = 0.0
        self.until = until
        self.writes: list[float] = []

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def process_time(self) -> float:
        """Return what writing took."""
        return self.spent

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def write(self, cost: float) -> None:
        """Write a report that takes a while."""
        self.writes.append(self.now)
        self.spent += cost
        self.now += cost


@pytest.mark.parametrize(
    ("cost", "expected"),
    [(0.0, [0, 10, 20, 30, 40, 50]), (2.0, [0, 20, 40]), (5.0, [0, 50])],
)
def test_writing_is_rare_and_takes_a_tenth_of_the_time(
    cost: float, expected: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(60)
    monkeypatch.setattr(watching, "time", clock)
    monkeypatch.setattr(watching, "results", lambda _: None)
    monkeypatch.setattr("reports.build_report", lambda *_: clock.write(0))
    monkeypatch.setattr(watching, "owner_of", lambda _: clock.now < clock.until or None)
    monkeypatch.setattr(watching, "_write_if_new", lambda *_: clock.write(cost))
    watch(Path())
    assert clock.writes[:-1] == expected


def test_reading_in_a_loop_never_disturbs_a_run(tmp_path: Path, keys: dict[str, Any]) -> None:
    """Every reading is of one instant, and the run is as if nobody had read."""
    path, ended, read = tmp_path / "read", threading.Event(), [0]

    def read_on() -> None:
        while not ended.is_set():
            with suppress(StoreError):  # before the run has begun
                study = results(path)
                assert set(study.curves["trial"]) == set(study.trials["trial"])
                read.append(len(study.trials))

    many = keys | {"seeds": list(range(20, 40)), "timing": False}
    reader = threading.Thread(target=read_on, daemon=True)
    reader.start()
    try:
        study = Study(**many).run(path, backend="sequential")
    finally:
        ended.set()
        reader.join()
    assert read == sorted(read)
    assert len(read) > 1
    calm = Study(**many).run(tmp_path / "calm", backend="sequential")
    pd.testing.assert_frame_equal(study.curves, calm.curves)
