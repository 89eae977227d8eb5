"""Driver and workers killed at any instant: nothing kept is lost, the end is the same."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from refused import states

from reports.schema.results import TRIAL_COLUMNS, StudyResults
from sweeps import Study, results

pytestmark = [
    pytest.mark.no_cover,  # that lines run in a whole study proves little of them
    pytest.mark.slow,
]

VOLATILE = [column.name for column in TRIAL_COLUMNS if column.volatile]

STUDY: dict[str, Any] = {
    "name": "chaos",
    "dataset": "iris",
    "hidden_layers": [6],
    "batch_sizes": [2, 3, 5, 8, 13, 21, 34, 55],
    "learning_rates": [0.3, 1.0],
    "seeds": [1, 2, 3],
    "confirmation_seeds": [11, 12],
    "extensions": 0,
    "epochs": 20,
    "timing": False,
}
TARGET = 1  # batch sizes that another rate takes to the target soonest
TRIALS = 8 * 2 * 3 + (8 + TARGET) * 2


def tables(finished: StudyResults) -> bytes:
    """Return all that must not depend on what happened on the way."""
    stable = finished.trials.drop(columns=VOLATILE).to_csv() + finished.curves.to_csv()
    return stable.encode()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the tables of a run that nothing happened to."""
    finished = Study(**STUDY).run(tmp_path_factory.mktemp("calm"), backend="sequential")
    assert len(finished.trials) == TRIALS
    assert set(finished.trials["status"]) == {"ok"}
    return tables(finished)


