"""The commands of `bpsweep` that answer a question: which batch size, what costs an update?"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.cli._options import (
    DATA,
    DONE,
    PARAMETER,
    Commands,
    data_settings,
    data_words,
    document,
    folder_at,
    repeatable,
)
from sweeps.errors import UsageError, write
from sweeps.store.folder import FILE

if TYPE_CHECKING:
    from sweeps.design.experiment import Experiment


def add_answer_commands(commands: Commands) -> None:
    """Add `recommend` and `time`."""
    text = "name the batch size to use with its learning rate, by a short study"
    shared = (*DATA, "--jobs", "--json")
    recommend = commands.add(_recommend, "Start", "recommend", text, *shared)
    recommend.add_argument("data", nargs="?", help="a dataset's name, or a file of data")
    recommend.add_argument(
        "--trainer",
        metavar="FILE.py:FUNCTION",
        help="train by this function in place of data; --set then replaces keys of its study",
    )
    recommend.add_argument("--set", **PARAMETER)
    recommend.add_argument(
        "--minutes", type=float, default=1.0, metavar="N", help="the time there is (default: 1)"
    )
    out = folder_at("the study's folder (default: named after the data)")
    recommend.add_argument("--out", **out)
    text = "measure what an update costs, and nothing else"
    timed = commands.add(_time, "More", "time", text, "--json")
    timed.add_argument("study", help="a study's folder, a study that ships, or a TOML file")
    replaced = "replace a key of the study, not of a folder's; the value is TOML"
    timed.add_argument("--set", **repeatable("KEY=VALUE", replaced))
    timed.add_argument("--out", **folder_at("where to keep the times (default: as for run)"))


def _recommend(options: argparse.Namespace) -> int:
    started = time.monotonic()
    from sweeps.advise.request import request_of, request_of_trainer

    if bool(options.data) == bool(options.trainer) or (options.trainer and data_words(options)):
        raise UsageError("recommend needs either data, or --trainer without options of data.")
    if options.trainer:
        asked = (options.trainer, options.minutes, options.out, options.jobs or 1)
        request = request_of_trainer(*asked, options.set)
    else:
        of_data = (options.data, options.target, options.minutes, options.out, options.jobs or -1)
        settings = [*data_settings(options), *options.set]
        request = request_of(*of_data, started=started, settings=settings)
    from sweeps.advise.adaptive import TimeBudget, advice_content, advise
    from sweeps.cli._ending import ending

    advice = advise(request, TimeBudget(60 * options.minutes, started))
    lines = ending(advice.page, _more_minutes(options))
    write(*(document(advice_content(advice)) if options.json else lines))
    return DONE


def _more_minutes(options: argparse.Namespace) -> dict[str, Callable[[int], list[str]]]:
    """What to type to have a better answer: the same command goes on where it ended."""
    what = ["--trainer", options.trainer] if options.trainer else [options.data]
    command = ["bpsweep", "recommend", *what, *data_words(options, "--set")]
    command += ["--out", str(options.out)] if options.out else []
    again = [*command, "--minutes", f"{options.minutes:g}"]
    return dict.fromkeys(("seeds", "larger", "time"), lambda _amount: again)


def _time(options: argparse.Namespace) -> int:
    study = _to_time(options)
    from sweeps.manage.timing_report import time_study, times_lines

    times = time_study(*study)
    write(*(document(times.to_json()) if options.json else times_lines(times)))
    return DONE


def _to_time(options: argparse.Namespace) -> tuple[Experiment, Path]:
    """Return what is timed, and the folder that keeps it."""
    from sweeps.study import Study

    folder = Path(options.study)
    if not (folder / FILE).is_file():
        study = Study.from_target(options.study, options.set)
        return study.experiment, options.out or Path(study.specification.name)
    if options.set or options.out:
        raise UsageError(
            f"{folder} is a study's folder: it is timed as it is, without --set, --out."
        )
    return Study.from_folder(folder).experiment, folder
