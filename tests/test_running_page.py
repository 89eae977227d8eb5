"""Every command and script of docs/running.md does what the page says."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reports.output import build
from reports.schema.results import TRIAL_COLUMNS
from sweeps.cli import main as cli
from sweeps.run._scheduler import MOST_DEATHS, MOST_IN_VAIN
from sweeps.worker import measure as timing
from sweeps.worker.tasks import HARD_FACTOR, HARD_SECONDS

pytestmark = [
    pytest.mark.no_cover,  # that lines run in a whole study proves little of them
    pytest.mark.slow,
]

PAGE = (Path(__file__).parent.parent / "docs" / "running.md").read_text("utf-8")
SERVICE_OPTIONS = {"--host", "--port", "--nthreads", "--nworkers"}
VOLATILE = {column.name for column in TRIAL_COLUMNS if column.volatile}
SERVICES = ("dask scheduler", "dask worker")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the page's study."""
    (study,) = blocks("toml")
    (tmp_path / "small.toml").write_text(study)
    return tmp_path


@contextmanager
def service(command: str, folder: Path) -> Iterator[None]:
    _, part, *options = shlex.split(command)
    arguments = [sys.executable, "-m", f"distributed.cli.dask_{part}", *options]
    with (folder / f"{part}.log").open("wb") as log:
        process = subprocess.Popen(
            arguments, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def test_every_command_does_what_the_page_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-4)
    monkeypatch.setattr(build, "MOST_DRAWN", 0)
    port = str(free_port())
    commands = re.findall(r"^\$ (.*)$", "\n".join(blocks("console")), re.MULTILINE)
    tables: set[str] = set()
    with ExitStack() as services:
        for command in (line.replace("8786", port) for line in commands):
            if command.startswith(SERVICES):
                services.enter_context(service(command, folder))
                continue
            assert cli.main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
            page = Path(capsys.readouterr().out.splitlines()[-1])
            assert page.name == "report.html"
            tables.add(_stable(folder / page.parent / "tables" / "trials.csv"))
    assert len(commands) == 7
    assert len(tables) == 1


def _stable(table: Path) -> str:
    header, *rows = (line.split(",") for line in table.read_text().splitlines())
    stable = [column for column, name in enumerate(header) if name not in VOLATILE]
    return "\n".join(",".join(row[column] for column in stable) for row in rows)


def test_the_script_runs(folder: Path) -> None:
    (script,) = blocks("python")
    (folder / "script.py").write_text(script)
    subprocess.run([sys.executable, "script.py"], cwd=folder, check=True, capture_output=True)
    assert (folder / "small" / "study.db").is_file()


def test_every_option_of_a_run_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help", "--set"}
    assert options == {*re.findall(r"--[a-z][a-z-]*", PAGE)} - SERVICE_OPTIONS


def test_the_numbers_are_the_code_s() -> None:
    assert "dies there three times" in PAGE
    assert "die three times in a row" in PAGE
    assert (MOST_DEATHS, MOST_IN_VAIN) == (3, 3)
    assert "at twice that time and 10 s more" in PAGE
    assert (HARD_FACTOR, HARD_SECONDS) == (2.0, 10.0)
