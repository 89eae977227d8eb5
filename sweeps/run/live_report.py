"""The report while a study runs: written again and again, without getting in the run's way."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import reports
from sweeps.errors import StoreError, tell
from sweeps.run.signals import Interrupted
from sweeps.store import owner_of, results
from sweeps.store.rows import DONE
from sweeps.worker.processes import ending, start_python

CODE = "import pathlib; from sweeps.run.live_report import watch; watch(pathlib.Path(sys.argv[2]))"

LEAST_SECONDS = 10.0  # the report is written at most this often
MOST_SHARE = 0.1  # after the first report, writing takes at most this share of the time of one core
LOOK_SECONDS = 0.5  # how often is looked whether the run goes on
RELOAD_SECONDS = 10  # how often an open page loads itself again


@contextmanager
def reported(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have a report written meanwhile, and a note if it can't be."""
    # What stops a run at once doesn't stop the process: it writes the report of what was kept.
    # Its errors are told in the end: a bar may be shown meanwhile.
    process = start_python(CODE, str(folder), streams=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if not isinstance(sys.exception(), Interrupted):
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    failed = process.poll() is not None
    process.terminate()
    errors = process.communicate()[1].decode(errors="replace").strip()
    if failed and process.returncode:
        why = errors.splitlines()[-1] if errors else ending(process.returncode)
        tell(f"note: no report was written while trials ran: {why}")


def watch(folder: Path) -> Path:
    """Write a study's report while a run goes on and trials are missing, and when it ended."""
    owner = owner_of(folder)
    with suppress(KeyboardInterrupt):
        _write_while(lambda: owner is not None and owner_of(folder) == owner, folder)
    return reports.build_report(results(folder), folder)


def _write_while(running: Callable[[], bool], folder: Path) -> None:
    shown: list[str] | None = None
    began = due = time.monotonic()
    while running():
        now = time.monotonic()
        if now >= due:
            shown = _write_if_new(folder, shown)
            # The time of loading the libraries counts, that of waiting for a core doesn't.
            due = max(now + LEAST_SECONDS, began + time.process_time() / MOST_SHARE)
        time.sleep(LOOK_SECONDS)


def _write_if_new(folder: Path, shown: list[str] | None) -> list[str] | None:
    """Write the report unless it would be that of these outcomes, and return what it shows."""
    try:
        study = results(folder)
    except StoreError:
        return shown  # the run has hardly begun
    outcomes = study.trials["status"]
    missing = study.description.planned_trials > outcomes.isin(DONE).sum()
    if missing and outcomes.tolist() != shown:
        reports.build_report(study, folder, reload_seconds=RELOAD_SECONDS)
    return outcomes.tolist()
