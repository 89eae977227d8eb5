"""The `bpsweep` command. Imports happen where they are needed: help is shown at once."""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import re
import shlex
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sweeps.cli._analyze import add_analyze
from sweeps.cli._manage import add_store_commands
from sweeps.cli._options import (
    DATA,
    DONE,
    PARAMETER,
    SOME_FAILED,
    Commands,
    data_settings,
    data_words,
    document,
    folder_at,
    repeatable,
)
from sweeps.cli._recommend import add_answer_commands
from sweeps.cli._report import add_report_commands, current_report, write_report
from sweeps.errors import (
    ResourceError,
    UsageError,
    UserError,
    counted,
    did_you_mean,
    open_streams,
    refusal,
    tell,
    write,
)
from sweeps.store.folder import with_study
from sweeps.worker.processes import ONE_THREAD, check_address_space

if TYPE_CHECKING:
    from sweeps.study import Study

NOT_USABLE, BUG, INTERRUPTED = 7, 70, 130

_OBJECTS_BETWEEN_COLLECTIONS = 1_000_000

_EPILOG = """\
Start with `bpsweep recommend digits`, or `bpsweep recommend FILE --target COLUMN`.
Exit codes: 0 done, 1 some trials failed, 2 usage or specification, 3 dataset, 4 store,
5 owned by another run, 6 resources, 7 environment, 70 a bug; 128 and the signal's number if one
ended it: 129 hang-up, 130 Ctrl-C, 143 SIGTERM.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    open_streams()
    if arguments is None:
        _prepare_process()
    try:
        options = _parsed(arguments)
        command: Callable[[argparse.Namespace], int] = options.command
        check_address_space()
        return command(options)
    except UserError as error:
        tell(*(f"error: {line}" for line in error.lines), *_again(arguments, error.options))
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


def _again(arguments: Sequence[str] | None, options: Sequence[str]) -> list[str]:
    """Return the command that goes on after an error about data or time, if there is one."""
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    if not options or words[0] not in {"new", "recommend"}:
        return []
    data = ("--target", "--ignore", "--missing", "--task", "--sample", "--set")
    replaced = ("--minutes",) if options[0].startswith("--minutes") else data
    kept = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if before not in replaced and not word.startswith(replaced)
    ]
    return [f"Go on with: {shlex.join(['bpsweep', *kept, *options])}"]


class _Parser(argparse.ArgumentParser):
    """Reports a misspelt command line, which may hold anything, as other errors are reported."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        wrong = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
        hint = did_you_mean(wrong[1], re.findall(r"[\w-]+", wrong[2])) if wrong else ""
        tell(f"{self.prog}: error: {message}{hint}")
        self.exit(UserError.exit_code)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    try:
        command_line = parser()
        if "_ARGCOMPLETE" in os.environ:  # a shell asks
            from argcomplete import autocomplete

            autocomplete(command_line)
        return command_line.parse_args(arguments)
    finally:
        write()  # help, if there was any, arrives


def _prepare_process() -> None:
    """Set what holds for the whole process, before any library is loaded."""
    if not sys.warnoptions:
        # Of libraries, to those who write code; what a user can mend is an error of ours.
        warnings.simplefilter("ignore")
    # Importing the libraries makes hundreds of thousands of objects that all stay: looking through
    # them for garbage every 700, and at the end, takes a third of the time of a short command.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)
    # BLAS would start threads that are never used, and end the process where it may not. For its
    # plugins, of which there are none, pydantic would look through every installed package.
    os.environ.update(ONE_THREAD | {"PYDANTIC_DISABLE_PLUGINS": "__all__"} | os.environ)


