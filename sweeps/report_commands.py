"""The commands of `bpsweep` that write reports."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.store_commands import DONE, Add

if TYPE_CHECKING:
    from reports.results import StudyResults


def add_report_commands(add: Add) -> None:
    """Add `report` and `watch`.

    Args:
        add: Adds a command.
    """
    report = add(_report, "report", "write the report of a study again")
    report.add_argument("folder", type=Path, help="the study's folder")
    watch = add(_watch, "watch", "write the report of a study now and then while it runs")
    watch.add_argument("folder", type=Path, help="the study's folder")


def _report(options: argparse.Namespace) -> int:
    from sweeps.study import results

    write_report(results(options.folder), options.folder)
    return DONE


def write_report(results: StudyResults, folder: Path) -> None:
    """Write a report, and tell where it is and of incidents.

    Args:
        results: The study.
        folder: Where to write.

    Raises:
        ResourceError: It can't be written.
    """
    from reports import build_report
    from reports.cautions import incident_cautions
    from sweeps.errors import ResourceError

    try:
        page = build_report(results, folder)
    except OSError as error:
        raise ResourceError(
            f"{error.filename or folder} can't be written: {error.strerror or error}. The results "
            f"are kept: `bpsweep report {folder}` writes the report again."
        ) from None
    print(page)
    for statement in incident_cautions(results.description):
        print(f"note: {statement.text} `bpsweep export` lists what happened.", file=sys.stderr)


def _watch(options: argparse.Namespace) -> int:
    from sweeps.watching import watch

    print(watch(options.folder))
    return DONE
