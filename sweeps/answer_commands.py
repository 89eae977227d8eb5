"""The commands of `bpsweep` that answer a question by themselves: what does an update cost?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.store_commands import DONE, Add, add_json, document

if TYPE_CHECKING:
    from sweeps.stages import Experiment


def add_answer_commands(add: Add) -> None:
    """Add `time`.

    Args:
        add: Adds a command.
    """
    time = add(_time, "time", "measure what an update costs, and nothing else")
    time.add_argument("study", help="a study's folder, a study that ships, or a TOML file")
    time.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace a key of the study, not of a folder's; the value is TOML (repeatable)",
    )
    time.add_argument(
        "--out", type=Path, metavar="DIR", help="where to keep the times (default: as for run)"
    )
    add_json(time)


def _time(options: argparse.Namespace) -> int:
    from sweeps.update_times import time_study, times_text

    found = time_study(*_to_time(options))
    print(document(found.to_json()) if options.json else times_text(found))
    return DONE


def _to_time(options: argparse.Namespace) -> tuple[Experiment, Path]:
    """Return what is timed, and the folder that keeps it."""
    from sweeps.assembly import stored_experiment
    from sweeps.errors import UsageError
    from sweeps.store import FILE
    from sweeps.study import Study

    folder = Path(options.study)
    if not (folder / FILE).is_file():
        study = Study.from_target(options.study, options.set)
        return study.experiment, options.out or Path(study.specification.name)
    if options.set or options.out:
        raise UsageError(
            f"{folder} is a study's folder: it is timed as it is, without --set, --out."
        )
    instead = f"give the study's file, and `--out {folder}`."
    return stored_experiment(folder, instead), folder