def parser() -> argparse.ArgumentParser:
    """Return what understands the command line."""
    command_line = _Parser(
        prog="bpsweep",
        usage="bpsweep [--version] [--completion SHELL] COMMAND ...",
        description="Which batch size, for my data? Sweeps of vectorized backpropagation.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command_line.add_argument("--version", action="store_true", help="show the version")
    command_line.add_argument(
        "--completion",
        choices=("bash", "zsh", "fish"),
        help="print what makes a shell complete commands, such as for `eval` in ~/.bashrc",
    )
    commands = Commands(command_line)
    command_line.set_defaults(command=partial(_without_command, command_line))
    add_answer_commands(commands)
    _add_run(commands)
    add_analyze(commands)
    add_report_commands(commands)
    add_store_commands(commands)
    _add_preparing_commands(commands)
    command_line.epilog = f"{commands.overview()}\n\n{_EPILOG}"
    return command_line


def _without_command(command_line: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Print the version, what a shell needs to complete commands, or else help."""
    if options.version:
        from importlib.metadata import version

        write(f"{command_line.prog} {version(command_line.prog)}")
    elif options.completion:
        from argcomplete.shell_integration import shellcode

        write(*shellcode([command_line.prog], shell=options.completion).splitlines())
    else:
        command_line.print_help()
    return DONE


def _add_run(commands: Commands) -> None:
    text = "run what is missing of a study, or of one on data of yours, and write its report"
    run = commands.add(_run, "Start", "run", text, *DATA, "--jobs")
    _target(run, "a study that ships, such as digits, a TOML file, a dataset's name or a data file")
    run.add_argument("--out", **folder_at("the study's folder (default: its name)"))
    run.add_argument(
        "--retry-failed",
        action="store_true",
        help="run trials again that ended without a result; STUDY is the study's folder",
    )
    _running(run)


def _add_preparing_commands(commands: Commands) -> None:
    text = "list what can be named: studies, data, figures"
    listed = commands.add(_list, "Look", "list", text, "--json")
    listed.add_argument("what", choices=("studies", "datasets", "figures"))
    text = "show what this machine and a folder have for studies"
    doctor = commands.add(_doctor, "Look", "doctor", text, "--json")
    doctor.add_argument(
        "folder", type=Path, nargs="?", help="where a study's folder is or will be (default: none)"
    )
    text = "write the specification of a study of your data"
    new = commands.add(_new, "Prepare", "new", text, *DATA)
    new.add_argument("dataset", nargs="?", default="digits", help="a dataset's name, or a file")
    new.add_argument("--set", **PARAMETER)
    new.add_argument("--all", action="store_true", help="write every key, with what it means")
    new.add_argument("--out", type=Path, metavar="FILE", help="where to (default: standard output)")
    _target(
        commands.add(_validate, "Prepare", "validate", "check a specification without running it")
    )
    text = "show what a run will do, how long and how large"
    plan = commands.add(_plan, "Prepare", "plan", text, "--jobs", "--json")
    _target(plan)
    plan.add_argument("--out", **folder_at("count what this folder holds"))


def _target(
    command: argparse.ArgumentParser,
    text: str = "a study that ships, such as digits, or a TOML file",
) -> None:
    command.add_argument("study", help=text)
    replaced = "replace a key of the study, such as epochs=5; the value is TOML"
    command.add_argument("--set", **repeatable("KEY=VALUE", replaced))


def _running(command: argparse.ArgumentParser) -> None:
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
    command.add_argument(
        "--resources",
        type=_resource,
        **repeatable("NAME=N", "what a trial takes of a Dask worker's, such as GPU=1"),
    )
    command.add_argument(
        "--check-repeat",
        action="store_true",
        help="run a trial again in the end, to see whether its seed fixes the result",
    )
    command.add_argument(
        "--accept-code",
        action="store_true",
        help="keep the trials that ran before a trainer's code was changed",
    )
    command.add_argument("--no-timing", action="store_true", help="don't measure times in the end")
    command.add_argument(
        "--watch", action="store_true", help="write the report from time to time while trials run"
    )


def _resource(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    try:
        return name, float(amount)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=N, such as GPU=1") from None


def _run(options: argparse.Namespace) -> int:
    if options.retry_failed:
        return _retry(options)
    from sweeps.data.facts import summary_lines

    study = _study_of(options)
    folder = options.out or Path(study.specification.name)
    same_code = study.take_code(folder, changed=options.accept_code)
    _tell_of_other_study(study, folder, same_code=same_code)
    tell(*summary_lines(study.experiment.data.values(), study.specification.metric))
    return _carry_out(study, folder, options, [options.study, *data_words(options, "--set")])


def _tell_of_other_study(study: Study, folder: Path, *, same_code: bool) -> None:
    """Say before anything runs that a folder holds a study that shares no trial with this one."""
    from sweeps.store import FILE, Store

    if not (folder / FILE).is_file():
        return
    # The first trial shows it, most often.
    planned = [trial for _, trial in study.experiment.explored]
    with Store.read(folder, checked=False) as store:
        if not planned or any(store.has(trial.identity) for trial in planned):
            return
    with Store.read(folder) as store:
        kept = store.ended()
    if kept:
        what = counted(len(kept), "trial")
        if not same_code:
            tell(
                f"{study.specification.trainer} changed since {what} of {folder} ran: they no "
                "longer count. `--accept-code` keeps them."
            )
            return
        tell(
            f"{folder} holds {what} of this study with other settings. They stay, but the report "
            f"will be without them. To keep both reports, stop this and add `--out {folder}-2`."
        )


def _study_of(options: argparse.Namespace) -> Study:
    """Return the study that is named, or that of the data that are."""
    from sweeps.spec.load import is_study
    from sweeps.study import Study

    if is_study(options.study):
        if words := data_words(options):
            raise UsageError(
                f"{' '.join(words)}: goes with data, but {options.study} is a study, which names "
                "its own. Use --set 'dataset={...}'."
            )
        return Study.from_target(options.study, options.set)
    return Study.from_data(options.study, options.target, data_settings(options), options.set)


def _retry(options: argparse.Namespace) -> int:
    """Run failed trials again, then what they held up, as the folder's store has the study."""
    if options.out or options.set:
        raise UsageError(
            "--retry-failed runs the study that a folder holds, as it is: "
            f"`bpsweep run {shlex.quote(options.study)} --retry-failed` without --out and --set. "
            "`bpsweep run` with the study's file runs failed trials again, too."
        )
    folder = with_study(options.study)
    from sweeps.store import Store
    from sweeps.study import Study

    with Store.read(folder) as store:
        failed = store.ended() - store.done()
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
            resources=dict(options.resources),
            timing=not options.no_timing,
            watch=options.watch,
            check_repeat=options.check_repeat,
        )
    except Finished:
        write(str(write_report(results_in(folder), folder)))
        raise
    page = current_report(results, folder)
    if page:
        tell("nothing to run; report is current")
    else:
        page = write_report(results, folder)
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
    from sweeps.data.facts import notes_of
    from sweeps.study import Study

    study = Study.from_target(options.study, options.set)
    lines = [study.summary()]
    for facts in study.experiment.data.values():
        notes = notes_of(facts, study.specification.metric)
        lines += [f"  {facts.summary()}", *(f"    {note}" for note in notes)]
    write(*lines)
    return DONE


def _plan(options: argparse.Namespace) -> int:
    from sweeps.study import Study

    study = Study.from_target(options.study, options.set)
    from sweeps.manage.forecast import forecast_lines

    forecast = study.plan(options.out, n_jobs=options.jobs)
    write(*(document(forecast) if options.json else forecast_lines(forecast)))
    return DONE


def _new(options: argparse.Namespace) -> int:
    from sweeps.advise.request import keys_for
    from sweeps.spec import named_data
    from sweeps.spec.load import write_new
    from sweeps.spec.reference import new_specification

    folder = options.out.parent if options.out else Path()
    settings = [*data_settings(options), *options.set]
    named = named_data("new", options.dataset, options.target, settings)
    keys = keys_for(named.written(Path())) | {"dataset": named.written(folder)}
    text = new_specification(keys, every_key=options.all)
    if options.out is None:
        write(*text.splitlines())
    else:
        write_new(options.out, text)
        write(str(options.out))
    return DONE


def _list(options: argparse.Namespace) -> int:
    from sweeps.cli._catalogues import CATALOGUES, listing

    entries = CATALOGUES[options.what]()
    write(*(document({options.what: entries}) if options.json else listing(options.what, entries)))
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
