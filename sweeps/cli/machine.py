"""The commands of `bpsweep` that tell what there is before a study: `datasets` and `doctor`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from sweeps.cli.manage import DONE, Add, add_json, document
from sweeps.errors import write

NOT_USABLE = 7


def add_machine_commands(add: Add) -> None:
    """Add `datasets` and `doctor`."""
    add_json(add(_datasets, "datasets", "list the datasets that a study can name"))
    doctor = add(_doctor, "doctor", "tell what this machine and a folder have for studies")
    doctor.add_argument(
        "folder", type=Path, nargs="?", help="where a study's folder is or will be (default: none)"
    )
    add_json(doctor)


def _datasets(options: argparse.Namespace) -> int:
    from sweeps.data.registry import catalogue, catalogue_lines

    found = catalogue()
    content = {"datasets": [asdict(entry) for entry in found]}
    write(*(document(content) if options.json else catalogue_lines(found)))
    return DONE


def _doctor(options: argparse.Namespace) -> int:
    from sweeps.cli.doctor import examination_lines, examine

    found = examine(options.folder)
    write(*(document(found.to_json()) if options.json else examination_lines(found)))
    return NOT_USABLE if found.problems else DONE
