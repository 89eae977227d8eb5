"""The `bpsweep` command. Imports happen where they are needed: help is shown at once."""

from __future__ import annotations

import argparse
import gc
import os
import shlex
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sweeps.cli._manage import add_store_commands
from sweeps.cli._options import (
    DONE,
    SOME_FAILED,
    Commands,
    add_data_options,
    add_jobs,
    add_json,
    add_out,
    add_repeatable,
    document,
)
from sweeps.cli._recommend import add_answer_commands
from sweeps.cli._report import add_report_commands, write_report
from sweeps.errors import (
    ResourceError,
    UsageError,
    UserError,
    counted,
    open_streams,
    refusal,
    tell,
    write,
)
from sweeps.worker.processes import ONE_THREAD, check_address_space

if TYPE_CHECKING:
    from sweeps.study import Study

NOT_USABLE, BUG, INTERRUPTED = 7, 70, 130

_OBJECTS_BETWEEN_COLLECTIONS = 200_000

_EPILOG = """\
Start with `bpsweep run digits --out digits-study`, then open digits-study/report.html.
Exit codes: 0 done, 1 some trials failed, 2 usage or specification, 3 dataset, 4 store,
5 owned by another run, 6 resources, 7 environment, 70 a bug; 128 and the signal's number if one
ended it: 129 hang-up, 130 Ctrl-C, 143 SIGTERM.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    open_streams()
    if arguments is None:
        _prepare_process()
    # Importing the libraries makes hundreds of thousands of objects that all stay: looking through
    # them for garbage every 700 takes a tenth of the time of a command that has little to do.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        options = _parsed(arguments)
        command: Callable[[argparse.Namespace], int] = options.command
        check_address_space()
        return command(options)
    except UserError as error:
        tell(*(f"error: {line}" for line in error.lines))
        return error.exit_code
    except KeyboardInterrupt as interruption:
        tell("interrupted: every trial that had ended is kept; run again to go on.")
        return getattr(interruption, "exit_code", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort
        refused = refusal(error)
        if refused:
            tell(f"error: {refused}")
            return ResourceError.exit_code
        return _bug(traceback.format_exc())


class _Parser(argparse.ArgumentParser):
    """Reports a misspelt command line, which may hold anything, as other errors are reported."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        tell(f"{self.prog}: error: {message}")
        self.exit(UserError.exit_code)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    try:
        return parser().parse_args(arguments)
    finally:
        write()  # help, if there was any, arrives


def _prepare_process() -> None:
    """Set what holds for the whole process, before any library is loaded."""
    if not sys.warnoptions:
        # Of libraries, to those who write code; what a user can mend is an error of ours.
        warnings.simplefilter("ignore")
    # BLAS would start threads that are never used, and end the process where it may not.
    os.environ.update(ONE_THREAD | os.environ)


def parser() -> argparse.ArgumentParser:
    """Return what understands the command line."""
    command_line = _Parser(
        prog="bpsweep",
        description="Which batch size, for my data? Sweeps of vectorized backpropagation.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = Commands(command_line)
    run = commands.add(_run, "run", "run what is missing of a study and write its report")
    _target(run)
    add_out(run, "the study's folder (default: its name)")
    run.add_argument(
        "--retry-failed",
        action="store_true",
        help="run trials again that ended without a result; STUDY is the study's folder",
    )
    _running(run)

    add_report_commands(commands)
    add_store_commands(commands)
    add_answer_commands(commands)
    add_json(commands.add(_datasets, "datasets", "list the datasets that a study can name"))
    doctor = commands.add(_doctor, "doctor", "show what this machine and a folder have for studies")
    doctor.add_argument(
        "folder", type=Path, nargs="?", help="where a study's folder is or will be (default: none)"
    )
    add_json(doctor)
    _target(commands.add(_validate, "validate", "check a specification without running it"))
    plan = commands.add(_plan, "plan", "show what a run will do, how long and how large")
    _target(plan)
    add_out(plan, "count what this folder holds")
    add_jobs(plan)
    add_json(plan)
    new = commands.add(_new, "new", "write a specification with every key explained")
    new.add_argument("dataset", nargs="?", default="digits", help="a dataset's name, or a file")
    add_data_options(new)
    new.add_argument("--out", type=Path, metavar="FILE", help="where to (default: standard output)")
    return command_line


def _target(command: argparse.ArgumentParser) -> None:
    command.add_argument("study", help="a study that ships, such as digits, or a TOML file")
    replaced = "replace a key of the study, such as epochs=5; the value is TOML"
    add_repeatable(command, "--set", "KEY=VALUE", replaced)


def _running(command: argparse.ArgumentParser) -> None:
    add_jobs(command)
    command.add_argument(
        "--backend",
        choices=("loky", "threading", "sequential", "dask"),
        default="loky",
        help="where trials run: processes, threads, one process, a Dask cluster (default: loky)",
    )
    command.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask cluster, such as tcp://10.0.0.1:8786 (default: start one here)",
    )
    command.add_argument("--no-timing", action="store_true", help="don't measure times in the end")
    command.add_argument(
        "--watch", action="store_true", help="write the report from time to time while trials run"
    )


