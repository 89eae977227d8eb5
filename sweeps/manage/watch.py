"""The report while a study runs: written again and again, without getting in the run's way."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reports import build_report
from reports.schema.results import StudyResults
from sweeps.errors import StoreError
from sweeps.store.lock import owner_of
from sweeps.store.rows import DONE
from sweeps.store.study_results import results

LEAST_SECONDS = 10.0
"""The report is written at most this often."""
MOST_SHARE = 0.1
"""After the first report, writing takes at most this share of the time of one core."""
LOOK_SECONDS = 0.5
"""How often is looked whether the run goes on."""
RELOAD_SECONDS = 10
"""How often an open page loads itself again."""


def watch(folder: Path) -> Path:
    """Write a study's report while the run that is under way goes on, and once more when it ended.

    Nothing is written while nothing is missing: then times are measured, which must not be
    disturbed. Ctrl-C ends the watching, not the run.
    """
    owner = owner_of(folder)
    with suppress(KeyboardInterrupt):
        _write_while(lambda: owner is not None and owner_of(folder) == owner, folder)
    return build_report(results(folder), folder)


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
    outcomes = study.trials["status"].tolist()
    if outcomes != shown and _missing(study):
        build_report(study, folder, reload_seconds=RELOAD_SECONDS)
    return outcomes


def _missing(study: StudyResults) -> int:
    """Return how many trials may still run."""
    return study.description.planned_trials - int(study.trials["status"].isin(DONE).sum())
