"""Every command and script of docs/running.md and docs/cluster.md does what the page says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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

DOCS = Path(__file__).parent.parent / "docs"
PAGE, CLUSTER = ((DOCS / f"{name}.md").read_text("utf-8") for name in ("running", "cluster"))
VOLATILE = {column.name for column in TRIAL_COLUMNS if column.volatile}
SERVICES = ("dask scheduler", "dask worker")
ONE_MACHINE = """
from distributed import LocalCluster


class Cluster(LocalCluster):
    def __init__(self, **_):
        local = {"n_workers": 1, "threads_per_worker": 1, "host": "127.0.0.1"}
        super().__init__(**local, dashboard_address="127.0.0.1:0")

    def scale(self, n=0, jobs=0):
        super().scale(min(n + jobs, 1))

    def job_script(self):
        return ""


SLURMCluster = KubeCluster = Cluster


def make_cluster_spec(**_):
    return {"spec": {"worker": {"spec": {"containers": [{}]}}}}
"""
"""What takes the place of dask-jobqueue and dask-kubernetes, which need a cluster."""


def blocks(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    return re.findall(r"^\$ (.*)$", "\n".join(blocks("console", page)), re.MULTILINE)


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


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-4)
    monkeypatch.setattr(build, "MOST_DRAWN", 0)


@pytest.mark.usefixtures("quick")
def test_every_command_does_what_the_page_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    tables = {_ran(command, folder, capsys) for command in commands(PAGE)}
    assert len(commands(PAGE)) == 4
    assert len(tables) == 1


@pytest.mark.usefixtures("quick")
def test_a_cluster_of_other_processes_gives_the_rows_of_this_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    for text in [*blocks("toml", CLUSTER), blocks("python", CLUSTER)[0]]:
        (folder / text.splitlines()[0].removeprefix("# ")).write_text(text)
    port = str(free_port())
    lines = [line.replace("8786", port) for line in commands(CLUSTER)]
    services, runs = lines[:2], lines[2:]
    assert [command.startswith(SERVICES) for command in lines] == [True, True, False, False]
    with service(services[0], folder), service(services[1], folder):
        there = [_ran(command, folder, capsys) for command in runs]
    for command, table in zip(runs, there, strict=True):
        study = shlex.split(command)[2]
        here = f"bpsweep run {study} --out here --no-timing --backend sequential"
        assert _ran(here, folder, capsys) == table
        shutil.rmtree("here")


@pytest.mark.parametrize("script", blocks("python", CLUSTER)[1:], ids=["slurm", "kubernetes"])
def test_a_script_for_a_cluster_runs_with_one_of_this_machine(script: str, folder: Path) -> None:
    (folder / "dask_kubernetes").mkdir()
    for module in ("dask_jobqueue.py", "dask_kubernetes/operator.py"):
        (folder / module).write_text(ONE_MACHINE)
    (folder / "script.py").write_text(script)
    subprocess.run([sys.executable, "script.py"], cwd=folder, check=True, capture_output=True)
    assert (folder / "small" / "report.html").is_file()


def _ran(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command, and return what its table of trials has but times."""
    assert cli.main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    page = Path(capsys.readouterr().out.splitlines()[-1])
    assert page.name == "report.html"
    return _stable(folder / page.parent / "tables" / "trials.csv")


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
    bpsweeps = "\n".join(command for command in commands(CLUSTER) if "bpsweep run" in command)
    assert options == {*re.findall(r"--[a-z][a-z-]*", PAGE + bpsweeps)}


def test_the_numbers_are_the_code_s() -> None:
    assert "dies there three times" in PAGE
    assert "die three times in a row" in PAGE
    assert (MOST_DEATHS, MOST_IN_VAIN) == (3, 3)
    assert "at twice that time and 10 s more" in PAGE
    assert (HARD_FACTOR, HARD_SECONDS) == (2.0, 10.0)
