"""The commands of `bpsweep` that look at stores, copy them out and bring them together."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from sweeps.errors import tell, write

DONE, SOME_FAILED = 0, 1

Command = Callable[[argparse.Namespace], int]


class Add(Protocol):
    """Adds a command to `bpsweep`."""

    def __call__(self, function: Command, name: str, text: str) -> argparse.ArgumentParser:
        """Add a command."""


def add_store_commands(add: Add) -> None:
    """Add `status`, `show`, `export` and `merge`."""
    status = add(_status, "status", "tell what has run, what failed and what is missing")
    _folder(status)
    add_json(status)
    show = add(_show, "show", "tell all that is known of a trial")
    _folder(show)
    show.add_argument("trial", help="how the trial's identity starts")
    add_json(show)
    export = add(_export, "export", "write a study's tables as files for other programs")
    _folder(export)
    export.add_argument(
        "--format", choices=("csv", "jsonl", "parquet"), default="csv", help="(default: csv)"
    )
    export.add_argument(
        "--out", type=Path, metavar="DIR", help="where to (default: `export` in the folder)"
    )
    merge = add(_merge, "merge", "make one study of parts that ran on several machines")
    merge.add_argument("folder", type=Path, help="the first part's folder")
    merge.add_argument("folders", type=Path, nargs="+", metavar="folder", help="the others'")
    merge.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")


def _folder(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, help="the study's folder")


def add_json(command: argparse.ArgumentParser) -> None:
    """Add the option `--json`."""
    command.add_argument("--json", action="store_true", help="as one JSON document")


def _status(options: argparse.Namespace) -> int:
    from sweeps.manage.status import status_lines, status_of

    status = status_of(options.folder)
    write(*(document(status) if options.json else status_lines(status)))
    return DONE


def _show(options: argparse.Namespace) -> int:
    from sweeps.manage.show import inspect, inspection_lines

    trial = inspect(options.folder, options.trial)
    write(*(document(trial) if options.json else inspection_lines(trial)))
    return DONE


def _export(options: argparse.Namespace) -> int:
    from sweeps.errors import refuse_links
    from sweeps.manage.export import export

    out = options.out or options.folder / "export"
    if not options.out:
        refuse_links(out)
    exported = export(options.folder, out, options.format)
    write(*map(str, exported.paths))
    _note(exported.notes)
    return DONE


def _merge(options: argparse.Namespace) -> int:
    from sweeps.errors import counted
    from sweeps.manage.merge import merge

    merged = merge([options.folder, *options.folders], options.out)
    conflicts = counted(len(merged.conflicts), "conflict")
    write(f"{options.out}: {counted(merged.trials, 'trial')}, {conflicts}")
    _note(merged.notes)
    _note(
        f"{trial} has different results: that of the first folder that has one is kept; "
        "`bpsweep show` tells those of the others."
        for trial in merged.conflicts
    )
    return SOME_FAILED if merged.conflicts else DONE


def document(content: object) -> list[str]:
    """Return what a command found, a dictionary or dataclass, as the lines of one JSON document."""
    import json
    from dataclasses import asdict

    return json.dumps(content, indent=2, allow_nan=False, default=asdict).split("\n")


def _note(notes: Iterable[str]) -> None:
    tell(*(f"note: {note}" for note in notes))