def _run(options: argparse.Namespace) -> int:
    from sweeps.data.facts import summary_lines
    from sweeps.study import Study

    if options.retry_failed:
        return _retry(options)
    study = Study.from_target(options.study, options.set)
    tell(*summary_lines(study.experiment.data.values()))
    words = [options.study, *(word for setting in options.set for word in ("--set", setting))]
    return _carry_out(study, options.out or Path(study.specification.name), options, words)


def _retry(options: argparse.Namespace) -> int:
    """Run failed trials again, then what they held up, as the folder's store has the study."""
    from sweeps.store import Store
    from sweeps.study import Study

    if options.out or options.set:
        raise UsageError(
            "--retry-failed runs the study that a folder holds, as it is: "
            f"`bpsweep run {shlex.quote(options.study)} --retry-failed` without --out and --set. "
            "`bpsweep run` with the study's file runs failed trials again, too."
        )
    folder = Path(options.study)
    with Store.read(folder) as store:
        failed = store.statuses().keys() - store.done()
    if not failed:
        write(f"{folder}: no trial failed, there is nothing to run again")
        return DONE
    return _carry_out(Study.from_folder(folder), folder, options)


def _carry_out(
    study: Study, folder: Path, options: argparse.Namespace, words: Sequence[str] = ()
) -> int:
    """Run a study, write its report, and show its answer and what failed."""
    from sweeps.cli._ending import commands_of_run, ending
    from sweeps.run.signals import Finished
    from sweeps.store import results as results_in

    try:
        results = study.run(
            folder,
            n_jobs=options.jobs,
            backend=options.backend,
            scheduler=options.scheduler,
            timing=not options.no_timing,
            watch=options.watch,
        )
    except Finished:
        write(str(write_report(results_in(folder), folder)))
        raise
    page = write_report(results, folder, anew=False)
    if aside := results.description.aside:
        # A study that was changed replaces the one before: its trials stay, its report doesn't.
        what = counted(aside, "trial")
        tell(
            f"{folder} also keeps {what} of what this study was before; the report is without them."
        )
    failed = int((~results.trials["status"].isin(["ok", "diverged"])).sum())
    if failed:
        tell(f"{failed} trials failed; run again to try them once more.")
    commands = commands_of_run(words, study.specification, folder, results) if words else {}
    write(*ending(page, commands))
    return SOME_FAILED if failed else DONE


def _validate(options: argparse.Namespace) -> int:
    from sweeps.study import Study

    study = Study.from_target(options.study, options.set)
    lines = [study.summary()]
    for facts in study.experiment.data.values():
        lines += [f"  {facts.summary()}", *(f"    {note}" for note in facts.notes)]
    write(*lines)
    return DONE


def _plan(options: argparse.Namespace) -> int:
    from sweeps.manage.forecast import forecast_lines
    from sweeps.study import Study

    study = Study.from_target(options.study, options.set)
    forecast = study.plan(options.out, n_jobs=options.jobs)
    write(*(document(forecast) if options.json else forecast_lines(forecast)))
    return DONE


def _new(options: argparse.Namespace) -> int:
    from sweeps.spec import named_data
    from sweeps.spec.load import write_new
    from sweeps.spec.reference import new_specification

    folder = options.out.parent if options.out else Path()
    named = named_data("new", options.dataset, options.target, options.set)
    text = new_specification(named.written(Path()), named.written(folder))
    if options.out is None:
        write(*text.splitlines())
    else:
        write_new(options.out, text)
        write(str(options.out))
    return DONE


def _datasets(options: argparse.Namespace) -> int:
    from sweeps.data.registry import catalogue, catalogue_lines

    entries = catalogue()
    content = {"datasets": [asdict(entry) for entry in entries]}
    write(*(document(content) if options.json else catalogue_lines(entries)))
    return DONE


def _doctor(options: argparse.Namespace) -> int:
    from sweeps.cli._doctor import examination_lines, examine

    examination = examine(options.folder)
    write(*(document(examination) if options.json else examination_lines(examination)))
    return NOT_USABLE if examination.problems else DONE


def _bug(trace: str) -> int:
    with tempfile.NamedTemporaryFile(prefix="bpsweep-", suffix=".log", delete=False) as log:
        log.write(trace.encode(errors="backslashreplace"))
    last = trace.strip().splitlines()[-1]
    tell(f"internal error, a bug of bpsweep: {last} (details in {log.name})")
    return BUG