@dataclass
class Drivers:
    """Forks drivers, one at a time."""

    process: subprocess.Popen[str]

    def start(self, folder: Path, backend: str, **order: Any) -> psutil.Process:
        """Start a driver of the study."""
        order = {"folder": str(folder), "study": STUDY, "backend": backend, **order}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jobs": -1, **order}) + "\n")
        self.process.stdin.flush()
        return psutil.Process(int(self._read()))

    def exit_code(self) -> int:
        """Wait for the driver and return its exit code."""
        return int(self._read())

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture(scope="module")
def drivers() -> Iterator[Drivers]:
    """Return the source of drivers."""
    command = [sys.executable, Path(__file__).parents[2] / "helpers" / "warm_driver.py"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Drivers(process)
        assert process.stdin is not None
        process.stdin.close()


def kept(folder: Path) -> dict[str, float]:
    """Return the trials with a result, and their time, which distinguishes runs of a trial.

    A store that is there at all must be whole.
    """
    if not (folder / "study.db").exists():
        return {}
    with sqlite3.connect(folder / "study.db") as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        assert verdict == "ok"
        try:
            rows = dict(connection.execute("SELECT trial, train_seconds FROM trials"))
        except sqlite3.OperationalError:
            # It was killed before there were any tables.
            rows = {}
    connection.close()
    return rows


def gone(processes: list[psutil.Process]) -> bool:
    """Return whether processes end within two seconds, waiting for a processor not counted.

    A process that was still starting looks for its driver only once it has started.
    """
    until = {process: time.monotonic() + 2.0 - _waited(process) for process in processes}
    while alive := [process for process in processes if _is_alive(process)]:
        late = [
            process for process in alive if time.monotonic() > until[process] + _waited(process)
        ]
        if any(_is_alive(process) for process in late):
            return False
        time.sleep(0.01)
    return True


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _waited(process: psutil.Process) -> float:
    """Return for how many seconds a process was ready to run and had no processor."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[1]) / 1e9
    return 0.0


def finish(folder: Path, before: dict[str, float], expected: bytes) -> None:
    """Run the study to its end and check that it is as if nothing had happened."""
    finished = Study(**STUDY).run(folder, backend="sequential")
    after = kept(folder)
    assert before.items() <= after.items()
    assert tables(finished) == expected
    assert not (folder / ".work").exists()


@pytest.fixture(scope="module")
def seconds(drivers: Drivers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Return how long the study takes with each backend."""
    finished = {}
    for backend in ("loky", "sequential"):
        began = time.monotonic()
        drivers.start(tmp_path_factory.mktemp(backend), backend, checkpoints=True)
        assert drivers.exit_code() == 0
        finished[backend] = time.monotonic() - began
    return finished


@pytest.mark.parametrize(
    ("backend", "seed"),
    [("loky", seed) for seed in range(20)] + [("sequential", seed) for seed in range(100, 115)],
)
def test_a_driver_killed_at_any_instant_loses_nothing(
    backend: str,
    seed: int,
    tmp_path: Path,
    drivers: Drivers,
    seconds: dict[str, float],
    expected: bytes,
) -> None:
    driver = drivers.start(tmp_path, backend, checkpoints=backend == "sequential")
    time.sleep(np.random.default_rng(seed).uniform(0, seconds[backend]))
    family = _family(driver)
    _kill(driver)
    assert drivers.exit_code() in {0, -signal.SIGKILL}
    assert gone(family)
    finish(tmp_path, kept(tmp_path), expected)


@pytest.mark.parametrize("seed", range(200, 215))
def test_a_worker_killed_at_any_instant_is_made_up_for(
    seed: int, tmp_path: Path, drivers: Drivers, seconds: dict[str, float], expected: bytes
) -> None:
    chance = np.random.default_rng(seed)
    driver = drivers.start(tmp_path, "loky")
    time.sleep(chance.uniform(0, seconds["loky"]))
    family = _family(driver)
    if family:
        _kill(family[chance.integers(len(family))])
    assert drivers.exit_code() == 0
    before = kept(tmp_path)
    assert len(before) == TRIALS
    finish(tmp_path, before, expected)


def _family(driver: psutil.Process) -> list[psutil.Process]:
    try:
        family = driver.children(recursive=True)
        return [
            process for process in family if "resource_tracker" not in " ".join(process.cmdline())
        ]
    except psutil.NoSuchProcess:
        return []


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


COMMAND = [sys.executable, "-m", "sweeps", "run", "chaos.toml", "--out", "out", "--jobs", "2"]


@pytest.fixture
def command(tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    """Return a function that starts the product's own command on the study."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in STUDY.items()]
    (tmp_path / "chaos.toml").write_text("\n".join(lines))

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            COMMAND,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


def rows(folder: Path) -> int:
    """Return how many trials are stored, while a run is writing."""
    try:
        with sqlite3.connect(f"file:{folder / 'study.db'}?mode=ro", uri=True) as connection:
            (count,) = connection.execute("SELECT count(*) FROM trials").fetchone()
    except sqlite3.OperationalError:
        return 0
    connection.close()
    return int(count)


def begun(process: subprocess.Popen[str], folder: Path, least: int) -> None:
    """Wait until some trials are stored."""
    while rows(folder) < least:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize("least", [1, pytest.param(30, marks=pytest.mark.quick)])
def test_the_command_itself_can_be_killed_and_run_again(
    least: int, tmp_path: Path, command: Callable[[], subprocess.Popen[str]], expected: bytes
) -> None:
    running = command()
    begun(running, tmp_path / "out", least)
    family = _family(psutil.Process(running.pid))
    assert len(family) >= 2
    running.kill()
    running.communicate()
    assert gone(family)
    before = kept(tmp_path / "out")
    assert least <= len(before) < TRIALS
    again = command()
    assert again.communicate()[0].splitlines()[-1] == "out/report.html"
    assert again.returncode == 0
    assert before.items() <= kept(tmp_path / "out").items()
    assert tables(results(tmp_path / "out")) == expected


def test_ctrl_c_finishes_what_runs_and_reports_what_there_is(
    tmp_path: Path, command: Callable[[], subprocess.Popen[str]], expected: bytes
) -> None:
    running = command()
    begun(running, tmp_path / "out", 1)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does, to workers too
    out, error = running.communicate()
    assert running.returncode == 130
    assert out == "out/report.html\n"
    assert "Press Ctrl-C again to stop at once" in error
    states(error, "interrupted: ", "run again")
    assert "Traceback" not in error
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.endswith("</html>\n")
    finish(tmp_path / "out", kept(tmp_path / "out"), expected)


@pytest.mark.parametrize(
    ("signals", "code"), [((signal.SIGINT, signal.SIGINT), 130), ((signal.SIGTERM,), 143)]
)
def test_a_second_ctrl_c_or_sigterm_stops_at_once(
    signals: tuple[signal.Signals, ...],
    code: int,
    tmp_path: Path,
    command: Callable[[], subprocess.Popen[str]],
    expected: bytes,
) -> None:
    running = command()
    begun(running, tmp_path / "out", 1)
    family = _family(psutil.Process(running.pid))
    for number in signals:
        running.send_signal(number)
        time.sleep(0.05)
    out, error = running.communicate(timeout=5)
    assert running.returncode == code
    assert not out
    assert "Traceback" not in error
    assert gone(family)
    finish(tmp_path / "out", kept(tmp_path / "out"), expected)


@pytest.mark.parametrize("largest_file", [30_000, 60_000, 90_000])
@pytest.mark.parametrize("backend", ["sequential", "loky"])
def test_a_full_disk_is_reported_and_loses_nothing(
    backend: str, largest_file: int, tmp_path: Path, drivers: Drivers, expected: bytes
) -> None:
    drivers.start(tmp_path / "out", backend, largest_file=largest_file)
    assert drivers.exit_code() == 6
    finish(tmp_path / "out", kept(tmp_path / "out"), expected)
