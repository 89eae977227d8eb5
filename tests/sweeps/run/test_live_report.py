"""The process that writes the report during a run: it starts with it, ends with it, harms nothing.

That it writes is tested where a whole run is watched; here it does something else.
"""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sweeps.run import live_report as reporter
from sweeps.run.live_report import reported
from sweeps.run.signals import Interrupted

WAIT = "import sys, time; open(sys.argv[2] + '/began', 'w'); time.sleep(60)"


@pytest.fixture(autouse=True)
def _wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "CODE", WAIT)


def began(folder: Path) -> None:
    while not (folder / "began").exists():
        time.sleep(0.01)


def test_it_ends_with_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with reported(tmp_path) as process:
        began(tmp_path)
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM
    assert not capsys.readouterr().err


@pytest.mark.parametrize("end", [Interrupted(), Interrupted(15)])
def test_what_stops_a_run_at_once_leaves_it_to_write_what_was_kept(
    tmp_path: Path, end: Interrupted
) -> None:
    writer = reported(tmp_path)
    process = writer.__enter__()
    with suppress(Interrupted):
        writer.__exit__(Interrupted, end, None)
    assert process.poll() is None
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise OSError('No space left on device')", "OSError: No space left on device"),
        ("import os; os._exit(3)", "exit code 3"),
    ],
)
def test_what_it_can_t_do_is_reported_and_changes_nothing(
    code: str,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(reporter, "CODE", code)
    with reported(tmp_path) as process:
        process.wait()
    assert capsys.readouterr().err.endswith(f": {why}\n")
