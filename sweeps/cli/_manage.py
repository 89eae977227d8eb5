"""The commands of `bpsweep` that look at stores, copy them out and bring them together."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from sweeps.cli._options import DONE, SOME_FAILED, Commands, document, folder_at
from sweeps.errors import counted, refuse_links, tell, write
from sweeps.store.folder import with_study


def add_store_commands(commands: Commands) -> None:
    """Add `status`, `show`, `export` and `merge`."""
    text = "show what has run, what failed and what is missing"
    commands.add(_status, "Look", "status", text, "folder", "--json")
    text = "list trials, or show all that is known of one"
    show = commands.add(_show, "Look", "show", text, "folder", "--json")
    show.add_argument("trial", nargs="?", default="", help="how the trial's identity starts")
    show.add_argument("--batch-size", type=int, metavar="N", help="trials of this batch size")
    show.add_argument("--learning-rate", type=float, metavar="RATE", help="of this learning rate")
    show.add_argument("--seed", type=int, metavar="SEED", help="of this seed")
    text = "write a study's tables as files for other programs"
    export = commands.add(_export, "More", "export", text, "folder")
    formats = ("csv", "jsonl", "parquet", "wandb-csv", "optuna", "mlflow")
    export.add_argument("--format", choices=formats, default="csv", help="(default: csv)")
    export.add_argument("--out", **folder_at("where to (default: `export` in the folder)"))
    merge = commands.add(
        _merge, "More", "merge", "make one study of parts that ran on several machines"
    )
    merge.add_argument("folder", type=with_study, help="the first part's folder")
    merge.add_argument("folders", type=with_study, nargs="+", metavar="folder", help="the others'")
    merge.add_argument("--out", required=True, **folder_at("a new folder"))


def _status(options: argparse.Namespace) -> int:
    from sweeps.manage.status import status_lines, status_of

    status = status_of(options.folder)
    write(*(document(status) if options.json else status_lines(status)))
    return DONE


def _show(options: argparse.Namespace) -> int:
    from sweeps.cli._catalogues import table_lines
    from sweeps.manage.show import inspection, inspection_lines, listed, trials_like

    wanted = {name: getattr(options, name) for name in ("batch_size", "learning_rate", "seed")}
    rows = trials_like(options.folder, options.trial, **wanted)
    if len(rows) == 1:
        trial = inspection(rows[0])
        write(*(document(trial) if options.json else inspection_lines(trial)))
        return DONE
    trials = listed(rows)
    write(*(document({"trials": trials}) if options.json else table_lines(trials)))
    return DONE


def _export(options: argparse.Namespace) -> int:
    from sweeps.manage.export import export

    out = options.out or options.folder / "export"
    if not options.out:
        refuse_links(out)
    paths, notes = export(options.folder, out, options.format)
    write(*map(str, paths))
    _note(notes)
    return DONE


def _merge(options: argparse.Namespace) -> int:
    from sweeps.manage.merge import merge

    merged = merge([options.folder, *options.folders], options.out)
    conflicts = counted(len(merged.conflicts), "conflict")
    write(f"{options.out}: {counted(merged.trials, 'trial')}, {conflicts}")
    _note(merged.notes)
    _note(
        f"{trial} has different results: that of the first folder that has one is kept; "
        "`bpsweep show` has those of the others."
        for trial in merged.conflicts
    )
    return SOME_FAILED if merged.conflicts else DONE


def _note(notes: Iterable[str]) -> None:
    tell(*(f"note: {note}" for note in notes))
