"""The commands of `bpsweep` that answer a question: which batch size, what costs an update?"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.cli.manage import DONE, Add, add_json, document
from sweeps.errors import write

if TYPE_CHECKING:
    from sweeps.design.stages import Experiment


def add_answer_commands(add: Add) -> None:
    """Add `recommend` and `time`."""
    recommend = add(_recommend, "recommend", "name the batch sizes to use, by a short study")
    recommend.add_argument("data", help="a dataset's name, or a CSV, Parquet or NPZ file")
    add_data_options(recommend)
    recommend.add_argument(
        "--minutes", type=float, default=1.0, metavar="N", help="the time there is (default: 1)"
    )
    recommend.add_argument(
        "--out", type=Path, metavar="DIR", help="the study's folder (default: named after the data)"
    )
    recommend.add_argument(
        "--jobs", type=int, default=-1, metavar="N", help="worker processes (default: all cores)"
    )
    add_json(recommend)
    timed = add(_time, "time", "measure what an update costs, and nothing else")
    timed.add_argument("study", help="a study's folder, a study that ships, or a TOML file")
    timed.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace a key of the study, not of a folder's; the value is TOML (repeatable)",
    )
    timed.add_argument(
        "--out", type=Path, metavar="DIR", help="where to keep the times (default: as for run)"
    )
    add_json(timed)


def add_data_options(command: argparse.ArgumentParser) -> None:
    """Add what tells of data that a command names."""
    command.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="COLUMN",
        help="column of the file to learn; several are a regression (repeatable)",
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter of the data, such as 'missing=\"mean\"'; the value is TOML (repeatable)",
    )


def _recommend(options: argparse.Namespace) -> int:
    started = time.monotonic()
    from sweeps.advise.adaptive import TimeBudget, advice_content, advice_lines, advise
    from sweeps.advise.request import request_of

    request = request_of(
        options.data,
        options.target,
        options.minutes,
        options.out,
        options.jobs,
        settings=options.set,
    )
    advice = advise(request, TimeBudget(60 * options.minutes, started))
    write(*(document(advice_content(advice)) if options.json else advice_lines(advice)))
    return DONE


def _time(options: argparse.Namespace) -> int:
    from sweeps.manage.timing_report import time_study, times_lines

    found = time_study(*_to_time(options))
    write(*(document(found.to_json()) if options.json else times_lines(found)))
    return DONE


def _to_time(options: argparse.Namespace) -> tuple[Experiment, Path]:
    """Return what is timed, and the folder that keeps it."""
    from sweeps.errors import UsageError
    from sweeps.store.store import FILE
    from sweeps.store.study_results import stored_experiment
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
